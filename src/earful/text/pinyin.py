"""Mandarin as pinyin: characters, and pinyin in any notation, become syllables that a model learns from few clips.

Chinese has thousands of characters. A few minutes of speech contain a few hundred, most of them once. Pinyin has 26
letters and four tones. A model learns a syllable's letters and then its tone, as a symbol of its own, with a space
between syllables: `niˇ haoˇ`.

- The tone follows the syllable. So all syllables with that tone teach one of four symbols, while ǐ with its accent
  would be a rare letter of its own; and the whole melody has been heard by then. The symbol is a letter (Unicode's Lm),
  not a digit: digits in a transcript stay digits. The neutral tone has no mark, as in print.
- `pypinyin` reads characters. It knows words in which a character is read differently (银行 yín háng, 行走 xíng zǒu).
  It writes a tone that changes beside another where its dictionary does (不是 bú shì), and r as a syllable (花儿 huā
  ér).
- Words in Latin letters are pinyin if they have a tone, as an accent or a digit, and can be cut into syllables:
  `nǐhǎo`, `ni3 hao3`, `Xī'ān`. All others stay as they are: `wifi`, `ma`, `2008`.
"""

import importlib
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from earful.errors import TextError, install
from earful.text.languages import canonical

REMEDY = install("mandarin")
TONES = "ˉˊˇˋ"
"""After a syllable: the first to the fourth tone, high, rising, low, falling."""

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Chinese characters, for a class of a regular expression."""
_HAN = re.compile(f"[{HAN}]")
_WORD = re.compile(rf"[{HAN}]+|(?:(?![{HAN}])[\w\u0300-\u036f'])+")
_BETWEEN_SCRIPTS = re.compile(rf"(?<=[{HAN}])(?=[^\s{HAN}])|(?<=[^\s{HAN}])(?=[{HAN}])")
_BETWEEN_CHARACTERS = re.compile(rf"(?<=[{HAN}])\s+(?=[{HAN}])")

_MARKS = dict(zip("\u0304\u0301\u030c\u0300", TONES, strict=True))  # the accents of print
_SIGNS = {mark: mark for mark in TONES} | dict(zip("12345", (*TONES, ""), strict=True)) | {"0": ""}

_FINALS_OF = {
    "": "a o e ai ei ao ou an en ang eng er ê m n ng hm hng",
    "b": "a o ai ei ao an en ang eng i ie iao ian in ing u",
    "p": "a o ai ei ao ou an en ang eng i ie iao ian in ing u",
    "m": "a o e ai ei ao ou an en ang eng i ie iao iu ian in ing u",
    "f": "a o ei ou an en ang eng u",
    "d": "a e ai ei ao ou an en ang eng ong i ia ie iao iu ian ing u uo ui uan un",
    "t": "a e ai ei ao ou an ang eng ong i ie iao ian ing u uo ui uan un",
    "n": "a e ai ei ao ou an en ang eng ong i ie iao iu ian in iang ing u uo uan un ü üe",
    "l": "a o e ai ei ao ou an ang eng ong i ia ie iao iu ian in iang ing u uo uan un ü üe",
    **dict.fromkeys("gkh", "a e ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang"),
    **dict.fromkeys("jqx", "i ia ie iao iu ian in iang ing iong u ue uan un"),
    **dict.fromkeys(("zh", "ch"), "a e i ai ei ao ou an en ang eng ong u ua uo uai ui uan un uang"),
    "sh": "a e i ai ei ao ou an en ang eng u ua uo uai ui uan un uang",
    "r": "e i ao ou an en ang eng ong u ua uo ui uan un",
    **dict.fromkeys("zcs", "a e i ai ei ao ou an en ang eng ong u uo ui uan un"),
    "y": "a o e ao ou an ang ong i in ing u ue uan un",
    "w": "a o ai ei an en ang eng u",
}
SYLLABLES = frozenset(initial + final for initial, finals in _FINALS_OF.items() for final in finals.split())
"""All syllables of Mandarin, without tones."""
_LONGEST, _LONGEST_WORD = max(map(len, SYLLABLES)), 100


def is_mandarin(language: str) -> bool:
    """Whether a name or code means Mandarin: Chinese with any script or country, but not with Hong Kong.

    >>> [is_mandarin(name) for name in ("zh-CN", "cmn", "zho", "Mandarin", "yue", "zh-yue", "ja")]
    [True, True, True, True, False, False, False]
    """
    first, *others = canonical(language).lower().split("-")
    return first == "zh" and {"hans", "hant", "cn", "tw", "sg", "my", "latn", "pinyin"}.issuperset(others)


def has_characters(text: str) -> bool:
    """Whether there is a Chinese character in the text."""
    return _HAN.search(text) is not None


def to_pinyin(text: str) -> str:
    """Text in NFC, its characters and pinyin in the form that models learn; doing it again changes nothing.

    Raises TextError if there are characters, and `pypinyin` is not installed.

    >>> to_pinyin("Nǐhǎo, ni3 hao3, nǚ'ér, wifi")
    'Niˇ haoˇ, niˇ haoˇ, nüˇ erˊ, wifi'
    """

    def written(match: re.Match[str]) -> str:
        word = match[0]
        return f" {' '.join(_read(word))} " if has_characters(word) else " ".join(_cut(word) or [word])

    return " ".join(_WORD.sub(written, text).split())


def with_marks(syllable: str) -> str:
    """A syllable of the models' form with its accent, as in print; one without a tone stays.

    >>> [with_marks(s) for s in ("haoˇ", "lüˋ", "guiˋ", "ma", "ok")]
    ['hǎo', 'lǜ', 'guì', 'ma', 'ok']
    """
    letters, tone = toneless(syllable)
    if not tone:
        return syllable
    lower = letters.lower()
    place = next((lower.index(vowel) for vowel in "aoeê" if vowel in lower), None)
    if place is None:  # of i, u and ü the last bears the mark; m, n and ng bear it on their first letter
        place = max(0, *(lower.rfind(vowel) for vowel in "iuü"))
    mark = next(mark for mark, sign in _MARKS.items() if sign == tone)
    return unicodedata.normalize("NFC", f"{letters[: place + 1]}{mark}{letters[place + 1 :]}")


def toneless(syllable: str) -> tuple[str, str]:
    """The letters of a syllable of the models' form, and its tone, "" for the neutral one."""
    return (syllable[:-1], syllable[-1]) if syllable[-1:] and syllable[-1] in TONES else (syllable, "")


def between_scripts(text: str) -> str:
    """Text with spaces between characters and other letters, and none among characters, for comparison.

    >>> between_scripts("我 用wifi")
    '我用 wifi'
    """
    return closed_up(" ".join(_BETWEEN_SCRIPTS.sub(" ", text).split()))


def closed_up(text: str) -> str:
    """Text without spaces among characters."""
    return _BETWEEN_CHARACTERS.sub("", text)


def _read(characters: str) -> Iterator[str]:
    """The syllables of characters; a character without a reading stands for itself."""
    pypinyin = _pypinyin()
    for syllable in pypinyin.lazy_pinyin(characters, style=pypinyin.Style.TONE):
        yield from syllable if has_characters(syllable) else [_with_sign(syllable)]


def _pypinyin() -> Any:
    try:
        return importlib.import_module("pypinyin")
    except ImportError as error:
        raise TextError(
            "reading Chinese characters needs the package pypinyin, which is not installed; "
            f"run: {REMEDY}, or have each character learned by itself (--writing given)"
        ) from error


def _with_sign(syllable: str) -> str:
    """An accented syllable in the models' form."""
    points = unicodedata.normalize("NFD", syllable)
    tone = "".join(_MARKS[c] for c in points if c in _MARKS)
    return unicodedata.normalize("NFC", "".join(c for c in points if c not in _MARKS)) + tone


@lru_cache(maxsize=8192)
def _cut(word: str) -> list[str] | None:
    """The syllables of a word in pinyin that bears a tone; None for any other."""
    letters, tones = _parted(word)
    toned = len(word) <= _LONGEST_WORD and (any(tones) or any(c in _SIGNS for c in letters))
    return _cut_from(letters, tones, 0) if toned else None


def _parted(word: str) -> tuple[str, tuple[str, ...]]:
    """The letters of a word without accents of tone, and over each letter its tone, or ""."""
    letters: list[str] = []
    tones: list[str] = []
    for point in unicodedata.normalize("NFD", word):
        if point in _MARKS and tones:
            tones[-1] += _MARKS[point]
        elif unicodedata.combining(point) and letters:  # the dots of ü, the circumflex of ê
            letters[-1] = unicodedata.normalize("NFC", letters[-1] + point)
        else:
            letters.append({"v": "ü", "V": "Ü"}.get(point, point))
            tones.append("")
    return "".join(c if len(c) == 1 else "?" for c in letters), tuple(tones)  # no letter of pinyin bears another mark


@lru_cache(maxsize=8192)  # else the ways to cut a long word that is none would be tried over and over
def _cut_from(letters: str, tones: tuple[str, ...], start: int) -> list[str] | None:
    """The syllables from `start` to the end, the longest that leave the rest possible; None if there are none."""
    if start == len(letters):
        return []
    for end in range(min(len(letters), start + _LONGEST), start, -1):
        if letters[start:end].lower() not in SYLLABLES:
            continue
        if letters[end : end + 1].lower() == "r" and (found := _closed(letters, tones, start, end, ["erˊ"])):
            return found
        if found := _closed(letters, tones, start, end, []):
            return found
    return None


def _closed(letters: str, tones: tuple[str, ...], start: int, end: int, r: list[str]) -> list[str] | None:
    """A syllable, an r that may follow it, its tone, and all syllables after it; None if they are not pinyin."""
    after = end + len(r)
    marks = "".join(tones[start:after])
    if signed := letters[after : after + 1] in _SIGNS:
        marks += _SIGNS[letters[after]]
        after += 1
    if apart := letters[after : after + 1] == "'" and after + 1 < len(letters):
        after += 1
    # inside a word a syllable that begins with a vowel is parted by an apostrophe: fāngàn is fān gàn
    vowel_follows = after < len(letters) and letters[after].lower() in "aoeê"
    if len(marks) > 1 or (vowel_follows and not (signed or apart)):
        return None
    rest = _cut_from(letters, tones, after)
    return None if rest is None else [letters[start:end] + marks, *r, *rest]
