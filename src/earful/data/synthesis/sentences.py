"""Sentences to speak: of random words, or those of a text that the user gives.

torch is imported by what draws: `earful check` only reads.
"""

import codecs
import re
import textwrap
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from earful.errors import SynthesisError
from earful.reading import read_whole

if TYPE_CHECKING:
    import torch

    from earful.data.synthesis.words import Words

LEAST_WORDS, MOST_WORDS = 3, 12
LONGEST = 250  # characters; about 20 s of speech
_COMMA_SHARE, _QUESTION_SHARE = 0.08, 0.15

_SENTENCE = re.compile(
    r""".+?(?:[.!?…]+["'”’»)\]]*(?=\s|$)"""  # Latin, Cyrillic, Greek: the mark is the end if a space follows
    r"""|[。！？।॥؟۔።]+["”’»」』)]*"""  # these marks always are
    r"""|$)"""
)


def random_sentence(words: "Words", generator: "torch.Generator", invented: float = 0.0) -> str:
    """3 to 12 random words; each is an invented one with probability `invented`. Commas and end marks shape the melody.

    >>> random_sentence(load_words("nl"), torch.Generator().manual_seed(0))  # doctest: +SKIP
    'bekend van daarin, vermoord dat.'
    """
    import torch

    count = int(torch.randint(LEAST_WORDS, MOST_WORDS + 1, (), generator=generator))
    said = [_word(words, generator, invented) for _ in range(count)]
    marks = random_marks(count, generator)
    if words.space:  # a script without spaces has marks of its own
        said = [word + mark for word, mark in zip(said, marks, strict=True)]
    return words.space.join(said)


def random_marks(count: int, generator: "torch.Generator") -> list[str]:
    """What follows each of so many words: nothing or a comma; after the last one a full stop or a question mark."""
    import torch

    commas = torch.rand(count - 1, generator=generator) < _COMMA_SHARE
    end = "?" if torch.rand(1, generator=generator) < _QUESTION_SHARE else "."
    return [*("," * bool(comma) for comma in commas), end]


def read_sentences(path: str | Path) -> tuple[str, ...]:
    """The sentences of a UTF-8 text file; see `split_sentences`. Raises SynthesisError as `read_text`."""
    return split_sentences(read_text(path))


def read_text(path: str | Path) -> str:
    """A UTF-8 text file. Raises SynthesisError where it cannot be read, is no text, or holds no letter or figure."""
    path = Path(path)
    try:
        raw = read_whole(path)
    except OSError as error:
        raise SynthesisError(f"{path}: cannot read the text: {error.strerror}; check the path") from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SynthesisError(f"{path}: the text is UTF-16; save it as UTF-8")
    if b"\0" in raw:
        raise SynthesisError(
            f"{path}: expected text, got a binary file (byte {raw.index(0) + 1} is zero); save it as plain text, UTF-8"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SynthesisError(
            f"{path}:{line}: the text is not UTF-8 (byte {error.start + 1}); save it as UTF-8"
        ) from None
    if not any(character.isalnum() for character in text):
        what = "found no letters" if text.strip() else "the file is empty"
        raise SynthesisError(f"{path}: expected sentences, {what}; write one sentence a line")
    return text


def split_sentences(text: str) -> tuple[str, ...]:
    """Split a text at line ends and after . ! ? … 。 and the like; NFC, single spaces, parts without a letter dropped.

    A sentence of more than 250 characters is cut between words.

    >>> split_sentences("Hoi! Alles goed?\\nJa.")
    ('Hoi!', 'Alles goed?', 'Ja.')
    """
    lines = unicodedata.normalize("NFC", text).splitlines()
    sentences = (_clean(match[0]) for line in lines for match in _SENTENCE.finditer(line))
    parts = (part for sentence in sentences for part in textwrap.wrap(sentence, LONGEST, break_on_hyphens=False))
    return tuple(part for part in parts if any(character.isalnum() for character in part))


def _word(words: "Words", generator: "torch.Generator", invented: float) -> str:
    import torch

    make_up = float(torch.rand(1, generator=generator)) < invented
    return words.invent(generator) if make_up else words.draw(generator)


def _clean(sentence: str) -> str:
    """Control characters become spaces, runs of space one."""
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in sentence).split())
