"""Which symbols a recogniser writes: those of its transcripts, and letters that its language is known to have.

A handful of transcripts does not hold all letters of a language, and what is not in the alphabet can never be written.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from earful.adapt.start import is_recognizer
from earful.checkpoint import Checkpoint
from earful.data.synthesis.words import frequent_words, word_frequencies
from earful.errors import SynthesisError
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules, normalize
from earful.text.pinyin import has_characters
from earful.text.script import main_script

LEAST_SEEN, RAREST = 5, 5e-5
"""A letter that only other text has is learned where it comes so often there, and one that only the word list has where
it is so great a share of all letters that are read; below, it is of a foreign word."""
MOST_WORDS = 10_000


def alphabet_for(base: Checkpoint, texts: Iterable[str]) -> Alphabet:
    """The letters of the normalised texts; after its own for a recogniser: a few clips do not hold them all."""
    return base.config.alphabet.extended(texts) if is_recognizer(base) else Alphabet.learn(texts)


def widened(alphabet: Alphabet, texts: Iterable[str]) -> Alphabet:
    """The alphabet with letters that other normalised `texts` use.

    Only letters and their marks are taken: how a figure or a sign is said, nobody knows from its look.
    """
    counts = Counter("".join(texts))
    return alphabet.extended(c for c, n in counts.items() if n >= LEAST_SEEN and is_letter(c))


def of_language(alphabet: Alphabet, rules: TextRules, texts: Iterable[str]) -> Alphabet:
    """The alphabet with letters of the language's word list, where there is one, and of other texts of the user.

    Their sounds are known by the rules of the language, or by those that the base heard them have. Not so of Chinese
    characters, each of which is a word.
    """
    shares = {c: share for c, share in letter_shares(rules).items() if is_letter(c)}
    if main_script(shares) != main_script(alphabet.symbols):  # a list in another script, as of Serbian
        shares = {}
    listed = [c for c, share in shares.items() if share >= RAREST and not has_characters(c)]
    written = ("".join(c for c in normalize(text, rules) if not has_characters(c)) for text in texts)
    return widened(alphabet.extended(listed), written)


def letter_shares(rules: TextRules) -> dict[str, float]:
    """How often each letter is read in the language, of all, by its word list; empty where there is none."""
    try:
        frequencies, words = word_frequencies(rules.language), frequent_words(rules.language, MOST_WORDS)
    except SynthesisError:
        return {}
    read: dict[str, float] = defaultdict(float)
    for word in words:
        for letter in normalize(word, rules):
            read[letter] += frequencies.get(word, 0.0)
    total = sum(read.values())
    return {letter: share / total for letter, share in read.items()}


def is_letter(character: str) -> bool:
    """Letters and the marks that go with them."""
    return unicodedata.category(character)[0] in "LM"
