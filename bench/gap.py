"""What brings a base that has heard only a synthesiser nearer to real voices? Each ingredient's share, on real Dutch.

A base goes on for the same number of steps, each time with one thing more: nothing but the same synthetic speech; other
synthesisers; real letters, words and prompts, of which the base wrote down the prompts itself; all of these; or with
the upper layers of the pre-trained encoder moving too. What comes of it writes down real Dutch, which none has heard,
as it is, and adapted to K clips, the same ones for all. Dutch chooses; Czech is only measured.

    python bench/gap.py --start work/synthetic --corpus work/fillets-nl --out bench/gap.json

It goes on where it was.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from games import train_and_test
from torch import Tensor

from earful.adapt.adapt import adapt
from earful.adapt.select import plan_for
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.config import read_toml
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.encoder.backbone import recut
from earful.kshot.machine import machine
from earful.model import ModelConfig
from earful.pretrain.dataset import open_dataset
from earful.pretrain.recipe import Corpus, Recipe
from earful.pretrain.supervised import train_base
from earful.recognizer import Recognizer
from earful.train import Optimisation
from kshot import draw, rates

HELD_OUT = "nl"
UPPER = "the encoder's upper layers move"
REAL = ("klettres/manifest", "ktuberling/manifest", "prompts/pseudo")
VOICES = ("voices/manifest",)
ADDED: Mapping[str, Sequence[str]] = {
    "the same": (),
    "other synthesisers": VOICES,
    "real letters, words and prompts": REAL,
    "all of these": (*REAL, *VOICES),
    UPPER: (),
}
MOVING = 2


def recipe_of(arm: str, options: argparse.Namespace, seed: int) -> Recipe:
    """The recipe of the start, going on with what `arm` adds, in two augmented copies."""
    plan = read_toml(Recipe, options.recipe)
    more = [Corpus(options.data / f"{name}.jsonl", 2, not_languages=(HELD_OUT, "cs")) for name in ADDED[arm]]
    below = plan.pretrained
    if arm == UPPER:
        assert below is not None
        below = replace(below, frozen=MOVING)
    return replace(
        plan,
        start=options.start,
        corpora=(*plan.corpora, *more),
        pretrained=below,
        optimisation=Optimisation(options.steps, rate=options.rate),
        work=options.work / f"{arm.replace(' ', '-')}-{seed}",
        seed=plan.seed if seed == 0 else seed,
    )


def trained(arm: str, options: argparse.Namespace, seed: int) -> Checkpoint:
    """The base after the steps of one arm, all of its pre-trained encoder frozen again."""
    recipe = recipe_of(arm, options, seed)
    found = train_base(recipe, open_dataset(replace(recipe, seed=0)))
    return replace(found, config=frozen_again(found.config))


def frozen_again(config: ModelConfig) -> ModelConfig:
    """The same model, none of its pre-trained encoder moving."""
    features = config.features
    return replace(config, features=recut(features, frozen=features.layers))


def measured(base: Checkpoint, train: Manifest, test: Manifest, options: argparse.Namespace) -> list[dict]:
    """Greedy CER of the base, and after adaptation to K clips, drawn anew for each seed of `options.draws`."""
    frames: list[Tensor] = [clip.frames_FM for clip in compute_clips(test, Recognizer(base).frames_of)]
    rows = [{"clips": 0, "cer": rates(base, test, frames, greedy=True)["cer"]}]
    for count in options.clips:
        for seed in options.draws:
            clips = draw(train, count, seed)
            plan = replace(plan_for(count, clips.duration_s), folds=0)
            adapted, _ = adapt(base, clips, plan=plan, greedy=True, seed=seed)
            rows.append({"clips": count, "draw": seed, "cer": rates(adapted, test, frames, greedy=True)["cer"]})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=Path, required=True, help="a base that has heard only synthetic speech")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/base/synthetic.toml"), help="what it came of")
    parser.add_argument("--data", type=Path, default=Path("work"), help="where the corpora lie")
    parser.add_argument("--corpus", type=Path, required=True, help="real speech of fillets-ng that none has heard")
    parser.add_argument("--arms", nargs="+", choices=list(ADDED), default=list(ADDED))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--draws", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("work/gap"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    facts = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    facts |= {"machine": machine(), "start": str(options.start), "corpus": options.corpus.name}
    facts |= {"steps": options.steps, "test_clips": len(test)}

    def keep(rows: list[dict], about: dict) -> None:
        facts["rows"] += [about | row for row in rows]
        print(json.dumps(facts["rows"][-len(rows) :]), file=sys.stderr, flush=True)
        options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")

    done = {(row["arm"], row["seed"]) for row in facts["rows"]}
    if ("start", 0) not in done:
        keep(measured(load_checkpoint(options.start), train, test, options), {"arm": "start", "seed": 0})
    for seed in options.seeds:
        for arm in options.arms:
            if (arm, seed) not in done:
                keep(measured(trained(arm, options, seed), train, test, options), {"arm": arm, "seed": seed})


if __name__ == "__main__":
    main()
