"""What it brings and costs that silences are not heard: CER of speech as it is, and words that nobody has said.

Each clip is transcribed twice, as `earful transcribe` does and with silences heard like all else: as it is, amid white
noise, and with twenty seconds of digital silence, hum or faint noise before and after it. Counted: errors of letters,
words that last over two seconds, and words whose middle lies where nothing is said, by more than a tenth of a second
(five frames: CTC is no more exact). `added` is the rate of errors more than of the clips as they are, heard in the same
way, with its interval over clips. What is measured already is in the file, and not measured again.

    python bench/silence.py --model MODEL --clips work/fillets-nl/test.jsonl --out bench/silence.json
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earful.audio.files import read
from earful.data.clips import read_clips
from earful.data.utterance import Utterance
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from earful.text.normalize import normalize
from earful.text.score import errors_of_each
from earful.writing import replacing

Sound = NDArray[np.float32]
PADDING_S = 20.0
LONG_S = 2.0
EDGE_S = 0.1


def hum(count: int, generator: np.random.Generator) -> Sound:
    """50 Hz and its third harmonic, as of a bad cable, 40 dB below full scale, and the last bit of 16."""
    t = np.arange(count) / 16_000
    tones = 0.01 * np.sin(2 * np.pi * 50 * t) + 0.004 * np.sin(2 * np.pi * 150 * t)
    return np.asarray(tones + generator.normal(0, 3e-5, count), np.float32)


def faint(count: int, generator: np.random.Generator) -> Sound:
    """White noise 60 dB below full scale."""
    return generator.normal(0, 1e-3, count).astype(np.float32)


def nothing(count: int, generator: np.random.Generator) -> Sound:
    """Zeros."""
    return np.zeros(count, np.float32)


def padded(kind: Callable[[int, np.random.Generator], Sound]) -> Callable[[Sound, np.random.Generator], Sound]:
    """PADDING_S of it before and after the sound."""
    count = round(PADDING_S * 16_000)
    return lambda sound_T, rng: np.concatenate([kind(count, rng), sound_T, kind(count, rng)])


def noisy(snr_db: float) -> Callable[[Sound, np.random.Generator], Sound]:
    """White noise amid the sound."""

    def add(sound_T: Sound, rng: np.random.Generator) -> Sound:
        power = float(np.square(sound_T).mean()) * 10 ** (-snr_db / 10)
        return sound_T + rng.normal(0, power**0.5, len(sound_T)).astype(np.float32)

    return add


WAYS = ("left out", "heard")
CONDITIONS: dict[str, Callable[[Sound, np.random.Generator], Sound]] = {
    "as it is": lambda sound_T, rng: sound_T,
    "white noise, 20 dB": noisy(20.0),
    "white noise, 10 dB": noisy(10.0),
    "amid digital silence": padded(nothing),
    "amid hum": padded(hum),
    "amid faint noise": padded(faint),
}


def measured(
    recognizer: Recognizer, clips: Sequence[Utterance], references: Sequence[str], name: str, way: str
) -> dict[str, Any]:
    """Errors of each clip in this condition, and how many words are too long, or where nothing is said."""
    rng, texts, long, invented = np.random.default_rng(0), [], 0, 0
    before_s = PADDING_S if name.startswith("amid") else 0.0
    for clip in clips:
        sound_T = read(clip.audio, clip.start_s, clip.duration_s, clip.channel)
        end_s = before_s + len(sound_T) / 16_000
        found = recognizer.transcribe(CONDITIONS[name](sound_T, rng), silences=way == "heard")
        texts.append(found.text)
        long += sum(word.end_s - word.start_s > LONG_S for word in found.words)
        middles = [(word.start_s + word.end_s) / 2 for word in found.words]
        invented += sum(not before_s - EDGE_S <= middle <= end_s + EDGE_S for middle in middles)
    counts = [each.characters for each in errors_of_each(references, texts)]
    row = {"condition": name, "way": way, "cer": sum(c.errors for c in counts) / sum(c.length for c in counts)}
    errors = " ".join(str(each.errors) for each in counts)  # a line of the file, not two hundred
    return row | {"long_words": long, "invented": invented, "errors": errors}


def added(row: dict[str, Any], plain: dict[str, Any], lengths: Sequence[int]) -> dict[str, Any]:
    """How much more is wrong than in the clips as they are, and the 95 % interval (bootstrap over clips, paired)."""
    more = np.subtract(*(np.array(each["errors"].split(), np.int64) for each in (row, plain)))
    length, drawn = np.asarray(lengths), np.random.default_rng(0).integers(0, len(more), (2000, len(more)))
    low, high = np.percentile(more[drawn].sum(1) / length[drawn].sum(1), [2.5, 97.5])
    return {"added": float(more.sum() / length.sum()), "added_95": [float(low), float(high)]}


def main() -> None:
    """Measure, and write the file after each condition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--count", type=int, default=0, help="the first so many clips alone")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = Recognizer.load(asked.model)
    clips = list(read_clips(asked.clips))[: asked.count or None]
    references = [normalize(u.text or "", recognizer.checkpoint.config.rules) for u in clips]
    lengths = [len(each) for each in references]
    seconds = round(sum(u.duration_s or 0.0 for u in clips), 1)
    about = {"corpus": asked.clips.parent.name, "clips": len(clips), "seconds": seconds}
    about |= {"padding_s": PADDING_S, "long_s": LONG_S, "edge_s": EDGE_S}
    found = json.loads(asked.out.read_text("utf-8")) if asked.out.exists() else {}
    rows = found["rows"] if all(found.get(key) == value for key, value in about.items()) else []
    done = {(row["condition"], row["way"]) for row in rows}
    todo = sorted(((name, way) for name in CONDITIONS for way in WAYS), key=lambda pair: WAYS.index(pair[1]))
    for name, way in (pair for pair in todo if pair not in done):
        row = measured(recognizer, clips, references, name, way)
        plain = next((each for each in rows if (each["condition"], each["way"]) == ("as it is", way)), row)
        rows.append(row | added(row, plain, lengths))
        print(json.dumps({key: value for key, value in rows[-1].items() if key != "errors"}), flush=True)
        with replacing(asked.out) as beside:
            beside.write_text(json.dumps({"machine": machine(), **about, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
