"""Control characters from files, their names and their texts never reach a terminal; what earful draws does."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from earful.cli.main import main
from earful.cli.progress import warn
from earful.cli.streams import Terminal, plain
from earful.cli.tables import print_table

BAD = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202eabc\r"
HARMLESS = "\tž 中文 العربية 👩‍👩‍👧 e\u0301\n"


class Screen(io.StringIO):
    """A terminal, as far as programs can tell."""

    def isatty(self) -> bool:
        return True


def controls(text: str) -> set[str]:
    """What is left but for the bold and dim letters of tables, which BAD has none of."""
    text = re.sub(r"\x1b\[[\d;]*m", "", text)
    return {c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or "\u202a" <= c <= "\u202e"}


def screens(monkeypatch: pytest.MonkeyPatch) -> tuple[Screen, Screen]:
    out, err = Screen(), Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def test_what_is_harmless_stays() -> None:
    assert plain(HARMLESS) == HARMLESS
    assert plain(BAD) == r"\x1b]0;owned\x07 \x1b[2J \x9b31m \u202eabc\r"


def test_a_terminal_writes_no_control_characters() -> None:
    screen = Screen()
    print(BAD, HARMLESS, file=Terminal(screen))
    Terminal(screen).writelines([BAD, BAD])
    assert not controls(screen.getvalue()) and HARMLESS in screen.getvalue()


def test_errors_warnings_and_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out, err = screens(monkeypatch)
    assert main(["check", str(tmp_path / f"no{BAD}.jsonl")]) == 2
    warn(BAD)
    print_table(("name",), [(BAD,)])
    assert "owned" in err.getvalue() and "owned" in out.getvalue()
    assert not controls(err.getvalue()) and not controls(out.getvalue())


def test_what_a_text_file_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The finding quotes it; to a pipe, which is no terminal, it goes as it is."""
    out, err = screens(monkeypatch)
    (tmp_path / "text.txt").write_text(f"Een zin {BAD} met meer.\n" * 3, "utf-8", newline="\n")
    assert main(["check", "--text", str(tmp_path / "text.txt")]) in (0, 2)
    assert out.getvalue() + err.getvalue() and not controls(err.getvalue()) and not controls(out.getvalue())


def test_a_pipe_gets_everything(capsys: Any) -> None:
    print(BAD)
    assert capsys.readouterr().out == BAD + "\n"
