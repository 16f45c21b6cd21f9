"""What letters sound like by the rules of their language, as espeak-ng has them: before anything is heard.

espeak-ng says how words are pronounced. A phone string is a clip that was heard perfectly, so the same expectation
maximisation that aligns letters with sounds (`adapt.letters`) aligns them with the strings: it gives how often each
letter stands for each phone of the base. A letter that a handful of clips holds once, or not at all, is known by it.

Shapes as in `adapt.letters`: `V` are the letters of the new alphabet, `P` the phones of the base, both without blank.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice

import torch
from torch import Tensor

from earful.adapt.letters import letter_counts
from earful.data.synthesis.pronounce import pronounce_words
from earful.data.synthesis.words import frequent_words
from earful.errors import SynthesisError
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet, closest
from earful.text.normalize import TextRules, normalize

MOST_WORDS = 2000
"""Words that are pronounced, at most; more would only take longer."""
SHORTEST = 2
"""Letters of a word: a single one is often said by its name."""
GAP = 2
"""Blank frames around each phone: what silent letters align with."""
SURE = 0.95
"""The probability of a frame's phone; the rest, for all others, lets a string pass that no letters explain."""


def spelled(words: Sequence[str], config: ModelConfig) -> Tensor | None:
    """How often each letter stands for each phone of the base, in so many `words` `[V, P]`, by espeak-ng's rules.

    None where the base has no phones, the language is not known, espeak-ng is not there or does not speak it.
    """
    if config.phones is None or not (config.rules.language and words):
        return None
    lower = replace(config.rules, case="lower")  # of capitals espeak-ng says the names
    forms = {word: normalize(word, lower) for word in words}
    try:
        said = pronounce_words(list(dict.fromkeys(forms.values())), lower.language)
    except SynthesisError:
        return None
    strings = {word: said[form] for word, form in forms.items() if form in said}
    return rule_counts(strings, config.alphabet, config.phones)


def words_of(texts: Iterable[str], others: Iterable[str], config: ModelConfig) -> tuple[str, ...]:
    """Words of the language, once each: of the transcripts `texts`, normalised, and of its word list.

    Where there is no such list, `others` stand in for it, other texts of the user. Of each source the frequent words
    come first; those that the alphabet cannot write, single letters and figures are left out. No sound is in words:
    those of clips that measure tell nothing of these.
    """
    more = _listed(config.rules) or _by_frequency(normalize(text, config.rules) for text in others)
    known = set(config.alphabet.symbols)
    every = chain(_by_frequency(texts), more)
    fit = (word for word in every if len(word) >= SHORTEST and known.issuperset(word) and not _has_figures(word))
    return tuple(islice(dict.fromkeys(fit), MOST_WORDS))


def _has_figures(word: str) -> bool:
    return any(c.isdigit() for c in word)


def _by_frequency(texts: Iterable[str]) -> list[str]:
    return [word for word, _ in Counter(word for text in texts for word in text.split()).most_common()]


def _listed(rules: TextRules) -> list[str]:
    """The word list of the language, as the rules write it; none where there is none."""
    try:
        return [normalize(word, rules) for word in frequent_words(rules.language, MOST_WORDS)]
    except SynthesisError:
        return []


def rule_counts(said: Mapping[str, Sequence[str]], alphabet: Alphabet, phones: Alphabet) -> Tensor | None:
    """How often each letter stands for each phone in words whose phones are known `[V, P]`; None if there are none.

    A phone that the base lacks counts as one that is like it, or is passed over.
    """
    known = frozenset(phones.symbols)
    strings = {word: [own for symbol in symbols if (own := likest(symbol, known))] for word, symbols in said.items()}
    strings = {word: string for word, string in strings.items() if string}
    if not strings:
        return None
    used = Alphabet(tuple(sorted({symbol for string in strings.values() for symbol in string})))
    logp = [as_heard(used.encode_symbols(string), used.size) for string in strings.values()]
    counts_VP = letter_counts(logp, [tuple(alphabet.encode(word)) for word in strings], len(alphabet.symbols))
    places = torch.tensor(phones.encode_symbols(used.symbols)) - 1
    return torch.zeros(len(counts_VP), len(phones.symbols)).index_copy(1, places, counts_VP)


@lru_cache(maxsize=4096)
def likest(symbol: str, known: frozenset[str]) -> str | None:
    """The phone that is known and like `symbol`: without what stands behind it, or without marks, or of like look.

    espeak-ng's length, tone and release stand behind the vowel or consonant (tː → t, aː2 → aː, ɲʲ → ɲ).
    """
    forms = (form[:end] for form in (symbol, unicodedata.normalize("NFD", symbol)) for end in range(len(form), 0, -1))
    return next((form for form in forms if form in known), None) or closest(symbol, known)


def as_heard(ids: Sequence[int], size: int) -> Tensor:
    """A string of phones as the log-posteriors of a head that heard it: a frame a phone, blanks around `[F, size]`."""
    frames_F = torch.zeros(GAP + (GAP + 1) * len(ids), dtype=torch.long)
    frames_F[GAP :: GAP + 1] = torch.tensor(ids)
    p_FP = torch.full((len(frames_F), size), (1 - SURE) / (size - 1))
    return p_FP.scatter(1, frames_F[:, None], SURE).log()
