"""The sounds of KDE's games for children: lists in XML of `<sound name="ZA" file="it/syllab/za.ogg"/>`, by language."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict
from xml.etree import ElementTree

from earful.data.manifest import Manifest
from earful.data.synthesis.languages import languages
from earful.data.utterance import Json, Utterance, unique_ids
from recipes.corpora.debian import unpacked
from recipes.corpora.errors import CorpusError
from recipes.corpora.recordings import DUPLICATE, TWO_TRANSCRIPTS, Draft, LeftOut, Progress, gather

MISSING = "listed, but its recording is not in the package"

Said = tuple[str | None, dict[str, Json]]  # the text of a sound, and what else is known of it

_REGION = re.compile(r"[_-]")


@dataclass(frozen=True)
class Sound:
    """One line of a list: `kind` is the name of the element around it, `file` the recording below the list's `root`."""

    language: str
    kind: str
    name: str
    file: str
    root: Path

    @property
    def path(self) -> Path:
        """Where the recording is."""
        return self.root / self.file


@dataclass(frozen=True)
class Game:
    """A game whose recordings make a corpus: its Debian packages, its lists of sounds, and what the sounds say.

    `sounds_in` reads the lists in the unpacked packages; `said_of` gets all chosen sounds at once.
    """

    name: str
    packages: tuple[str, ...]
    sounds_in: Callable[[Path], list[Sound]]
    said_of: Callable[[Sequence[Sound]], Callable[[Sound], Said]]


class Choice(TypedDict, total=False):
    """The recordings to take; see `corpus_of`."""

    languages: Collection[str]
    not_languages: Collection[str]
    source: str | Path | None
    cache: str | Path | None
    progress: Progress | None


def corpus_of(
    game: Game,
    out: str | Path,
    *,
    languages: Collection[str] = (),
    not_languages: Collection[str] = (),
    source: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<language>/… of a game's recordings, in all languages or those named.

    The package comes from `source` (a folder that holds it, packed or unpacked), else from the folder `cache`, into
    which it is downloaded (default: the user's cache). `LeftOut` lists the ids by reason. `progress(done, total)` is
    called after each clip. The manifest is written last.

    Raises:
        CorpusError: a language without sounds, a folder without the package, a download that fails.
    """
    with unpacked(game.packages, source, cache) as folder:
        kept = choose(game.sounds_in(folder), languages, not_languages, str(source or folder))
        return build(game.name, Path(out), kept, game.said_of(kept), progress)


def read_sounds(path: Path, root: Path) -> list[Sound]:
    """The sounds that a list names, in its order; their files lie below `root`.

    Raises CorpusError for a list that cannot be read, and for a line without a name, a file or a language.
    """
    try:
        tree = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise CorpusError(f"{path}: expected a list of sounds in XML: {error}; unpack the package again") from error
    return [
        _sound(path, root, language, parent, line)
        for language in tree.iter("language")
        for parent, line in _lines(language)
    ]


def _lines(language: ElementTree.Element) -> list[tuple[ElementTree.Element, ElementTree.Element]]:
    return [(parent, line) for parent in language.iter() for line in parent.findall("sound")]


def _sound(
    path: Path, root: Path, language: ElementTree.Element, parent: ElementTree.Element, line: ElementTree.Element
) -> Sound:
    code, name, file = language.get("code"), line.get("name"), line.get("file")
    if not (code and name and file):
        raise CorpusError(f"{path}: a sound without language, name or file ({name!r}, {file!r}); correct or remove it")
    if Path(file).is_absolute() or ".." in Path(file).parts or "\0" in file:
        raise CorpusError(f"{path}: the file {file!r} of {name!r} lies outside its folder; take Debian's package")
    return Sound(language_code(code), parent.tag, name, file, root)


def language_code(code: str) -> str:
    """KDE's code of a language as espeak-ng writes it; what stands after @ is a script or a way of writing.

    >>> language_code("pt_BR"), language_code("sr@ijekavianlatin")
    ('pt-br', 'sr')
    """
    return _REGION.sub("-", code.split("@")[0]).lower()


def choose(sounds: Sequence[Sound], wanted: Collection[str], unwanted: Collection[str], where: str) -> list[Sound]:
    """The sounds in the wanted languages (all where none is named), without the unwanted ones.

    Raises CorpusError for a wanted language that has no sounds, and if nothing is left. What is not wanted need not
    be there.
    """
    here = {sound.language for sound in sounds}
    kept = {language_code(code) for code in wanted} or here
    if absent := sorted(kept - here):
        raise CorpusError(
            f"{where}: no sounds in {', '.join(absent)}; there are some in {', '.join(sorted(here)) or 'none'}"
        )
    kept -= {language_code(code) for code in unwanted}
    if not kept:
        raise CorpusError(f"{where}: no sounds are left; name the folder that holds the package, and fewer languages")
    return [sound for sound in sounds if sound.language in kept]


def build(
    program: str, out: Path, sounds: Sequence[Sound], said: Callable[[Sound], Said], progress: Progress | None
) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<file> of the sounds; ids are PROGRAM/LANGUAGE/STEM of the file.

    Equal recordings come once; those that are said to be different things do not come at all.
    """
    ids = unique_ids(f"{program}/{sound.language}/{Path(sound.file).stem}" for sound in sounds)
    drafts = [_draft(program, out, sound, id, said(sound)) for sound, id in zip(sounds, ids, strict=True)]
    left_out: dict[str, list[str]] = {}
    if missing := [utterance.id for path, utterance in drafts if not path.is_file()]:
        left_out[MISSING] = missing
    manifest = gather(out, _distinct(drafts, left_out), left_out, progress)
    return manifest, {reason: tuple(ids) for reason, ids in left_out.items()}


def speakable(codes: Iterable[str | None]) -> frozenset[str]:
    """Those of the codes that espeak-ng has a language for. Raises SynthesisError where espeak-ng is not installed."""
    known = {alias for language in languages() for alias in (language.code, *language.aliases)}
    return frozenset(code for code in codes if code in known)


def _draft(program: str, out: Path, sound: Sound, id: str, said: Said) -> Draft:
    text, extra = said
    speaker = f"{program}-{sound.language}"
    return sound.path, Utterance(
        id, out / "audio" / sound.file, text=text, language=sound.language, speaker=speaker, extra=extra
    )


def _distinct(drafts: Iterable[Draft], left_out: dict[str, list[str]]) -> list[Draft]:
    """One of each group of equal recordings, with a label if any has; none where the labels contradict each other."""
    groups: dict[bytes, list[Draft]] = {}
    for path, utterance in drafts:
        if path.is_file():
            groups.setdefault(path.read_bytes(), []).append((path, utterance))
    kept = []
    for group in groups.values():
        best = next((draft for draft in group if _label(draft[1])), group[0])
        agree = len({_label(utterance) for _, utterance in group} - {None}) < 2
        kept += [best] if agree else []
        if others := [draft[1].id for draft in group if not (agree and draft is best)]:
            left_out.setdefault(DUPLICATE if agree else TWO_TRANSCRIPTS, []).extend(others)
    return kept


def _label(utterance: Utterance) -> tuple[str | None, str] | None:
    """What an utterance is said to be; None where nobody knows."""
    label = utterance.text or utterance.extra.get("letter")
    return (utterance.language, str(label)) if label else None
