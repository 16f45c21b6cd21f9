"""`earful`: the commands, and how every error becomes one line on stderr.

Exit status: 0 done, 1 a fault of earful itself, 2 something to correct, 130 interrupted by Ctrl-C.
torch and the rest of earful are imported by the commands that need them, so that `earful --help` is instant.
"""

import errno
import glob
import os
import sys
import traceback
from collections.abc import Collection, Sequence
from typing import Annotated, Any

import typer

from earful.cli.adapt import adapt
from earful.cli.benchmark import benchmark
from earful.cli.check import check
from earful.cli.corpus import corpus
from earful.cli.demo import demo
from earful.cli.elan import elan
from earful.cli.export import export
from earful.cli.forecast import forecast
from earful.cli.listen import listen
from earful.cli.metatrain import metatrain
from earful.cli.pretrain import pretrain
from earful.cli.push import push
from earful.cli.review import review
from earful.cli.score import score
from earful.cli.serve import serve
from earful.cli.streams import in_utf8, not_in, plain, set_streams
from earful.cli.suggest import suggest
from earful.cli.train import train
from earful.cli.transcribe import transcribe
from earful.environment import LEAN
from earful.errors import EarfulError, quoted

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MOST_WORDS = 8  # of a name with spaces that was typed without quotes
RESUMABLE = ("adapt", "benchmark", "corpus", "metatrain", "pretrain", "train")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command(short_help="Make a recogniser from transcribed clips.")(adapt)
app.command(short_help="Transcribe recordings.")(transcribe)
app.command(short_help="Transcribe live speech.")(listen)
app.command(short_help="Measure the error rates of a model.")(score)
app.command(short_help="Find mistakes in clips and transcripts.")(check)
app.command(short_help="Suggest recordings to transcribe (experimental).")(suggest)
app.command(short_help="List drafts in ELAN files to correct first.")(review)
app.add_typer(elan, name="elan", short_help="Put earful into ELAN.")
app.command(short_help="Estimate the error with more clips (experimental).")(forecast)
app.add_typer(corpus, name="corpus", short_help="Make a corpus of synthetic speech.")
app.command(short_help="Serve models to programs, and the studio to browsers.")(serve)
app.command(short_help="Export a model to phones, browsers, other programs.")(export)
app.command(short_help="Upload an exported model to the hub.")(push)
app.command(short_help="Train a base model by a recipe.")(train)
app.command(short_help="Train a base further on speech without transcripts.")(pretrain)
app.command(short_help="Meta-train a base model by a recipe.")(metatrain)
app.command(short_help="Compare bases on your own clips.")(benchmark)
app.command(short_help="Try the main job in a minute.")(demo)


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Speech recognition from a handful of recordings.

    Example: 20 recordings, each with a text file of the same name beside it, become a recogniser:

    \b
        earful check my-clips
        earful adapt my-clips --out my-model
        earful transcribe my-model new.wav
    """
    context.ensure_object(dict).update(debug=debug, command=context.invoked_subcommand)
    if version:
        from importlib import metadata

        print(f"earful {metadata.version('earful')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an earful command line; see `run`."""
    return run(app, "earful", arguments)


def run(
    commands: typer.Typer, name: str, arguments: Sequence[str] | None = None, resumable: Collection[str] = RESUMABLE
) -> int:
    """Run a command line (by default that of the process), and return the exit status. It raises nothing.

    `name` is the name of the program; `resumable` commands can be continued after an interruption.
    """
    for variable, value in LEAN.items():
        os.environ.setdefault(variable, value)
    told: dict[str, Any] = {"debug": False, "command": None}
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        in_utf8()
    set_streams()
    try:
        # not app(): each version of typer turns interruptions and closed pipes into something else
        command = typer.main.get_command(commands)
        if arguments is None and sys.platform == "win32":
            words = [each for word in words for each in expanded(word)]
        with command.make_context(name, words, obj=told) as context:
            command.invoke(context)
        sys.stdout.flush()
        status = 0
    except BrokenPipeError:
        return _closed_pipe()
    except typer.Exit as leave:
        status = leave.exit_code
    except BaseException as error:
        if told["debug"]:
            traceback.print_exception(error)
        message, status = explain(error, str(told["command"] or ""), name, resumable)
        if status == 2 and (whole := unquoted(words)):
            message += f"; names with spaces need quotes: {quoted(whole)}"
        print(f"earful: {plain(message)}", file=sys.stderr)
    return status


def expanded(word: str) -> list[str]:
    """The files that match a word with * or ?, sorted, or the word itself: shells of Windows do not expand it."""
    pattern = not word.startswith("-") and any(sign in word for sign in "*?")
    found = sorted(glob.glob(word)) if pattern else []  # noqa: PTH207 (`Path.glob` takes no absolute pattern)
    return found or [word]


def unquoted(words: Sequence[str]) -> str | None:
    """The longest path with spaces that stands in a command line as several words; None if there is none."""
    for count in range(min(len(words), _MOST_WORDS), 1, -1):
        for first in range(len(words) - count + 1):
            whole = " ".join(words[first : first + count])
            if os.path.exists(whole):  # noqa: PTH110 (`Path.exists` raises for a name that is too long)
                return whole
    return None


def explain(
    error: BaseException, command: str, name: str = "earful", resumable: Collection[str] = RESUMABLE
) -> tuple[str, int]:
    """One line for people, and the exit status."""
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        again = "; run the same command again to resume" if command in resumable else ""
        return f"interrupted{again}", 130
    if isinstance(error, EarfulError):
        return " ".join(str(error).split("\n")), 2
    if hasattr(error, "format_message"):  # what typer says of the command line
        asked = getattr(getattr(error, "ctx", None), "command_path", name)
        said = str(error.format_message()).replace("Value error, ", "")  # some versions of typer say it
        return f"{said.rstrip('.')}; see {asked} --help", 2
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        if not where and error.errno in FULL:
            where = "the output cannot be written: "  # files are named by those who write them
        return f"{where}{error.strerror or error}; correct that and try again", 2
    if isinstance(error, UnicodeEncodeError):
        return not_in(error), 2
    if isinstance(error, MemoryError):
        return "not enough memory; use fewer or shorter clips, or close other programs", 2
    problem = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a fault of earful: {problem}; `{name} --debug {command} …` shows where, please report it", 1


def _closed_pipe() -> int:
    """Handle a closed pipe (`| head`): no message, neither now nor when the interpreter exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
