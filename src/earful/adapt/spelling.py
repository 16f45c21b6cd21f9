"""P(phone | letter) by the spelling rules of a language, from espeak-ng: a prior without any sound.

espeak-ng converts words into phones. A string of phones is like a perfectly recognised clip, so the expectation
maximisation of `adapt.letters` aligns letters with it, and counts how often each letter stands for each phone of the
base. This initialises letters that few clips, or none, contain.

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
"""The most words to convert into phones; more would only take longer."""
SHORTEST = 2
"""The fewest letters of a word: espeak-ng often says the name of a single letter."""
GAP = 2
"""Blank frames around each phone, for silent letters."""
SURE = 0.95
"""The probability of a frame's phone; the rest is for all others, so that phones without a letter are possible."""


def spelled(words: Sequence[str], config: ModelConfig) -> Tensor | None:
    """How often each letter stands for each phone of the base in the `words` `[V, P]`, by espeak-ng's rules.

    None if the base has no phones, the language is unknown, or espeak-ng is not installed or does not speak it.
    """
    if config.phones is None or not (config.rules.language and words):
        return None
    lower = replace(config.rules, case="lower")  # espeak-ng says the names of capitals
    forms = {word: normalize(word, lower) for word in words}
    try:
        said = pronounce_words(list(dict.fromkeys(forms.values())), lower.language)
    except SynthesisError:
        return None
    strings = {word: said[form] for word, form in forms.items() if form in said}
    return rule_counts(strings, config.alphabet, config.phones)


def words_of(texts: Iterable[str], others: Iterable[str], config: ModelConfig) -> tuple[str, ...]:
    """The words of the language, once each: from the transcripts `texts`, normalised, and from its word list.

    Without a word list `others`, other texts of the user, replace it. The frequent words of each source come first.
    Words with letters outside the alphabet, single letters and digits are left out. The words of held-out clips may be
    used, since they contain no sound.
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
    """The word list of the language, normalised by the rules; empty without one."""
    try:
        return [normalize(word, rules) for word in frequent_words(rules.language, MOST_WORDS)]
    except SynthesisError:
        return []


def rule_counts(said: Mapping[str, Sequence[str]], alphabet: Alphabet, phones: Alphabet) -> Tensor | None:
    """How often each letter stands for each phone in words with known phones `[V, P]`; None without such words.

    A phone that the base lacks is replaced by a similar one, or skipped.
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
    """The known phone that is most similar to `symbol`: without its suffix, without marks, or of similar shape.

    espeak-ng writes length, tone and release after the vowel or consonant (tː → t, aː2 → aː, ɲʲ → ɲ).
    """
    forms = (form[:end] for form in (symbol, unicodedata.normalize("NFD", symbol)) for end in range(len(form), 0, -1))
    return next((form for form in forms if form in known), None) or closest(symbol, known)


def as_heard(ids: Sequence[int], size: int) -> Tensor:
    """A string of phones as log-posteriors `[F, size]` of a phone head: one frame per phone, with blanks around it."""
    frames_F = torch.zeros(GAP + (GAP + 1) * len(ids), dtype=torch.long)
    frames_F[GAP :: GAP + 1] = torch.tensor(ids)
    p_FP = torch.full((len(frames_F), size), (1 - SURE) / (size - 1))
    return p_FP.scatter(1, frames_F[:, None], SURE).log()
