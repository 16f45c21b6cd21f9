"""Read clips, and report on stderr which tiers of annotations were read, and which files were not."""

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
    """Read clips in any form; warn about unread files, and name the tier that was read. Raises ManifestError.

    Without `unlisted` there is no warning about sound without a transcript, which is then used for self-training.
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
    """Read clips in any form; after an error also name unreadable files, a likely cause. Raises ManifestError."""
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
    """Warn about unreadable sound and video in a folder of recordings; `place` may be a file, too."""
    from earful.data.readers.leftovers import grouped, unread_media

    if place.is_dir():
        for group in grouped(place, unread_media(place)):
            warn(f"{place}: {group}")
