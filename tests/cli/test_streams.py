"""What is printed is UTF-8 whatever the locale, and never loses a letter in silence. Run as processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "știri.txt"
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`earful check --text` of a file with a name beyond ASCII, into pipes."""
    (folder / NAME).write_text("Ceașca 12 de ceai e plină.\n" * 3, "utf-8")
    words = [sys.executable, "-m", "earful", "check", "--text", str(folder / NAME), *arguments]
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONIOENCODING", "PYTHONUTF8", *OLD)}
    return subprocess.run(words, capture_output=True, check=False, env=own | environment)


@pytest.mark.parametrize("environment", [OLD, OLD | {"PYTHONIOENCODING": "UTF8"}])
def test_letters_stay_letters_whatever_the_locale(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run(tmp_path, **environment)
    assert done.returncode == 0 and NAME in done.stdout.decode(), (done.stdout, done.stderr)
    assert b"?" not in done.stdout and b"\\u" not in done.stdout


def test_an_encoding_that_cannot_hold_the_text_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, **OLD, PYTHONIOENCODING="latin-1")
    said = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 2 and "PYTHONIOENCODING" in said and "\\u0219" in said, (done.stdout, done.stderr)


def test_who_asks_for_question_marks_gets_them_and_json_is_whole_in_any_encoding(tmp_path: Path) -> None:
    assert b"?tiri.txt" in run(tmp_path, PYTHONIOENCODING="ascii:replace").stdout
    done = run(tmp_path, "--json", **OLD, PYTHONIOENCODING="ascii")
    (finding, *_) = json.loads(done.stdout.decode("ascii"))["text"]["findings"]
    assert done.returncode == 0 and finding["where"] == str(tmp_path / NAME)


def test_a_name_that_is_no_unicode_does_not_end_a_run(tmp_path: Path) -> None:
    odd = os.fsdecode(b"a\xff.txt")
    (tmp_path / odd).write_text("Een zin.", "utf-8")
    words = [sys.executable, "-m", "earful", "check", "--text", str(tmp_path / odd)]
    done = subprocess.run(words, capture_output=True, check=False, env=os.environ | OLD)
    assert done.returncode == 0 and b"a\\udcff.txt" in done.stdout, done.stderr


def test_an_encoding_without_lines_for_tables_gets_tables_of_ascii(tmp_path: Path) -> None:
    done = run(tmp_path, PYTHONIOENCODING="cp1252:replace")
    assert done.returncode == 0 and b"?tiri.txt" in done.stdout and done.stdout.decode("cp1252").startswith("+---")
