"""Errors become one line on stderr and an exit status; nothing raises."""

from pathlib import Path

import pytest

from earful.cli import main as cli
from earful.errors import AudioError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """`earful check x` raises what the test says."""

    def fail(error: BaseException) -> None:
        def read_clips(*_: object) -> None:
            raise error

        monkeypatch.setattr("earful.data.clips.read_with_findings", read_clips)

    return fail


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (AudioError("a.wav: is empty; record it again"), 2, "earful: a.wav: is empty; record it again"),
        (AudioError("two\nlines"), 2, "earful: two lines"),
        (
            OSError(28, "No space left on device", "x.json"),
            2,
            "earful: x.json: No space left on device; correct that and try again",
        ),
        (MemoryError(), 2, "earful: not enough memory; use fewer or shorter clips, or close other programs"),
        (KeyboardInterrupt(), 130, "earful: interrupted"),
        (
            ZeroDivisionError("division by zero"),
            1,
            "earful: a fault of earful: ZeroDivisionError: division by zero; "
            "`earful --debug check …` shows where, please report it",
        ),
    ],
)
def test_errors(failing, earful, error: BaseException, status: int, line: str) -> None:
    failing(error)
    run = earful("check", "x")
    assert (run.status, run.out, run.err.strip()) == (status, "", line)


def test_debug_shows_the_trace(failing, earful) -> None:
    failing(AudioError("a.wav: is empty"))
    run = earful("--debug", "check", "x")
    assert run.status == 2 and "Traceback" in run.err and run.err.endswith("earful: a.wav: is empty\n")


def test_a_path_with_spaces_that_was_typed_without_quotes(
    earful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my field notes").mkdir()
    run = earful("check", "my", "field", "notes")
    assert run.status == 2 and run.err.endswith("; names with spaces need quotes: 'my field notes'\n")
    assert "quotes" not in earful("check", "my", "field").err, "no such path"
    assert "quotes" not in earful("check", "my field notes").err, "it has them"
    assert cli.unquoted(["x" * 300, "y" * 300, "\0"]) is None


@pytest.mark.parametrize("command", cli.RESUMABLE)
def test_an_interruption_that_can_be_resumed_says_so(command: str) -> None:
    assert cli.explain(KeyboardInterrupt(), command) == ("interrupted; run the same command again to resume", 130)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("adapt",), "Missing argument 'CLIPS'; see earful adapt --help"),
        (("adapt", "x"), "Missing option '--out'; see earful adapt --help"),
        (("nothing",), "No such command 'nothing'; see earful --help"),
        (("corpus", "speak", "--hour", "1"), "see earful corpus speak --help"),
        (("score", "m", "x", "--by", "word"), "see earful score --help"),
        (("adapt", "x", "--out", "y", "--writing", "z"), "Invalid value for '--writing': 'z' is not one of 'given'"),
    ],
)
def test_a_command_line_that_cannot_be_read(earful, arguments: tuple[str, ...], line: str) -> None:
    run = earful(*arguments)
    assert run.status == 2 and run.out == "" and line in run.err and run.err.count("\n") == 1


def test_no_command_shows_the_help(earful) -> None:
    run = earful()
    assert run.status == 0 and run.out.startswith("Usage: earful")


def test_version(earful) -> None:
    assert earful("--version").out.startswith("earful ")


def test_stars_are_expanded_where_the_shell_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b 1.csv", "a 1.csv", "c.txt"):
        (tmp_path / name).write_text("", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert cli.expanded("*.csv") == ["a 1.csv", "b 1.csv"] and cli.expanded("?.txt") == ["c.txt"]
    assert cli.expanded("*.wav") == ["*.wav"] and cli.expanded("c.txt") == ["c.txt"] and cli.expanded("--*") == ["--*"]
    for system, named in (("win32", "c.txt"), ("linux", "c.*")):
        monkeypatch.setattr("sys.platform", system)
        monkeypatch.setattr("sys.argv", ["earful", "check", "c.*"])
        assert cli.main() == 2 and f"earful: {named}: " in capsys.readouterr().err
