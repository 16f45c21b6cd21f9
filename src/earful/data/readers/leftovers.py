"""Files in a folder of recordings that nobody reads, and why: none is left out in silence."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from earful.data.finding import listed
from earful.data.manifest import Manifest
from earful.data.readers import folder
from earful.data.readers.annotations import is_annotation
from earful.data.readers.shards import is_shard
from earful.data.readers.sound import MEDIA, is_sound, one_a_name
from earful.errors import install

_UNREAD = (".ogv", ".dts", ".spx", ".dss", ".qcp", ".silk", ".slk")
_HEADERLESS = (".raw", ".pcm", ".sln", ".vox", ".ul", ".al", ".gsm", ".g722", ".g729")
_TEXTS = (".lab", ".trn", ".docx", ".doc", ".rtf", ".odt", ".pdf")
_MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"caff")

CONVERT = "convert it to WAV or FLAC, as with: ffmpeg -i IN OUT.flac"
INSTALL = f"install PyAV, which reads it, as with: {install('media')} — or {CONVERT}"


class LeftOver(NamedTuple):
    """A file that is not read."""

    path: Path
    reason: str
    remedy: str


class Group(NamedTuple):
    """Files that are left out for one reason; `names` are the first of them, relative to their folder."""

    names: str
    files: int
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"left out {self.names}: {self.reason}; {self.remedy}"


def unread_media(place: Path) -> Iterator[LeftOver]:
    """Sound and video in a folder, and the folders in it, that cannot be read or is not known by its name."""
    files = list(_files(place))
    kept = set(one_a_name(path for path in files if is_sound(path)))
    for path in files:
        suffix = path.suffix.lower()
        if path in kept:
            continue
        if is_sound(path):
            yield LeftOver(path, "a sound file of the same name is read", "to read it, too, give it another name")
            continue
        if suffix in (*MEDIA, *_UNREAD):
            yield LeftOver(path, f"{suffix} is not read", CONVERT if suffix in _UNREAD else INSTALL)
        elif suffix in _HEADERLESS:
            yield LeftOver(path, f"{suffix} has no header, so its rate is unknown", "write it as WAV")
        elif suffix not in (*_TEXTS, ".txt") and not is_annotation(path) and _starts_like_sound(path):
            yield LeftOver(path, "holds sound, but its name does not say so", "give it the suffix of its format")


def left_over(place: Path, used: Manifest, files: Collection[Path] = (), *, unlisted: bool = True) -> tuple[Group, ...]:
    """What lies in a folder of clips beside those that were read of it, grouped by reason; nothing for a file.

    `files` are the files of annotations, or of a data set, that were read.
    A clip without a transcript is no left-over: `earful.data.check` names it. Nor is, without `unlisted`, sound that a
    list of clips does not name: for who learns from it.
    """
    if not place.is_dir():
        return ()
    read = {os.path.abspath(u.audio) for u in used}  # noqa: PTH100 (resolve follows links)
    found = [each for each in unread_media(place) if os.path.abspath(each.path) not in read]  # noqa: PTH100
    known = read | {os.path.abspath(each.path) for each in found}  # noqa: PTH100
    for path in _files(place):
        if unlisted and is_sound(path) and os.path.abspath(path) not in known:  # noqa: PTH100
            found.append(LeftOver(path, "the list of clips does not name it", "add it there, or remove it"))
        if is_annotation(path) and path not in files:
            remedy = "to read it, give its path, or name a tier of it with --tier"
            found.append(LeftOver(path, "another transcript of its recording is read", remedy))
        if is_shard(path) and path not in files:
            found.append(LeftOver(path, "another list of clips is read", "to read it, give its path"))
        if path.suffix.lower() in _TEXTS:
            remedy = "write what is said into a .txt of the recording's name"
            found.append(LeftOver(path, f"{path.suffix} is not read", remedy))
    if any(_has_text(u.audio) for u in used):  # else the texts are in a list
        remedy = "put one of its name there, or remove it"
        found += [LeftOver(path, "no recording beside it", remedy) for path in folder.texts_without_clip(place)]
    return grouped(place, found)


def grouped(place: Path, found: Iterable[LeftOver]) -> tuple[Group, ...]:
    """Files by reason, in order of appearance; of many the first five by name."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path, reason, remedy in found:
        groups.setdefault((reason, remedy), []).append(path.relative_to(place).as_posix())
    return tuple(Group(listed(names), len(names), *why) for why, names in groups.items())


def _has_text(clip: Path) -> bool:
    return any(clip.with_suffix(suffix).exists() for suffix in (".txt", ".TXT"))


def _files(place: Path) -> Iterator[Path]:
    """The files of a folder and the folders in it, sorted, but for hidden ones."""
    for path in sorted(place.rglob("*")):
        if not any(part.startswith(".") for part in path.relative_to(place).parts) and path.is_file():
            yield path


def _starts_like_sound(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head.startswith(_MAGIC) or head[4:8] == b"ftyp"
