"""Word and character error rates: summed over a corpus, with counts and an interval.

The alignment is that of NIST sclite. It is the cheapest path, where a substitution costs 4, an insertion or a deletion
3. Among equally cheap paths it is the one that, read from the end, prefers a pair, then an insertion, then a deletion.
So the counts are those of `sclite` on the same tokens, file by file. The plain edit distance (jiwer) weighs all errors
1. Its total is never larger, and differs in a few of a thousand badly recognised utterances; the split into kinds
differs more often.

What is counted:

- both texts are put into NFC and white space is collapsed; nothing else: normalise them first (text/normalize.py).
- white space separates words; characters are Unicode code points, including the space between words, as
  ESPnet, NeMo and jiwer count it (`sclite -c` does not; write the space as a visible token there to compare).
- an empty reference adds nothing to the length, and each token of its hypothesis is an insertion.
- a rate is errors / reference length. If the length is 0 it is errors / 1, so that it is always a number: 0.0 if
  nothing was said and nothing was recognised, else the number of insertions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earful.errors import TextError
from earful.text.interval import interval_of

_SUBSTITUTION_COST, _GAP_COST = 4, 3
_CELLS_PER_BLOCK = 2**16  # utterances aligned at once × hypothesis length: bounds the memory, and fits the cache

_Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Counts:
    """How the tokens of a reference (hits + substitutions + deletions) and a hypothesis were paired."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def length(self) -> int:
        """Tokens in the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        return self.errors / max(self.length, 1)


@dataclass(frozen=True)
class UtteranceErrors:
    """The counts of one utterance, by characters and by words."""

    characters: Counts
    words: Counts


@dataclass(frozen=True)
class Score:
    """Error rates of a corpus as fractions (0.12 is 12 %); the counts without a prefix are of characters.

    `characters` and `words` are the lengths of the references; the intervals are 95 % intervals (low, high)
    of `cer` and `wer`, for other such utterances (`text.interval`).
    """

    cer: float
    wer: float
    utterances: int
    characters: int
    words: int
    substitutions: int
    deletions: int
    insertions: int
    word_substitutions: int
    word_deletions: int
    word_insertions: int
    interval_95: tuple[float, float]
    wer_interval_95: tuple[float, float]


def score(references: Sequence[str], hypotheses: Sequence[str], speakers: Sequence[str] = ()) -> Score:
    """Score a corpus: `hypotheses[i]` is what was recognised for `references[i]`; `speakers` as in `pool`.

    Raises TextError if the two differ in number or there is nothing to score.

    >>> score(["the cat sat"], ["the cat sad on"]).wer
    0.6666666666666666
    """
    return pool(errors_of_each(references, hypotheses), speakers)


def right_words(reference: str, hypothesis: str) -> list[bool]:
    """For each word of the hypothesis, whether an alignment with the fewest errors pairs it with the same word.

    >>> right_words("the cat sat on", "a cat sat")
    [False, True, True]
    """
    wanted, found = (unicodedata.normalize("NFC", text).split() for text in (reference, hypothesis))
    costs = np.zeros((len(wanted) + 1, len(found) + 1), np.int32)
    costs[:, 0], costs[0] = np.arange(len(wanted) + 1), np.arange(len(found) + 1)
    for i, j in np.ndindex(len(wanted), len(found)):
        same = costs[i, j] + (wanted[i] != found[j])
        costs[i + 1, j + 1] = min(costs[i, j + 1] + 1, costs[i + 1, j] + 1, same)
    i, j, right = len(wanted), len(found), [False] * len(found)
    while i and j:
        if costs[i, j] == costs[i - 1, j - 1] + (wanted[i - 1] != found[j - 1]):
            i, j = i - 1, j - 1
            right[j] = wanted[i] == found[j]
        elif costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return right


def errors_of(reference: str, hypothesis: str) -> UtteranceErrors:
    """Count the errors of one utterance. For many, `errors_of_each` is much faster.

    >>> errors_of("cat", "cart").characters
    Counts(hits=3, substitutions=0, deletions=0, insertions=1)
    """
    return errors_of_each([reference], [hypothesis])[0]


def errors_of_each(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[UtteranceErrors, ...]:
    """Count the errors of every utterance, in order. Raises TextError if the two differ in number."""
    if isinstance(references, str) or isinstance(hypotheses, str):
        raise TextError("references and hypotheses must be lists of texts, got one text; put it in a list")
    if len(references) != len(hypotheses):
        raise TextError(
            f"expected one hypothesis for each reference, got {len(references)} references and "
            f"{len(hypotheses)} hypotheses; pass an empty text where nothing was recognised"
        )
    words_of_references = [unicodedata.normalize("NFC", text).split() for text in references]
    words_of_hypotheses = [unicodedata.normalize("NFC", text).split() for text in hypotheses]
    numbers: dict[str, int] = {}
    words = _count_each(
        [_word_codes(words, numbers) for words in words_of_references],
        [_word_codes(words, numbers) for words in words_of_hypotheses],
    )
    characters = _count_each(
        [_character_codes(words) for words in words_of_references],
        [_character_codes(words) for words in words_of_hypotheses],
    )
    return tuple(UtteranceErrors(*both) for both in zip(characters, words, strict=True))


def pool(errors: Sequence[UtteranceErrors], speakers: Sequence[str] = ()) -> Score:
    """Sum the counts of some utterances: all of a corpus, or one speaker's.

    With `speakers`, one for each utterance, the intervals are for utterances of other speakers (`text.interval`).
    Raises TextError if there is no utterance.
    """
    if not errors:
        raise TextError("expected at least one utterance to score, got none")
    characters = _sum([each.characters for each in errors])
    words = _sum([each.words for each in errors])
    cer_interval, wer_interval = (
        interval_of([each.errors for each in counts], [each.length for each in counts], speakers)
        for counts in ([each.characters for each in errors], [each.words for each in errors])
    )
    return Score(
        cer=characters.rate,
        wer=words.rate,
        utterances=len(errors),
        characters=characters.length,
        words=words.length,
        substitutions=characters.substitutions,
        deletions=characters.deletions,
        insertions=characters.insertions,
        word_substitutions=words.substitutions,
        word_deletions=words.deletions,
        word_insertions=words.insertions,
        interval_95=cer_interval,
        wer_interval_95=wer_interval,
    )


def _sum(counts: Sequence[Counts]) -> Counts:
    return Counts(
        hits=sum(each.hits for each in counts),
        substitutions=sum(each.substitutions for each in counts),
        deletions=sum(each.deletions for each in counts),
        insertions=sum(each.insertions for each in counts),
    )


def _word_codes(words: list[str], numbers: dict[str, int]) -> _Codes:
    return np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int32)


def _character_codes(words: list[str]) -> _Codes:
    return np.frombuffer(" ".join(words).encode("utf-32-le", "surrogatepass"), dtype="<i4").astype(np.int32)


def _count_each(references: list[_Codes], hypotheses: list[_Codes]) -> list[Counts]:
    counts: list[Counts] = [Counts(0, 0, 0, 0)] * len(references)
    for block in _blocks(references, hypotheses):
        costs, hits = _align([references[i] for i in block], [hypotheses[i] for i in block])
        for position, i in enumerate(block):
            lengths = len(references[i]), len(hypotheses[i])
            counts[i] = _counts_from(int(costs[position]), int(hits[position]), *lengths)
    return counts


def _blocks(references: list[_Codes], hypotheses: list[_Codes]) -> Iterator[list[int]]:
    """Indices of utterances of similar length, so that padding costs little."""
    block: list[int] = []
    longest = 0
    for i in sorted(range(len(references)), key=lambda i: (len(references[i]), len(hypotheses[i]))):
        longest = max(longest, len(hypotheses[i]) + 1)
        if block and (len(block) + 1) * longest > _CELLS_PER_BLOCK:
            yield block
            block, longest = [], len(hypotheses[i]) + 1
        block.append(i)
    if block:
        yield block


def _align(references: list[_Codes], hypotheses: list[_Codes]) -> tuple[_Codes, _Codes]:
    """The cost of the alignment of each pair and its number of hits; row i of the table is after i reference tokens."""
    reference_lengths = np.array([len(codes) for codes in references])
    hypothesis_lengths = np.array([len(codes) for codes in hypotheses])
    padded_references, padded_hypotheses = _padded(references, -1), _padded(hypotheses, -2)
    columns = np.arange(padded_hypotheses.shape[1] + 1, dtype=np.int32)
    cost = np.tile(_GAP_COST * columns, (len(references), 1))
    hits = np.zeros_like(cost)
    ends = np.zeros((2, len(references)), dtype=np.int32)
    for i in range(padded_references.shape[1] + 1):
        if i > 0:
            cost, hits = _next_row(cost, hits, padded_references[:, i - 1 : i] == padded_hypotheses)
        (ended,) = np.nonzero(reference_lengths == i)
        ends[:, ended] = cost[ended, hypothesis_lengths[ended]], hits[ended, hypothesis_lengths[ended]]
    return ends[0], ends[1]


def _next_row(cost: _Codes, hits: _Codes, match: NDArray[np.bool_]) -> tuple[_Codes, _Codes]:
    """One row of the alignment table, all columns at once; carrying the hits along makes a backtrace needless."""
    columns = np.arange(cost.shape[1], dtype=np.int32)
    paired = cost[:, :-1] + np.where(match, np.int32(0), np.int32(_SUBSTITUTION_COST))
    without_insertion = cost + np.int32(_GAP_COST)
    np.minimum(without_insertion[:, 1:], paired, out=without_insertion[:, 1:])
    # Insertions run along the row: the minimum over k <= j of without_insertion[k] + 3 (j - k).
    row = np.minimum.accumulate(without_insertion - _GAP_COST * columns, axis=1) + _GAP_COST * columns
    by_pair = paired == row[:, 1:]
    inserted = np.zeros(cost.shape, dtype=np.bool_)
    inserted[:, 1:] = ~by_pair & (row[:, :-1] + _GAP_COST == row[:, 1:])
    kept = hits.copy()
    kept[:, 1:] = np.where(by_pair, hits[:, :-1] + match, hits[:, 1:])
    before_insertions = np.maximum.accumulate(np.where(inserted, np.int32(0), columns), axis=1)
    return row, np.take_along_axis(kept, before_insertions, axis=1)


def _padded(codes: list[_Codes], padding: int) -> _Codes:
    padded = np.full((len(codes), max(len(each) for each in codes)), padding, dtype=np.int32)
    for row, each in zip(padded, codes, strict=True):
        row[: len(each)] = each
    return padded


def _counts_from(cost: int, hits: int, reference_length: int, hypothesis_length: int) -> Counts:
    """Solve S + D = reference - hits, S + I = hypothesis - hits and 4 S + 3 (D + I) = cost."""
    missed, added = reference_length - hits, hypothesis_length - hits
    saving = 2 * _GAP_COST - _SUBSTITUTION_COST  # what a substitution saves over a deletion with an insertion
    substitutions = (_GAP_COST * (missed + added) - cost) // saving
    return Counts(hits, substitutions, missed - substitutions, added - substitutions)
