"""A cell is what `adapt` makes of the same clips: the same recogniser, after the same steps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.adapt.adapt import adapt, plan_from, prepare
from earful.adapt.finetune import Plan
from earful.adapt.language import lexicon_for
from earful.adapt.start import start_from
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import frames_of
from earful.data.manifest import Manifest
from earful.evaluate import evaluate
from earful.kshot import cell
from earful.kshot.cell import Ear, Entrant, amid_support, plan_after, rows_of
from earful.kshot.protocol import Steps, Task
from earful.kshot.results import Cell, Row
from earful.recognizer import Recognizer
from earful.text.normalize import TextRules


@pytest.fixture
def task(spoken: Manifest) -> Task:
    return Task("tones", spoken[:3], spoken[3:], TextRules(language="tones"))


@pytest.fixture
def entrant(meta_base: Path) -> Entrant:
    return Entrant("meta", str(meta_base), load_checkpoint(meta_base))


@pytest.fixture
def ear(entrant: Entrant) -> Ear:
    return Ear(entrant.checkpoint.build().frames_of)


def cells_of(entrant: Entrant, *steps: Steps, shots: int = 2, seed: int = 1) -> list[Cell]:
    return [Cell(entrant.name, "tones", seed, shots, each) for each in steps]


def silent(cell: Cell, share: float) -> None:
    """Nobody looks."""


def by_adapt(entrant: Entrant, task: Task, row: Row, plan: Plan) -> float:
    """CER of what `adapt` makes of the same clips; it has to have kept that, and not the base."""
    config = replace(entrant.checkpoint.config, rules=task.rules)
    base, clips = replace(entrant.checkpoint, config=config), task.support(row.seed, row.shots)
    adapted, report = adapt(base, clips, plan=plan, greedy=True, seed=row.seed)
    assert report.improved
    return evaluate(Recognizer(adapted, greedy=True), task.test).score.cer


@pytest.mark.parametrize("steps", [1, 3])
def test_by_the_inner_loop_that_was_learned(entrant: Entrant, task: Task, ear: Ear, steps: Steps) -> None:
    (row,) = rows_of(entrant, task, cells_of(entrant, steps), ear, silent)
    plan = plan_from(entrant.checkpoint, 2, 4.0).first
    assert plan and plan.inner is not None and row.taken == steps
    assert row.cer == by_adapt(entrant, task, row, replace(plan, steps=row.taken, folds=0))


def test_by_the_inner_loop_and_then_as_usual(
    entrant: Entrant, task: Task, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(plan_from(entrant.checkpoint, 2, 4.0), rate=3e-3, steps=40, batch_s=4.0)
    monkeypatch.setattr(cell, "plan_from", lambda *given: plan)
    own, whole = rows_of(entrant, task, cells_of(entrant, 2, "usual"), ear, silent)
    assert (own.taken, whole.taken) == (2, 2 + plan.steps) and own.cpu_s < whole.cpu_s
    assert whole.cer == by_adapt(entrant, task, whole, replace(plan, folds=0))


def test_as_usual(entrant: Entrant, task: Task, ear: Ear) -> None:
    usual = entrant._replace(checkpoint=replace(entrant.checkpoint, inner=None))
    (row,) = rows_of(usual, task, cells_of(usual, 4), ear, silent)
    plan = replace(plan_from(usual.checkpoint, 2, 4.0), steps=4, folds=0)
    assert plan.inner is None and plan.copies > 0
    assert row.cer == by_adapt(usual, task, row, plan)


def test_mandarin_in_characters(entrant: Entrant, spoken: Manifest, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"我": 0.2, "爱": 0.2, "北": 0.1, "才": 0.1, "爱我": 0.1}
    monkeypatch.setattr("earful.adapt.language.word_frequencies", lambda language: few)
    texts = {"a": "爱", "b": "北", "c": "才"}
    clips = [replace(u, language="zh", text="".join(texts.get(c, "我") for c in u.text or "")) for u in spoken]
    rules = TextRules(language="zh", writing="characters")
    task = Task("zh", Manifest(tuple(clips[:3])), Manifest(tuple(clips[3:])), rules)
    (row,) = rows_of(entrant, task, cells_of(entrant, 0), ear, silent)
    assert row.characters == sum(len(u.text or "") for u in task.test)
    support = task.support(row.seed, row.shots)
    ready = prepare(entrant.checkpoint, support, rules=rules, plan=None, seed=row.seed, tell=lambda *told: None)
    lexicon = lexicon_for(rules, [u.text or "" for u in support], True, None)
    begun = Recognizer(Checkpoint(ready.config, ready.start(range(row.shots)), lexicon=lexicon), greedy=True)
    assert row.cer == evaluate(begun, task.test).score.cer


def test_no_steps_and_many(entrant: Entrant, task: Task, ear: Ear) -> None:
    told = list[tuple[Steps, float]]()
    none, two = rows_of(
        entrant, task, cells_of(entrant, 0, 2), ear, lambda cell, share: told.append((cell.steps, share))
    )
    assert (none.taken, two.taken) == (0, 2) and told == [(2, 0.5), (2, 1.0)]
    assert 0 < none.cpu_s < two.cpu_s and none.speech_s == two.speech_s > 1
    assert none.characters == sum(len(u.text or "") for u in task.test) and none.cer == none.errors / none.characters
    assert list(rows_of(entrant, task, [], ear, silent)) == []


def test_the_frames_of_a_clip_are_computed_once(entrant: Entrant, task: Task) -> None:
    calls = 0
    front = entrant.checkpoint.build().frames_of

    def counting(samples_T: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return front(samples_T)

    ear = Ear(counting)
    for seed in (1, 2):
        for shots in (1, 4):
            list(rows_of(entrant, task, cells_of(entrant, 0, 1, shots=shots, seed=seed), ear, silent))
    assert calls == len(task.test) + len(task.pool)


def test_clips_are_heard_amid_the_support_as_adapt_lets_them_be(task: Task, small_whisper: Path) -> None:
    made = start_from(f"hf:{small_whisper}", [u.text or "" for u in task.pool], {})
    entrant = Entrant("whisper", "whisper", made)
    support = task.support(1, 2)
    found, ear = amid_support(entrant, support, Ear(made.build().frames_of))
    adapted, _ = adapt(made, support, plan=Plan(steps=1, evaluations=1, copies=0, folds=0), greedy=True)
    assert found.checkpoint.config.features == adapted.config.features != made.config.features
    again, alone = Recognizer(adapted), Recognizer(made)
    for u, frames_FM in zip(task.test, ear.hear(task.test), strict=True):
        assert torch.equal(frames_FM, frames_of(u, again.frames_of))
        assert not torch.allclose(frames_FM, frames_of(u, alone.frames_of), atol=1e-3)


def test_an_entrant_that_hears_alone_shares_its_frames(entrant: Entrant, task: Task, ear: Ear) -> None:
    assert amid_support(entrant, task.support(1, 2), ear) == (entrant, ear)


def test_the_letters_that_a_support_lacks_are_errors(entrant: Entrant, task: Task, ear: Ear) -> None:
    poor = task._replace(pool=Manifest(tuple(replace(u, text="aa") for u in task.pool)))
    (row,) = rows_of(entrant, poor, cells_of(entrant, 2), ear, silent)
    others = sum(letter not in "a" for u in task.test for letter in u.text or "")
    assert row.errors >= others and row.characters == sum(len(u.text or "") for u in task.test)


def test_an_untrained_entrant_is_another_each_seed(task: Task, spoken: Manifest, monkeypatch: Any) -> None:
    small: Callable[..., Any] = start_from
    seeds = list[int]()

    def noting(base: str, texts: Any, rules: Any, seed: int = 0) -> Any:
        seeds.append(seed)
        return small(base, texts, rules, seed)

    monkeypatch.setattr("earful.kshot.cell.start_from", noting)
    nothing = Entrant("none", "none", start_from("none", ["abc"], {}))
    ear = Ear(nothing.checkpoint.build().frames_of)
    rows = [next(iter(rows_of(nothing, task, cells_of(nothing, 0, seed=seed), ear, silent))) for seed in (1, 2)]
    assert seeds == [1, 2] and rows[0].cer != rows[1].cer


def test_plans() -> None:
    plan = Plan(steps=80, folds=3, again=True)
    assert plan_after(plan, 0) is None
    some, usual = plan_after(plan, 7), plan_after(plan, "usual")
    assert some is not None and (some.steps, some.folds) == (7, 0)
    assert usual is not None and usual.steps == 80
