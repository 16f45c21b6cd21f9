"""What a report may be believed of: what measures never meets what was learned, by no way."""

from dataclasses import replace

import pytest

from earful.adapt.adapt import Reading, adapt, adapted
from earful.adapt.finetune import Plan
from earful.adapt.report import around, widened
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest

QUICK = Plan(steps=3, copies=0, evaluations=1, batch_s=8.0)


def twins(manifest: Manifest, count: int, times: int = 2) -> Manifest:
    """So many clips, each several times under other names."""
    return Manifest(tuple(replace(u, id=f"{u.id}-{n}") for n in range(times) for u in manifest[:count]))


@pytest.mark.parametrize("folds", [1, 3])
def test_clips_that_say_the_same_are_on_one_side(base: Checkpoint, manifest: Manifest, folds: int) -> None:
    found = adapted(base, twins(manifest, 6), Reading(greedy=True), plan=replace(QUICK, folds=folds))
    assert found.ready.apart.parts == 6 and len(found.outcome.unmet) == folds
    texts = [u.text for u in found.ready.heard.clips]
    for part in found.outcome.unmet:
        assert not {texts[i] for i in part.learned} & {texts[i] for i in part.held}
    low, high = found.report.interval_95 or (1.0, 0.0)
    assert low < found.report.cer_after < high and found.report.voices == "unknown"


def test_where_nothing_can_be_held_out_the_report_says_so(base: Checkpoint, manifest: Manifest) -> None:
    _, report = adapt(base, twins(manifest, 3, 4), plan=replace(QUICK, folds=3), greedy=True)
    assert report.measured == "own clips" and report.interval_95 is None
    assert any("the 12 clips are only 3 groups without common sentences or sound" in each for each in report.warnings)


def test_speakers_are_kept_apart(base: Checkpoint, manifest: Manifest) -> None:
    spoken = Manifest(tuple(replace(u, speaker="abcd"[n // 2]) for n, u in enumerate(manifest)))
    found = adapted(base, spoken, Reading(greedy=True), plan=QUICK)
    assert found.report.voices == "new" and found.ready.apart.parts == 4
    for part in found.outcome.unmet:
        assert not {i // 2 for i in part.learned} & {i // 2 for i in part.held}


def test_the_text_of_a_clip_is_no_other_text(base: Checkpoint, manifest: Manifest) -> None:
    """A language model that had read what measures it would print a rate of nothing."""
    own, plan = [u.text or "" for u in manifest], replace(QUICK, folds=3, steps=3)
    alone, told = (adapted(base, manifest, Reading(texts), plan=plan) for texts in ((), own))
    assert told.report.cer_with_language == alone.report.cer_with_language


def test_an_interval_moves_with_its_rate() -> None:
    assert around(0.2, 0.4, (0.3, 0.6)) == pytest.approx((0.15, 0.3))
    assert around(0.0, 0.4, (0.3, 0.6)) == around(0.4, 0.0, (0.3, 0.6)) == (0.3, 0.6)


def test_a_recogniser_of_more_clips_may_be_better_than_what_measured_it() -> None:
    same, more = widened((0.2, 0.4), 1.0), widened((0.2, 0.4), 2 / 3)
    assert more[0] < 0.85 * same[0] < 0.2 and more[1] == same[1] > 0.4
    assert widened((0.5, 1.0), 1.0)[1] == 1.0
