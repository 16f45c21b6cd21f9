"""The symbols a model writes, and which known symbol an unknown one resembles.

A symbol learned from transcripts is one Unicode code point of the NFC text, including the space. It is not a grapheme
cluster: Devanagari, Thai or a tone language with stacked marks (ọ̀ has no code point of its own) have many clusters,
most of them rare. A handful of recordings would not contain most of them, but contains their letters and marks again
and again. It is NFC, not NFD: if Unicode has a code point for the whole letter (č, й), its writers usually see it as a
letter of its own. The disadvantage is for Korean and Chinese, whose code points are syllables and words (for Mandarin
a model may learn pinyin: `text.pinyin`).

An alphabet may also be an inventory of phones; then a symbol may have several code points (tʃ), and a text is encoded
as a sequence of symbols.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from earful.errors import TextError

BLANK_ID = 0


@dataclass(frozen=True)
class Alphabet:
    """The symbols of a model: id 0 is the CTC blank, `symbols[i]` has the id i + 1.

    `symbols` may also be a list, as JSON gives it. Raises TextError if there is no symbol, or if one comes twice, is
    empty or is not a string.

    >>> alphabet = Alphabet.learn(["ahoj", "a ty"])
    >>> alphabet.symbols
    (' ', 'a', 'h', 'j', 'o', 't', 'y')
    >>> alphabet.decode(alphabet.encode("jay"))
    'jay'
    """

    symbols: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.symbols, list | tuple):
            raise TextError(f"alphabet: expected a list of symbols, got {type(self.symbols).__name__}")
        object.__setattr__(self, "symbols", tuple(self.symbols))
        _require_symbols(self.symbols)

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Alphabet:
        """Collect every code point of the (normalised) texts, sorted. Raises TextError if all texts are empty."""
        if isinstance(texts, str):
            raise TextError("an alphabet is learned from a list of transcripts, got one text; put it in a list")
        found = {character for text in texts for character in unicodedata.normalize("NFC", text)}
        if not found:
            raise TextError("the transcripts have no letter to learn an alphabet from; check that they are not empty")
        return cls(tuple(sorted(found)))

    def extended(self, texts: Iterable[str]) -> Alphabet:
        """Its own symbols, whose ids stay, then the code points of the (normalised) texts that it lacks."""
        found = {character for text in texts for character in unicodedata.normalize("NFC", text)}
        return Alphabet((*self.symbols, *sorted(found - set(self.symbols))))

    @property
    def size(self) -> int:
        """The number of classes of a CTC head: the symbols and the blank."""
        return len(self.symbols) + 1

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: position + 1 for position, symbol in enumerate(self.symbols)}

    def encode(self, text: str) -> list[int]:
        """The ids of the code points of `text` in NFC. Raises TextError, which names a character without a symbol."""
        return self.encode_symbols(unicodedata.normalize("NFC", text))

    def encode_symbols(self, symbols: Iterable[str]) -> list[int]:
        """The ids of a sequence of symbols, such as phones. Raises TextError, which names an unknown one."""
        try:
            return [self._ids[symbol] for symbol in symbols]
        except KeyError as error:
            raise TextError(
                f"{_described(error.args[0])} is not in the alphabet of {len(self.symbols)} symbols; "
                "remove it from the transcript, or adapt the model with transcripts that contain it"
            ) from None

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids without blanks (collapse the CTC path before). Raises TextError on another id."""
        return "".join(self.decode_symbols(ids))

    def decode_symbols(self, ids: Iterable[int]) -> list[str]:
        """The symbols of ids without blanks. Raises TextError on an id that is not in 1..len(symbols)."""
        return [self._symbol(int(each)) for each in ids]

    def _symbol(self, number: int) -> str:
        if 1 <= number <= len(self.symbols):
            return self.symbols[number - 1]
        meaning = "is the CTC blank; collapse the path first" if number == BLANK_ID else "is no symbol of this alphabet"
        raise TextError(f"expected symbol ids from 1 to {len(self.symbols)}, got {number}, which {meaning}")


def _require_symbols(symbols: tuple[str, ...]) -> None:
    if not symbols:
        raise TextError("an alphabet needs at least one symbol, got none")
    for symbol in symbols:
        if not isinstance(symbol, str) or not symbol:
            raise TextError(f"alphabet: a symbol must be a text that is not empty, got {symbol!r}")
    if len(set(symbols)) < len(symbols):
        twice = next(symbol for position, symbol in enumerate(symbols) if symbol in symbols[:position])
        raise TextError(f"alphabet: {_described(twice)} comes twice; each symbol must come once")


def _described(symbol: str) -> str:
    """A symbol as a message names it: 'č' (U+010D LATIN SMALL LETTER C WITH CARON)."""
    points = " + ".join(f"U+{ord(c):04X} {unicodedata.name(c, 'without a name')}" for c in symbol)
    return f"{symbol!r} ({points})"


# --- which known symbol resembles a new one -------------------------------------------------------------------------

# Words that stand before the letter in a Unicode letter name and say nothing of its sound: SHORT I, OPEN E, SARA AA.
_PREFIXES = frozenset(
    {"BARRED", "BYELORUSSIAN-UKRAINIAN", "CANDRA", "CAPITAL", "DOTLESS", "FARSI", "FINAL", "INVERTED", "LONG", "OPEN"}
    | {"REVERSED", "SARA", "SCRIPT", "SHARP", "SHORT", "SMALL", "TURNED", "UKRAINIAN", "VOCALIC"}
)

# Letter names that do not begin with the sound of their letter; "" is a letter without a sound of its own.
_SOUNDS_OF_NAMES = {
    **{"EF": "f", "EL": "l", "EM": "m", "EN": "n", "ER": "r", "ES": "s", "IE": "e", "SHHA": "h", "CYRILLIC YA": "a"},
    **{"CYRILLIC YU": "u", "HARD": "", "SOFT": "", "PALOCHKA": "", "CHI": "h", "ETA": "i", "PHI": "f", "XI": "k"},
    **{"AE": "ae", "OE": "oe", "ENG": "n", "ESH": "s", "ETH": "d", "EZH": "z", "SCHWA": "e", "GLOTTAL": ""},
    **{"TURNED V": "a", "TURNED M": "u", "TURNED Y": "l", "RAMS": "o", "GEORGIAN EN": "e"},
}
# When the letter itself is not there, its neighbour: Latin spellings of nearly the same sound.
_NEIGHBOURS = {"j": "y", "q": "k", "w": "v", "x": "k", "y": "i"}

_LETTER_NAME = re.compile(r"(?:LETTER|SYLLABLE|SYLLABICS|CHARACTER|LIGATURE|VOWEL SIGN) (.+)")


def closest(symbol: str, candidates: Collection[str]) -> str | None:
    """The candidate that most resembles `symbol`, or None. The output row of a new letter can start from its row.

    In this order: the symbol itself, the other case, without marks and length (č → c, aː → a), without a stroke or hook
    (ø → o, ł → l, қ → к), and the Latin letter of like sound, read from the Unicode name of the letter, because most
    scripts name a letter by its sound (м CYRILLIC EM → m, ב HEBREW BET → b, æ → a, ß → s). A candidate is reduced in
    the same way, so a model of one script lends to another. Combining marks, digits and spaces resemble nothing but
    themselves; a written vowel sign counts as its vowel.

    >>> closest("č", ["a", "c", "s"])
    'c'
    """
    ranks = {form: rank for rank, form in reversed(list(enumerate(_forms(symbol))))}
    found = [
        (ranks[form] + rank, ranks[form], candidate)
        for candidate in candidates
        for rank, form in enumerate(_forms(candidate))
        if form in ranks
    ]
    return min(found)[2] if found else None


@lru_cache(maxsize=4096)
def _forms(symbol: str) -> tuple[str, ...]:
    """Simpler and simpler forms of a symbol, itself first."""
    lower = symbol.lower()
    plain = "".join(c for c in unicodedata.normalize("NFD", lower) if unicodedata.category(c) in ("Ll", "Lo", "Lu"))
    letter = lower if "VOWEL SIGN" in unicodedata.name(lower[:1], "") else plain
    if len(letter) != 1:
        return tuple(dict.fromkeys(form for form in (symbol, lower, plain) if form))
    root = _without_stroke(letter)
    sounds = _sounds(root)
    neighbours = [_NEIGHBOURS[sound] for sound in (root, *sounds) if sound in _NEIGHBOURS]
    return tuple(dict.fromkeys([symbol, lower, letter, root, *sounds, *neighbours]))


def _without_stroke(letter: str) -> str:
    """The letter that is named before WITH: LATIN SMALL LETTER L WITH STROKE → l."""
    name = unicodedata.name(letter, "").split(" WITH ")[0]
    try:
        return unicodedata.lookup(name)
    except KeyError:
        return letter


def _sounds(letter: str) -> str:
    """Latin letters for the sound of a letter, likeliest first, by its Unicode name."""
    name = unicodedata.name(letter, "")
    named = _LETTER_NAME.search(name)
    if "a" <= letter <= "z" or named is None:
        return ""
    words = named[1].split()
    while len(words) > 1 and words[0] in _PREFIXES and " ".join(words[:2]) not in _SOUNDS_OF_NAMES:
        words = words[1:]
    script = name.split()[0]
    keys = (" ".join(words[:2]), f"{script} {words[0]}", words[0])
    return next((_SOUNDS_OF_NAMES[key] for key in keys if key in _SOUNDS_OF_NAMES), words[0][0].lower())
