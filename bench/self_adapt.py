"""Does a recogniser write less that is wrong when it first fits itself, unsupervised, to each recording?

Recognisers of Dutch, each adapted to K clips (one draw a seed) as a user does, write down the clips of held-out levels
with `--self-adapt` and without: clean, and amid six other people's voices at 5 dB, which adaptation has not met; by the
best path, and by the search with the language model where there is one. Each pair of runs shares model and frames.

    python bench/self_adapt.py --bases work/synthetic earful-tiny --corpus work/fillets-nl --out bench/self_adapt.json
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from conditions import amid_voices
from torch import Tensor

from earful.adapt.adapt import adapt
from earful.adapt.self_adapt import SelfAdaptation
from earful.audio.files import read
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from earful.text.normalize import normalize
from earful.text.score import errors_of_each, pool
from kshot import draw

SNR_DB = 5.0
VOICES = 200  # clips that the noise is made of; none of them learns


def written(checkpoint: Checkpoint, test: Manifest, frames: Sequence[Tensor], greedy: bool, fitted: bool) -> dict:
    """Error rates and seconds of one recogniser on the test clips, and the wrong characters of each."""
    recognizer, began = Recognizer(checkpoint, greedy=greedy, self_adapt=fitted), time.perf_counter()
    hypotheses = list(recognizer.transcribe_many(frames))
    seconds = time.perf_counter() - began
    counts = errors_of_each([normalize(u.text or "", checkpoint.config.rules) for u in test], hypotheses)
    found = pool(counts)
    wrong = [each.characters.errors for each in counts]
    return {"cer": found.cer, "wer": found.wer, "seconds": round(seconds, 2), "wrong": wrong}


def compared(
    checkpoint: Checkpoint, tests: Mapping[str, Manifest], frames: Mapping[str, Sequence[Tensor]]
) -> Iterator[dict]:
    """One recogniser without self-adaptation and with it, in each condition and by each search."""
    searches = ("greedy", "ngram") if checkpoint.language else ("greedy",)
    for kind, search in itertools.product(tests, searches):
        greedy = search == "greedy"
        before, after = (written(checkpoint, tests[kind], frames[kind], greedy, fitted) for fitted in (False, True))
        pairs = list(zip(before.pop("wrong"), after.pop("wrong"), strict=True))
        clips = {"better": sum(b > a for b, a in pairs), "worse": sum(b < a for b, a in pairs)}
        yield {"kind": kind, "search": search, "without": before, "with": after, "clips": clips}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bases", nargs="+", default=["work/synthetic", "earful-tiny"])
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--clips", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--test-clips", type=int, default=10**6, help="of the test part, at most")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    train, test = (read_manifest(options.corpus / f"{part}.jsonl") for part in ("train", "test"))
    learn, aside = Manifest(tuple(train)[::2]), Manifest(tuple(train)[1::2])
    crowd = [read(u.audio, u.start_s, u.duration_s) for u in draw(aside, VOICES, 0)]
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        clean = draw(test, options.test_clips, 0)
        tests = {"clean": clean, f"{SNR_DB:g} dB": amid_voices(clean, crowd, SNR_DB, Path(folder))}
        for name in options.bases:
            base = load_checkpoint(name)
            for seed, clips in itertools.product(options.seeds, options.clips):
                checkpoint, _ = adapt(base, draw(learn, clips, seed), seed=seed)
                hear = Recognizer(checkpoint).frames_of
                frames = {kind: [clip.frames_FM for clip in compute_clips(part, hear)] for kind, part in tests.items()}
                for row in compared(checkpoint, tests, frames):
                    rows.append({"base": Path(name).name, "adapted_to": clips, "seed": seed} | row)
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
                speech_s = round(sum(u.duration_s or 0 for u in clean), 1)
                facts = {"machine": machine(), "settings": asdict(SelfAdaptation()), "seeds": options.seeds}
                facts |= {"test_clips": len(clean), "test_s": speech_s, "rows": rows}
                options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
