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
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from cells import Cells

from earful.adapt.adapt import adapt
from earful.adapt.select import plan_for
from earful.adapt.suggest import LONGEST_S, SHORTEST_S, Hearing, Listener, rank
from earful.checkpoint import load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
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
    cells = Cells(options.out, base=Path(options.base).name, corpus=options.corpus.name, test_clips=len(test))
    cells.found["recordings"] = len(heard) // 2
    for seed, count, way in cells.missing(seed=options.seeds, wanted=options.clips, way=options.ways):
        clips = chosen(heard, count, seed)[way]
        plan = replace(plan_for(len(clips), clips.duration_s), folds=0)  # the test measures
        checkpoint, _ = adapt(base, clips, plan=plan, greedy=True, seed=seed)
        row = {"way": way, "wanted": count, "seed": seed, "clips": len(clips)}
        row |= {"speech_s": round(clips.duration_s, 1)}
        cells.add(row | {"test": rates(checkpoint, test, frames, greedy=True)})


if __name__ == "__main__":
    main()
