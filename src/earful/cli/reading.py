"""What `earful check --text` prints."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from earful.cli.tables import counted, print_table

if TYPE_CHECKING:
    from earful.data.check_reading import TextInspection

MOST_LETTERS = 30


def print_reading(reading: "TextInspection", path: Path) -> None:
    """Print the findings about a text, the worst first, then its description."""
    if reading.findings:
        print_table(
            ("", "text", "what", "what to do"), [(f.severity, path, f.message, f.remedy) for f in reading.findings]
        )
    print_table(("", str(path)), facts(reading))
    if not reading.findings:
        print("Nothing is wrong with the text.")


def facts(reading: "TextInspection") -> Iterator[tuple[str, str]]:
    """The rows of the description of a text."""
    from earful.text.languages import name_of

    words, sentences = counted(reading.words, "word"), counted(reading.sentences, "sentence")
    yield "size", f"{sentences}, {words}, {reading.distinct_words} of them different, {reading.kilobytes:.1f} kB"
    repeated = f", {reading.repeated_lines} of them repeated" if reading.repeated_lines else ""
    yield "looks like", f"{reading.kind}, {counted(reading.lines, 'line')}{repeated}"
    yield "script", ", ".join(f"{script} {count}" for script, count in reading.scripts.items()) or "none"
    if reading.listed is not None:
        yield "in the language's word list", f"{reading.listed:.0%} of its words"
    if reading.likeliest:
        near = ", ".join(f"{name_of(name)} {share:.0%}" for name, share in reading.likeliest.items())
        yield "most words are in the word lists of", near
    if like := reading.likeness:
        yield "words of the clips that it has", f"{like.covered:.0%}, of the different ones {like.covered_distinct:.0%}"
        yield "letters that are in no clip", letters(like.unheard, MOST_LETTERS) or "none"
        yield "letters of the clips that it lacks", letters(like.unread, MOST_LETTERS) or "none"


def letters(counts: Mapping[str, int], most: int | None = None) -> str:
    """Characters with their counts, at most `most` of them; invisible ones by their codes."""
    more = f"  and {len(counts) - most} more" if most is not None and len(counts) > most else ""
    return "  ".join(f"{shown(symbol)} {count}" for symbol, count in [*counts.items()][:most]) + more


def shown(symbol: str) -> str:
    """A visible form of a character.

    >>> shown(" "), shown("ʼ"), shown("\u00ad")
    ('␣', 'ʼ', 'U+00AD')
    """
    return "␣" if symbol == " " else symbol if symbol.isprintable() else f"U+{ord(symbol):04X}"
