"""How an invented language sounds: which sounds it has, how they make syllables and words, and its lexicon."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from recipes.corpora.invented.draws import Weighted, between, chance, one, some, weighted, whole
from recipes.corpora.invented.phonemes import FRICATIVE, LIQUID, NASAL, STOP, VOWEL, Sound

# Median and extremes of real inventories (Maddieson 2013, WALS chapters 1 and 2): 22 consonants of 6 to 122, and 5 or 6
# vowel qualities of 2 to 14; length, nasality and diphthongs come on top.
VOWELS, CONSONANTS = (3, 12), (9, 26)
LEXICON = (300, 3000)
ZIPF_SHIFT = 2.7  # p ∝ 1 / (rank + 2.7): Mandelbrot 1953

_COMMON = frozenset("aeiouəptkbdɡmnŋfvszʃhlrɾjw") | {"tʃ"}
_COMMON_WEIGHT, _OWN_WEIGHT = 8.0, 3.0
_SONORITY = {STOP: 0, FRICATIVE: 1, NASAL: 2, LIQUID: 3}
_CLUSTERS = (3, 24)
_STRESSED = (0, -1, -2)  # which syllable
_TRIES = 5

Cluster = tuple[Sound, ...]


@dataclass(frozen=True)
class Phonology:
    """The sounds of a language, the most frequent first, and what a word may be made of.

    `stressed` is the syllable with the stress: 0 the first, -1 the last, -2 the one before.
    """

    vowels: Weighted[Sound]
    consonants: tuple[Sound, ...]
    onsets: Weighted[Cluster]
    codas: Weighted[Cluster]
    syllables: Weighted[int]
    stressed: int

    @property
    def inventory(self) -> tuple[Sound, ...]:
        """All sounds, vowels first."""
        return self.vowels.items + self.consonants


@dataclass(frozen=True)
class Word:
    """The sounds of a word, and which of them bears the stress."""

    sounds: tuple[Sound, ...]
    stressed: int

    @property
    def said(self) -> str:
        """As espeak-ng reads it between [[ and ]]: names with | between, ' before the stressed vowel."""
        return "|".join("'" * (place == self.stressed) + sound.name for place, sound in enumerate(self.sounds))


def random_phonology(sounds: Sequence[Sound], generator: torch.Generator) -> Phonology:
    """Draw 3 to 12 vowels and 9 to 26 consonants among a host's sounds, and how syllables and words are made of them.

    Common sounds, and those that the host's language has for itself, come rather than others.
    """
    vowels = _few([s for s in sounds if s.kind == VOWEL], VOWELS, generator)
    consonants = _few([s for s in sounds if s.kind != VOWEL], CONSONANTS, generator)
    flatness = between(0.3, 0.9, generator)
    return Phonology(
        vowels=_by_rank(vowels, flatness),
        consonants=consonants,
        onsets=_onsets(_by_rank(consonants, flatness), generator),
        codas=_codas(_by_rank([c for c in consonants if c.closes], flatness), generator),
        syllables=_lengths(generator),
        stressed=one(_STRESSED, generator),
    )


def lexicon(phonology: Phonology, generator: torch.Generator) -> Weighted[Word]:
    """300 to 3000 distinct words (fewer if the sounds do not give that many), with Zipf's law; short ones are frequent.

    Rank goes by length, blurred (Zipf 1935: the law of abbreviation).
    """
    size = round(LEXICON[0] * (LEXICON[1] / LEXICON[0]) ** between(0, 1, generator))
    words = _distinct(phonology, size, generator)
    blurs = (3 * torch.randn(len(words), generator=generator, dtype=torch.float64)).tolist()
    ranked = sorted(zip(words, blurs, strict=True), key=lambda pair: len(pair[0].sounds) + pair[1])
    return weighted((word, 1 / (rank + ZIPF_SHIFT)) for rank, (word, _) in enumerate(ranked, start=1))


def random_word(phonology: Phonology, generator: torch.Generator) -> Word:
    """Syllables of an onset, a vowel and a coda; only the last coda may be one that keeps to the end of words."""
    syllables = phonology.syllables.draw(generator)
    sounds: list[Sound] = []
    peaks: list[int] = []
    for _ in range(syllables):
        sounds += phonology.onsets.draw(generator)
        peaks.append(len(sounds))
        sounds += (phonology.vowels.draw(generator), *phonology.codas.draw(generator))
    return Word(tuple(sounds), peaks[max(phonology.stressed, -syllables)])


def _distinct(phonology: Phonology, size: int, generator: torch.Generator) -> list[Word]:
    words: dict[Cluster, Word] = {}
    for _ in range(_TRIES * size):
        word = random_word(phonology, generator)
        words.setdefault(word.sounds, word)
        if len(words) == size:
            break
    return list(words.values())


def _few(sounds: Sequence[Sound], limits: tuple[int, int], generator: torch.Generator) -> tuple[Sound, ...]:
    return some(sounds, whole(*limits, generator), generator, _weight)


def _weight(sound: Sound) -> float:
    plain = _COMMON_WEIGHT if sound.ipa in _COMMON else 1.0
    return plain * (_OWN_WEIGHT if sound.own else 1.0)


def _by_rank(sounds: Sequence[Sound], flatness: float) -> Weighted[Sound]:
    """The first drawn is the most frequent: p ∝ rank^-flatness."""
    return weighted((sound, rank**-flatness) for rank, sound in enumerate(sounds, start=1))


def _onsets(consonants: Weighted[Sound], generator: torch.Generator) -> Weighted[Cluster]:
    """None, one, or two of rising sonority (also a fricative before a stop, as in `sta`)."""
    clusters = [(a, b) for a, b in product(consonants.items, repeat=2) if _rises(a, b) or _is_st(a, b)]
    empty = between(0.02, 0.25, generator)
    return _margins(consonants, clusters, empty, between(0.05, 0.3, generator) * chance(0.6, generator), generator)


def _codas(consonants: Weighted[Sound], generator: torch.Generator) -> Weighted[Cluster]:
    """None, one, or two of falling sonority."""
    clusters = [(a, b) for a, b in product(consonants.items, repeat=2) if _rises(b, a) or _is_st(a, b)]
    empty = between(0.4, 0.9, generator) if consonants.items and chance(0.85, generator) else 1.0
    return _margins(consonants, clusters, empty, between(0.02, 0.15, generator) * chance(0.4, generator), generator)


def _margins(
    consonants: Weighted[Sound], clusters: Sequence[Cluster], empty: float, double: float, generator: torch.Generator
) -> Weighted[Cluster]:
    """The empty margin, single consonants and some of the clusters, with these shares in all."""
    taken = some(clusters, whole(*_CLUSTERS, generator), generator)
    double = double * (1 - empty) if taken else 0.0
    total = consonants.sums[-1] if consonants.sums else 1.0
    singles = [((sound,), (1 - empty - double) * weight / total) for sound, weight in _weights(consonants)]
    return weighted([((), empty), *singles, *((pair, double / len(taken)) for pair in taken)])


def _weights(sounds: Weighted[Sound]) -> Iterator[tuple[Sound, float]]:
    before = (0.0, *sounds.sums)
    return ((sound, total - low) for sound, total, low in zip(sounds.items, sounds.sums, before, strict=False))


def _rises(first: Sound, second: Sound) -> bool:
    return _SONORITY[first.kind] < _SONORITY[second.kind]


def _is_st(first: Sound, second: Sound) -> bool:
    return first.ipa in ("s", "ʃ") and second.kind == STOP


def _lengths(generator: torch.Generator) -> Weighted[int]:
    """How many syllables words have: 1 to 5, about 1.5 to 3 on average."""
    mean = between(1.5, 3, generator)
    return weighted((count, _poisson(count - 1, mean - 1)) for count in range(1, 6))


def _poisson(count: int, mean: float) -> float:
    """Unnormalised."""
    return 1.0 if count == 0 else _poisson(count - 1, mean) * mean / count
