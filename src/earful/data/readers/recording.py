"""The recording that a file of annotations is of, found by its name."""

from collections.abc import Iterable
from pathlib import Path

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


def first_there(places: Iterable[Path]) -> Path | None:
    """The first of these files that exists."""
    return next((place for place in places if is_there(place) and place.is_file()), None)
