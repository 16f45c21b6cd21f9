"""A lexicon from a word list with frequencies and from the user's own texts."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from earful.text.lexicon import Entry, Lexicon
from earful.text.normalize import TextRules, normalize
from earful.text.pinyin import HAN, SYLLABLES, between_scripts, has_characters, to_pinyin

MOST_WORDS, MOST_PAIRS = 40_000, 50_000
OWN_WORDS = 2000
"""The number of words of the user's texts that weigh as much as the word list."""
LEAST_READING = 0.1
"""A character gets another reading than its own if at least this share of its words has it."""
_LONGEST_WORD = 6
_UNKNOWN = -18.0  # the log-probability of a character that the list does not have
_CHARACTERS = re.compile(f"[{HAN}]+")


def make_lexicon(
    frequencies: Mapping[str, float], texts: Sequence[str], pairs: Mapping[tuple[str, str], int] | None = None
) -> Lexicon:
    """The most frequent words in characters, and those of the texts, with their readings.

    The texts are cut into the likeliest words of the list, and single characters for the rest. Longer texts count for
    more: 2,000 words count as much as the list. The counts are added to `pairs`, those of an earlier lexicon.
    Raises TextError if `pypinyin` is not installed.

    >>> make_lexicon({"你好": 0.2}, ["你好吗"]).entries[0]
    Entry(word='你好', reading=('niˇ', 'haoˇ'), logp=-0.6931471805599453)
    """
    listed = {word: f for word, f in sorted(frequencies.items(), key=lambda item: -item[1]) if _has_reading(word)}
    logp = _logs(dict(list(listed.items())[:MOST_WORDS]))
    lines = [words_of(text, logp) for text in texts]
    counts = Counter(word for line in lines for word in line if _has_reading(word))
    followed = Counter(pairs or {}) + Counter(pair for line in lines for pair in pairwise(line))
    probabilities = _mixed({word: math.exp(value) for word, value in logp.items()}, counts)
    return Lexicon(tuple(_entries(probabilities)), dict(followed.most_common(MOST_PAIRS)))


def words_of(text: str, logp: Mapping[str, float]) -> list[str]:
    """The words of a text: characters cut into the likeliest words, other words as they are."""
    pieces = between_scripts(normalize(text, TextRules())).split()
    return [word for piece in pieces for word in (_cut(piece, logp) if has_characters(piece) else [piece])]


def _cut(characters: str, logp: Mapping[str, float]) -> list[str]:
    """The likeliest words that a run of characters may be cut into."""
    best: list[tuple[float, list[str]]] = [(0.0, [])]
    for end in range(1, len(characters) + 1):
        ways = []
        for start in range(max(0, end - _LONGEST_WORD), end):
            word = characters[start:end]
            if word in logp or len(word) == 1:
                ways.append((best[start][0] + logp.get(word, _UNKNOWN), [*best[start][1], word]))
        best.append(max(ways))
    return best[-1][1]


def _has_reading(word: str) -> bool:
    """Whether a word has characters, which need a reading. Others are said as written; pinyin is no own word."""
    if has_characters(word):
        return _CHARACTERS.fullmatch(word) is not None
    return word not in SYLLABLES and to_pinyin(word) == word


def _logs(frequencies: Mapping[str, float]) -> dict[str, float]:
    total = sum(frequencies.values())
    return {word: math.log(f / total) for word, f in frequencies.items() if f > 0}


def _mixed(listed: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, float]:
    """The probabilities of the list and of the texts, mixed by the length of the texts."""
    total = sum(counts.values())
    own = total / (total + OWN_WORDS) if listed else 1.0
    words = dict.fromkeys([*listed, *counts])
    return {word: (1 - own) * listed.get(word, 0.0) + own * counts.get(word, 0) / max(total, 1) for word in words}


def _entries(probabilities: Mapping[str, float]) -> Iterator[Entry]:
    """The words with their readings, the most frequent first; a character also has the readings of its words."""
    readings = {word: tuple(to_pinyin(word).split()) for word in probabilities}
    # how often each character is read how, alone and in words
    heard: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for word, p in probabilities.items():
        if len(word) == len(readings[word]):
            for character, syllable in zip(word, readings[word], strict=True):
                heard[character][syllable] += p
    for word, p in sorted(probabilities.items(), key=lambda item: (-item[1], item[0])):
        if len(word) > 1 or not has_characters(word):
            yield Entry(word, readings[word], math.log(p))
            continue
        total = sum(heard[word].values())
        for syllable, share in heard[word].items():
            if (syllable,) == readings[word] or share >= LEAST_READING * total:
                yield Entry(word, (syllable,), math.log(p * share / total))
