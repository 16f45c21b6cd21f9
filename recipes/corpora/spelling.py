"""The spelling of words that were written in ASCII: the language's word with the same letters, but for accents."""

import importlib
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from earful.data.synthesis.languages import REMEDY
from earful.errors import SynthesisError

# Thresholds in Zipf's unit: log10 of how often a word comes in 10⁹ (van Heuven et al. 2014).
RAREST = 2.0  # below it lists hold misspellings
RIVAL = 2.5  # below it other spellings are slips of the pen
ACCENTED_RIVAL = 3.0  # "har" and "hår" are both words, however much oftener one comes; but French "de" is not "dé"
PLAIN_RIVAL = 0.9  # people leave accents out: "tete" comes, but a word of its own ("nasa") comes oftener

_LISTS = {"sr": "sh", "hr": "sh", "bs": "sh"}
_SHORT = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ı": "i", "œ": "oe", "æ": "ae", "ß": "ss", "þ": "th", "ð": "d"})
_LONG = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "đ": "dj", "ñ": "nn"})
_ELIDED = frozenset(("c", "d", "j", "l", "m", "n", "s", "t", "qu"))
_VOWELS = "aeiouhy"


def spell(words: Sequence[str], language: str, known: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """Words in ASCII as the language writes them, joined by spaces; None unless each of them is certain, or `known`.

    A single consonant before a vowel is an elided word, as in French. Raises SynthesisError without the word lists.

    >>> spell(["boucle", "d", "oreille"], "fr")  # doctest: +SKIP
    "boucle d'oreille"
    """
    text = ""
    for place, word in enumerate(words):
        follower = words[place + 1] if place + 1 < len(words) else ""
        elided = word in _ELIDED and follower[:1] in tuple(_VOWELS)
        found = f"{word}'" if elided else known.get(word) or certain(word, _spellings(language))
        if found is None:
            return None
        text += found if elided else f"{found} "
    return text.strip() or None


def certain(word: str, spellings: Mapping[str, Mapping[str, float]]) -> str | None:
    """The one word that `word` can stand for, given for each word in ASCII its spellings with their frequency (Zipf).

    >>> certain("nasa", {"nasa": {"nasa": 3.7, "näsa": 4.0}})  # both are words
    >>> certain("tete", {"tete": {"tete": 3.8, "tête": 5.5}})
    'tête'
    """
    found = spellings.get(word, {})
    best = max(found, key=lambda spelling: found[spelling], default=None)
    if best is None:
        return None
    allowed = {rival: PLAIN_RIVAL if rival == word else ACCENTED_RIVAL for rival in found if rival != best}
    return None if any(found[rival] > max(RIVAL, found[best] - less) for rival, less in allowed.items()) else best


def group(frequencies: Iterable[tuple[str, float]]) -> dict[str, dict[str, float]]:
    """Words in ASCII, each with its spellings and how often they come (Zipf); from words and their share of a text.

    Those rarer than RAREST are left out. Of two ways to write a word with a ligature (cœur, coeur) the more frequent
    one stands for both.
    """
    grouped: dict[str, dict[str, float]] = {}
    seen = set[str]()
    common = [(word, frequency) for word, frequency in frequencies if frequency >= 10 ** (RAREST - 9)]
    for word, frequency in sorted(common, key=lambda item: (-item[1], item[0])):
        joined = word.replace("œ", "oe")
        if not word.isalpha() or joined in seen:
            continue
        seen.add(joined)
        for plain in _without_accents(word):
            grouped.setdefault(plain, {})[word] = math.log10(frequency) + 9
    return grouped


def _without_accents(word: str) -> set[str]:
    """The ways to write a Latin word in ASCII: without its accents, or with two letters for one that has one."""
    if word.isascii():
        return {word}
    ways = {_stripped(word.translate(_SHORT)), _stripped(word.translate(_LONG).translate(_SHORT))}
    return {way for way in ways if way.isascii()}


def _stripped(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


@lru_cache(maxsize=4)
def _spellings(language: str) -> dict[str, dict[str, float]]:
    """Empty where there is no word list."""
    wordfreq, code = _wordfreq(), language.split("-")[0]
    name = _LISTS.get(code, code)
    if name not in wordfreq.available_languages("best"):
        return {}
    return group(wordfreq.get_frequency_dict(name, wordlist="best").items())


def _wordfreq() -> Any:
    try:
        return importlib.import_module("wordfreq")
    except ImportError as error:
        raise SynthesisError(f"spelling needs the package wordfreq, which is not here; run: {REMEDY}") from error
