#!/bin/sh
# soundfile 0.14.0 with libsndfile 1.2.2 in its wheel: a valid MP3 cannot be opened by its name ("bad resource fork") where a
# Mac has left its companion `._NAME` beside it, as it does on memory cards, USB sticks and network drives: what lies in the
# companion decides. WAV, FLAC and Ogg beside such files open, and so does the same MP3 from an open file. A folder of
# recordings that came by a Mac thus loses all its MP3s. Seen 2026-11-30; earful reads them from a copy.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY' | tee seen
import struct
from pathlib import Path

import numpy as np
import soundfile

# AppleDouble (RFC 1740): magic, version 2, filler, two entries (Finder information, an empty resource fork)
entries = struct.pack(">III", 9, 50, 32) + struct.pack(">III", 2, 82, 286)
companion = struct.pack(">II16sH", 0x00051607, 0x00020000, b"Mac OS X        ", 2) + entries + bytes(32 + 286)
sound = np.random.default_rng(0).normal(0, 0.05, 16_000)
print(soundfile.__libsndfile_version__)
for kind in ("mp3", "wav", "flac", "ogg"):
    path = Path(f"tone.{kind}")
    soundfile.write(path, sound, 16_000, format=kind.upper())
    Path(f"._{path}").write_bytes(companion)
    try:
        by_name = str(soundfile.info(path).frames)
    except soundfile.LibsndfileError as error:
        by_name = error.error_string
    with path.open("rb") as file:
        print(f"{kind}: by its name {by_name}; from an open file {soundfile.info(file).frames}")
PY
cat > expected <<'OUT'
1.2.2
mp3: by its name Error : bad resource fork.; from an open file 16000
wav: by its name 16000; from an open file 16000
flac: by its name 16000; from an open file 16000
ogg: by its name 16000; from an open file 16000
OUT
cmp seen expected
