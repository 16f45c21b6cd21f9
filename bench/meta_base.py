"""A base of full size, meta-trained: is it a better one to adapt to people than the base itself?

From one base each learner goes on with the same languages for the same processor time, by calibration, as in
bench/meta_speech.py; letters begin from the sounds that they align with, as in adaptation. "multitask" is more training
of the usual kind; "start" is the base itself, which adapts by the learners' inner loop. Other tasks than languages,
languages that nobody speaks, other output rows and low-rank adapters are tried by FOMAML alone. Then bench/kshot.py
lets `earful adapt` learn from K clips of real Dutch, from each of them:

    python bench/meta_base.py --start work/synthetic --work work/meta-base --learners multitask fomaml
    python bench/meta_base.py --start work/synthetic --work work/meta-base-speaker --learners fomaml --by speaker
    python -m recipes.corpora invent --count 80 --hours 3 --out work/invented
    python bench/meta_base.py --start work/synthetic --work work/meta-base-invented --learners fomaml \\
        --also work/invented/manifest.jsonl
    python bench/meta_base.py --start work/synthetic --work work/meta-base-prototypes --learners fomaml \\
        --output prototypes
    python bench/meta_base.py --start work/synthetic --work work/meta-adapters --learners fomaml --adapters 8 --every 12
    python bench/meta_base.py --start work/synthetic --work work/meta-base-real --learners fomaml multitask \\
        --by language speaker --alone --also work/klettres/manifest.jsonl work/ktuberling/manifest.jsonl
    python bench/kshot.py --corpus work/fillets-nl --clips 10 --seeds 0 1 2 --out bench/meta_dutch.json \\
        --about work/meta-*/facts.json --bases work/synthetic work/meta-base*/{multitask,fomaml} …
    python bench/kshot.py --corpus work/fillets-nl --clips 10 --out bench/meta_real.json \\
        --about work/meta-base-real/facts.json --bases work/synthetic work/meta-base-real/{multitask,fomaml}

Others go on from the shipped base, with real voices among the tasks or alone, for real Czech, which picks nothing:

    python bench/meta_base.py --start earful-base --budget-s 720 --work work/meta-shipped \\
        --learners start multitask fomaml reptile maml meta-sgd --by language speaker \\
        --also work/fillets-nl/train.jsonl work/klettres/manifest.jsonl work/ktuberling/manifest.jsonl
    python bench/meta_base.py --start earful-base --budget-s 720 --work work/meta-shipped-real --outer 1e-4 \\
        --learners multitask fomaml --by language speaker --alone \\
        --also work/klettres/manifest.jsonl work/ktuberling/manifest.jsonl
    python bench/kshot.py --corpus work/fillets-cs --text work/free-cs.txt --clips 10 --seeds 0 1 2 \\
        --out bench/stages_czech.json --about work/meta-shipped*/facts.json --bases none hf:work/whisper-tiny-en \\
        work/synthetic earful-base work/meta-shipped/{multitask,fomaml} work/meta-shipped-real/{multitask,fomaml}
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from meta_speech import QUERY, STEPS, TASKS, TRAIN_SHOTS, Ground, Held, Setting, calibrated, learning, trained

from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.config import read_toml
from earful.data.episode import Shots
from earful.encoder.backbone import recut
from earful.features.fbank import FbankConfig
from earful.kshot.machine import machine
from earful.metatrain.loop import Outer
from earful.metatrain.speech.recipe import MetaRecipe, TaskRules
from earful.metatrain.speech.tasks import tasks_of
from earful.metatrain.speech.train import checkpoint_of, start_of
from earful.model import AcousticModel
from earful.pretrain.dataset import open_dataset
from earful.pretrain.recipe import Corpus, Recipe
from earful.train import Optimisation

INNER, OUTER = 0.1, 3e-4
"""The rates that most learners took in bench/meta_speech.py."""
FACTS = "facts.json"
REAL: dict[str, Any] = {"copies": 2, "not_languages": ("nl",)}
"""How clips of people are taken where they are alone: Dutch is what is tested on."""
MOVING = 3
"""With adapters, the layer of the pre-trained encoder that they are in, counted from 0."""


def recipe_of(options: argparse.Namespace) -> Recipe:
    """Whose clips are trained on, and augmented how."""
    recipe = read_toml(Recipe, options.recipe)
    thinned = [replace(corpus, every=corpus.every * options.every) for corpus in recipe.corpora]
    below = recipe.pretrained
    if options.adapters and below:
        below = replace(below, frozen=MOVING)
    also = [Corpus(manifest, **(REAL if options.alone else {})) for manifest in options.also]
    return replace(recipe, corpora=tuple(also) if options.alone else (*thinned, *also), pretrained=below)


def adapted_below(base: Checkpoint, rank: int) -> Checkpoint:
    """The base with low-rank adapters in the last layer of its pre-trained encoder, which change nothing yet."""
    features = base.config.features
    assert not isinstance(features, FbankConfig)
    config = replace(base.config, features=recut(features, frozen=MOVING, rank=rank))
    torch.manual_seed(0)
    return replace(base, config=config, params={**AcousticModel(config).state_dict(), **base.params})


def ground_of(options: argparse.Namespace) -> Ground:
    """The base, and the languages or speakers of the recipe's clips as tasks."""
    base = load_checkpoint(options.start)
    if options.adapters:
        base = adapted_below(base, options.adapters)
        save_checkpoint(options.work / "start", base, replace=True)
    dataset = open_dataset(recipe_of(options))
    start = start_of(base, dataset, options.output)
    model = start.build()
    rules = TaskRules(by=tuple(options.by), shots=Shots(clips=TRAIN_SHOTS, query=QUERY), skip_small=True)
    tasks = tasks_of(dataset, model, options.output, rules, 0)
    return Ground(start, model, dataset, tasks, {}, options.output, options.by[0], Held((), ()))


def asked() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", required=True, help="the base that all go on from")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/base/synthetic.toml"), help="whose clips to use")
    parser.add_argument("--every", type=int, default=1, help="of the recipe's clips, one in so many")
    parser.add_argument(
        "--adapters", type=int, default=0, help="rank of adapters in the pre-trained encoder's last layer"
    )
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="manifests of more clips: invented languages")
    parser.add_argument("--alone", action="store_true", help="those clips alone, but for Dutch, and none of the recipe")
    parser.add_argument("--learners", nargs="+", default=["multitask", "reptile", "fomaml", "maml"])
    parser.add_argument("--by", nargs="+", choices=["language", "speaker"], default=["language"], help="what tasks are")
    parser.add_argument("--output", default="heard")
    parser.add_argument("--outer", type=float, default=OUTER, help="rate of the outer loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget-s", type=float, default=300.0, help="processor seconds of one meta-training")
    parser.add_argument("--work", type=Path, required=True, help="the folder for the models")
    return parser.parse_args()


def main() -> None:
    options = asked()
    setting = Setting(INNER, options.outer)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    ground = ground_of(options)
    cost_s = json.loads((options.work / FACTS).read_text("utf-8"))["cost_s"] if (options.work / FACTS).exists() else {}
    if new := [name for name in options.learners if name not in cost_s and name != "start"]:
        cost_s |= calibrated(ground, new, count=7)
    ground = ground._replace(cost_s=cost_s)
    facts = {"machine": machine(), "start": options.start, "output": options.output, "budget_s": options.budget_s}
    facts |= {"by": options.by, "also": [str(manifest) for manifest in options.also], "adapters": options.adapters}
    facts["alone"] = options.alone
    facts |= {"cost_s": cost_s, "outer": options.outer, "tasks": TASKS, "steps": STEPS, "seed": options.seed}
    (options.work / FACTS).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    for name in options.learners:
        if (options.work / name).exists():
            continue
        speech, state = ground.speech(name, setting), options.work / f"{name}.safetensors"
        meta = (
            speech.learner_at(1.0).init(speech.params)
            if name == "start"
            else trained(ground, name, setting, options.seed, options.budget_s, state)
        )
        recipe = MetaRecipe(
            out=options.work / name,
            start=options.start,
            corpora=recipe_of(options).corpora,
            learning=learning(name, setting),
            outer=Outer(Optimisation(1)),
            output=options.output,
            about="bench/meta_base.py",
        )
        inner = speech.learner_at(1.0).inner
        save_checkpoint(recipe.out, checkpoint_of(ground.start, meta, recipe, inner), half=True)


if __name__ == "__main__":
    main()
