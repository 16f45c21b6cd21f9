"""Clips, and the files in their folder that are not read: named on stderr, a line for each reason."""

from pathlib import Path
from typing import TYPE_CHECKING

from earful.cli.progress import warn

if TYPE_CHECKING:
    from earful.data.manifest import Manifest


def clips_of(path: Path, *, unlisted: bool = True) -> "Manifest":
    """Read clips in any form, and warn of what lies beside them in their folder. Raises ManifestError.

    Without `unlisted` sound that a list of clips does not name is no matter: it is learned from.
    """
    from earful.data.readers.leftovers import left_over

    manifest = clips_in(path)
    for group in left_over(path, manifest, unlisted=unlisted):
        warn(f"{path}: {group}")
    return manifest


def clips_in(path: Path) -> "Manifest":
    """Read clips in any form; where that fails, what cannot be read may be why: it is named. Raises ManifestError."""
    from earful.data.clips import read_clips
    from earful.errors import ManifestError

    try:
        return read_clips(path)
    except ManifestError:
        name_unread(path)
        raise


def name_unread(place: Path) -> None:
    """Warn of sound and video in a folder of recordings that cannot be read; nothing for a file."""
    from earful.data.readers.leftovers import grouped, unread_media

    if place.is_dir():
        for group in grouped(place, unread_media(place)):
            warn(f"{place}: {group}")
