"""What bench/meta_speech.py meta-trained, on real Czech: a language and people that nothing in it has met.

The same parameters, of every learner and seed, adapt to K clips of the training levels (one draw a seed, the same for
all) and write down clips of the test levels, greedily: after 0 to 10 of the steps that they were meta-trained to take,
and after as many AdamW steps as `earful adapt` would take from any base ("usual", on the clips as they are).

    python -m recipes.corpora fillets-ng --language cs --out work/fillets-cs
    python bench/meta_czech.py --learned bench/meta_speech.json --corpus work/fillets-cs --out bench/meta_czech.json
"""

import argparse
import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from meta_speech import AT, LEARNERS, Ground, Setting, curve, ground_of, meta_of

from earful.adapt.adapt import with_dropout
from earful.adapt.finetune import finetune
from earful.adapt.rows import BIAS, WEIGHT, carry_rows
from earful.adapt.select import plan_for
from earful.audio.augment import Augmentation
from earful.config import read_toml
from earful.data.batch import Example
from earful.data.episode import Draw, random_of
from earful.data.manifest import read_manifest
from earful.kshot.machine import machine
from earful.metatrain.learner import START, Meta
from earful.metatrain.speech.output import begin
from earful.metatrain.speech.tasks import Tasks
from earful.metatrain.speech.train import error_rate, start_of
from earful.model import AcousticModel, parameters_of
from earful.pretrain.dataset import open_dataset
from earful.pretrain.recipe import Corpus, Recipe
from earful.text.alphabet import Alphabet

CLEAN = Augmentation(
    speed_probability=0, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)


def czech(ground: Ground, options: Namespace) -> tuple[Ground, Tasks, list[int], list[int]]:
    """The ground with the rows of Czech letters, its clips as tasks, and which of them may teach and which test."""
    corpora = tuple(Corpus(options.corpus / f"{part}.jsonl") for part in ("train", "test"))
    recipe = replace(read_toml(Recipe, options.recipe), corpora=corpora, augmentation=CLEAN, rarest_symbol=1)
    dataset = open_dataset(recipe)
    start = start_of(ground.start, dataset, "letters")
    tasks = Tasks(dataset, start.build(), "letters", (), ())
    test = {u.extra["level"] for u in read_manifest(options.corpus / "test.jsonl")}
    tested = [u.extra["level"] in test for u in dataset.utterances]
    learn, held = ([i for i, there in enumerate(tested) if there == wanted] for wanted in (False, True))
    return ground._replace(start=start, model=tasks.model, dataset=dataset), tasks, learn, held


def with_rows(meta: Meta, old: Alphabet, new: Alphabet) -> Meta:
    """The meta-parameters with rows for the letters of `new`."""
    rows = {WEIGHT: meta[START + WEIGHT], BIAS: meta[START + BIAS]}
    carried = carry_rows(rows, old, new, torch.Generator().manual_seed(0))
    return {**meta, START + WEIGHT: carried[WEIGHT], START + BIAS: carried[BIAS]}


def usually(ground: Ground, meta: Meta, tasks: Tasks, drawn: Draw, seed: int) -> tuple[int, int]:
    """Errors and length of references after the usual fine-tuning from this start."""
    support, query = tasks.episode(drawn, blind=True)
    symbols, _ = tasks.texts(drawn)
    shared = {name.removeprefix(START): value for name, value in meta.items() if name.startswith(START)}
    config = replace(ground.start.config, alphabet=Alphabet(tuple(symbols)))
    labels = zip(support.batch.labels_BL.tolist(), support.batch.label_counts_B.tolist(), strict=True)
    frames = [tasks.dataset.frames[i] for i in drawn.support]
    clips = [[Example(f, tuple(ids[:n]))] for f, (ids, n) in zip(frames, labels, strict=True)]
    plan = replace(plan_for(len(clips), 0.0), folds=0, copies=0, evaluations=1)
    params = {**parameters_of(ground.model), **begin(shared, support.maps)}
    model = AcousticModel(with_dropout(config, plan.dropout))
    tuned = finetune(model, params, clips, [], config.alphabet, plan, seed=seed)
    return error_rate(model.eval(), dict(tuned.params), tasks, drawn, query)


def rows_of(
    ground: Ground, options: Namespace, learned: dict[str, Any], known: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """CER of each learner and K, those left out that are `known`."""
    done = {(row["learner"], row["seed"], row["clips"]) for row in known}
    there, tasks, learn, held = czech(ground, options)
    for seed in options.seeds:
        generator = random_of(seed, "czech")
        order = [learn[i] for i in torch.randperm(len(learn), generator=generator).tolist()]
        for name in ("start", *LEARNERS):
            chosen = name if name in LEARNERS else "multitask"
            best = min((row for row in learned["search"] if row["learner"] == chosen), key=lambda row: row["cer"])
            setting = Setting(best["inner"], best["outer"])
            meta = meta_of(ground, name, setting, seed, options)
            meta = with_rows(meta, ground.start.config.alphabet, there.start.config.alphabet)
            for clips in options.shots:
                if (name, seed, clips) in done:
                    continue
                drawn = Draw("cs", tuple(order[:clips]), tuple(held))
                found = curve(there, name, setting, meta, tasks, drawn)
                cers = {str(at): round(wrong / length, 4) for at, (wrong, length) in zip(AT, found, strict=True)}
                if clips in options.usual:
                    wrong, length = usually(there, meta, tasks, drawn, seed)
                    cers["usual"] = round(wrong / length, 4)
                yield {"learner": name, "seed": seed, "task": "cs", "clips": clips, "cer": cers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learned", type=Path, required=True, help="what bench/meta_speech.py wrote")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/base/synthetic.toml"))
    parser.add_argument("--work", type=Path, default=Path("work/meta-bench"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10, 25])
    parser.add_argument("--usual", type=int, nargs="*", default=[10], help="K with which to fine-tune as usual, too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learned = json.loads(options.learned.read_text("utf-8"))
    options.by, options.base_steps = "language", learned["base_steps"]
    options.budget_s = learned["budget_s"]
    before = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"rows": []}
    rows: list[dict[str, Any]] = before["rows"]
    for row in rows_of(ground_of(options, "letters")._replace(cost_s=learned["cost_s"]), options, learned, tuple(rows)):
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)
        facts = {"machine": machine(), "by": "language", "test": ["cs"], "steps": learned["steps"], "rows": rows}
        facts |= {"budget_s": learned["budget_s"], "parameters": learned["parameters"]}
        options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
