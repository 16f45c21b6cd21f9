"""From pinyin to characters: a lexicon of Mandarin, and the likeliest words for what a recogniser heard.

Most syllables stand for many characters (shì alone is 是, 事, 市, 世 and more), so the choice needs words. The search
takes the words with the greatest product of two probabilities: that of the words, and that of hearing what was heard
if they are said (Viterbi 1967). A word costs less after a word that it followed in the user's texts (Witten and Bell
1991, method C). A wrong tone, or slightly wrong letters, cost something, so that an error of hearing does not prevent
a word. Syllables that no word explains stay pinyin.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from earful.errors import CheckpointError
from earful.reading import read_whole
from earful.text.pinyin import toneless

FORMAT = 1
OTHER_TONE, OTHER_LETTER = 2.5, 4.0
"""What a wrong tone and a wrong letter cost, in nats."""
UNEXPLAINED = 25.0
"""What a syllable that stays pinyin costs."""
DEAREST = 9.0
"""A word that would cost more in slips is not looked at."""
KEPT = 12
"""The number of hypotheses that are followed at once."""


class Entry(NamedTuple):
    """A word, its syllables in the models' form, and its log-probability."""

    word: str
    reading: tuple[str, ...]
    logp: float


class Written(NamedTuple):
    """A word that was written, and how many of the syllables it stands for."""

    text: str
    syllables: int


@dataclass(frozen=True)
class _Node:
    """A node in the tree of readings."""

    after: "dict[str, _Node]"
    entries: list[Entry]


class _Way(NamedTuple):
    """The cost up to here, the last word, and the way before it."""

    cost: float
    last: Written
    before: "_Way | None"


@dataclass(frozen=True)
class Lexicon:
    """Words with their readings; `pairs` counts which word followed which in the user's texts."""

    entries: tuple[Entry, ...]
    pairs: Mapping[tuple[str, str], int]

    @property
    def frequencies(self) -> dict[str, float]:
        """The probability of each word, over all its readings."""
        found: dict[str, float] = defaultdict(float)
        for entry in self.entries:
            found[entry.word] += math.exp(entry.logp)
        return dict(found)

    def write(self, heard: Sequence[str]) -> list[Written]:
        """The likeliest words for syllables in the models' form; together they cover all syllables.

        >>> lexicon = Lexicon((Entry("你好", ("niˇ", "haoˇ"), -5.0), Entry("吗", ("ma",), -6.0)), {})
        >>> [each.text for each in lexicon.write(["niˇ", "haoˋ", "ma"])]
        ['你好', '吗']
        """
        ways: list[list[_Way]] = [[_Way(0.0, Written("", 0), None)], *([] for _ in heard)]
        for start in range(len(heard)):
            ways[start] = _best(ways[start])
            for entry_cost, entry, length in self._words_at(heard, start):
                last = Written(entry.word, length)
                for way in ways[start]:
                    cost = way.cost + entry_cost - self._logp(entry, way.last.text)
                    ways[start + length].append(_Way(cost, last, way))
            for way in ways[start]:
                ways[start + 1].append(_Way(way.cost + UNEXPLAINED, Written(heard[start], 1), way))
        return _back(min(ways[-1], key=lambda way: way.cost))

    def _words_at(self, heard: Sequence[str], start: int) -> Iterator[tuple[float, Entry, int]]:
        """The words that may begin at a syllable, the cost of their errors, and their numbers of syllables."""
        open_nodes = [(0.0, self._tree)]
        for length, syllable in enumerate(heard[start:], 1):
            near = self._near(syllable)
            open_nodes = [
                (cost + more, node.after[other])
                for cost, node in open_nodes
                for other, more in near.items()
                if other in node.after and cost + more <= DEAREST
            ]
            if not open_nodes:
                return
            yield from ((cost, entry, length) for cost, node in open_nodes for entry in node.entries)

    def _logp(self, entry: Entry, before: str) -> float:
        """The log-probability of a word after another: from the pairs, and for the rest from the word alone."""
        if before not in self._followed:
            return entry.logp
        total, kinds = self._followed[before]
        count = self.pairs.get((before, entry.word), 0)
        return math.log((count + kinds * math.exp(entry.logp)) / (total + kinds))

    @cached_property
    def _tree(self) -> _Node:
        root = _Node({}, [])
        for entry in self.entries:
            node = root
            for syllable in entry.reading:
                node = node.after.setdefault(syllable, _Node({}, []))
            node.entries.append(entry)
        return root

    @cached_property
    def _followed(self) -> dict[str, tuple[int, int]]:
        """How often each word was followed by another, and by how many different ones."""
        found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for (before, _), count in self.pairs.items():
            found[before] = found[before][0] + count, found[before][1] + 1
        return dict(found)

    @cached_property
    def _by_letters(self) -> dict[str, list[str]]:
        """The syllables of all readings, by their letters without the tone."""
        found: dict[str, list[str]] = defaultdict(list)
        for syllable in sorted({syllable for entry in self.entries for syllable in entry.reading}):
            found[toneless(syllable)[0]].append(syllable)
        return dict(found)

    def _near(self, syllable: str) -> dict[str, float]:
        """Syllables that this one may have been, and the cost of each error."""
        known = self._nearby.get(syllable)
        if known is None:
            letters, tone = toneless(syllable.lower())
            known = self._nearby[syllable] = {
                other: slips * OTHER_LETTER + (toneless(other)[1] != tone) * OTHER_TONE
                for other_letters, others in self._by_letters.items()
                if (slips := letters_apart(letters, other_letters)) <= 1
                for other in others
            }
        return known

    @cached_property
    def _nearby(self) -> dict[str, dict[str, float]]:
        return {}


def _best(ways: Iterable[_Way]) -> list[_Way]:
    """The cheapest hypothesis for each last word; of these the cheapest few."""
    by_word: dict[str, _Way] = {}
    for way in ways:
        if way.last.text not in by_word or way.cost < by_word[way.last.text].cost:
            by_word[way.last.text] = way
    return sorted(by_word.values(), key=lambda way: (way.cost, way.last))[:KEPT]


def _back(way: _Way | None) -> list[Written]:
    words: list[Written] = []
    while way is not None and way.before is not None:
        words.append(way.last)
        way = way.before
    return words[::-1]


@lru_cache(maxsize=200_000)
def letters_apart(a: str, b: str) -> int:
    """The number of letters to insert, delete or replace to turn a into b: 0, 1, or 2 for more."""
    if a == b:
        return 0
    if abs(len(a) - len(b)) > 1:
        return 2
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rests = {(a[same + 1 :], b[same + 1 :]), (a[same:], b[same + 1 :]), (a[same + 1 :], b[same:])}
    return 1 if any(x == y for x, y in rests) else 2


def save_lexicon(path: str | Path, lexicon: Lexicon) -> None:
    """Write a JSON file, a word a line. Raises OSError where it cannot be written."""
    words = [[word, " ".join(reading), round(logp, 3)] for word, reading, logp in lexicon.entries]
    pairs = [[*pair, count] for pair, count in lexicon.pairs.items()]
    rows = (",\n".join(json.dumps(row, ensure_ascii=False) for row in table) for table in (words, pairs))
    head = f'{{"format": {FORMAT}, "words": [\n'
    Path(path).write_text(head + '\n],\n"pairs": [\n'.join(rows) + "\n]}\n", "utf-8", newline="\n")


def load_lexicon(path: str | Path) -> Lexicon:
    """Read what `save_lexicon` wrote. Raises CheckpointError if it is missing, damaged or of another format."""
    path = Path(path)
    try:
        found = json.loads(read_whole(path).decode("utf-8"))
        if found["format"] != FORMAT:
            raise CheckpointError(f"{path}: a lexicon of format {found['format']}, expected {FORMAT}; adapt again")
        entries = tuple(Entry(str(word), _reading(reading), _logp(logp)) for word, reading, logp in found["words"])
        return Lexicon(entries, {(str(a), str(b)): int(count) for a, b, count in found["pairs"]})
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing; the folder is not a whole model: copy it again") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy the model again") from error


def _reading(syllables: str) -> tuple[str, ...]:
    if not syllables.split():
        raise ValueError("a word without syllables")
    return tuple(syllables.split())


def _logp(logp: float) -> float:
    if not -math.inf < logp <= 0:
        raise ValueError(f"{logp} is no log-probability")
    return float(logp)
