"""Clips, which tiers of annotations they are, and what in their folder is not read: a line each on stderr."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.progress import note, progress, warn

if TYPE_CHECKING:
    from earful.data.clips import Clips
    from earful.data.manifest import Manifest

TierName = Annotated[
    str | None,
    typer.Option(
        "--tier",
        help="Which tier of annotations (ELAN, Praat) to read, by name, type or glob; automatic by default.",
        metavar="NAME|TYPE",
    ),
]
SpeakerTier = Annotated[
    str | None, typer.Option(help="The tier of annotations that names the speakers.", metavar="NAME")
]
Drop = Annotated[
    str | None,
    typer.Option(
        help="Remove matches of this regular expression from the transcripts; from annotations, marks such as [laughs] "
        "and xxx are removed by default ('' for none).",
        metavar="REGEX",
    ),
]


def clips_of(
    path: Path,
    tier: str | None = None,
    speaker_tier: str | None = None,
    drop: str | None = None,
    *,
    unlisted: bool = True,
) -> "Manifest":
    """Read clips in any form, and say which tier was read, and what in their folder was not. Raises ManifestError.

    Without `unlisted` sound that a list of clips does not name is no matter: it is learned from.
    """
    from earful.data.readers.leftovers import left_over

    clips = clips_in(path, tier, speaker_tier, drop)
    for finding in clips.findings:
        tell = note if finding.severity == "note" else warn
        tell(f"{finding.where}: {finding.message}; {finding.remedy}")
    for group in left_over(path, clips.manifest, clips.files, unlisted=unlisted):
        warn(f"{path}: {group}")
    return clips.manifest


def clips_in(path: Path, tier: str | None = None, speaker_tier: str | None = None, drop: str | None = None) -> "Clips":
    """Read clips in any form; where that fails, what cannot be read may be why: it is named. Raises ManifestError."""
    from earful.data.clips import read_with_findings
    from earful.data.tiers import Choice
    from earful.errors import ManifestError

    try:
        with progress() as tell:
            return read_with_findings(
                path, Choice(tier, speaker_tier, drop), lambda done, of: tell("laying out sound", done, of)
            )
    except ManifestError:
        name_unread(path)
        raise


def name_unread(place: Path) -> None:
    """Warn of sound and video in a folder of recordings that cannot be read; nothing for a file."""
    from earful.data.readers.leftovers import grouped, unread_media

    if place.is_dir():
        for group in grouped(place, unread_media(place)):
            warn(f"{place}: {group}")
