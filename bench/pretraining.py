"""Which self-supervised objective makes the best start? Linear probe, and CER after adaptation to K clips.

One new encoder on the frozen one of Whisper tiny.en is trained by each objective on recordings without transcripts, for
the same processor time: as many steps as its own cost allows, timed beforehand, interleaved with the others'. Beside
stand no training at all, and supervised training on synthetic speech for the same time. Each objective can also be
followed by that supervised training: beside these stands supervised training for twice the time. A linear probe then
tells phones of synthetic speech from the frozen hidden frames, and each start adapts to K clips, the same for all.

    python bench/pretraining.py --out bench/pretraining.json --corpus work/fillets-cs --budget-s 90 \\
        --speech work/{fillets-nl/train,prompts/manifest,klettres/manifest,ktuberling/manifest}.jsonl
    python bench/pretraining.py …  # the same, with --clips 10 50 --starts "supervised, twice the time" \\
        "wav2vec2, then supervised" "hubert, then supervised" "best_rq, then supervised" "denoise, then supervised"

Does it pay to train a base further on the user's recordings, before it adapts? With --start a base takes the place of
the new encoder; "none" is that base:

    python bench/pretraining.py --start work/synthetic --rate 3e-4 --budget-s 90 --out bench/continued.json \\
        --corpus work/fillets-nl --speech work/fillets-nl/train.jsonl --clips 10 50 --starts none denoise

It goes on where it was.
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from earful.adapt.adapt import Prepared, prepare
from earful.adapt.finetune import finetune
from earful.adapt.select import plan_for
from earful.adapt.start import starter
from earful.checkpoint import Checkpoint
from earful.config import from_mapping, read_toml
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.encoder.encoder import EncoderConfig
from earful.features.mask import spec_augment
from earful.kshot.machine import machine
from earful.model import AcousticModel
from earful.pretrain.dataset import Dataset, open_dataset
from earful.pretrain.objective import Need, Objective
from earful.pretrain.order import Order
from earful.pretrain.probe import phone_accuracy
from earful.pretrain.recipe import Corpus, Recipe
from earful.pretrain.selfsupervised import Objectives, SelfRecipe, model_for, objectives_of, pretrain, speech_for
from earful.pretrain.supervised import losses, model_of
from earful.pretrain.unlabelled import Unlabelled
from earful.train import Optimisation, fit
from kshot import draw, rates

NAMES = tuple(each.name for each in fields(Objectives))
THEN = ", then "
SELF = ("none", "supervised", *NAMES, "best_rq+simclr")
TWICE = "supervised, twice the time"
STARTS = (*SELF, TWICE, *(f"{each}{THEN}supervised" for each in SELF[2:]))
TURNS, CALIBRATION, PROBED = 2, 8, 200
Tell = Callable[[Any], None]


@dataclass(frozen=True)
class Ground:
    """What all runs share: the recipe of the supervised one, whose features and corpora all take, and its clips."""

    recipe: Recipe
    labelled: Dataset
    speech: tuple[Corpus, ...]
    work: Path
    start: str | None
    rate: float
    views: dict[frozenset[Need], Unlabelled] = field(default_factory=dict)

    def plan(self, name: str, steps: int, seed: int) -> SelfRecipe:
        """The self-supervised recipe of one start."""
        objectives: dict[str, dict[str, Any]] = {each: {} for each in name.split("+")}
        return SelfRecipe(
            out=self.work / "unused",
            corpora=self.speech,
            optimisation=Optimisation(max(1, steps), rate=self.rate),
            objectives=from_mapping(Objectives, objectives, name),
            work=self.work / f"{name}-{seed}",
            cache=self.recipe.cache,
            seed=seed,
            start=self.start,
            batch_s=60.0,
            encoder=self.recipe.encoder,
            pretrained=self.recipe.pretrained,
            augmentation=self.recipe.augmentation,
        )

    def staged(self, name: str, steps: Sequence[int], seed: int) -> Checkpoint:
        """The start of that name after so many steps of each of its stages."""
        first, *then = zip(name.split(THEN), steps, strict=True)
        checkpoint = self.trained(*first, seed)
        for _, count in then:
            checkpoint = self.supervised(count, seed, before=checkpoint)
        return checkpoint

    def trained(self, name: str, steps: int, seed: int, tell: Tell = lambda step: None) -> Checkpoint:
        """The start of one stage after so many steps; `tell` is called after each."""
        if name in ("supervised", TWICE):
            return self.supervised(steps, seed, tell)
        plan = self.plan("best_rq" if name == "none" else name, steps, seed)
        model = model_for(plan)
        if name == "none":
            return Checkpoint(model.config, dict(model.state_dict()))
        objectives = objectives_of(plan, model)
        return pretrain(plan, model, objectives, self.heard(plan, model, objectives), tell)

    def heard(self, plan: SelfRecipe, model: AcousticModel, objectives: dict[str, Objective]) -> Unlabelled:
        """The clips with what these objectives need of them: the same views and units for all seeds, made once."""
        needs = frozenset[Need]().union(*(objective.needs for objective in objectives.values()))
        if needs not in self.views:
            self.views[needs] = speech_for(replace(plan, seed=0), model, objectives)
        return self.views[needs]

    def supervised(
        self, steps: int, seed: int, tell: Tell = lambda step: None, before: Checkpoint | None = None
    ) -> Checkpoint:
        """CTC on letters and phones, and the phone of each frame, of synthetic speech; from the encoder of `before`."""
        model = model_of(replace(self.recipe, seed=seed), self.labelled)
        if before is not None:
            model.encoder.load_state_dict(before.build().encoder.state_dict())
        order = Order(self.labelled.frames.counts, round(60.0 / self.labelled.features.hop_s), seed)

        def losses_of(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
            batch, phones = self.labelled.batch(order.at(step), model.config)
            frames = spec_augment(batch.frames_BFM, batch.frame_counts_B, self.recipe.masks, generator)
            return losses(model, batch._replace(frames_BFM=frames), phones)

        weights: Callable[[int], Mapping[str, float]] = lambda step: self.recipe.weights.at(step, steps)  # noqa: E731
        before_it = "-after-" + "-".join(before.about["pretrained"]["objectives"]) if before else ""
        state = self.work / f"supervised-{steps}-{seed}{before_it}.safetensors"
        optimisation = Optimisation(steps, rate=1.5e-3)
        fit(model, losses_of, optimisation, seed=seed, state=state, weights_of=weights, report=tell)
        return Checkpoint(model.config, dict(model.state_dict()))


def calibrated(ground: Ground, starts: list[str]) -> dict[str, float]:
    """Median processor seconds of a step of each start, in turns; the first steps of a turn do not count."""
    seconds: dict[str, list[float]] = {name: [] for name in starts if name not in ("none", TWICE) and THEN not in name}
    for turn in range(TURNS):
        for name, each in seconds.items():
            marks: list[float] = []
            with tempfile.TemporaryDirectory() as folder:
                scratch = replace(ground, work=Path(folder))
                scratch.trained(name, CALIBRATION, turn, partial(_mark, marks))
            each.extend(after - before for before, after in itertools.pairwise(marks[2:]))
    return {name: statistics.median(each) for name, each in seconds.items()}


def steps_for(stage: str, budget_s: float, cost_s: Mapping[str, float]) -> int:
    """As many steps as a stage may take."""
    if stage == "none":
        return 0
    times, name = (2, "supervised") if stage == TWICE else (1, stage)
    return max(1, round(times * budget_s / cost_s[name]))


def _mark(marks: list[float], step: Any) -> None:
    marks.append(time.process_time())


@dataclass
class Real:
    """What all starts meet, heard once, since all hear by one frozen encoder: test clips, and K to learn from."""

    train: Manifest
    tested: Manifest
    frames: list[Tensor]
    ready: dict[tuple[int, int], Prepared] = field(default_factory=dict)

    def clips(self, checkpoint: Checkpoint, count: int, seed: int) -> Prepared:
        """The K clips of a seed and their augmented copies."""
        if (count, seed) not in self.ready:
            plan = replace(plan_for(count, 3.0 * count), folds=0, letters="heard")
            clips = draw(self.train, count, seed)
            self.ready[count, seed] = prepare(checkpoint, clips, rules=None, plan=plan, seed=seed, tell=lambda *_: None)
        return self.ready[count, seed]


def probed(ground: Ground, checkpoint: Checkpoint) -> float:
    """Share of the frames of synthetic speech whose phone a linear layer tells from the hidden frames."""
    timed = [i for i, u in enumerate(ground.labelled.utterances) if u.extra.get("phones")]
    chosen = [timed[i] for i in torch.randperm(len(timed), generator=torch.Generator().manual_seed(9)).tolist()]
    learn, test = chosen[:PROBED], chosen[PROBED : 2 * PROBED]
    return phone_accuracy(checkpoint.build(), ground.labelled, learn, test)


def measured(
    ground: Ground, checkpoint: Checkpoint, real: Real, wanted: Sequence[int | None], seed: int
) -> Iterator[dict[str, Any]]:
    """CER on the test levels, best path, after adaptation to K of the other clips, for each K wanted; None: probe."""
    if None in wanted:
        yield {"probe": round(probed(ground, checkpoint), 4)}
    for count in (each for each in wanted if each is not None):
        ready = real.clips(checkpoint, count, seed)
        alphabet = ready.config.alphabet
        config = replace(checkpoint.config, alphabet=alphabet, rules=ready.config.rules)
        begin = starter(checkpoint, alphabet, [each[0] for each in ready.copies], ready.plan.letters, seed)
        start = begin(range(len(ready.copies)))
        tuned = finetune(AcousticModel(config), start, ready.copies, [], alphabet, ready.plan, seed=seed)
        cer = rates(Checkpoint(config, tuned.params), real.tested, real.frames, greedy=True)["cer"]
        yield {"clips": count, "cer": round(cer, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("recipes/base/synthetic.toml"))
    parser.add_argument("--speech", type=Path, nargs="+", required=True, help="manifests; their texts are not read")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("work/pretraining-bench"))
    parser.add_argument("--start", help="a base that is trained further, instead of a new encoder (no supervised one)")
    parser.add_argument("--rate", type=float, default=1e-3, help="of the self-supervised ones")
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(SELF))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--budget-s", type=float, default=600.0, help="processor seconds of one training")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = read_toml(Recipe, options.recipe)
    recipe = replace(recipe, encoder=EncoderConfig("conformer", bins=384, width=144, layers=3, subsampling=1))
    speech = tuple(Corpus(path, not_languages=("cs",)) for path in options.speech)
    ground = Ground(recipe, open_dataset(recipe), speech, options.work, options.start, options.rate)
    train, tested = (read_manifest(options.corpus / f"{part}.jsonl") for part in ("train", "test"))
    front = ground.trained("none", 0, 0).build().frames_of
    real = Real(train, tested, [clip.frames_FM for clip in compute_clips(tested, front)])
    facts: dict[str, Any] = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    cost_s = facts.setdefault("cost_s", calibrated(ground, options.starts) if not facts else {})
    facts |= {"machine": machine(), "budget_s": options.budget_s, "start": options.start, "rate": options.rate}
    facts |= {"corpus": options.corpus.name, "speech": [path.parent.name for path in options.speech]}
    rows = facts.setdefault("rows", [])
    for seed in options.seeds:
        for name in options.starts:
            known = {row.get("clips") for row in rows if (row["start"], row["seed"]) == (name, seed)}
            wanted = [each for each in (None, *options.clips) if each not in known]
            if not wanted:
                continue
            steps = [steps_for(each, options.budget_s, cost_s) for each in name.split(THEN)]
            checkpoint = ground.staged(name, steps, seed)
            found = list(measured(ground, checkpoint, real, wanted, seed))
            rows.extend({"start": name, "seed": seed, "steps": sum(steps)} | row for row in found)
            print(json.dumps(rows[-len(found) :]), file=sys.stderr, flush=True)
            options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
