"""The recording that a file of annotations is of, found by its name."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
    """The recording that a file of annotations names: by its path or name, with or without a suffix; None without."""
    place = Path(unquote(urlsplit(link).path if "://" in link else link).replace("\\", "/"))
    name = place.name
    return first_there((folder / place, folder / name, *(folder / (name + suffix) for suffix in _LIKELY)))


def first_there(places: Iterable[Path]) -> Path | None:
    """The first of these files that exists."""
    return next((place for place in places if is_there(place) and place.is_file()), None)
