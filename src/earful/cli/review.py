"""`earful review`: which drafts in ELAN files to correct first, and how much the corrected ones changed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earful.cli.numbers import MOST_COUNT
from earful.cli.progress import clock, progress, warn
from earful.cli.tables import counted, percent, print_json, print_table

if TYPE_CHECKING:
    from earful.adapt.review import Changes, Review
    from earful.adapt.suggest import Suggestion

COUNT, SHOWN = 20, 60


def review(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    files: Annotated[list[Path], typer.Argument(help="ELAN files with drafts, or folders of them.", metavar="FILES")],
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=MOST_COUNT, help="Number of drafts to list.", metavar="N")
    ] = COUNT,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List drafts in ELAN files to correct first, and how much the corrected ones changed.

    MODEL decodes the drafts that nobody has edited. Drafts whose correction teaches the most for their length come
    first, as in `earful suggest`: those with sounds that no corrected draft has, and with speech that the model is
    unsure of. The error rate is that of the corrected and deleted drafts.

    \b
    Examples:
        earful review my-model talk.eaf
        earful review my-model annotations/ -n 50 --json
    """
    from earful.adapt.review import review as find
    from earful.checkpoint import load_checkpoint

    paths = list(elan_files(files))
    checkpoint = load_checkpoint(model)
    with progress() as tell:
        found = find(checkpoint, paths, count, tell, among=set(paths) - set(files))
    for each in found.broken:
        warn(f"{each.where}: {each.message}; {each.remedy}")
    for reason, number in left_out(found).items():
        warn(f"{counted(number, 'draft')} not suggested: {reason}")
    if found.why_none:
        warn(found.why_none)
    if json:
        print_json(summary(model, found))
    else:
        show(found)


def elan_files(places: Sequence[Path]) -> Iterator[Path]:
    """The given files, and the ELAN files in given folders. Raises ManifestError for a folder without any."""
    from earful.errors import ManifestError

    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(path for path in place.rglob("*") if path.suffix.lower() == ".eaf" and path.is_file())
        if not found:
            raise ManifestError(f"{place}: the folder holds no files of ELAN's (.eaf); name another")
        yield from found


def show(found: "Review") -> None:
    """Print two tables: the drafts to correct, and the state of all drafts."""
    if found.suggested:
        rows = (
            (
                rank,
                each.clip.extra["file"],
                at(each),
                f"{each.clip.duration_s or 0.0:.1f} s",
                percent(each.unsure),
                text(each),
            )
            for rank, each in enumerate(found.suggested.suggestions, 1)
        )
        print_table((">", "file", ">from", ">lasts", ">unsure", "draft"), rows, title="Correct first")
    changed = (
        (
            each.path,
            each.drafts,
            each.untouched,
            each.corrected,
            each.deleted,
            percent(cer) if (cer := cer_of(each)) is not None else "–",
        )
        for each in found.changes
    )
    print_table(("file", ">drafts", ">untouched", ">corrected", ">deleted", ">CER of these"), changed)


def at(suggestion: "Suggestion") -> str:
    """The start of a draft in the time format of ELAN."""
    whole, thousandths = divmod(int(suggestion.clip.extra["at_ms"]), 1000)
    return f"{clock(whole)}.{thousandths:03}"


def text(suggestion: "Suggestion") -> str:
    """The text of a draft, shortened."""
    said = suggestion.clip.text or ""
    return said if len(said) <= SHOWN else f"{said[: SHOWN - 2]} …"


def left_out(found: "Review") -> dict[str, int]:
    """The numbers of drafts that are not suggested, by reason."""
    return dict(Counter(each.reason for each in found.suggested.left_out)) if found.suggested else {}


def cer_of(changes: "Changes") -> float | None:
    """The error rate of the edited drafts; None without any."""
    return None if changes.score is None else changes.score.cer


def summary(model: str, found: "Review") -> dict[str, Any]:
    """What `--json` prints. The keys stay."""
    drafts = [
        {
            "rank": rank,
            "file": each.clip.extra["file"],
            "tier": each.clip.extra["tier"],
            "annotation": each.clip.extra["annotation"],
            "start_ms": each.clip.extra["at_ms"],
            "duration": each.clip.duration_s,
            "unsure": round(each.unsure, 4),
            "text": each.clip.text,
        }
        for rank, each in enumerate(found.suggested.suggestions if found.suggested else (), 1)
    ]
    files = [
        {
            "file": str(each.path),
            "drafts": each.drafts,
            "untouched": each.untouched,
            "corrected": each.corrected,
            "deleted": each.deleted,
            "cer": cer_of(each),
        }
        for each in found.changes
    ]
    broken = [{"file": each.where, "why": each.message, "remedy": each.remedy} for each in found.broken]
    return {
        "model": model,
        "correct_first": drafts,
        "files": files,
        "not_suggested": left_out(found),
        "broken": broken,
    }
