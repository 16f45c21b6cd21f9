"""Do the clips that `earful suggest` names teach more than clips taken at random?

A base listens once to all real clips of the training levels that fit. For each seed half of them, at random, are the
recordings that nobody has transcribed, and N of these are then transcribed and adapted to, chosen in four ways:

    suggested   the N best by `adapt.suggest`
    random      N at random
    as long     at random, as much speech as the N suggested ones have: transcribing takes as long
    unsure      those that the base is least sure of, as much speech again: what uncertainty alone is worth

The held-out levels score each, greedily. The same seed gives every way the same recordings.

    python bench/suggest.py --base work/synthetic --corpus work/fillets-nl --out bench/suggest.json

It goes on where it was.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from earful.adapt.adapt import adapt
from earful.adapt.select import plan_for
from earful.adapt.suggest import LONGEST_S, SHORTEST_S, Hearing, Listener, rank
from earful.checkpoint import load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from kshot import rates

WAYS = ("suggested", "random", "as long", "unsure")


def shuffled(heard: Sequence[Hearing], seed: int) -> list[Hearing]:
    """All clips in an order drawn by the seed."""
    return [heard[i] for i in torch.randperm(len(heard), generator=torch.Generator().manual_seed(seed)).tolist()]


def within(heard: Sequence[Hearing], seconds: float) -> list[Hearing]:
    """The first clips, in order, that fit into so many seconds together."""
    taken: list[Hearing] = []
    for each in heard:
        if sum(other.seconds for other in taken) + each.seconds <= seconds:
            taken.append(each)
    return taken


def chosen(heard: Sequence[Hearing], count: int, seed: int) -> dict[str, Manifest]:
    """The clips that each way takes of the recordings that this seed draws."""
    half = shuffled(heard, seed)[: len(heard) // 2]
    by_chance = shuffled(half, seed + 1000)
    suggested = [each.clip for each in rank(half, count=count)]
    seconds = sum(clip.duration_s or 0.0 for clip in suggested)
    doubtful = sorted(half, key=lambda each: -each.unsure)
    return {
        "suggested": Manifest(tuple(suggested)),
        "random": Manifest(tuple(each.clip for each in by_chance[:count])),
        "as long": Manifest(tuple(each.clip for each in within(by_chance, seconds))),
        "unsure": Manifest(tuple(each.clip for each in within(doubtful, seconds))),
    }


def listened(base: str, train: Manifest) -> Iterator[Hearing]:
    """The clips that can be suggested, as the base hears them."""
    listener = Listener(load_checkpoint(base))
    for clip in train:
        if SHORTEST_S <= (clip.duration_s or 0.0) <= LONGEST_S and isinstance(found := listener.hear(clip), Hearing):
            yield found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="a base that has not heard the language")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    base = load_checkpoint(options.base)
    train, test = (read_manifest(options.corpus / f"{part}.jsonl") for part in ("train", "test"))
    frames = [clip.frames_FM for clip in compute_clips(test, Recognizer(base).frames_of)]
    heard = list(listened(options.base, train))
    facts = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    facts |= {"machine": machine(), "base": Path(options.base).name, "corpus": options.corpus.name}
    facts |= {"test_clips": len(test), "recordings": len(heard) // 2}
    done = {(row["way"], row["wanted"], row["seed"]) for row in facts["rows"]}
    for seed in options.seeds:
        for count in options.clips:
            for way, clips in chosen(heard, count, seed).items():
                if way not in options.ways or (way, count, seed) in done:
                    continue
                plan = replace(plan_for(len(clips), clips.duration_s), folds=0)  # the test measures
                checkpoint, _ = adapt(base, clips, plan=plan, greedy=True, seed=seed)
                row = {"way": way, "wanted": count, "seed": seed, "clips": len(clips)}
                row |= {"speech_s": round(clips.duration_s, 1)}
                row |= {"test": rates(checkpoint, test, frames, greedy=True)}
                facts["rows"].append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
                options.out.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
