"""One case, run in this process: what is to be seen from outside, and what of it breaks a promise."""

import contextlib
import hashlib
import io
import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earful.cli.main import main

MOST_MB, MOST_S = 2000, 20.0
STATUSES = (0, 2)
_TRACE = re.compile(r"Traceback \(most recent|a fault of earful|\w+Warning:|^\s*File \"", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@dataclass
class Case:
    """What is run on a folder of its own: command lines, or a function; `oracle` says what is wrong with what came.

    All that may change lies below `out`; `refused`: it must not be taken.
    """

    what: str
    command: Sequence[str] = ()
    act: Callable[[], None] | None = None
    oracle: Callable[[int, str], str | None] | None = None
    out: Path | None = None
    refused: bool = False
    named: str = ""
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None
    named_when_full: str = ""


@dataclass
class Verdict:
    """What came of a case; `problems` break promises."""

    kind: str
    number: int
    what: str
    status: int
    seconds: float
    peak_mb: float
    problems: list[str] = field(default_factory=list)
    said: str = ""


def judged(kind: str, number: int, place: Path, case: Case) -> Verdict:
    """Run a case and look at it from all sides."""
    before = contents(place, case.out)
    _forget_peak()
    began = time.process_time()  # others may want the machine, too; who waits for ever is ended by the campaign
    case.before()
    try:
        status, out, err = run(case)
    finally:
        case.after()
    found = Verdict(kind, number, case.what, status, round(time.process_time() - began, 3), peak_mb())
    found.said = err[-600:]
    found.problems = list(problems(case, found, out, err))
    if contents(place, case.out) != before:
        found.problems.append("changed what is not its output")
    return found


def run(case: Case) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command line; an exception that comes out is status 1."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(list(case.command)) if case.act is None else _status(case.act)
        except BaseException:
            status = 1
            traceback.print_exc(file=err)
    return status, out.getvalue(), err.getvalue()


def _status(act: Callable[[], None]) -> int:
    from earful.errors import EarfulError

    try:
        act()
    except EarfulError as error:
        print(f"earful: {' '.join(str(error).splitlines())}", file=__import__("sys").stderr)
        return 2
    return 0


def problems(case: Case, found: Verdict, out: str, err: str) -> "list[str]":
    """What breaks a promise."""
    said = list[str]()
    if found.status not in STATUSES:
        said.append(f"exit status {found.status}")
    if _TRACE.search(err) or _TRACE.search(out):
        said.append("a trace, or a fault of earful")
    if found.status == 2 and not any(line.startswith("earful: ") for line in err.splitlines()) and not out:
        said.append("refused without a word")
    if len(err.splitlines()) > 40 or len(err) > 20_000:
        said.append("says too much")
    if _CONTROL.search(err):
        said.append("control characters reach the terminal")
    if case.refused and found.status == 0:
        said.append("took what it must refuse")
    if case.named and found.status == 2 and case.named not in err and case.named not in out:
        said.append(f"does not name {case.named}")
    if case.named_when_full and "No space left" in err and case.named_when_full not in err:
        said.append("does not name what cannot be written")
    if found.seconds > MOST_S:
        said.append(f"took {found.seconds:.0f} s")
    if found.peak_mb > MOST_MB:
        said.append(f"took {found.peak_mb:.0f} MB")
    if case.oracle and not said and (wrong := case.oracle(found.status, out)):
        said.append(wrong)
    return said


def contents(place: Path, out: Path | None) -> dict[str, str]:
    """The hash of every file below a folder, but for those below `out`; what is no file, by its kind."""
    found = dict[str, str]()
    for path in sorted(place.rglob("*")):
        if out is not None and path.is_relative_to(out) and path != out:
            continue
        regular = path.is_file() and not path.is_symlink()
        mode = path.lstat().st_mode
        found[str(path)] = f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest() if regular else ''}"
    return found


def _forget_peak() -> None:
    with contextlib.suppress(OSError), Path("/proc/self/clear_refs").open("w") as file:
        file.write("5")


def peak_mb() -> float:
    """The most memory since the case began (Linux)."""
    with contextlib.suppress(OSError), Path("/proc/self/status").open() as file:
        found = re.search(r"VmHWM:\s+(\d+)", file.read())
        return int(found[1]) / 1024 if found else 0.0
    return 0.0
