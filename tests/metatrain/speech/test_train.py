"""Meta-training recognisers: every learner, every output layer; exact resume; and adapt does what was meta-trained."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from earful.adapt.adapt import adapt, plan_from, prepare, with_dropout
from earful.adapt.finetune import finetune
from earful.adapt.inner import Inner
from earful.adapt.rows import WEIGHT
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.data.manifest import Manifest, read_manifest
from earful.errors import CheckpointError, ConfigError
from earful.features.fbank import FbankConfig
from earful.metatrain import LEARNERS
from earful.metatrain.learner import START
from earful.metatrain.loop import MetaStep, Outer
from earful.metatrain.speech.learning import LearnerSettings
from earful.metatrain.speech.recipe import MetaRecipe, Output
from earful.metatrain.speech.tasks import tasks_of
from earful.metatrain.speech.train import Result, metatrain_base, speech_of, start_of, validated
from earful.model import AcousticModel
from earful.pretrain.dataset import Dataset, dataset_of
from earful.train import Optimisation
from earful.trees import dot, part

SHORT = Outer(Optimisation(2, rate=1e-2, weight_decay=0.0), tasks=2, validate_every=1, save_every=1)


def learned_from(recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, work: Path, **changes: object) -> Result:
    return metatrain_base(replace(recipe, work=work, **changes), base, dataset)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_makes_a_checkpoint_that_adapts(
    name: str, recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, tmp_path: Path, spoken: Path
) -> None:
    learning = LearnerSettings(name, Inner(0.05, 2))
    result = learned_from(recipe, base, dataset, tmp_path, learning=learning, outer=SHORT)
    moved = any(not torch.equal(result.last.params[key], value) for key, value in base.params.items())
    assert moved == (name != "scratch") and result.trained.skipped == 0
    save_checkpoint(tmp_path / "model", result.best)
    clips = Manifest(tuple(u for u in read_manifest(spoken) if u.language == "it")[:3])
    plan = replace(plan_from(load_checkpoint(tmp_path / "model"), 3, 5.0), steps=3, copies=1)
    _, report = adapt(load_checkpoint(tmp_path / "model"), clips, plan=plan, greedy=True)
    own = plan.first
    assert own and report.clips == 3 and [point.step for point in report.curve[:3]] == [0, 1, 2]
    assert report.curve[-1].step == own.steps + plan.steps
    assert own.moves == {"anil": "head", "boil": "body", "cavia": "biases"}.get(name, "all") and own.steps == 2


def test_without_a_plan_the_steps_of_the_base_come_first(
    recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, tmp_path: Path, spoken: Path
) -> None:
    result = learned_from(recipe, base, dataset, tmp_path, outer=SHORT)
    clips = Manifest(tuple(u for u in read_manifest(spoken) if u.language == "it")[:3])
    _, report = adapt(result.best, clips, greedy=True)
    plan = plan_from(result.best, 3, 5.0)
    assert plan.first and [point.step for point in report.curve[:3]] == [0, 1, 2]
    assert report.curve[-1].step == plan.first.steps + plan.steps


PAIRS = [("", "letters"), ("", "prototypes"), ("scalar", "heard"), ("layer", "letters"), ("layer", "heard")]
PAIRS += [("parameter", "prototypes"), ("layer", "phones")]
OTHERS = sorted({*itertools.product(["", "scalar", "layer", "parameter"], get_args(Output))} - {*PAIRS})


@pytest.mark.parametrize(
    ("learned", "output"), [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHERS)]
)
def test_adapt_does_what_was_metatrained(
    learned: str, output: Output, recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, tmp_path: Path, spoken: Path
) -> None:
    """From a checkpoint on disk, `adapt` arrives where the learner's own `adapt` does."""
    per_step = {"per_step": True, "momentum": 0.5, "learn_momentum": True} if learned == "layer" else {}
    learning = LearnerSettings("maml", Inner(0.05, 2, learned=learned, clip_norm=1.0, **per_step))  # type: ignore[arg-type]
    result = learned_from(recipe, base, dataset, tmp_path, learning=learning, output=output, outer=SHORT)
    save_checkpoint(tmp_path / "model", result.last)
    if output == "phones":  # meta-trained on phones, adapted to letters: other labels, so nothing to compare with
        assert load_checkpoint(tmp_path / "model").inner is not None
        return
    start = start_of(base, dataset, output)
    model = start.build()
    held = tasks_of(dataset, model, output, recipe.tasks, 0, held_out=True)
    drawn = held.draw(0)
    learner = speech_of(start, model, learning, output).learner_at(1.0)
    support, _ = held.episode(drawn, blind=True, params=part(result.trained.last, START))
    expected = learner.adapt(result.trained.last, support)
    clips = Manifest(tuple(dataset.utterances[i] for i in drawn.support))
    loaded = load_checkpoint(tmp_path / "model")
    own = plan_from(loaded, len(clips), clips.duration_s).first
    ready = prepare(loaded, clips, rules=None, plan=own, seed=0, tell=lambda *_: None)
    first = ready.start(range(len(clips)))
    adapted = AcousticModel(with_dropout(ready.config, ready.plan.dropout))
    assert loaded.inner is not None
    learned_numbers = loaded.inner.learned
    tuned = finetune(adapted, first, ready.copies, [], ready.config.alphabet, ready.plan, learned=learned_numbers)
    found = replace(loaded, params=tuned.params)
    assert found.params[WEIGHT].shape == expected[WEIGHT].shape
    moved = {name: value - result.last.params[name] for name, value in expected.items() if name.startswith("encoder.")}
    apart = {name: found.params[name] - expected[name] for name in moved}
    # stored frames are float16, those that adapt makes are not
    assert dot(apart, apart) < 1e-4 * dot(moved, moved) and len(moved) > 10
    torch.testing.assert_close(found.params[WEIGHT], expected[WEIGHT], rtol=1e-2, atol=1e-3)


def test_resumed_is_uninterrupted(recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, tmp_path: Path) -> None:
    whole = learned_from(recipe, base, dataset, tmp_path / "whole")

    def interrupt(step: MetaStep) -> None:
        if step.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        metatrain_base(replace(recipe, work=tmp_path / "parts"), base, dataset, interrupt)
    resumed = learned_from(recipe, base, dataset, tmp_path / "parts")
    assert all(torch.equal(value, resumed.last.params[name]) for name, value in whole.last.params.items())
    assert resumed.trained.validation == whole.trained.validation
    lines = (tmp_path / "parts" / "log.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 4 and '"validation"' in lines[0]


def test_clips_in_augmented_copies(recipe: MetaRecipe, base: Checkpoint, tmp_path: Path) -> None:
    corpora = tuple(replace(corpus, copies=2) for corpus in recipe.corpora)
    twice = replace(recipe, corpora=corpora, cache=tmp_path / "cache")
    dataset = dataset_of(twice, FbankConfig())
    assert learned_from(twice, base, dataset, tmp_path).trained.skipped == 0


def test_the_query_loss_falls(recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, tmp_path: Path) -> None:
    steps: list[MetaStep] = []
    optimisation = replace(recipe.outer.optimisation, steps=20, rate=3e-2)
    longer = replace(recipe, work=tmp_path, outer=replace(recipe.outer, optimisation=optimisation, validate_every=20))
    result = metatrain_base(longer, base, dataset, steps.append)
    assert sum(step.loss for step in steps[-5:]) < 0.7 * sum(step.loss for step in steps[:5])
    rates = result.last.inner.learned if result.last.inner else {}
    assert rates and all(value.shape == () and value != 0.05 for value in rates.values())


def test_validation_is_blind_to_letters_that_the_support_lacks(
    recipe: MetaRecipe, base: Checkpoint, dataset: Dataset
) -> None:
    start = start_of(base, dataset, "letters")
    held = tasks_of(dataset, start.build(), "letters", recipe.tasks, 0, held_out=True)
    for number in range(5):
        drawn = held.draw(number)
        support, query = held.episode(drawn, blind=True)
        symbols, references = held.texts(drawn)
        assert set(symbols) == {c for i in drawn.support for c in dataset.alphabet.decode(dataset.texts[i])}
        assert support.maps["text"].shape[0] == len(symbols) >= int(query.batch.labels_BL.max())
        assert references == [dataset.alphabet.decode(dataset.texts[i]) for i in drawn.query]
        seen = held.episode(drawn)
        both = {c for i in (*drawn.support, *drawn.query) for c in dataset.alphabet.decode(dataset.texts[i])}
        assert seen.support.maps["text"].shape[0] == len(both)


def test_validated_counts_errors_by_hand(recipe: MetaRecipe, base: Checkpoint, dataset: Dataset) -> None:
    """A model that writes nothing misses every symbol: an error rate of 1."""
    start = start_of(base, dataset, "letters")
    model = start.build()
    held = tasks_of(dataset, model, "letters", recipe.tasks, 0, held_out=True)
    speech = speech_of(start, model, LearnerSettings("scratch", Inner(1e-9, 1)), "letters")
    learner = speech.learner_at(1.0)
    mute = {name: value.clone() for name, value in learner.init(speech.params).items()}
    mute["start.heads.text.bias"][0] = 1e4
    assert validated(model, learner, mute, held, [held.draw(0), held.draw(1)]) == 1.0


def test_what_cannot_be_is_said_before_training(
    recipe: MetaRecipe, base: Checkpoint, dataset: Dataset, tmp_path: Path
) -> None:
    plain = replace(base, config=replace(base.config, phones=None))
    with pytest.raises(CheckpointError, match="writes no phones"):
        learned_from(recipe, plain, dataset, tmp_path, output="heard")
    with pytest.raises(ConfigError, match="'fr', to be left out of training, is no language"):
        learned_from(recipe, base, dataset, tmp_path, tasks=replace(recipe.tasks, held_out=("fr",)))
    with pytest.raises(ConfigError, match="must be one of maml"):
        LearnerSettings("mamml", Inner(0.1))
    with pytest.raises(ConfigError, match="both `held_out` and `without`"):
        replace(recipe.tasks, held_out=("it",), without=("it",))
    assert not list(tmp_path.iterdir())


def test_hard_tasks_come_more_often(recipe: MetaRecipe, base: Checkpoint, dataset: Dataset) -> None:
    start = start_of(base, dataset, "letters")
    tasks = tasks_of(dataset, start.build(), "letters", replace(recipe.tasks, hard=0.1), 0)
    assert set(tasks.names) == {"nl", "de"}
    drawn = [tasks.draw(number, {"nl": 1.0, "de": 2.0}).task for number in range(40)]
    assert drawn == ["de"] * 40
    plain = [tasks.draw(number).task for number in range(40)]
    assert 8 < plain.count("de") < 32


def test_mixed_tasks_take_turns(recipe: MetaRecipe, base: Checkpoint, dataset: Dataset) -> None:
    rules = replace(recipe.tasks, by=("language", "language+speaker"), shots=recipe.tasks.shots, skip_small=True)
    rules = replace(rules, shots=type(rules.shots)(clips=1, query=1))
    tasks = tasks_of(dataset, base.build(), "letters", rules, 0)
    names = [tasks.draw(number).task for number in range(6)]
    assert all(("/" in name) == bool(number % 2) for number, name in enumerate(names))
    assert len(set(itertools.chain.from_iterable(tasks.draw(n).support for n in range(6)))) > 2
