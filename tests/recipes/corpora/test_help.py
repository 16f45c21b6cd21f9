"""The commands of `python -m recipes.corpora` explain themselves, and the documents' lines can be read by them."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from recipes.corpora.__main__ import NAME
from recipes.corpora.commands import RESUMABLE, corpora

ROOT = Path(__file__).parents[3]
COMMANDS = get_command(corpora).commands  # type: ignore[attr-defined]


def parse(line: str) -> None:
    """Let the parser take a command line without running it; raises for one that it does not know."""
    name, *words = shlex.split(line, comments=True)[3:]
    COMMANDS[name].make_context(f"{NAME} {name}", words)


def test_every_command_shows_an_example_that_it_takes() -> None:
    assert set(COMMANDS) == {"fillets-ng", "klettres", "ktuberling", "prompts", "invent", "demo"} > set(RESUMABLE)
    for name in COMMANDS:
        shown = CliRunner().invoke(corpora, [name, "--help"], prog_name=NAME).output
        (example,) = re.findall(rf"^ +({NAME} {name}.*)$", shown, re.MULTILINE)
        parse(example)


def test_lines_of_the_documents_can_be_read() -> None:
    places = [*ROOT.glob("docs/*.md"), *ROOT.glob("recipes/*/README.md")]
    text = "\n".join(path.read_text("utf-8") for path in places)
    lines = re.findall(rf"^(?: {{4,}}|\$ )({NAME} .*)$", text, re.MULTILINE)
    assert len(lines) >= 10
    for line in lines:
        parse(line)
    assert all(f"## {name}\n" in (ROOT / "docs" / "training-corpora.md").read_text("utf-8") for name in COMMANDS)
    with pytest.raises(Exception, match="No such option"):
        parse(f"{NAME} prompts --pronounce --out x")


def test_an_interruption_says_whether_it_can_be_resumed(corpora, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("recipes.corpora.invented.corpus.invent_corpus", interrupt)
    monkeypatch.setattr("recipes.corpora.prompts.prompts", interrupt)
    run = corpora("invent", "--count", "1", "--clips", "1", "--out", tmp_path / "x")
    assert (run.status, run.err) == (130, "earful: interrupted; run the same command again to resume\n")
    run = corpora("prompts", "--out", tmp_path / "x")
    assert (run.status, run.err) == (130, "earful: interrupted\n")
