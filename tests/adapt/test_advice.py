"""What would help most: the tables are those of the measurements, the figures follow from the run."""

import json
import statistics
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earful.adapt import advice
from earful.adapt.adapt import Adapted, Reading, adapted
from earful.adapt.advice import Facts, advise, between, by_effort, candidates, cer_over, is_noisy, slope
from earful.adapt.finetune import Plan
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest

BENCH = Path(__file__).parents[2] / "bench"
FACTS = Facts(text=True, speaks=False, recordings=False, best=True, beside=False)


def rows(name: str, **wanted: Any) -> list[dict[str, Any]]:
    found = json.loads((BENCH / f"{name}.json").read_text("utf-8"))["rows"]
    return [row for row in found if all(row[key] == value for key, value in wanted.items())]


@pytest.fixture(scope="module")
def found(base: Checkpoint, manifest: Manifest) -> Adapted:
    made = adapted(base, manifest, Reading(greedy=True), plan=Plan(steps=3, copies=1, batch_s=8.0, folds=3))
    return made._replace(report=replace(made.report, cer_after=0.4, cer_with_language=None, clips=50, speech_s=180.0))


def test_the_tables_are_those_of_the_measurements() -> None:
    def cer(clips: int, change: str) -> float:
        return statistics.median(row["cer"] for row in rows("adapt_steps", clips=clips, change=change))

    for clips, value in advice.CURVE:
        assert value == pytest.approx(cer(clips, "as chosen"), abs=6e-4)
    for clips, value in advice.STEPS[1:]:
        assert value == pytest.approx(cer(clips, "twice the steps and the rate") / cer(clips, "as chosen"), abs=1e-3)
    ten = {row["variant"]: row for row in rows("beside_dutch")}
    for value, name in ((advice.SPOKEN, "spoken"), (advice.RECORDINGS, "unlabelled"), (advice.BOTH, "both")):
        assert value == pytest.approx(ten[name]["cer_ngram"] / ten["usual"]["cer_ngram"], abs=1e-3)
    assert advice.TEXT[0][1] == pytest.approx(ten["usual"]["cer_ngram"] / ten["usual"]["cer"], abs=1e-3)
    fifty = [row["test_ngram"]["cer"] / row["test"]["cer"] for row in rows("kshot_dutch", wanted=50)]
    assert advice.TEXT[1][1] == pytest.approx(statistics.mean(fifty), abs=1e-3)
    voices = [
        statistics.median(row["after"] / row["before"] for row in rows("conditions", clips=50, kind=kind))
        for kind in ("nl-big", "nl-small")
    ]
    assert pytest.approx(statistics.mean(voices), abs=1e-3) == advice.VOICES


def test_between_and_beyond_the_table() -> None:
    table = ((10, 0.9), (50, 0.8))
    assert between(table, 1) == between(table, 10) == 0.9 and between(table, 500) == pytest.approx(0.8)
    assert 0.8 < between(table, 30) < between(table, 20) < 0.9
    assert slope(5) == slope(20) < slope(60) == slope(1000)


def test_more_clips_by_the_slope(found: Adapted) -> None:
    (only,) = candidates(found, FACTS)
    assert only.kind == "clips" and only.expected == pytest.approx(0.4 * 2 ** -slope(50))
    assert "3.0 more minutes" in only.says and "40.0%" in only.says and f"{only.expected:.1%}" in only.says
    worse = found._replace(report=replace(found.report, cer_after=0.8))
    (other,) = candidates(worse, FACTS)
    assert other.expected == pytest.approx(2 * only.expected), "the figures are the run's own"


@pytest.mark.parametrize(
    ("count", "changes", "kind"),
    [
        (10, {"best": False, "speaks": True}, "best"),
        (50, {"best": False, "speaks": True}, "clips"),
        (50, {"text": False}, "text"),
        (10, {"text": False}, "clips"),
        (10, {"speakers": ("eva",)}, "clips"),
    ],
)
def test_what_gains_most_is_told(found: Adapted, count: int, changes: dict[str, Any], kind: str) -> None:
    made = found._replace(report=replace(found.report, clips=count))
    said = advise(made, FACTS._replace(**changes))
    assert said is not None and said.kind == kind
    assert said.gain == max(each.gain for each in candidates(made, FACTS._replace(**changes)))


def test_a_language_that_is_named_need_not_be_named(found: Adapted) -> None:
    facts = FACTS._replace(text=False)
    named, unnamed = (
        next(each.says for each in candidates(found, facts._replace(named=named)) if each.kind == "text")
        for named in (True, False)
    )
    assert "(--text FILE)" in named and "--language CODE" in unnamed


def test_other_voices_where_there_is_one(found: Adapted) -> None:
    def kinds(speakers: Collection[str]) -> list[str]:
        return [each.kind for each in candidates(found, FACTS._replace(speakers=speakers))]

    assert kinds(["eva"]) == ["clips", "voices"] and kinds(["eva", "ole"]) == kinds([]) == ["clips"]


def test_the_best_effort_by_what_it_has(found: Adapted) -> None:
    facts = FACTS._replace(best=False, speaks=True, recordings=True)
    assert by_effort(facts, 10) == pytest.approx(advice.BOTH) and by_effort(facts, 50) == pytest.approx(0.96)
    assert by_effort(facts._replace(beside=True), 10) == 1.0, "that has been done"
    (said,) = (each for each in candidates(found, facts) if each.kind == "best")
    assert "spoken by espeak-ng" in said.says and "without transcripts" in said.says and "more steps" in said.says


def test_bad_sound_costs_what_this_run_measured(found: Adapted, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [u.id for u in found.ready.heard.clips]
    errors = {id: (8.0 if n < 2 else 3.0, 10) for n, id in enumerate(ids)}
    found = found._replace(errors=dict(enumerate(errors.values())))
    monkeypatch.setattr(advice, "is_noisy", lambda samples: False)
    (said,) = (each for each in candidates(found, FACTS._replace(flagged=ids[:2])) if each.kind == "sound")
    assert said.expected == pytest.approx(0.4 * 0.3 / cer_over(errors, ids))
    assert "2 of 8" in said.says and "80.0%" in said.says and "30.0%" in said.says
    assert all(each.kind != "sound" for each in candidates(found, FACTS._replace(flagged=ids[:1])))


def test_the_errors_of_each_clip_are_those_of_the_report(base: Checkpoint, manifest: Manifest) -> None:
    made = adapted(base, manifest, Reading(greedy=True), plan=Plan(steps=3, copies=1, batch_s=8.0, folds=3))
    errors = made.errors
    assert set(errors) == set(range(len(manifest)))
    if made.report.improved:
        assert cer_over(errors, errors.keys()) == pytest.approx(made.report.cer_after)


def test_noise() -> None:
    rng = np.random.default_rng(0)
    tone = np.sin(np.arange(32_000) * 0.3).astype(np.float32) * (np.arange(32_000) % 8_000 < 6_000)
    noise = rng.standard_normal(32_000).astype(np.float32)
    assert not is_noisy(tone) and not is_noisy(tone + 0.01 * noise) and is_noisy(tone + 0.5 * noise)
    assert not is_noisy(tone[:100]) and not is_noisy(0 * tone)


def test_nothing_is_said_where_nothing_was_measured(found: Adapted) -> None:
    assert advise(found._replace(report=replace(found.report, measured="own clips")), FACTS) is None
    assert advise(found._replace(report=replace(found.report, cer_after=0.0)), FACTS) is None
