"""What is printed is UTF-8 whatever the locale, and never loses a letter in silence. Run as processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "știri.txt"
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SAY = """
import sys, typer
from earful.cli.main import run
app = typer.Typer()
app.command()(lambda name: print(name))
sys.exit(run(app, "say"))
"""


def run(words: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A process in this environment, without what it says of how Python prints, but with what is said here."""
    said = ("PYTHONIOENCODING", "PYTHONUTF8", *OLD)
    own = {name: value for name, value in os.environ.items() if name not in said}
    return subprocess.run([sys.executable, *words], capture_output=True, check=False, env=own | environment)


def say(name: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command that prints a name; it is run as all are, but imports nothing."""
    return run(["-c", SAY, name], **environment)


@pytest.mark.parametrize("environment", [OLD, OLD | {"PYTHONIOENCODING": "UTF8"}])
def test_letters_stay_letters_whatever_the_locale(environment: dict[str, str]) -> None:
    done = say(NAME, **environment)
    assert done.returncode == 0 and done.stdout.decode() == f"{NAME}\n", (done.stdout, done.stderr)


def test_an_encoding_that_cannot_hold_the_text_is_an_error() -> None:
    done = say(NAME, **OLD, PYTHONIOENCODING="latin-1")
    said = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 2 and "PYTHONIOENCODING" in said and "\\u0219" in said, (done.stdout, done.stderr)


def test_who_asks_for_question_marks_gets_them() -> None:
    assert say(NAME, PYTHONIOENCODING="ascii:replace").stdout == b"?tiri.txt\n"


def test_a_name_that_is_no_unicode_does_not_end_a_run() -> None:
    done = say(os.fsdecode(b"a\xff.txt"), **OLD)
    assert done.returncode == 0 and done.stdout == b"a\\udcff.txt\n", done.stderr


def test_json_is_whole_in_any_encoding(tmp_path: Path) -> None:
    """Of a command as it is started."""
    (tmp_path / NAME).write_text("Ceașca 12 de ceai e plină.\n" * 3, "utf-8")
    words = ["-m", "earful", "check", "--text", str(tmp_path / NAME), "--json"]
    done = run(words, **OLD, PYTHONIOENCODING="ascii")
    (finding, *_) = json.loads(done.stdout.decode("ascii"))["text"]["findings"]
    assert done.returncode == 0 and finding["where"] == str(tmp_path / NAME)


def test_an_encoding_without_lines_for_tables_gets_tables_of_ascii(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("Ceașca 12 de ceai e plină.\n" * 3, "utf-8")
    done = run(["-m", "earful", "check", "--text", str(tmp_path / NAME)], PYTHONIOENCODING="cp1252:replace")
    assert done.returncode == 0 and b"?tiri.txt" in done.stdout and done.stdout.decode("cp1252").startswith("+---")
