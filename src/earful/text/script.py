"""The script of a text."""

import unicodedata
from collections import Counter
from collections.abc import Iterable

# scripts that one language writes side by side
_TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "BOPOMOFO": "CJK", "HANGUL": "CJK", "IDEOGRAPHIC": "CJK"}
_NO_SCRIPT = frozenset(
    {"MODIFIER", "MASCULINE", "FEMININE", "MICRO", "FULLWIDTH", "HALFWIDTH", "KATAKANA-HIRAGANA", "COMBINING"}
)


def script(letter: str) -> str | None:
    """The script of a letter by its Unicode name, such as "LATIN"; None for other signs and letters of several."""
    if not letter.isalpha():
        return None
    word = unicodedata.name(letter, "UNNAMED").split()[0]
    return None if word in _NO_SCRIPT else _TOGETHER.get(word, word)


def scripts(texts: Iterable[str]) -> dict[str, int]:
    """How many letters of each script the texts hold, the most frequent script first.

    >>> scripts(["Ja, да!"])
    {'LATIN': 2, 'CYRILLIC': 2}
    """
    counts: Counter[str] = Counter()
    for letter, count in Counter(c for text in texts for c in text).items():
        if found := script(letter):
            counts[found] += count
    return dict(counts.most_common())


def main_script(texts: Iterable[str]) -> str | None:
    """The script of most letters of the texts; None if there is no letter."""
    return next(iter(scripts(texts)), None)
