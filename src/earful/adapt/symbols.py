"""The alphabet of a recogniser: the symbols of its transcripts, and further letters of its language.

Few transcripts do not contain all letters of a language, and a letter outside the alphabet can never be written.
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
"""The least count of a letter that only other text has, and the least share of a letter that only the word list has.
Rarer letters are from foreign words."""
MOST_WORDS = 10_000


def alphabet_for(base: Checkpoint, texts: Iterable[str]) -> Alphabet:
    """The letters of the normalised texts; a recogniser keeps its own, since few clips do not contain all of them."""
    return base.config.alphabet.extended(texts) if is_recognizer(base) else Alphabet.learn(texts)


def widened(alphabet: Alphabet, texts: Iterable[str]) -> Alphabet:
    """The alphabet with further letters from other normalised `texts`.

    Only letters and their marks are added: the pronunciation of digits and signs is not known.
    """
    counts = Counter("".join(texts))
    return alphabet.extended(c for c, n in counts.items() if n >= LEAST_SEEN and is_letter(c))


def of_language(alphabet: Alphabet, rules: TextRules, texts: Iterable[str]) -> Alphabet:
    """The alphabet with letters from the language's word list, if there is one, and from other texts of the user.

    Their sounds come from the rules of the language, or from similar letters of the base. Chinese characters are left
    out, since each is a word.
    """
    shares = {c: share for c, share in letter_shares(rules).items() if is_letter(c)}
    if main_script(shares) != main_script(alphabet.symbols):  # a list in another script, as of Serbian
        shares = {}
    listed = [c for c, share in shares.items() if share >= RAREST and not has_characters(c)]
    written = ("".join(c for c in normalize(text, rules) if not has_characters(c)) for text in texts)
    return widened(alphabet.extended(listed), written)


def letter_shares(rules: TextRules) -> dict[str, float]:
    """The share of each letter in the text of a language, by its word list; empty without one."""
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
    """Whether a character is a letter or a mark of one."""
    return unicodedata.category(character)[0] in "LM"
