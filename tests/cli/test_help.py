"""Every command explains itself, with an example that its own parser accepts."""

import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from earful.cli.main import app

COMMANDS = (
    (),
    ("adapt",),
    ("transcribe",),
    ("listen",),
    ("score",),
    ("check",),
    ("suggest",),
    ("review",),
    ("elan",),
    ("elan", "install"),
    ("forecast",),
    ("train",),
    ("pretrain",),
    ("metatrain",),
    ("benchmark",),
    ("export",),
    ("push",),
    ("serve",),
    ("demo",),
    ("corpus",),
    ("corpus", "speak"),
)


def help_of(command: tuple[str, ...]) -> str:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="earful")
    assert result.exit_code == 0
    return result.output


def examples() -> list[str]:
    return [line.strip() for command in COMMANDS for line in help_of(command).splitlines() if line.startswith("    ")]


def test_no_command_is_missing_here() -> None:
    known = {command[0] for command in COMMANDS if command}
    assert known == set(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(command: tuple[str, ...]) -> None:
    shown = help_of(command)
    assert re.search(rf"Examples?:\n\s+earful {' '.join(command)}", shown) or not command
    assert "..." not in shown.partition("Commands:")[2], "a summary is cut"


def test_the_examples_can_be_parsed() -> None:
    lines = [line for line in examples() if line.startswith("earful ")]
    assert len(lines) >= 12
    for line in lines:
        parse(shlex.split(line)[1:])


def parse(words: list[str]) -> None:
    """Let the parser of the command take its arguments, without running it; raises for one that it does not know."""
    command, context = get_command(app), None
    while hasattr(command, "commands"):
        context = command.make_context("earful", [words[0]], parent=context, resilient_parsing=True)
        command, words = command.commands[words[0]], words[1:]
    command.make_context("earful", words, parent=context)


def test_help_is_instant() -> None:
    """No torch, no numpy: only what the parser needs."""
    code = "import sys; import earful.cli.main; sys.exit(bool({'torch', 'numpy', 'soundfile'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
