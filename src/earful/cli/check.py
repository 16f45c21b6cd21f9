"""`earful check`: find problems in clips and texts before training."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earful.cli.adapt import DEFAULT_BASE, LANGUAGE_HELP, HowWritten, language_of, written
from earful.cli.leftovers import Drop, SpeakerTier, TierName, clips_in
from earful.cli.progress import progress, warn
from earful.cli.reading import letters, print_reading
from earful.cli.tables import counted, print_json, print_table

MOST_ROWS = 10

if TYPE_CHECKING:
    from earful.data.check import Inspection
    from earful.data.check_reading import TextInspection
    from earful.data.clips import Clips
    from earful.data.finding import Finding
    from earful.data.manifest import Manifest
    from earful.data.readers.leftovers import Group
    from earful.text.normalize import TextRules


def check(
    clips: Annotated[
        Path | None, typer.Argument(help="A manifest, a table, or a folder of clips.", metavar="CLIPS")
    ] = None,
    text: Annotated[Path | None, typer.Option(help="Other text for `adapt --text`, UTF-8.", metavar="FILE")] = None,
    base: Annotated[str, typer.Option(help="The base that you will adapt.", metavar="NAME|DIR")] = DEFAULT_BASE,
    language: Annotated[str | None, typer.Option(help=LANGUAGE_HELP, metavar="CODE")] = None,
    tier: TierName = None,
    speaker_tier: SpeakerTier = None,
    drop: Drop = None,
    writing: HowWritten = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find problems in clips, transcripts and text before `earful adapt` learns from them.

    An error means that a clip or the text cannot be used: `adapt` leaves it out. A warning is worth a look. --text also
    describes a text, and with CLIPS compares it with the transcripts. The exit status is 0 if adaptation can start, 2
    if no clip, or no text, can be used.

    \b
    Examples:
        earful check my-clips
        earful check my-clips --text stories.txt --language sw
    """
    from earful.adapt.resources import missing
    from earful.data.check_reading import inspect_text
    from earful.data.clips import Clips
    from earful.data.manifest import Manifest
    from earful.data.readers.leftovers import left_over
    from earful.errors import ConfigError
    from earful.text.normalize import TextRules

    if not (clips or text):
        raise ConfigError("nothing to check; give CLIPS, --text FILE, or both")
    read = clips_in(clips, tier, speaker_tier, drop) if clips else Clips(Manifest(()))
    manifest = read.manifest
    given = written(language=language or language_of(manifest), writing=writing)
    transcripts = [u.text or "" for u in manifest]
    rules, frame_s = (
        written_by(base, transcripts, given)
        if clips
        else (TextRules(language=language or "", writing=writing or "given"), 0.0)
    )
    reading = inspect_text(text, transcripts, rules) if text else None
    for line in missing(rules.language, words=not text):
        warn(line)
    inspection = (
        with_left_over(inspected(manifest, rules, frame_s), read, left_over(clips, manifest, read.files))
        if clips
        else None
    )
    show(inspection, clips, reading, text, json=json)
    if (inspection and not inspection.usable_clips) or (reading and not reading.usable):
        raise typer.Exit(2)


def show(
    inspection: "Inspection | None",
    clips: Path | None,
    reading: "TextInspection | None",
    text: Path | None,
    *,
    json: bool,
) -> None:
    """Print the findings about clips and text, for those that were given."""
    from earful.config import to_mapping

    if json:
        print_json((summary(inspection) if inspection else {}) | ({"text": to_mapping(reading)} if reading else {}))
        return
    if inspection and clips:
        print_inspection(inspection, clips)
    if reading and text:
        print_reading(reading, text)


def written_by(base: str, transcripts: Sequence[str], given: Mapping[str, str]) -> tuple["TextRules", float]:
    """The text rules of the base with those `given`, and the seconds of one of its output frames.

    The card of a model folder tells both. torch is loaded for bases without one, and for damaged ones.
    """
    from earful.adapt.rules import rules_from
    from earful.errors import CheckpointError
    from earful.folders import CARD, locate, read_card
    from earful.runner import writing_in
    from earful.runtime.kinds import check_buildable

    try:
        folder = locate(base)
        card = read_card(folder / CARD)
        check_buildable(card["config"], 0.0)  # of other encoders the length of a frame is not in the card
        own = writing_in(folder, card, greedy=True)
    except (CheckpointError, KeyError, TypeError):
        from earful.adapt.start import start_from

        config = start_from(base, transcripts, given).config
        return config.rules, config.output_hop_s
    return rules_from(own.rules, card.get("about", {}), given, transcripts), own.hop_s


def inspected(manifest: "Manifest", rules: "TextRules", frame_s: float) -> "Inspection":
    """The clips by these rules, for output frames of `frame_s` seconds; the progress is shown."""
    from earful.data.check import inspect

    heard = itertools.count(1)
    with progress() as tell:

        def advance(count: int) -> None:
            tell("checking", next(heard), len(manifest))

        return inspect(manifest, rules, frame_s, progress=advance)


def with_left_over(inspection: "Inspection", read: "Clips", groups: "Sequence[Group]") -> "Inspection":
    """Add findings about how annotations were read, and about unread files of the folder; notes come last."""
    from earful.data.finding import SEVERITIES, Finding

    said = (f"{counted(g.files, 'file')} left out: {g.reason}" for g in groups)
    more = [
        Finding("warning", "left out", None, group.names, message, group.remedy)
        for group, message in zip(groups, said, strict=True)
    ]
    everything = (*inspection.findings, *more, *read.findings)
    ordered = sorted(everything, key=lambda finding: SEVERITIES.index(finding.severity))
    return replace(inspection, findings=tuple(ordered))


def summary(inspection: "Inspection") -> dict[str, Any]:
    """The part of `--json` about clips. Many findings of one kind become one, with the ids of all its clips."""
    from earful.config import to_mapping
    from earful.data.finding import gathered

    counts = {f"{severity}s": inspection.count(severity) for severity in ("error", "warning", "note")}
    plain: dict[str, Any] = to_mapping(inspection)
    found = [to_mapping(f) | {"clips": list(ids)} for f, ids in gathered(inspection.findings, MOST_ROWS)]
    return counts | plain | {"findings": found}


def print_inspection(inspection: "Inspection", clips: Path) -> None:
    """Print the findings, the worst first, then the summary."""
    if inspection.findings:
        print_table(("", "clip", "what", "what to do"), rows_of(inspection.findings, clips))
    clip_count, minutes = counted(inspection.clips, "clip"), inspection.hours * 60
    print(f"{clip_count}, {minutes:.1f} minutes; {inspection.usable_clips} can be used")
    if inspection.speakers:
        print(f"{counted(len(inspection.speakers), 'speaker')}: {shortened(inspection.speakers)}")
    if inspection.languages:
        print(f"languages: {shortened(inspection.languages)}")
    if inspection.characters_per_s is not None:
        print(f"{inspection.characters_per_s:.1f} characters a second")
    if inspection.alphabet:
        print(f"{counted(len(inspection.alphabet), 'letter')}: {letters(inspection.alphabet)}")
    if inspection.kept:
        print(f"kept as letters: {letters(inspection.kept)}")
    if inspection.dropped:
        print(f"dropped as punctuation: {letters(inspection.dropped)}")
    if not inspection.findings:
        print("Nothing is wrong.")


def rows_of(findings: "Sequence[Finding]", clips: Path) -> Iterator[tuple[str, str, str, str]]:
    """One row per finding; if one kind has many, one row for all of them."""
    from earful.data.finding import gathered

    inside = [replace(finding, where=within(clips, finding.where)) for finding in findings]
    return ((f.severity, f.where, f.message, f.remedy) for f, _ in gathered(inside, MOST_ROWS))


def within(clips: Path, where: str) -> str:
    """A path without the folder of the clips."""
    folder = str(clips if clips.is_dir() else clips.parent)
    return where.removeprefix(f"{folder}{os.sep}")


def shortened(names: tuple[str, ...], most: int = 12) -> str:
    """The first `most` names, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
