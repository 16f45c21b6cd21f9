"""KLettres: the names of letters, and syllables and short words, in some twenty languages, one voice each.

The recordings are in the Debian package `klettres-data`, under the GPL-2 or later, the manual under the GFDL. A letter
is said by its name ("B" is /be/; in Dutch by its sound), so it is no text that a recogniser of letters may learn: such
a clip has the letter in `extra`, and its phones where espeak-ng names it. A syllable is said as it is written.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from earful.data.manifest import Manifest
from earful.data.synthesis.pronounce import PHONES, pronounce
from earful.data.utterance import Utterance
from recipes.corpora.kde import Choice, Game, Said, Sound, corpus_of, read_sounds, speakable
from recipes.corpora.recordings import LeftOut

PACKAGES = ("klettres-data",)
KINDS = {"alphabet": "letter", "syllables": "syllable"}

# Letters that are not called as espeak-ng calls them; heard with the phone head of the shipped base. The Dutch voice
# says their sounds, as do, it seems, the seven letters in Tswana; Lithuanian i, u and y are "short i" and so on.
_OTHERWISE_CALLED: Mapping[str, frozenset[str] | None] = {"nl": None, "tn": None, "lt": frozenset("iuy")}  # None: all
_LATIN_VOWEL = re.compile("[aeiouy]")
_IPA_VOWEL = re.compile("[aeiouyɐɑɒæɛεɜɘəɤɪɨɯʊʉʌɔɵœøʏɶɞɚɝ]")
_VISARGA = "\u0d03"  # typed as a colon in the package's Malayalam


def klettres(out: str | Path, **choice: Unpack[Choice]) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<language>/… of KLettres' recordings (40 MB); arguments as `corpus_of`.

    `extra` holds `kind`, "letter" or "syllable"; a letter has no text, but `letter`. Raises as `corpus_of`.

    >>> manifest, left_out = klettres("letters", not_languages=["cs"])  # doctest: +SKIP
    """
    return corpus_of(Game("klettres", PACKAGES, _sounds, lambda _: _said), out, **choice)


def with_names(manifest: Manifest, advance: Callable[[], None] | None = None) -> Manifest:
    """The corpus with phones as `ipa` in `extra`: of syllables, and of the letters that espeak-ng has a name for.

    What has no vowel is no name, and no syllable of a script that writes none, such as Hebrew: it stays without.
    Raises SynthesisError where espeak-ng is not installed.
    """
    known = speakable({utterance.language for utterance in manifest})
    told = pronounce(manifest, advance=advance, said=lambda u: _sayable(u) if u.language in known else None)
    return Manifest(tuple(_believed(utterance) for utterance in told))


def _sounds(folder: Path) -> list[Sound]:
    lists = sorted(folder.rglob("sounds.xml"))
    return [sound for path in lists for sound in read_sounds(path, path.parent.parent) if sound.kind in KINDS]


def _said(sound: Sound) -> Said:
    written = unicodedata.normalize("NFC", sound.name).strip().lower()
    if sound.kind == "alphabet":
        return None, {"kind": "letter", "letter": written}
    text = written.replace(":", _VISARGA) if sound.language == "ml" else written
    return (text if _is_one_script(text) else None), {"kind": "syllable"}


def _is_one_script(text: str) -> bool:
    """Whether it is letters of one script, and marks: the package's Russian has a syllable with a Latin O."""
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha()}
    return len(scripts) == 1 and all(unicodedata.category(c)[0] in "LM" or c in "\u200c\u200d" for c in text)


def _sayable(utterance: Utterance) -> str | None:
    """The syllable or the letter; None for sounds such as English "ch", which espeak-ng would spell."""
    text = utterance.text
    if text is None:
        letter = str(utterance.extra.get("letter") or "")
        otherwise = _OTHERWISE_CALLED.get(utterance.language or "", frozenset())
        return None if otherwise is None or letter in otherwise else letter or None
    plain = unicodedata.normalize("NFD", text)
    return None if plain[0].isascii() and not _LATIN_VOWEL.search(plain) else text


def _believed(utterance: Utterance) -> Utterance:
    phones = utterance.extra.get(PHONES)
    if not phones or _IPA_VOWEL.search("".join(phones)):
        return utterance
    return replace(utterance, extra={key: value for key, value in utterance.extra.items() if key != PHONES})
