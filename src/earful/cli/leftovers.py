"""Files in a folder of clips that are not read: named on stderr, a line for each reason."""

from pathlib import Path
from typing import TYPE_CHECKING

from earful.cli.progress import warn

if TYPE_CHECKING:
    from earful.data.manifest import Manifest


def name_left_over(clips: Path, manifest: "Manifest") -> None:
    """Warn of what lies in the folder `clips` beside the clips that were read of it."""
    from earful.data.readers.leftovers import left_over

    for group in left_over(clips, manifest):
        warn(f"{clips}: {group}")
