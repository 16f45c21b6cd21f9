"""Normalisation of transcripts, before a model learns from them or is scored on them: one spelling for one sound.

Signs that a reader would not say are removed; signs that carry sound stay:

- always: Unicode NFC; runs of white space become one space and the ends are trimmed; characters that are not seen
  (bidirectional controls, soft hyphen, zero-width space, variation selectors, control characters) are removed.
- combining marks (categories Mn and Mc) stay in every script: they are vowels, tones and nasalisation.
- a zero-width joiner or non-joiner stays where spelling needs it (Persian, the Indic scripts, Khmer), that is between
  two caseless letters or marks, and a joiner after a virama also at the end of a word; elsewhere it is removed.
- punctuation "remove": punctuation and symbols, emoji among them, become a space, so that `well-known` is two words
  and `yes,no` too. An apostrophe or a Catalan middle dot between two letters is part of the word and stays
  (`don’t` → `don't`, `col·laborar`); at the edge of a word it cannot be told from a quotation mark and goes. Letters
  that look like it (ʼ U+02BC, ʻ U+02BB, saltillo ꞌ U+A78C) stay wherever they stand: so are glottal stops written.
- a colon between two Latin letters stays: it writes length (Mohawk `ó:nen`), and as punctuation a space follows it. In
  Finnish, Swedish and Sámi it joins an ending to an abbreviation (`EU:n`) and goes. The letter ꞉ (U+A789) always stays.
- question and stress marks that Armenian writes inside a word, and the Arabic tatweel, go without leaving a space.
- `signs` counts which signs of a transcript stay, and which go.
- punctuation "keep": it is kept as it was written.
- digits stay digits. How `3.5`, `%` or `&` is said depends on the language: spell it out in the transcript.
- writing "pinyin" and "characters": Mandarin becomes pinyin, syllable by syllable (`text.pinyin`).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, get_args

from earful.errors import ConfigError
from earful.text.choices import Case, Punctuation, Writing
from earful.text.languages import canonical
from earful.text.pinyin import between_scripts, has_characters, is_mandarin, to_pinyin, with_marks
from earful.text.script import script

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_VIRAMA_CLASS = 9  # the canonical combining class that Unicode gives to every virama
_YPOGEGRAMMENI = "\u0345"  # the one combining mark that upper case turns into a letter

# Default-ignorable characters. CGJ (U+034F) and the Mongolian selectors (U+180B..F) are spelling and are not here;
# U+FE00.. and U+E0100.. have category Mn but choose a glyph (text or emoji style), never a sound.
_UNSEEN = (
    {0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF}
    | set(range(0x202A, 0x202F))  # bidirectional embeddings and overrides
    | set(range(0x2060, 0x2070))  # word joiner, invisible operators, isolates
    | set(range(0xFE00, 0xFE10))
    | set(range(0xFFF9, 0xFFFC))  # interlinear annotation
    | set(range(0xE0000, 0xE01F0))  # tags, variation selectors supplement
)
_DELETE_UNSEEN = dict.fromkeys(_UNSEEN)
_DELETE_INSIDE_WORDS = dict.fromkeys(map(ord, "\u055b\u055c\u055e\u055f\u0640"))  # Armenian ՛ ՜ ՞ ՟, Arabic tatweel

_APOSTROPHES = frozenset("'’‘`´＇\u055a\u05f3")  # the last two: Armenian apostrophe, Hebrew geresh
_MIDDLE_DOT = "·"
_INSIDE_WORDS = _APOSTROPHES | {_MIDDLE_DOT, ":"}
_SALTILLOS = "\ua78b\ua78c"

# Punctuation or symbols by category, sound by use: tone letters (IPA, Chinantec, Budu) and the Burmese ၌ ၍ ၎ ၏.
_SPOKEN_SYMBOLS = frozenset(
    map(chr, [*range(0x02E5, 0x02EA), *range(0xA700, 0xA717), 0xA789, 0xA78A, *range(0x104C, 0x1050)])
)

# Where a colon inside a word joins an ending to an abbreviation.
_COLON_JOINS = frozenset({"fi", "sv", "se", "sma", "smj", "smn", "sms"})

_DOTTED_I_LANGUAGES = frozenset({"az", "crh", "gag", "tr"})


@dataclass(frozen=True)
class TextRules:
    """The way in which one model writes; stored with it (every field is a string).

    case: "lower", "upper" or "keep". punctuation: "remove" or "keep". language: any code or English name, "" if
    unknown; kept as its canonical tag (`text.languages`), or as it is written if no known language has that name. It
    matters to case only where i is dotted and I is not (Turkish, Azerbaijani, Crimean Tatar, Gagauz).
    writing: "given", as the transcripts are; for Mandarin "pinyin", or "characters": then the model also recognises
    pinyin, and a lexicon turns it into characters. Raises ConfigError on another value.

    >>> normalize("IŞIK, İzmir’de!", TextRules(language="tr"))
    "ışık izmir'de"
    """

    case: Case = "lower"
    punctuation: Punctuation = "remove"
    language: str = ""
    writing: Writing = "given"

    def __post_init__(self) -> None:
        _require_choice("case", self.case, get_args(Case))
        _require_choice("punctuation", self.punctuation, get_args(Punctuation))
        _require_choice("writing", self.writing, get_args(Writing))
        if not isinstance(self.language, str):
            raise ConfigError(f"text rules: language must be a string such as 'nl', got {self.language!r}")
        object.__setattr__(self, "language", canonical(self.language))  # one code, whatever it was called
        if self.writing != "given" and self.language and not is_mandarin(self.language):
            raise ConfigError(
                f"text rules: writing {self.writing!r} is for Mandarin, and the language is {self.language!r}; "
                "leave the writing out, or say the language is zh"
            )


def normalize(text: str, rules: TextRules | None = None) -> str:
    """Return `text` normalised by the rules: NFC, possibly empty; normalising again changes nothing.

    Raises TextError if characters must be read as pinyin, and the package pypinyin is not installed.

    >>> normalize("  “Don’t  stop!” ")
    "don't stop"
    """
    rules = rules or TextRules()
    text = _without_unseen(unicodedata.normalize("NFC", text))
    if rules.punctuation == "remove":
        # NFC again, because a letter and its mark may have been apart
        text = unicodedata.normalize("NFC", text.translate(_DELETE_INSIDE_WORDS))
        text = "".join(_spoken(text, rules))
    if rules.writing != "given":
        text = to_pinyin(text)
        if rules.punctuation == "remove":  # again: an apostrophe between syllables is now at the end of one
            text = "".join(_spoken(text, rules))
    text = unicodedata.normalize("NFC", _in_case(text, rules))
    return " ".join(_without_idle_joiners(text).split())


def as_written(text: str, rules: TextRules) -> str:
    """Return `text` as a recogniser without errors would write it: the reference for its transcripts.

    This is the normalised text; pinyin has its accents, characters have no spaces. Raises TextError as `normalize`.

    >>> as_written("我 爱 wifi。", TextRules(writing="characters"))
    '我爱 wifi'
    """
    if rules.writing == "characters":
        return between_scripts(normalize(text, replace(rules, writing="given")))
    plain = normalize(text, rules)
    return " ".join(map(with_marks, plain.split())) if rules.writing == "pinyin" else plain


class Signs(NamedTuple):
    """Counts of the signs that are no plain letter, mark or digit: those that stay in a text, and those that go."""

    kept: Counter[str]
    dropped: Counter[str]


def signs(text: str, rules: TextRules | None = None) -> Signs:
    """Count the signs that normalising keeps, and all characters except white space that it drops, as written.

    >>> signs("«kaʼa’a»: 'a")
    Signs(kept=Counter({'ʼ': 1, '’': 1}), dropped=Counter({'«': 1, '»': 1, ':': 1, "'": 1}))
    """
    rules = rules or TextRules()
    whole = unicodedata.normalize("NFC", text)
    seen = _without_unseen(whole)
    dropped = Counter(whole) - Counter(seen)
    fates = [(c, c) for c in seen]
    if rules.punctuation == "remove":
        dropped += Counter(c for c in seen if ord(c) in _DELETE_INSIDE_WORDS)
        seen = unicodedata.normalize("NFC", seen.translate(_DELETE_INSIDE_WORDS))
        fates = list(zip(seen, _spoken(seen, rules), strict=True))
    written = "".join(becomes for _, becomes in fates)
    idle = Counter(written) - Counter(_without_idle_joiners(written))
    dropped += Counter(c for c, becomes in fates if not (becomes.strip() or c.isspace())) + idle
    return Signs(Counter(c for c, becomes in fates if becomes.strip() and _is_sign(c)) - idle, dropped)


def _is_sign(character: str) -> bool:
    """Whether it is no plain letter, mark, digit or space. Modifier letters and the saltillo are signs."""
    kind = unicodedata.category(character)
    if character.isspace() or kind[0] in "MN":
        return False
    return kind[0] != "L" or character in _SALTILLOS or (kind == "Lm" and script(character) is None)


def usual_writing(language: str, texts: Iterable[str]) -> Writing:
    """The default way of writing for a language: for Mandarin characters if the texts have them, else pinyin."""
    if not is_mandarin(language):
        return "given"
    return "characters" if any(map(has_characters, texts)) else "pinyin"


def _require_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        expected = ", ".join(repr(choice) for choice in choices)
        raise ConfigError(f"text rules: {name} must be one of {expected}, got {value!r}")


def _without_unseen(text: str) -> str:
    """Drop invisible characters; white space that is a control character (tab, newline) stays."""
    seen = text.translate(_DELETE_UNSEEN)
    if seen.isprintable():  # the common case; a joiner, a newline or a no-break space goes the long way
        return seen
    # A lone surrogate (Cs) is not a character and could not be written to a UTF-8 file.
    return "".join(c for c in seen if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs"))


def _without_idle_joiners(text: str) -> str:
    """Keep U+200C and U+200D only where they are spelling (cf. RFC 5892, appendix A; wider, for Bengali ya-phalaa)."""
    if _ZWNJ not in text and _ZWJ not in text:
        return text
    kept: list[str] = []
    for position, character in enumerate(text):
        if character not in (_ZWNJ, _ZWJ) or _is_spelling(character, kept[-1:], text[position + 1 : position + 2]):
            kept.append(character)
    if len(kept) == len(text):
        return text
    # A dropped joiner may have kept a letter and its mark apart: compose, and look again at the joiners that are left.
    return _without_idle_joiners(unicodedata.normalize("NFC", "".join(kept)))


def _is_spelling(joiner: str, before: list[str], after: str) -> bool:
    if not before or not _is_caseless(before[0]):
        return False
    after_virama = unicodedata.combining(before[0]) == _VIRAMA_CLASS
    return (after != "" and _is_caseless(after)) or (joiner == _ZWJ and after_virama)


def _is_caseless(character: str) -> bool:
    return unicodedata.category(character) in ("Lo", "Mn", "Mc") and character != _YPOGEGRAMMENI


def _spoken(text: str, rules: TextRules) -> list[str]:
    """Replace punctuation and symbols by spaces, except signs inside words."""
    written = list(map(_alone, text))
    if _INSIDE_WORDS.isdisjoint(text):
        return written
    for position in range(1, len(text) - 1):
        character = text[position]
        if (character in _APOSTROPHES or character == _MIDDLE_DOT) and _is_inside_word(text, position):
            written[position] = _MIDDLE_DOT if character == _MIDDLE_DOT else "'"
        elif character == ":" and _is_length(text, position) and rules.language.split("-")[0] not in _COLON_JOINS:
            written[position] = character
    return written


def _is_inside_word(text: str, position: int) -> bool:
    before, after = unicodedata.category(text[position - 1]), unicodedata.category(text[position + 1])
    return before[0] in "LM" and before != "Me" and after[0] == "L"


def _is_length(text: str, position: int) -> bool:
    """Whether Latin letters surround a colon: in Ethiopic it separates words, in Armenian sentences."""
    before, after = text[position - 1], text[position + 1]
    is_latin = {"LATIN", None}  # modifier letters are of no script
    return _is_inside_word(text, position) and script(before) in is_latin and script(after) in is_latin


@cache
def _alone(character: str) -> str:
    """Return the character, or a space for punctuation (P*) and symbols (S*), or nothing for enclosing marks (Me)."""
    if character.isalnum() or character in _SPOKEN_SYMBOLS:
        return character
    category = unicodedata.category(character)
    if category == "Me":  # the keycap of an emoji such as 1️⃣
        return ""
    return " " if category[0] in "PS" else character


def _in_case(text: str, rules: TextRules) -> str:
    dotted_i = rules.language.split("-")[0] in _DOTTED_I_LANGUAGES
    if rules.case == "lower":
        return (text.replace("İ", "i").replace("I", "ı") if dotted_i else text).lower()
    if rules.case == "upper":
        return (text.replace("i", "İ") if dotted_i else text).upper()
    return text
