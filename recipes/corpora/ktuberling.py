"""KTuberling, the potato man: words for parts of pictures in some twenty languages, mostly one voice each.

The recordings are in the Debian package `ktuberling-data`, under the GPL-2 or later, the manual under the GFDL. Nothing
in it says what is said but the names of the files: in some languages these are the words, in ASCII
(`sv/glasogon.wav`), in others the English names of the things (`de/bow.ogg`, which says "Schleife"). The word lists of
`wordfreq` give back the spelling; a clip whose word is not certain has no text.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from earful.data.manifest import Manifest
from earful.data.synthesis.pronounce import pronounce
from recipes.corpora.debian import unpacked
from recipes.corpora.kde import Said, Sound, build, choose, read_sounds, speakable
from recipes.corpora.recordings import LeftOut, Progress
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


def ktuberling(
    out: str | Path,
    *,
    languages: Collection[str] = (),
    not_languages: Collection[str] = (),
    source: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<language>/… of KTuberling's recordings, in all languages or those named.

    The package comes from `source` (a folder that holds it, packed or unpacked), else from the folder `cache`, into
    which it is downloaded (47 MB; default: the user's cache). `extra` holds `kind`, "word", and `concept`, the
    English name of the thing. `LeftOut` lists the ids by reason. `progress(done, total)` is called after each clip.
    The manifest is written last.

    Raises:
        CorpusError: a language without sounds, a folder without the package, a download that fails.
        SynthesisError: the word lists are not installed.

    >>> manifest, left_out = ktuberling("words", not_languages=["cs"])  # doctest: +SKIP
    """
    with unpacked(PACKAGES, source, cache) as folder:
        lists = sorted(folder.rglob("*.soundtheme"))
        found = [sound for path in lists for sound in read_sounds(path, path.parent)]
        sounds = list({sound.path: sound for sound in reversed(found)}.values())[::-1]
        kept = choose(sounds, languages, not_languages, str(source or folder))
        texts = labels(kept)

        def said(sound: Sound) -> Said:
            return texts[sound], {"kind": "word", "concept": sound.name}

        return build("ktuberling", Path(out), kept, said, progress)


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
