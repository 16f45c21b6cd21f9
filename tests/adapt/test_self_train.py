"""Self-training: the better is kept, and what measures never meets what was learned, by way of guesses neither."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.adapt import measure, self_train
from earful.adapt.adapt import Adapted, Reading, adapted
from earful.adapt.finetune import Plan
from earful.adapt.self_train import Believed, Beside, Spoken, self_trained, writers
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance

PLAN = Plan(steps=3, copies=1, evaluations=1, batch_s=8.0, folds=3, rate=3e-3)


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody is told."""


@pytest.fixture(scope="module")
def found(base: Checkpoint, manifest: Manifest) -> Adapted:
    return adapted(base, Manifest(tuple(manifest)[:5]), Reading(words=False), plan=PLAN)


def test_each_part_is_written_down_by_a_recogniser_that_has_not_met_it(found: Adapted) -> None:
    found = found._replace(reading=Reading(texts=("abba cab",), words=False))
    whole, *parts = writers(found)
    assert whole is found.checkpoint and len(parts) == 3
    for number, (part, writer) in enumerate(zip(found.outcome.unmet, parts, strict=True), 1):
        assert all(torch.equal(writer.params[name], part.end[name]) for name in part.end)
        assert writer.language is not None
        held = [found.ready.heard.texts[i] for i in part.held]
        assert not set(part.held) & set(part.learned)
        other = writers(found._replace(task=with_other_texts(found, part.held)))
        mine = other[number].language
        assert mine is not None
        assert [writer.language.ngram.logp(text).sum() for text in held] == [
            mine.ngram.logp(text).sum() for text in held
        ], "what is held says nothing to its language model"


def with_other_texts(found: Adapted, held: Sequence[int]) -> Any:
    """The task with other transcripts of the clips that are held."""
    copies = list(found.task.copies)
    for i in held:
        copies[i] = [replace(example, labels=(2, 2, 2)) for example in copies[i]]
    return found.task._replace(copies=copies)


def test_what_lies_beside_while_a_part_measures_is_its_own(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = Manifest(tuple(manifest)[:4]), tuple(manifest)[4:]
    said, guess = replace(others[0], id="said"), others[1:]
    texts = ("aaaa", "bbbb", "cccc", "abab")
    final, *unmet = (Manifest((said, *(replace(u, text=text) for u in guess[:2]))) for text in texts)
    unmet[1] = Manifest((said, replace(guess[2], text="cccc")))
    seen: list[set[tuple[int, ...]]] = []
    real = measure.finetune

    def watched(model: Any, params: Any, clips: Any, *rest: Any, **options: Any) -> Any:
        seen.append({copies[0].labels for copies in clips} | {copies[-1].labels for copies in clips})
        return real(model, params, clips, *rest, **options)

    monkeypatch.setattr(measure, "finetune", watched)
    made = adapted(base, ours, Reading(greedy=True), plan=PLAN, beside=final, unmet_beside=unmet)
    labels = [tuple(made.ready.config.alphabet.encode(text)) for text in texts]
    for run, own in zip(seen, (1, 2, 3, 0), strict=True):
        assert [label in run for label in labels] == [number == own for number in range(4)]
    assert made.report.measured == "cross-validated"


@pytest.mark.parametrize(("after", "kept"), [(0.3, True), (0.45, False)])
def test_the_better_is_kept(
    after: float, kept: bool, found: Adapted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clips = Manifest(tuple(Utterance(str(i), tmp_path / f"{i}.wav", duration_s=1.5, text="abcd") for i in range(5)))
    sure = Manifest(tuple(clips)[1:])
    monkeypatch.setattr(self_train, "guessed", lambda *given: [sure, sure, sure, sure])
    said, warned = Manifest((replace(clips[0], id="said"),)), list[str]()
    first, second = (
        found._replace(report=replace(found.report, cer_after=cer, cer_with_language=None)) for cer in (0.4, after)
    )
    runs = iter([first, second])
    which, beside = self_trained(lambda beside, unmet: next(runs), said, clips, tell=quiet, warn=warned.append)
    assert which is (second if kept else first) and beside == Beside(Spoken(1, 1.5), Believed(4, 6.0, 1, kept))
    assert len(warned) == 1 and warned[0].endswith("left out") != kept


def test_nothing_is_sure(found: Adapted, monkeypatch: pytest.MonkeyPatch, manifest: Manifest) -> None:
    monkeypatch.setattr(self_train, "guessed", lambda *given: [Manifest(())])
    warned = list[str]()
    which, beside = self_trained(lambda *_: found, None, manifest, tell=quiet, warn=warned.append)
    assert which is found and beside == Beside(None, Believed(0, 0.0, 8, False)) and "sure of none" in warned[0]
