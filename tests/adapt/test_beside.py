"""Other speech beside the clips: how it is mixed in, which letters it brings, and that it never measures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.adapt.adapt import adapt
from earful.adapt.beside import LONGER, mixed, plan_beside
from earful.adapt.finetune import Plan
from earful.adapt.inner import Inner
from earful.adapt.select import plan_for
from earful.checkpoint import Checkpoint
from earful.data.batch import Example
from earful.data.manifest import Manifest
from earful.errors import AdaptationError, ConfigError

PLAN = Plan(steps=4, copies=1, evaluations=2, batch_s=8.0, folds=3)


def clip(frames: int) -> list[Example]:
    return [Example(torch.zeros(frames, 2), (1,))]


@given(
    st.lists(st.integers(20, 400), min_size=1, max_size=12),
    st.lists(st.integers(20, 400), min_size=1, max_size=60),
    st.floats(0.1, 0.9),
)
def test_the_clips_keep_their_share(own: list[int], beside: list[int], share: float) -> None:
    ours, theirs = [clip(n) for n in own], [clip(n) for n in beside]
    found = mixed(ours, theirs, share)
    times = {sum(each is one for each in found) for one in ours}
    assert len(times) == 1 and all(sum(each is one for each in found) == 1 for one in theirs)
    (repeated,) = times
    wanted = share / (1 - share) * sum(beside) / sum(own)
    assert repeated >= 1 and abs(repeated - max(1.0, wanted)) <= 0.5


def test_nothing_beside_changes_nothing() -> None:
    ours = [clip(30), clip(40)]
    assert mixed(ours, [], 0.5) == ours and mixed([], ours, 0.5) == ours


def test_more_steps_in_whole_batches() -> None:
    plan = plan_for(10, 30.0)
    assert plan_beside(plan) == replace(plan, steps=LONGER * plan.steps, batch_s=Plan.batch_s)


@pytest.mark.parametrize("own", [0.0, 1.0])
def test_shares_are_shares(own: float) -> None:
    with pytest.raises(ConfigError, match="own"):
        Plan(steps=1, own=own)


def test_it_is_learned_from_but_never_measures(base: Checkpoint, manifest: Manifest) -> None:
    others = Manifest(tuple(replace(u, text=f"{u.text} ddddd") for u in tuple(manifest)[4:]))
    ours = Manifest(tuple(manifest)[:4])
    options: dict[str, Any] = {"plan": PLAN, "greedy": True}
    alone, without = adapt(base, ours, **options)
    adapted, report = adapt(base, ours, beside=others, **options)
    assert (report.clips, report.speech_s) == (without.clips, without.speech_s)
    assert alone.config.alphabet.symbols == tuple(" abc") and adapted.config.alphabet.symbols == tuple(" abcd")
    assert not torch.equal(adapted.params["upsample.expand.weight"], alone.params["upsample.expand.weight"])


def test_what_cannot_be_written_is_left_out(base: Checkpoint, manifest: Manifest) -> None:
    """A letter seen once is of a foreign word: its clip is not learned from, so nothing changes."""
    ours, plan = Manifest(tuple(manifest)[:4]), replace(PLAN, folds=0)
    foreign = Manifest((replace(manifest[5], text="abba ß"), replace(manifest[6], text="cab")))
    left, _ = adapt(base, ours, plan=plan, greedy=True, beside=foreign)
    right, _ = adapt(base, ours, plan=plan, greedy=True, beside=Manifest(tuple(foreign)[1:]))
    assert left.config.alphabet == right.config.alphabet and "ß" not in left.config.alphabet.symbols
    assert left.params.keys() == right.params.keys()


def test_without_a_plan_there_are_more_steps(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    """And the state of an interrupted run is not that of one without."""
    seen: dict[str, int] = {}

    def note(stage: str, done: int, total: int) -> None:
        seen[stage] = total
        if stage == "adapting" and any(tmp_path.rglob("*.safetensors")):
            raise KeyboardInterrupt

    two = Manifest(tuple(manifest)[:2])
    with pytest.raises(KeyboardInterrupt):
        adapt(base, two, greedy=True, beside=Manifest(tuple(manifest)[2:]), progress=note, state=tmp_path)
    assert seen["adapting"] == LONGER * plan_for(2, 4.0).steps
    assert len(list(tmp_path.iterdir())) == 1
    adapt(base, two, plan=replace(PLAN, steps=1), greedy=True, state=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_learned_inner_loop_knows_nothing_beside(base: Checkpoint, manifest: Manifest) -> None:
    plan = replace(PLAN, inner=Inner(0.1, 3))
    with pytest.raises(AdaptationError, match="--usual"):
        adapt(base, manifest, plan=plan, beside=manifest)
