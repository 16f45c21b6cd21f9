"""What an offset, a level and clipping cost: CER of the same clips, changed and read again from a file.

Each change is written to a file and read as any recording is, so that what reading does about it counts.

    python bench/levels.py --model MODEL --clips work/fillets-nl/test.jsonl --count 60 --out bench/levels.json
"""

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from earful.audio.files import read
from earful.data.clips import read_clips
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from earful.text.normalize import normalize
from earful.text.score import score

Sound = NDArray[np.float32]


def peak(sound_T: Sound) -> float:
    return float(np.abs(sound_T).max(initial=1e-9))


def louder(db: float) -> Callable[[Sound], Sound]:
    """Changed by so many dB from a peak of full scale; what is above it is clipped by the file."""
    return lambda sound_T: sound_T / peak(sound_T) * 10 ** (db / 20)


def offset(by: float) -> Callable[[Sound], Sound]:
    """Around another value than 0, at half of full scale."""
    return lambda sound_T: 0.5 * sound_T / peak(sound_T) + np.float32(by)


CHANGES: dict[str, tuple[Callable[[Sound], Sound], str]] = {
    "as it is": (lambda sound_T: sound_T, "PCM_16"),
    "full scale": (louder(0.0), "PCM_16"),
    "offset 0.02": (offset(0.02), "PCM_16"),
    "offset 0.1": (offset(0.1), "PCM_16"),
    "offset 0.4": (offset(0.4), "PCM_16"),
    "20 dB below full scale": (louder(-20.0), "PCM_16"),
    "45 dB below full scale": (louder(-45.0), "PCM_16"),
    "60 dB below full scale": (louder(-60.0), "PCM_16"),
    "clipped, 10 dB above full scale": (louder(10.0), "PCM_16"),
    "clipped, 20 dB above full scale": (louder(20.0), "PCM_16"),
    "floats up to 32768": (lambda sound_T: 32768 * sound_T / peak(sound_T), "FLOAT"),
}


def as_file(sound_T: Sound, subtype: str) -> bytes:
    """A WAV file of the sound."""
    content = io.BytesIO()
    held_T = np.clip(sound_T, -1, 1) if subtype != "FLOAT" else sound_T
    soundfile.write(content, held_T, 16_000, subtype=subtype, format="WAV")
    return content.getvalue()


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--count", type=int, default=0, help="the first so many clips alone")
    parser.add_argument("--before", type=Path, help="what the same wrote by other code, to be shown beside")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = Recognizer.load(asked.model)
    clips = list(read_clips(asked.clips))[: asked.count or None]
    sounds = [read(clip.audio, clip.start_s, clip.duration_s, clip.channel) for clip in clips]
    references = [normalize(u.text or "", recognizer.checkpoint.config.rules) for u in clips]
    rows = []
    for name, (change, subtype) in CHANGES.items():
        texts = [recognizer.transcribe(as_file(change(sound_T), subtype)).text for sound_T in sounds]
        rows.append({"change": name, "cer": score(references, texts).cer})
        print(json.dumps(rows[-1]), flush=True)
    seconds = round(sum(len(sound_T) for sound_T in sounds) / 16_000, 1)
    about = {"machine": machine(), "corpus": asked.clips.parent.name, "clips": len(clips), "seconds": seconds}
    if asked.before:
        about["before"] = json.loads(asked.before.read_text("utf-8"))["rows"]
    asked.out.write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
