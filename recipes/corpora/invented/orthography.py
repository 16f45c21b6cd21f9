"""How an invented language is written: a random alphabet, and rules from sound to letters of a random depth.

A shallow orthography has a spelling for each sound and no other (Finnish nearly so). The deeper it is, the more sounds
share a spelling, have a second one before front vowels or at the ends of words, or in some words and not in others, and
the more letters are silent (French, English). The mapping is random: what b stands for elsewhere does not matter.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from recipes.corpora.invented.draws import Weighted, between, chance, one, some, weighted
from recipes.corpora.invented.phonemes import VOWEL, Sound, is_front
from recipes.corpora.invented.phonology import Word

# Lower case or caseless, single code points that NFC leaves alone. Czech is held out: what only Czech and Slovak
# write (ě ř ů, ď ť ň) stays out too.
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_LATIN_MARKED = "àáâãäåāăąæçćĉċčđèéêëēĕėęĝğġģĥħìíîïĩīĭįĵķĺļľłñńņŋòóôõöøōŏőœŕŗśŝşšţŧùúûüũūŭűųŵýÿŷźżžþðəɛɔɣɓɗƙ"
SCRIPTS: Mapping[str, tuple[str, str]] = {
    "latin": (_LATIN, _LATIN_MARKED),
    "cyrillic": ("абвгдежзийклмнопрстуфхцчшщъыьэюя", "ёіїєўґђјљњћџәғқңөұүһҙҡҫҳҷ"),
    "greek": ("αβγδεζηθικλμνξοπρστυφχψω", "άέήίόύώϊϋ"),
    "armenian": ("աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆ", ""),
    "georgian": ("აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ", ""),
    "hebrew": ("אבגדהוזחטיכלמנסעפצקרשת", ""),
    "arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "پچژگ"),
    "ethiopic": ("ሀለሐመሠረሰሸቀበተቸነኘአከወዐዘዠየደጀገጠጨጰጸፈፐ", ""),
}
_SHARES = {"latin": 10, "cyrillic": 3, "greek": 2}  # of the others: 1 each

_MERGED, _RULED, _LEARNED = 0.3, 0.35, 0.3  # shares of the sounds, times the depth
_SILENT_RULES = 2

Where = Literal["", "front", "first", "last", "some"]
_PLACES: tuple[Where, ...] = ("front", "first", "last")
_EDGES: tuple[Where, ...] = ("first", "last")


@dataclass(frozen=True)
class Spelling:
    """The letters of a sound, and `other` ones: before a front vowel, first or last in a word, or in some words."""

    usual: str
    other: str = ""
    where: Where = ""


@dataclass(frozen=True)
class Silent:
    """A letter that is not said: `first` (before words that begin so) or `last`, by a vowel or not, in this share."""

    letter: str
    where: Where
    by_vowel: bool
    share: float


@dataclass(frozen=True)
class Orthography:
    """A way to write: `depth` is 0 where each sound has one spelling, 1 at the most irregular.

    `spellings` has an entry for each sound, by its IPA. All that is written consists of `letters`.
    """

    script: str
    depth: float
    letters: tuple[str, ...]
    spellings: Mapping[str, Spelling] = field(hash=False)
    silent: tuple[Silent, ...] = ()


def random_orthography(sounds: Sequence[Sound], generator: torch.Generator) -> Orthography:
    """Draw a script, an alphabet from it, a depth, and spellings of these sounds."""
    script = _scripts().draw(generator)
    depth = between(0, 1, generator)
    merged = _merged(sounds, depth, generator)
    distinct = [sound for sound in some(sounds, len(sounds), generator) if sound.ipa not in merged]
    least = math.isqrt(2 * len(sounds)) + 1  # so many that pairs of them are enough for all spellings
    letters = _alphabet(script, max(least, round(len(distinct) * between(0.7, 1.1, generator))), generator)
    written = _Writer(letters, generator)
    usual = {sound.ipa: written.new() for sound in distinct}
    usual |= {ipa: usual[other] for ipa, other in merged.items()}
    spellings = {sound.ipa: _spelling(usual, sound, depth, written) for sound in sounds}
    return Orthography(script, depth, letters, spellings, tuple(_silent(letters, depth, generator)))


def spell(word: Word, orthography: Orthography, generator: torch.Generator) -> str:
    """Write a word. What a rule does not settle is drawn: a word of the lexicon is spelled once."""
    written = [_written(word.sounds, place, orthography, generator) for place in range(len(word.sounds))]
    for silent in orthography.silent:
        beside = word.sounds[0 if silent.where == "first" else -1]
        if (beside.kind == VOWEL) == silent.by_vowel and chance(silent.share, generator):
            written.insert(0 if silent.where == "first" else len(written), silent.letter)
    return "".join(written)


class _Writer:
    """Gives out spellings: each letter once, then pairs of letters, each once."""

    def __init__(self, letters: Sequence[str], generator: torch.Generator) -> None:
        self.generator = generator
        self._letters, self._free, self._pairs = letters, list(letters), set[str]()

    def new(self) -> str:
        """A spelling that no sound has yet."""
        return self._free.pop(0) if self._free else self.pair()

    def pair(self) -> str:
        """Two letters that are not given out together yet."""
        left = [a + b for a in self._letters for b in self._letters if a + b not in self._pairs]
        chosen = one(left, self.generator)
        self._pairs.add(chosen)
        return chosen


def _scripts() -> Weighted[str]:
    return weighted((script, _SHARES.get(script, 1)) for script in SCRIPTS)


def _alphabet(script: str, size: int, generator: torch.Generator) -> tuple[str, ...]:
    """Random letters of a script; how many of them are marked or rare ones differs from language to language."""
    plain, marked = SCRIPTS[script]
    weight = between(0, 0.3, generator)
    marks = frozenset(marked) if weight > 0.03 else frozenset()
    return some(
        [c for c in plain + marked if c in plain or c in marks], size, generator, lambda c: weight if c in marks else 1
    )


def _merged(sounds: Sequence[Sound], depth: float, generator: torch.Generator) -> dict[str, str]:
    """Which sounds are written as another one of their class, by IPA: vowels as vowels, consonants as consonants."""
    gone = [sound for sound in sounds if chance(_MERGED * depth, generator)]
    kept = [sound for sound in sounds if sound not in gone]
    others = {sound: [k.ipa for k in kept if (k.kind == VOWEL) == (sound.kind == VOWEL)] for sound in gone}
    return {sound.ipa: one(ipas, generator) for sound, ipas in others.items() if ipas}


def _spelling(usual: Mapping[str, str], sound: Sound, depth: float, written: _Writer) -> Spelling:
    """The sound's usual letters and, the deeper the more often, others: new ones or those of another sound."""
    generator = written.generator
    places: tuple[Where, ...] = ()
    if chance(_RULED * depth, generator):
        places = _EDGES if sound.kind == VOWEL else _PLACES
    elif chance(_LEARNED * depth, generator):
        places = ("some",)
    if not places:
        return Spelling(usual[sound.ipa])
    borrowed = [letters for letters in usual.values() if letters != usual[sound.ipa]]
    other = one(borrowed, generator) if chance(0.5, generator) else written.pair()
    return Spelling(usual[sound.ipa], other, one(places, generator))


def _silent(letters: Sequence[str], depth: float, generator: torch.Generator) -> Iterator[Silent]:
    for _ in range(_SILENT_RULES):
        if chance(depth / 2, generator):
            by_vowel, share = chance(0.5, generator), between(0.2, 1, generator)
            yield Silent(one(letters, generator), one(_EDGES, generator), by_vowel, share)


def _written(sounds: Sequence[Sound], place: int, orthography: Orthography, generator: torch.Generator) -> str:
    spelling = orthography.spellings[sounds[place].ipa]
    following = sounds[place + 1 : place + 2]
    holds = {
        "front": any(sound.kind == VOWEL and is_front(sound.ipa) for sound in following),
        "first": place == 0,
        "last": not following,
        "some": spelling.where == "some" and chance(0.5, generator),
    }
    return spelling.other if holds.get(spelling.where, False) else spelling.usual
