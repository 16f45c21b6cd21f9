"""Progress goes to stderr: a bar on a terminal, a line now and then in a log."""

import io
import sys
from pathlib import Path

import pytest

from earful.cli import progress
from earful.cli.progress import clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, which the test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_after_two_seconds_and_then_every_half_minute(times, capsys) -> None:
    with progress.progress() as tell:
        for second in range(70):
            times[0] = float(second)
            tell("adapting", second, 100)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "earful: adapting: 2%, 1:38 left",
        "earful: adapting: 32%, 1:08 left",
        "earful: adapting: 62%, 0:38 left",
    ]


def test_a_log_does_not_hear_of_short_work(times, capsys) -> None:
    with progress.progress() as tell:
        for stage in ("one", "two", "three"):
            times[0] += 1.9
            tell(stage, 1, 2)
            tell(stage, 2, 2)
    assert capsys.readouterr().err == ""


def test_a_stage_that_begins_once_more_is_timed_anew(times, capsys) -> None:
    """As where the clips of several corpora are heard one after the other."""
    with progress.progress() as tell:
        times[0] = 600.0
        tell("hearing", 99, 100)
        for second in range(4):
            times[0] += 1.0
            tell("hearing", second, 100)
    assert capsys.readouterr().err.splitlines() == ["earful: hearing: 2%, 1:38 left"]


def test_a_terminal_gets_a_bar_for_the_stage_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "APPEAR_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress() as tell:
        tell("listening", 1, 2)
        tell("adapting", 1, 4, "loss [red]2.0")
    assert "adapting" in terminal.getvalue() and "loss [red]2.0" in terminal.getvalue()


def test_a_terminal_sees_nothing_of_short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.progress() as tell:
        tell("listening", 2, 2)
    assert terminal.getvalue() == ""


def test_clock() -> None:
    assert [clock(s) for s in (0, 59.6, 3599, 3600)] == ["0:00", "1:00", "59:59", "1:00:00"]


def test_between_two_stages_memory_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[str] = []
    monkeypatch.setattr(progress, "give_back_memory", lambda: given_back.append("all"))
    with progress.progress() as tell:
        for stage, done in (("one", 1), ("one", 2), ("two", 1)):
            tell(stage, done, 2)
    assert len(given_back) == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's way to keep memory")
def test_what_is_free_is_given_back() -> None:
    def resident_kb() -> int:
        with Path("/proc/self/status").open() as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    blocks = [bytes(60_000) + bytes([n % 7]) for n in range(2000)]  # too small to be mapped each by itself
    full, last = resident_kb(), blocks[-1]
    del blocks
    progress.give_back_memory()
    assert resident_kb() < full - 60_000 and len(last) == 60_001
