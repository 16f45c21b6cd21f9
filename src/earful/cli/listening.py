"""Transcribe a recording for a command, with progress and warnings."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from earful.cli.progress import Tell, warn

if TYPE_CHECKING:
    from earful.audio.channels import Channel
    from earful.transcriber import Transcriber
    from earful.transcript import Transcript


def listen(
    recognizer: "Transcriber", file: Path, channel: "Channel | Literal['each']", denoised: bool, tell: Tell
) -> "Transcript":
    """Transcribe one file in bounded memory, with progress, and with warnings about its sound."""
    from earful.audio.channels import FLOATS, survey
    from earful.audio.files import probe

    info = probe(file)
    several = info.channels > 1
    found = survey(file).warnings if channel == "auto" and (several or info.subtype in FLOATS) else ()
    for warning in (*info.warnings, *found):
        warn(f"{file}: {warning}")

    total_s = info.duration_s * (info.channels if channel == "each" else 1)
    heard_s = 0.0

    def advance(seconds: float) -> None:
        nonlocal heard_s
        heard_s += seconds
        tell(file.name, heard_s, total_s)

    return recognizer.transcribe(file, channel, denoise=denoised, advance=advance)
