"""Which symbols a recogniser writes: those of its transcripts, and letters that its language is known to have.

A handful of transcripts does not hold all letters of a language, and what is not in the alphabet can never be written.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from earful.adapt.spelling import listed_words
from earful.adapt.start import is_recognizer
from earful.checkpoint import Checkpoint
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules, normalize
from earful.text.pinyin import has_characters

LEAST_SEEN = 5
"""A letter that only other text has is learned where it comes so often; below, it is of a foreign word."""


def alphabet_for(base: Checkpoint, texts: Iterable[str]) -> Alphabet:
    """The letters of the normalised texts; after its own for a recogniser: a few clips do not hold them all."""
    return base.config.alphabet.extended(texts) if is_recognizer(base) else Alphabet.learn(texts)


def widened(alphabet: Alphabet, texts: Iterable[str]) -> Alphabet:
    """The alphabet with letters that other normalised `texts` use.

    Only letters and their marks are taken: how a figure or a sign is said, nobody knows from its look.
    """
    counts = Counter("".join(texts))
    return alphabet.extended(c for c, n in counts.items() if n >= LEAST_SEEN and unicodedata.category(c)[0] in "LM")


def of_language(alphabet: Alphabet, rules: TextRules, texts: Iterable[str]) -> Alphabet:
    """The alphabet with letters of the language's word list, where there is one, and of other texts of the user.

    Their sounds are known by the rules of the language, or by those that the base heard them have. Not so of Chinese
    characters, each of which is a word.
    """
    every = [*listed_words(rules), *(normalize(text, rules) for text in texts)]
    return widened(alphabet, ("".join(c for c in text if not has_characters(c)) for text in every))
