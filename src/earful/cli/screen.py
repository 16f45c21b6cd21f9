"""Output of live words: to a terminal, to a pipe, or as JSON."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from earful.cli.streams import plain, raw_of
from earful.cli.tables import print_json

if TYPE_CHECKING:
    from earful.live.live import Update
    from earful.transcript import Transcript, Word


class Screen(Protocol):
    """An output of live words."""

    def show(self, update: "Update") -> None:
        """Show the newly settled words, and the tail."""

    def end(self, transcript: "Transcript") -> None:
        """End the output; the final `transcript` may differ from the settled words in a few letters."""


@contextmanager
def screen(json: bool) -> Iterator[Screen]:
    """The output: JSON if requested, else drawn on a terminal, or printed line by line."""
    if json:
        yield _Json()
    elif sys.stdout.isatty():
        with _terminal() as shown:
            yield shown
    else:
        yield _Lines()


def phrases(words: "Sequence[Word]", pending: "Sequence[Word]") -> "Iterator[Sequence[Word]]":
    """Split words at pauses, after `pending` words; the last phrase may be incomplete."""
    from earful.transcript import PAUSE_S

    phrase = list(pending)
    for word in words:
        if phrase and word.start_s - phrase[-1].end_s >= PAUSE_S:
            yield phrase
            phrase = []
        phrase.append(word)
    yield phrase


def written(words: "Sequence[Word]") -> str:
    """The text of the words."""
    from earful.text.pinyin import closed_up

    return plain(closed_up(" ".join(word.text for word in words)))


class _Lines:
    """Settled words, one line per phrase between two pauses."""

    def __init__(self) -> None:
        self._phrase = list["Word"]()

    def show(self, update: "Update") -> None:
        self._print(update.settled)

    def end(self, transcript: "Transcript") -> None:
        if self._phrase:
            print(flush=True)

    def _print(self, words: "Sequence[Word]") -> None:
        *whole, last = phrases(words, self._phrase)
        shown = len(written(self._phrase))
        for phrase in whole:
            print(written(phrase)[shown:])
            shown = 0
        self._phrase = list(last)
        print(written(last)[shown:], end="", flush=True)


class _Json:
    """An object per change: settled words, and the text of the tail. The last object is that of `transcribe --json`."""

    def __init__(self) -> None:
        self._tail = ""

    def show(self, update: "Update") -> None:
        tail = " ".join(word.text for word in update.tail)
        if update.settled or tail != self._tail:
            print_json({"settled": [_row(word) for word in update.settled], "tail": tail})
            self._tail = tail

    def end(self, transcript: "Transcript") -> None:
        from earful.writers.formats import render

        print(render(transcript, "json"), end="", flush=True)


def _row(word: "Word") -> dict[str, Any]:
    row = asdict(word)
    return {"text": word.text} | {name: round(row[name], 3) for name in ("start_s", "end_s", "confidence")}


class _Terminal:
    """Finished phrases scroll away; the last one is redrawn at every change, with its tail dim."""

    def __init__(self, live: Any) -> None:
        self._live, self._phrase = live, list["Word"]()

    def show(self, update: "Update") -> None:
        self._print(update.settled)
        self._draw(update.tail)

    def end(self, transcript: "Transcript") -> None:
        self._draw(())

    def _print(self, words: "Sequence[Word]") -> None:
        from rich.text import Text

        *whole, last = phrases(words, self._phrase)
        for phrase in whole:
            self._live.console.print(Text(written(phrase)))
        self._phrase = list(last)

    def _draw(self, tail: "Sequence[Word]") -> None:
        from rich.text import Text

        settled, whole = written(self._phrase), written([*self._phrase, *tail])
        self._live.update(Text.assemble(settled, (whole[len(settled) :], "dim")), refresh=True)


@contextmanager
def _terminal() -> Iterator[Screen]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=raw_of(sys.stdout), highlight=False)
    print("earful: listening; Ctrl-C ends it", file=sys.stderr)
    with Live(Text(""), console=console, auto_refresh=False, vertical_overflow="visible") as live:
        yield _Terminal(live)
