"""The sound files that a table or a folder speaks of: where they are, and how long they last."""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from earful.audio.files import probe
from earful.audio.media import is_installed
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import AudioError

SUFFIXES = (
    ".wav", ".flac", ".ogg", ".opus", ".mp3", ".oga", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64", ".wave",
    ".aifc", ".snd", ".sph", ".voc", ".mp2", ".mpga", ".bwf",
)  # fmt: skip
MEDIA = (  # containers that PyAV reads, where it is installed
    ".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".aac", ".alac", ".wma", ".wmv", ".asf", ".amr", ".awb",
    ".webm", ".weba", ".mkv", ".mka", ".avi", ".flv", ".mpg", ".mpeg", ".ts", ".mts", ".vob", ".ra", ".rm", ".wv",
    ".ape", ".tta", ".mpc", ".ac3", ".dsf",
)  # fmt: skip
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


def is_sound(path: Path) -> bool:
    """Tell by the name whether a file holds sound that is read here."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (suffix in MEDIA and is_installed())


def one_a_name(paths: Iterable[Path]) -> list[Path]:
    """Sound files without the videos, and telephones' files, that another sound file has the name of: it is the same.

    >>> one_a_name([Path("a.mp4"), Path("a.wav"), Path("b.mp4")])
    [PosixPath('a.wav'), PosixPath('b.mp4')]
    """
    paths = list(paths)
    plain = {path.with_suffix("") for path in paths if path.suffix.lower() in SUFFIXES}
    return [path for path in paths if path.suffix.lower() in SUFFIXES or path.with_suffix("") not in plain]


def is_there(path: Path) -> bool:
    """Tell whether a file exists; a name that no file can have is not there (`Path.exists` raises for a long one)."""
    try:
        return path.exists()
    except OSError:
        return False


def locate(folder: Path, name: str | Path) -> Path:
    """Find the sound file `name`, relative to `folder` or absolute; what is not found comes back as it was written.

    A name with accents has two spellings in Unicode (macOS writes ü as two characters, others as one), Windows writes
    backslashes, and some corpora leave the suffix out: all are tried.
    """
    return next((place for place in _spellings(folder, str(name)) if is_there(place)), folder / name)


def timed(utterances: Iterable[Utterance]) -> Manifest:
    """Fill in the durations that are not known, from the headers of the sound files (nothing is decoded).

    The duration of a file that cannot be read stays None: `earful.data.check` says what is wrong with it.
    """
    utterances = tuple(utterances)
    files = sorted({u.audio for u in utterances if u.duration_s is None})
    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
        durations = dict(zip(files, pool.map(_duration_s, files), strict=True))
    return Manifest(tuple(_filled(u, durations.get(u.audio)) for u in utterances))


def _spellings(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    for written in dict.fromkeys((name, name.replace("\\", "/"))):
        for form in _FORMS:
            inside = folder / unicodedata.normalize(form, written)
            whole = Path(unicodedata.normalize(form, str(folder / written)))
            yield from (inside, whole)
            if name and not is_sound(inside):
                yield from (inside.with_name(inside.name + suffix) for suffix in SUFFIXES)


def _duration_s(path: Path) -> float | None:
    try:
        return probe(path).duration_s
    except (AudioError, OSError):
        return None


def _filled(utterance: Utterance, file_s: float | None) -> Utterance:
    if utterance.duration_s is not None or file_s is None or file_s <= utterance.start_s:
        return utterance
    return replace(utterance, duration_s=file_s - utterance.start_s)
