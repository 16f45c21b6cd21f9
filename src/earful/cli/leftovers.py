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
    from earful.data.clips import read_clips
    from earful.data.readers.leftovers import left_over

    manifest = read_clips(path)
    for group in left_over(path, manifest, unlisted=unlisted):
        warn(f"{path}: {group}")
    return manifest
