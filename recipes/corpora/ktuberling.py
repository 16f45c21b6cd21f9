"""KTuberling, the potato man: words for parts of pictures in some twenty languages, mostly one voice each.

The recordings are in the Debian package `ktuberling-data`, under the GPL-2 or later, the manual under the GFDL. Nothing
in it says what is said but the names of the files: in some languages these are the words, in ASCII
(`sv/glasogon.wav`), in others the English names of the things (`de/bow.ogg`, which says "Schleife"). The word lists of
`wordfreq` give back the spelling; a clip whose word is not certain has no text.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Unpack

from earful.data.manifest import Manifest
from earful.data.synthesis.pronounce import pronounce
from recipes.corpora.kde import Choice, Game, Said, Sound, corpus_of, read_sounds, speakable
from recipes.corpora.recordings import LeftOut
from recipes.corpora.spelling import spell

PACKAGES = ("ktuberling-data",)
SCENE_FILES = 4  # a beginning that so many files of a language share is the scene's name: egypt_, moon_

_PENGUIN = "tux"  # the one scene whose name comes last as well
# Read by eye where the lists are of two minds, or hold another word than what the thing is called, or the file's name
# is misspelled.
_KNOWN: Mapping[str, Mapping[str, str]] = {
    "da": {"ost": "ost"},
    "en": {"broccolli": "broccoli", "palmtree": "palm tree", "sphynx": "sphinx", "hotel": "hotel"},
    "es": {"gafasdesol": "gafas de sol"},
    "fr": {
        **{word: word for word in ("base", "botte", "bouche", "boucle", "cible", "coupe", "la", "lettre", "note")},
        **{word: word for word in ("notes", "pince", "remorque", "roue", "tasse")},
        **{"ailes": "ailes", "charette": "charrette", "cloture": "clôture", "etoile": "étoile"},
        **{"pecheur": "pêcheur", "sorciere": "sorcière", "tete": "tête"},
    },
    "it": {"occhialidasole": "occhiali da sole"},
    "ro": {"nas": "nas", "par": "păr"},
    "sr": {"masna": "mašna", "mindjusa": "minđuša"},
    "sv": {"har": "hår", "nasa": "näsa"},
}

_BETWEEN = re.compile(r"[-_\s]+|(?<=[a-z])(?=[A-Z])")


def ktuberling(out: str | Path, **choice: Unpack[Choice]) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<language>/… of KTuberling's recordings (47 MB); arguments as `corpus_of`.

    `extra` holds `kind`, "word", and `concept`, the English name of the thing.

    Raises:
        CorpusError: as `corpus_of`.
        SynthesisError: the word lists are not installed.

    >>> manifest, left_out = ktuberling("words", not_languages=["cs"])  # doctest: +SKIP
    """
    return corpus_of(Game("ktuberling", PACKAGES, _sounds, _said_of), out, **choice)


def _sounds(folder: Path) -> list[Sound]:
    """The sounds of all lists; of a recording in several lists the first entry."""
    lists = sorted(folder.rglob("*.soundtheme"))
    found = [sound for path in lists for sound in read_sounds(path, path.parent)]
    return list({sound.path: sound for sound in reversed(found)}.values())[::-1]


def _said_of(sounds: Sequence[Sound]) -> Callable[[Sound], Said]:
    texts = labels(sounds)
    return lambda sound: (texts[sound], {"kind": "word", "concept": sound.name})


def with_phones(manifest: Manifest, advance: Callable[[], None] | None = None) -> Manifest:
    """The corpus with phones as `ipa` in `extra` where there is text, and espeak-ng has the language.

    Raises SynthesisError where espeak-ng is not installed.
    """
    known = speakable({utterance.language for utterance in manifest})
    return pronounce(manifest, advance=advance, said=lambda u: u.text if u.language in known else None)


def labels(sounds: Iterable[Sound]) -> dict[Sound, str | None]:
    """What is said in each sound, as far as the names of the files tell.

    Names are believed scene by scene, for translators went through the scenes one after the other: where most of a
    scene's files are called what the thing is called in English, none is.
    """
    texts: dict[Sound, str | None] = {}
    for (language, scene), group in _scenes(list(sounds)).items():
        words = {sound: _words(_stem(sound).removeprefix(f"{scene}_")) for sound in group}
        believed = language.split("-")[0] == "en" or _are_native(words)
        texts |= {
            sound: spell(words[sound], language, _KNOWN.get(language, {})) if believed else None for sound in group
        }
    return texts


def _scenes(sounds: Sequence[Sound]) -> dict[tuple[str, str], list[Sound]]:
    """The sounds by language and scene; "" is the scene of those whose names do not begin with one."""
    names = {(sound.language, _beginning(sound), _stem(sound)) for sound in sounds}
    counts = Counter((language, beginning) for language, beginning, _ in names)
    groups: dict[tuple[str, str], list[Sound]] = {}
    for sound in sounds:
        key = (sound.language, _beginning(sound))
        groups.setdefault(key if counts[key] >= SCENE_FILES else (sound.language, ""), []).append(sound)
    return groups


def _are_native(words: Mapping[Sound, Sequence[str]]) -> bool:
    """Whether less than half of the names share a word with the English one."""
    english = sum(not set(said).isdisjoint(_words(sound.name)) for sound, said in words.items())
    return 2 * english < len(words)


def _beginning(sound: Sound) -> str:
    scene, _, rest = _stem(sound).partition("_")
    return scene if rest else _PENGUIN if _PENGUIN in _words(sound.name) else ""


def _stem(sound: Sound) -> str:
    return Path(sound.file).stem


def _words(name: str) -> list[str]:
    return [word.lower() for word in _BETWEEN.split(name) if word]
