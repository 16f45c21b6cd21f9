"""The loop of correcting: are drafts that `earful review` names worth more, once corrected, than drafts at random?

All by the commands that a person calls. A model of 20 clips drafts a recording of 120 other clips into the empty
segments of an ELAN file (`transcribe --into --fill`). Of its drafts 20 are corrected, in copies of that file:

    reviewed    the first 20 that `earful review` names
    random      20 at random
    as long     at random, as much speech as the reviewed ones: correcting takes as long

From each the model is adapted again (`adapt FOLDER --base MODEL`), and the test clips are written down, before and
after. `--fresh` adapts from the first base to all 40 clips, too. Test clips are of other levels of the corpus, or the
last clips of one without levels.

    python bench/loop.py --corpus work/fillets-cs --language cs --out bench/loop_czech.json

It goes on where it was.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pympi
import soundfile
import torch
from games import train_and_test
from lxml import etree

from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.checkpoint import load_checkpoint
from earful.data.manifest import Manifest, read_manifest, write_manifest
from earful.kshot.machine import machine
from earful.writing import replacing
from kshot import draw, earful, frames_by, heard_by, scored

FIRST, POOL, CORRECTED, TEST = 20, 120, 20, 120
PAUSE_S = 0.8
TIER = "utterances"
WAYS = ("reviewed", "random", "as long")


def parts(corpus: Path, seed: int) -> tuple[Manifest, Manifest, Manifest]:
    """The clips of the first model, those of the recording, those that test."""
    if (corpus / "test.jsonl").exists():
        train, test = train_and_test(corpus)
    else:
        order = sorted(read_manifest(corpus / "manifest.jsonl"), key=lambda u: u.id)
        train, test = Manifest(tuple(order[:-TEST])), Manifest(tuple(order[-TEST:]))
    some = draw(train, FIRST + POOL, seed)
    order_of = torch.randperm(len(some), generator=torch.Generator().manual_seed(seed)).tolist()
    first, pool = (Manifest(tuple(some[i] for i in which)) for which in (order_of[:FIRST], order_of[FIRST:]))
    return first, pool, draw(test, TEST, 77)


def interview(pool: Manifest, folder: Path) -> tuple[Path, dict[int, str]]:
    """A recording of all clips with pauses between, in ELAN with empty segments; what is said, by ms of its begin."""
    pieces, said, at = [np.zeros(SAMPLE_RATE_HZ, np.float32)], dict[int, str](), SAMPLE_RATE_HZ
    document = pympi.Eaf(author="bench")
    document.remove_tier("default")
    document.add_tier(TIER)
    for clip in pool:
        samples_T = read(clip.audio, clip.start_s, clip.duration_s, clip.channel)
        begin_ms, end_ms = (round(1000 * place / SAMPLE_RATE_HZ) for place in (at, at + len(samples_T)))
        document.add_annotation(TIER, begin_ms, end_ms, "")
        said[begin_ms] = clip.text or ""
        pieces += [samples_T, np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)]
        at += len(pieces[-2]) + len(pieces[-1])
    soundfile.write(folder / "interview.wav", np.concatenate(pieces), SAMPLE_RATE_HZ)
    document.add_linked_file(str(folder / "interview.wav"), "./interview.wav", "audio/x-wav")
    document.to_file(str(folder / "interview.eaf"))
    return folder / "interview.eaf", said


def spans(path: Path) -> dict[int, tuple[etree._Element, float]]:
    """The annotations of the tier with a text, and their seconds, by ms of their begin."""
    root = etree.parse(path).getroot()
    times = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
    found = {}
    for each in root.find(f"TIER[@TIER_ID='{TIER}']").iter("ALIGNABLE_ANNOTATION"):
        begin, end = (times[each.get(f"TIME_SLOT_REF{n}")] for n in (1, 2))
        found[begin] = (each, (end - begin) / 1000)
    return found


def chosen(path: Path, model: Path, seed: int) -> dict[str, list[int]]:
    """Which drafts each way corrects, by ms of their begin."""
    named = earful("review", str(model), str(path), "-n", str(CORRECTED))["correct_first"]
    reviewed = [each["start_ms"] for each in named]
    lasting = {begin: seconds for begin, (each, seconds) in spans(path).items() if each.findtext("ANNOTATION_VALUE")}
    begins = sorted(lasting)
    order = [begins[i] for i in torch.randperm(len(begins), generator=torch.Generator().manual_seed(seed)).tolist()]
    seconds, as_long = sum(lasting[begin] for begin in reviewed), list[int]()
    for begin in order:
        if sum(lasting[other] for other in as_long) + lasting[begin] <= seconds:
            as_long.append(begin)
    return dict(zip(WAYS, (reviewed, order[:CORRECTED], as_long), strict=True))


def corrected(path: Path, begins: Sequence[int], said: dict[int, str], folder: Path) -> float:
    """A copy of the file with what is said in these drafts; seconds of speech in them."""
    folder.mkdir()
    found = spans(path)
    for begin in begins:
        found[begin][0].find("ANNOTATION_VALUE").text = said[begin]
    next(iter(found.values()))[0].getroottree().write(folder / path.name, encoding="UTF-8", xml_declaration=True)
    shutil.copy(path.with_suffix(".wav"), folder)
    return sum(found[begin][1] for begin in begins)


def adapted(clips: Path, base: str | Path, out: Path, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    more = ["--out", str(out), "--base", str(base), "--seed", str(seed), "--language", options.language]
    more += ["--effort", options.effort]
    return earful("adapt", str(clips), *more)


def measured(model: Path, test: Manifest, frames: Sequence[torch.Tensor]) -> dict[str, float]:
    """CER by the best path and with the language model, WER with it."""
    checkpoint = load_checkpoint(model)
    heard = heard_by(checkpoint, test, frames)
    with_language = scored(checkpoint, test, heard, greedy=False)
    greedy = scored(checkpoint, test, heard, greedy=True)
    return {"greedy": greedy["cer"], "cer": with_language["cer"], "wer": with_language["wer"]}


def one(options: argparse.Namespace, seed: int, folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of one draw: the first model, and one of each way."""
    first, pool, test = parts(options.corpus, seed)
    frames = frames_by("earful-base", test)
    write_manifest(folder / "first.jsonl", first)
    adapted(folder / "first.jsonl", options.base, folder / "first", options, seed)
    yield {"seed": seed, "way": "before", "clips": FIRST, "seconds": first.duration_s} | measured(
        folder / "first", test, frames
    )
    (folder / "drafts").mkdir()
    path, said = interview(pool, folder / "drafts")
    drafting = ["transcribe", str(folder / "first"), "--into", str(path), "--fill", TIER]
    subprocess.run([sys.executable, "-m", "earful", *drafting], check=True)
    for way, begins in chosen(path, folder / "first", seed).items():
        if way not in options.ways:
            continue
        seconds = corrected(path, begins, said, folder / way)
        report = adapted(folder / way, folder / "first", folder / f"{way}-model", options, seed)
        row = {"seed": seed, "way": way, "clips": report["clips"], "seconds": seconds}
        yield row | measured(folder / f"{way}-model", test, frames)
        if options.fresh:
            texts = [u for u in pool if u.text in {said[begin] for begin in begins}]
            write_manifest(folder / f"{way}.jsonl", Manifest((*first, *texts)))
            report = adapted(folder / f"{way}.jsonl", options.base, folder / f"{way}-fresh", options, seed)
            row |= {"way": f"{way}, from the base", "clips": report["clips"]}
            yield row | measured(folder / f"{way}-fresh", test, frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--language", required=True)
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--effort", default="usual")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    about = {"corpus": options.corpus.name, "base": options.base, "effort": options.effort, "pool": POOL}
    about |= {"corrected": CORRECTED}
    found = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    for seed in options.seeds:
        if any(row["seed"] == seed for row in found["rows"]):
            continue
        rows = []
        with tempfile.TemporaryDirectory() as name:
            for row in one(options, seed, Path(name)):
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
        found = {"machine": machine()} | about | {"rows": [*found["rows"], *rows]}
        with replacing(options.out) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
