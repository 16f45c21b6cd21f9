"""Word lists with frequencies (from `wordfreq`), draws from them, and invented words that look like them.

torch is imported by what draws: `earful check` asks only for lists.
"""

import importlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from earful.data.synthesis.languages import REMEDY
from earful.errors import SynthesisError
from earful.text.languages import canonical, likely_script, script_of, shortened, tag_of
from earful.text.pinyin import is_mandarin

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WORDS_USED = 20_000
FLATTENING = 0.5  # p ∝ f^0.5: rare words, hence rare letter sequences, come often enough to be learned

# wordfreq's name of a list where it is not the language's own. Norwegian without more is Bokmål nearly always.
_LISTS: Mapping[str, str] = {"no": "nb", "hr": "sh", "bs": "sh", "sr": "sh"}
_SCRIPTS = {"ja": frozenset({"HIRAGANA", "KATAKANA"})}  # espeak-ng cannot read kanji
_UNSPACED = frozenset({"zh", "ja"})
_APOSTROPHES = "'’"
_LETTERS_ALONE = 100  # words of one letter are kept among the most frequent only: beyond, they are abbreviations
_LONGEST, _ATTEMPTS = 14, 20
_EDGE = "\n"
_LINE = 8


@dataclass(frozen=True, eq=False)
class Words:
    """Words and the running sum of their flattened probabilities; `space` stands between them in a sentence."""

    words: tuple[str, ...]
    cumulative_V: "Tensor"
    space: str
    followers: "Mapping[str, tuple[str, Tensor]]"

    def draw(self, generator: "torch.Generator") -> str:
        """Draw one word, p ∝ f^0.5."""
        return self.words[_place(self.cumulative_V, generator)]

    def invent(self, generator: "torch.Generator") -> str:
        """Make up a word: each character is drawn given the two before it, as in the list."""
        for _ in range(_ATTEMPTS):
            word = self._walk(generator)
            if word:
                return word
        return self.draw(generator)

    def _walk(self, generator: "torch.Generator") -> str:
        """One walk from edge to edge; empty if it became too long."""
        word = ""
        while len(word) <= _LONGEST:
            characters, cumulative_V = self.followers[(_EDGE * 2 + word)[-2:]]
            character = characters[_place(cumulative_V, generator)]
            if character == _EDGE:
                return word
            word += character
        return ""


@lru_cache(maxsize=16)
def load_words(language: str) -> Words:
    """The word list of a language, by any name.

    Raises SynthesisError if there is none, and says that text can be given instead.

    >>> load_words("nl").words[:3]  # doctest: +SKIP
    ('de', 'van', 'het')
    """
    name = list_name(language)
    frequencies = word_frequencies(language)
    return make_words(frequencies, _SCRIPTS.get(name), "" if name in _UNSPACED else " ")


def word_frequencies(language: str) -> dict[str, float]:
    """The word list of a language: how likely each word is. Raises SynthesisError as `load_words`."""
    found: dict[str, float] = _wordfreq().get_frequency_dict(list_name(language), wordlist="best")
    return found


@lru_cache(maxsize=4)
def frequent_words(language: str, most: int) -> tuple[str, ...]:
    """The `most` frequent words of a language, the most frequent first.

    Raises SynthesisError as `load_words`.
    """
    name = list_name(language)
    return tuple(word for word, _ in _kept(word_frequencies(language), _SCRIPTS.get(name), name in _UNSPACED, most))


def common_words() -> dict[str, Mapping[str, float]]:
    """The more common words, some ten thousands, of every list, by its name. Raises SynthesisError without wordfreq."""
    wordfreq = _wordfreq()
    return {name: wordfreq.get_frequency_dict(name, "small") for name in wordfreq.available_languages("small")}


def draw_lines(language: str, words: int, generator: "torch.Generator") -> list[str]:
    """Words of a language drawn by their frequency, a few to a line: text for an n-gram where the user has none.

    Raises SynthesisError as `load_words`.
    """
    import torch

    name = list_name(language)
    frequencies = word_frequencies(language)
    known = list(frequencies)
    cumulative_V = _cumulative(torch.tensor([frequencies[word] for word in known], dtype=torch.float64))
    places = torch.searchsorted(cumulative_V, torch.rand(words, generator=generator, dtype=torch.float64), right=True)
    drawn = [known[min(place, len(known) - 1)] for place in places.tolist()]
    space = "" if name in _UNSPACED else " "
    return [space.join(drawn[first : first + _LINE]) for first in range(0, words, _LINE)]


def make_words(
    frequencies: Mapping[str, float], scripts: frozenset[str] | None = None, space: str = " ", most: int = WORDS_USED
) -> Words:
    """Take the `most` frequent words that consist of letters of `scripts` (by default, the list's main script).

    Raises SynthesisError if no word is left.
    """
    import torch

    kept = _kept(frequencies, scripts, not space, most)
    if not kept:
        raise SynthesisError("the word list holds no word made of letters of its script; give --text FILE instead")
    weights_V = torch.tensor([f for _, f in kept], dtype=torch.float64) ** FLATTENING
    return Words(tuple(word for word, _ in kept), _cumulative(weights_V), space, _followers(kept))


def _kept(
    frequencies: Mapping[str, float], scripts: frozenset[str] | None, unspaced: bool, most: int
) -> list[tuple[str, float]]:
    """The words that consist of letters of the scripts, and their frequencies; the most frequent first."""
    ranked = sorted(frequencies.items(), key=lambda item: (-item[1], item[0]))[: 2 * most]
    scripts = scripts or _main_script(ranked)
    kept = [(_spelled(word), f) for word, f in ranked if _is_word(word, scripts)]
    return [item for rank, item in enumerate(kept) if len(item[0]) > 1 or rank < _LETTERS_ALONE or unspaced][:most]


def _wordfreq() -> Any:
    try:
        return importlib.import_module("wordfreq")
    except ImportError as error:
        raise SynthesisError(
            f"word lists need the package wordfreq, which is not installed; run: {REMEDY}, or give --text FILE"
        ) from error


def list_name(language: str) -> str:
    """wordfreq's list of a language, by any name. Raises SynthesisError where there is none.

    wordfreq itself takes the nearest list it has for a language, English for Irish and for Swahili: it is never asked.

    >>> list_name("Croatian"), list_name("pt-BR")  # doctest: +SKIP
    ('sh', 'pt')
    """
    available = _wordfreq().available_languages("best")
    name = _own_list(language)
    if name not in available:
        raise SynthesisError(
            f"there is no word list for {language!r} (there is one for {', '.join(sorted(available))}); "
            "give sentences in it with --text FILE"
        )
    return str(name)


def _own_list(language: str) -> str | None:
    """What the list of the language would be called; None where that is in another script than the language's tag."""
    if is_mandarin(language):
        return None if canonical(language).endswith("pinyin") else "zh"  # that voice of espeak-ng reads no characters
    tag = next((known for part in shortened(language) if (known := tag_of(part))), "")
    own = tag.split("-")[0]
    if own == "zh":  # of Hong Kong, that is
        return None
    name = _LISTS.get(own, own)
    return name if script_of(tag) in (None, likely_script(name)) else None


def has_list(language: str) -> bool:
    """Whether there is a word list for the language, and the package that has it."""
    try:
        return bool(language and list_name(language))
    except SynthesisError:
        return False


def _main_script(ranked: Iterable[tuple[str, float]]) -> frozenset[str]:
    """The script that most of the list's probability is written in."""
    mass: dict[str, float] = {}
    for word, frequency in ranked:
        scripts = {_script(character) for character in word if character.isalpha()}
        if len(scripts) == 1:
            script = scripts.pop()
            mass[script] = mass.get(script, 0.0) + frequency
    return frozenset({max(mass, key=mass.__getitem__)} if mass else ())


@lru_cache(maxsize=8192)
def _script(character: str) -> str:
    """The script of a character by its Unicode name: LATIN, CYRILLIC, CJK, … or COMBINING for a free mark."""
    return unicodedata.name(character, "UNKNOWN").split()[0]


def _is_word(word: str, scripts: frozenset[str]) -> bool:
    inner = word.strip(_APOSTROPHES)
    letters = "".join(character for character in inner if character not in _APOSTROPHES)
    return word == inner and letters != "" and letters[0].isalpha() and all(_fits(c, scripts) for c in letters)


def _spelled(word: str) -> str:
    """NFC, and the final sigma that case folding took away."""
    word = unicodedata.normalize("NFC", word)
    return word[:-1] + "ς" if word.endswith("σ") else word


@lru_cache(maxsize=8192)
def _fits(character: str, scripts: frozenset[str]) -> bool:
    kind = unicodedata.category(character)[0]
    return (kind == "L" and _script(character) in scripts) or (
        kind == "M" and _script(character) in scripts | {"COMBINING"}
    )


def _followers(weighted: Iterable[tuple[str, float]]) -> "dict[str, tuple[str, Tensor]]":
    """For every two characters, those that follow and the running sum of their flattened weights."""
    import torch

    counts: dict[str, dict[str, float]] = {}
    for word, frequency in weighted:
        framed = _EDGE * 2 + word + _EDGE
        for place in range(2, len(framed)):
            counter = counts.setdefault(framed[place - 2 : place], {})
            counter[framed[place]] = counter.get(framed[place], 0.0) + frequency**FLATTENING
    return {
        context: ("".join(counter), _cumulative(torch.tensor(list(counter.values()), dtype=torch.float64)))
        for context, counter in counts.items()
    }


def _cumulative(weights_V: "Tensor") -> "Tensor":
    return (weights_V / weights_V.sum()).cumsum(0)


def _place(cumulative_V: "Tensor", generator: "torch.Generator") -> int:
    import torch

    draw = torch.rand(1, generator=generator, dtype=torch.float64)
    return min(int(torch.searchsorted(cumulative_V, draw, right=True)), len(cumulative_V) - 1)
