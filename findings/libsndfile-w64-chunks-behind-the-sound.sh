#!/bin/sh
# soundfile 0.14.0 with libsndfile 1.2.2 in its wheel: a valid Sony Wave64 file (.w64, what editors write beyond 4 GB) that
# has a chunk behind its sound - markers, notes, padding - is read with that chunk as sound at its end, with no error. The
# length that the file itself gives for its sound is not used. FFmpeg's libraries (PyAV 18.1.0) stop where the sound ends.
# RIFF and AIFF files with such a chunk are read right. Seen 2026-11-30; earful finds the end by itself.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.4.6 av==18.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY' | tee seen
import io
import struct
import uuid

import av
import numpy as np
import soundfile

sound = (0.3 * np.sin(np.arange(16_000) / 10)).astype(np.float32)


def written(kind):
    file = io.BytesIO()
    soundfile.write(file, sound, 16_000, "PCM_16", format=kind)
    return bytearray(file.getvalue())


def lengths(name, content):
    at_once, rate = soundfile.read(io.BytesIO(bytes(content)))
    with av.open(io.BytesIO(bytes(content))) as opened:
        other = sum(frame.samples for frame in opened.decode(audio=0))
    print(name, len(at_once), other, "tail" if np.abs(at_once[16_000:]).max(initial=0) > 0 else "no tail")


note = b"a note of the editor " * 96  # 2016 bytes, a multiple of 8
w64 = written("W64")
lengths("w64:", w64)
w64 += uuid.UUID("6b6e756a-acf3-11d3-8cd1-00c04f8edb8a").bytes_le + struct.pack("<Q", 24 + len(note)) + note
w64[16:24] = struct.pack("<Q", len(w64))  # the length of all
lengths("w64 with a chunk behind its sound:", w64)
wav = written("WAV") + b"junk" + struct.pack("<I", len(note)) + note
wav[4:8] = struct.pack("<I", len(wav) - 8)
lengths("wav with a chunk behind its sound:", wav)
print(soundfile.__libsndfile_version__)
PY
cat > expected <<'OUT'
w64: 16000 16000 no tail
w64 with a chunk behind its sound: 17020 16000 tail
wav with a chunk behind its sound: 16000 16000 no tail
1.2.2
OUT
cmp seen expected
