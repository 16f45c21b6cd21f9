"""The recording that a file of annotations is of, found by its name."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from earful.data.readers.sound import MEDIA, SUFFIXES, is_there

_LIKELY = tuple(written for suffix in (*SUFFIXES, *MEDIA) for written in (suffix, suffix.upper()))


def beside(path: Path) -> Path:
    """The recording of the file's name in its folder; where there is none, the name that it would have as WAV.

    `talk.en.srt` may be of `talk.wav`.
    """
    stems = dict.fromkeys((path.stem, path.stem.rpartition(".")[0] or path.stem))
    return first_there(path.with_name(stem + suffix) for stem in stems for suffix in _LIKELY) or path.with_name(
        path.stem + ".wav"
    )


def named(folder: Path, link: str) -> Path | None:
    """The recording that a file of annotations in a folder names: as `places`, with or without a suffix; or None."""
    name = _name(link)
    return first_there((*places(folder, link), *(folder / (name + suffix) for suffix in _LIKELY)))


def places(folder: Path, *links: str) -> Iterator[Path]:
    """Where links, paths or URLs of one file, may lead: to their places, seen from the folder, or their names in it.

    Programs write the characters of a URL plain or escaped, and the paths of Windows with either slash.

    >>> list(map(str, places(Path("talks"), "file:///media/my%20talks/a.wav", "../a.wav")))
    ['/media/my%20talks/a.wav', '/media/my talks/a.wav', 'talks/../a.wav', 'talks/a.wav']
    """
    written = [plain for link in links for plain in _plain(link)]
    yield from dict.fromkeys((*(folder / path for path in written), *(folder / Path(path).name for path in written)))


def _plain(link: str) -> Iterator[str]:
    """The path in a link, as it is and without escapes."""
    raw = re.sub(r"^file:(?://[^/]*(?=/))?", "", link.replace("\\", "/"))
    for path in (raw, unquote(raw)):
        if path and "\0" not in path:
            yield re.sub(r"^/(?=[A-Za-z]:)", "", path)


def _name(link: str) -> str:
    return Path(unquote(link).replace("\\", "/")).name


def first_there(places: Iterable[Path]) -> Path | None:
    """The first of these files that exists."""
    return next((place for place in places if is_there(place) and place.is_file()), None)
