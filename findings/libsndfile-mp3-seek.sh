#!/bin/sh
# soundfile 0.14.0 with libsndfile 1.2.2 in its wheel: after a seek in a valid MP3 of low bit rate, what is read begins with
# near-silence and differs from the same stretch of the whole file, with no error. The samples after the first frames are
# right. Who cuts a long MP3 into clips by offset loses up to a fifth of a second of each clip's start. Seen 2026-11-30;
# earful starts two seconds earlier and throws them away.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet soundfile==0.14.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PY' | tee seen
import io

import numpy as np
import soundfile

rate = 16_000
noise = np.random.default_rng(0).normal(0, 0.05, 3 * rate)
sound = np.convolve(noise, np.hanning(17), "same")
sound[rate : 2 * rate] *= 1e-4  # a second of near-silence, then sound again
file = io.BytesIO()
soundfile.write(file, sound, rate, format="MP3")
whole, _ = soundfile.read(io.BytesIO(file.getvalue()))
with soundfile.SoundFile(io.BytesIO(file.getvalue())) as opened:
    opened.seek(18_880)
    part = opened.read(20_000)
wrong = np.abs(part - whole[18_880 : 18_880 + 20_000]) > 1e-6
print(soundfile.__libsndfile_version__)
print("samples that differ after the seek:", "none" if not wrong.any() else "more than 1000" if wrong.sum() > 1000 else "some")
print("the last 10000 differ:", bool(wrong[-10_000:].any()))
PY
cat > expected <<'OUT'
1.2.2
samples that differ after the seek: more than 1000
the last 10000 differ: False
OUT
cmp seen expected
