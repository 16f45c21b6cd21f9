"""K clips → a recogniser: CER before and after on held-out levels of real speech, from several bases.

Runs the user's own command, `earful adapt`, in a fresh process, so that seconds and peak memory are what a user sees;
then the model writes down the test clips, by the best path and, with `--text`, by the search with its language model.
Interleaved: for every seed and K, each base in turn. Rows of an earlier run are kept, so an interrupted one goes on.

    python bench/free_text.py --out work/free-cs.txt
    python bench/kshot.py --corpus work/fillets-cs --text work/free-cs.txt --out bench/kshot_czech.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from cells import Cells
from games import train_and_test
from torch import Tensor

from earful.adapt.start import start_from
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, write_manifest
from earful.recognizer import Recognizer
from earful.text.normalize import normalize
from earful.text.score import score

ALL = 10**6


def earful(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "earful", *arguments, "--json"], capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"earful {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


def draw(manifest: Manifest, count: int, seed: int) -> Manifest:
    """`count` clips at random, of 1 to 15 seconds; all of them if there are no more."""
    fit = manifest.filter(lambda u: 1.0 <= (u.duration_s or 0) <= 15.0)
    order = torch.randperm(len(fit), generator=torch.Generator().manual_seed(seed)).tolist()[:count]
    return Manifest(tuple(fit[i] for i in sorted(order)))


def rates(checkpoint: Checkpoint, test: Manifest, frames: Sequence[Tensor], *, greedy: bool) -> dict:
    """Scores of one model on the test clips, whose `frames` are as its base hears them, or it heard anew."""
    return scored(checkpoint, test, heard_by(checkpoint, test, frames), greedy=greedy)


def scored(checkpoint: Checkpoint, test: Manifest, frames: Sequence[Tensor], *, greedy: bool) -> dict:
    """Scores of one model on the test clips by their frames."""
    hypotheses = list(Recognizer(checkpoint, greedy=greedy).transcribe_many(frames))
    found = score([normalize(u.text or "", checkpoint.config.rules) for u in test], hypotheses)
    return {"cer": found.cer, "wer": found.wer, "interval_95": list(found.interval_95)}


def frames_by(base: str | Checkpoint, test: Manifest) -> list[Tensor]:
    """What the frozen part of a model hears in the test clips."""
    checkpoint = start_from(base, ["a"], {}) if isinstance(base, str) else base
    return [clip.frames_FM for clip in compute_clips(test, Recognizer(checkpoint).frames_of)]


def heard_by(adapted: Checkpoint, test: Manifest, frames: Sequence[Tensor]) -> Sequence[Tensor]:
    """The test clips as the adapted model hears them: amid its own bed, or else as the base does, by its `frames`."""
    return frames_by(adapted, test) if getattr(adapted.config.features, "bed", 0) else frames


def one(support: Path, base: str, seed: int, model: Path, how: Sequence[str]) -> dict:
    """Adapt as a user does."""
    options = ["--out", str(model), "--base", base, "--seed", str(seed), "--overwrite"]
    adapted = earful("adapt", str(support), *options, *how)
    keys = ("clips", "cer_before", "cer_after", "measured", "seconds", "peak_memory_mb")
    return {"speech_s": adapted["speech_seconds"]} | {key: adapted[key] for key in keys}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200, ALL])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--bases", nargs="+", default=["earful-base", "earful-tiny", "hf:work/whisper-tiny-en", "none"])
    parser.add_argument("--text", type=Path, help="free text of the language, for the language model")
    parser.add_argument(
        "--words", action="store_true", help="a language model without free text: of words, transcripts"
    )
    parser.add_argument("--more", nargs="*", default=[], help="further options of `earful adapt`, without their dashes")
    parser.add_argument("--about", type=Path, nargs="*", help="JSON of how the bases were made, each in their folder")
    options = parser.parse_args()
    how = [*(["--text", str(options.text)] if options.text else []), *(f"--{name}" for name in options.more)]
    how += [] if options.text or options.words else ["--greedy"]
    train, test = train_and_test(options.corpus)
    cells = Cells(options.out, corpus=options.corpus.name, test_clips=len(test), free_text=options.text is not None)
    if options.about:
        cells.found["about"] = {str(path.parent): json.loads(path.read_text("utf-8")) for path in options.about}
    cells.found["test_s"] = round(sum(u.duration_s or 0 for u in test), 1)
    frames, before = {base: frames_by(base, test) for base in options.bases}, cells.found.setdefault("before", {})
    for base in options.bases:
        if base != "none" and not base.startswith("hf:") and base not in before:
            before[base] = rates(load_checkpoint(base), test, frames[base], greedy=True)
    with tempfile.TemporaryDirectory() as name:
        support, model = Path(name) / "support.jsonl", Path(name) / "model"
        for seed, clips, base in cells.missing(seed=options.seeds, wanted=options.clips, base=options.bases):
            write_manifest(support, draw(train, clips, seed))
            row = {"base": base, "wanted": clips, "seed": seed} | one(support, base, seed, model, how)
            checkpoint = load_checkpoint(model)
            heard = heard_by(checkpoint, test, frames[base])
            row["test"] = scored(checkpoint, test, heard, greedy=True)
            if options.text or options.words:
                row["test_ngram"] = scored(checkpoint, test, heard, greedy=False)
                row["language"] = checkpoint.language and [checkpoint.language.weight, checkpoint.language.bonus]
            cells.add(row)


if __name__ == "__main__":
    main()
