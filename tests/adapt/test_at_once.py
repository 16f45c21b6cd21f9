"""Several trainings at once: in order, told in the caller's thread, over when one of them is."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import pytest
import torch

from earful.adapt.adapt import adapt
from earful.adapt.at_once import Report, at_once
from earful.adapt.finetune import Plan
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.encoder.encoder import Dropout, noise_from

STEPS = 5


@pytest.fixture(params=[1, 4])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def working(number: int, report: Report) -> tuple[int, int]:
    for step in range(1, STEPS + 1):
        report(step)
    return number, torch.get_num_threads()


def test_answers_come_in_order_and_every_step_is_told_to_the_caller(threads: int) -> None:
    told, where = list[int](), set[int]()

    def report(done: int) -> None:
        told.append(done)
        where.add(get_ident())

    found = at_once([partial(working, number) for number in range(3)], STEPS, report)
    assert found == [(number, max(1, threads // 3)) for number in range(3)]
    assert told == list(range(1, 3 * STEPS + 1)) and where == {get_ident()}
    assert torch.get_num_threads() == threads


def test_what_was_whole_before_counts(threads: int) -> None:
    told = list[int]()
    assert at_once([lambda report: "whole", lambda report: "too"], STEPS, told.append) == ["whole", "too"]
    assert told == [STEPS, 2 * STEPS]


def test_one_alone_has_all_threads(threads: int) -> None:
    assert at_once([partial(working, 0)], STEPS, lambda done: None) == [(0, threads)]
    assert at_once([partial(working, 0)] * 2, STEPS, lambda done: None, alone=True) == [(0, threads)] * 2


def going_on(begun: Event, late: Event, report: Report) -> None:
    """Until it is told that another has ended, or `late`, so that a test fails and does not hang."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        report(1)
        begun.set()
    late.set()


def failing(begun: Event, report: Report) -> None:
    assert begun.wait(10)
    raise ValueError("not finite")


def test_where_one_fails_the_others_end() -> None:
    torch.set_num_threads(2)
    begun, late = Event(), Event()
    works: list[Callable[[Report], None]] = [partial(going_on, begun, late), partial(failing, begun)]
    try:
        with pytest.raises(ValueError, match="not finite"):
            at_once(works, STEPS, lambda done: None)
        assert torch.get_num_threads() == 2 and not late.is_set()
    finally:
        torch.set_num_threads(1)


def test_where_the_caller_is_interrupted_all_end() -> None:
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    torch.set_num_threads(2)
    late = Event()
    try:
        with pytest.raises(KeyboardInterrupt):
            at_once([partial(going_on, Event(), late), partial(going_on, Event(), late)], STEPS, interrupt)
        assert not late.is_set()
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("plan", [{"folds": 3}, {"folds": 1, "again": True}])
def test_at_once_is_one_after_the_other(
    base: Checkpoint, manifest: Manifest, tmp_path: Path, plan: dict[str, Any]
) -> None:
    """To the bit: where each has one thread, dropout and the weights that torch computes with are each one's own."""
    settings = Plan(**({"steps": 5, "copies": 1, "evaluations": 2, "batch_s": 4.0, "dropout": 0.3} | plan))
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(adapt(base, manifest, plan=settings, greedy=True))
    finally:
        torch.set_num_threads(1)
    (first, one), (second, other) = found
    assert one.curve[1:] == other.curve[1:] and one.cer_after == other.cer_after
    assert all(torch.equal(first.params[name], second.params[name]) for name in first.params)
    assert not torch.equal(first.params["upsample.expand.weight"], base.params["upsample.expand.weight"])


def test_noise_of_one_s_own() -> None:
    """The same as that of torch's generator with this seed, which others do not change, and which stays as it is."""
    dropout, ones = Dropout(0.4), torch.ones(64)
    torch.manual_seed(7)
    usual = dropout(ones)
    before = torch.get_rng_state()
    with noise_from(torch.Generator().manual_seed(7)):
        assert torch.equal(dropout(ones), usual)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(dropout(ones), usual)
