"""`earful suggest`: which recordings to transcribe next."""

import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earful.cli.device import Device
from earful.cli.leftovers import Drop, SpeakerTier, TierName, name_unread
from earful.cli.leftovers import clips_of as transcripts_of
from earful.cli.numbers import MOST_COUNT, finite
from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted, percent, print_json, print_table, within
from earful.cli.transcribe import write

if TYPE_CHECKING:
    from earful.adapt.suggest import Suggested, Suggestion
    from earful.checkpoint import Checkpoint
    from earful.data.manifest import Manifest
    from earful.data.utterance import Utterance

COUNT, NAMED, SHOWN = 20, 10, 6
SUFFIXES = (".csv", ".tsv", ".jsonl")
COLUMNS = ("path", "start", "duration", "text", "heard")
Count = Annotated[
    int | None,
    typer.Option("--count", "-n", min=1, max=MOST_COUNT, help=f"Suggest N clips ({COUNT}).", metavar="N"),
]


def suggest(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    audio: Annotated[Path, typer.Argument(help="A folder of recordings, or a manifest of them.", metavar="AUDIO")],
    count: Count = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="Suggest S seconds of speech instead of N clips.", metavar="S", min=0.0, callback=finite),
    ] = None,
    transcribed: Annotated[
        Path | None, typer.Option(help="Clips that have transcripts already.", metavar="CLIPS")
    ] = None,
    tier: TierName = None,
    speaker_tier: SpeakerTier = None,
    drop: Drop = None,
    cut: Annotated[
        bool, typer.Option("--cut", help="Cut recordings of more than 15 s at their pauses (extra `vad`).")
    ] = False,
    device: Device = "cpu",
    out: Annotated[Path | None, typer.Option(help="A table to fill in: .csv, .tsv or .jsonl.", metavar="TABLE")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace TABLE where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Suggest which recordings to transcribe next: those that teach the most for their length (experimental).

    MODEL decodes every clip of AUDIO. Clips are chosen one by one, each time the clip that adds most for its length:
    sounds that earlier clips lack, other voices, and speech that a recogniser is unsure of. TABLE has a column `text`
    for you to fill in, and a column `heard` with the output of the model: phones of a base, or a draft of a recogniser.
    Then `earful adapt TABLE` learns from the lines with a text, and --transcribed TABLE suggests the next ones.

    \b
    Examples:
        earful suggest earful-base recordings -n 20 --out todo.csv
        earful suggest my-model recordings --transcribed todo.csv --seconds 300
    """
    from earful.adapt.suggest import suggest as choose
    from earful.checkpoint import load_checkpoint
    from earful.device import device_of
    from earful.errors import ConfigError

    if None not in (count, seconds):
        raise ConfigError("-n and --seconds both say how much to suggest; give one of them")
    if out is not None:
        check_table(out, overwrite)
    checkpoint = load_checkpoint(model).on(device_of(device))
    known = with_texts(transcribed, tier, speaker_tier, drop) if transcribed else None
    wanted = COUNT if count is None and seconds is None else count
    with progress() as tell:
        clips = clips_of(audio, cut, tell)
        found = choose(checkpoint, clips, count=wanted, seconds=seconds, known=known, tell=tell)
        heard = drafts(checkpoint, found, tell) if out or json else []
    report_left_out(found, cut)
    if count is not None and count > len(found.suggestions):
        warn(f"{count} clips were asked for, there are {len(found.suggestions)} to suggest: all are ranked")
    if out is not None:
        write_table(out, found.suggestions, heard)
    if json:
        print_json(summary(model, found, heard, out))
    else:
        print_suggestions(found, audio, out)


def clips_of(audio: Path, cut_long: bool, tell: Tell) -> "Manifest":
    """The clips of a folder or manifest; `cut_long` cuts recordings that are too long into stretches of speech.

    Raises ManifestError where there are none.
    """
    from earful.adapt.suggest import LONGEST_S
    from earful.data.manifest import Manifest
    from earful.data.readers.sound import timed
    from earful.data.untranscribed import Skipped, cut, read_recordings

    name_unread(audio)
    clips = timed(read_recordings(audio))
    if not cut_long:
        return clips
    skipped = list[Skipped]()
    long = {clip.id for clip in clips if (clip.duration_s or 0.0) > LONGEST_S}

    def parts() -> "Iterator[Utterance]":
        for number, clip in enumerate(clips):
            tell("cutting", number, len(clips))
            yield from cut([clip], skip=skipped.append) if clip.id in long else [clip]

    found = Manifest(tuple(parts()))
    for each in skipped:
        warn(f"left out {each.path}: {each.reason}")
    return found


def with_texts(
    transcribed: Path, tier: str | None = None, speaker_tier: str | None = None, drop: str | None = None
) -> "Manifest":
    """The clips with a transcript. Raises ManifestError if none has one."""
    from earful.errors import ManifestError

    known = transcripts_of(transcribed, tier, speaker_tier, drop, unlisted=False).filter(
        lambda clip: (clip.text or "").strip()
    )
    if not known:
        raise ManifestError(f"{transcribed}: no clip has a transcript yet; fill some in, or leave --transcribed out")
    return known


def drafts(checkpoint: "Checkpoint", found: "Suggested", tell: Tell) -> list[str]:
    """A draft of each suggested clip: the transcript of a recogniser, or the phones of a base with spaces between."""
    from earful.adapt.start import is_recognizer
    from earful.audio.files import read
    from earful.recognizer import Recognizer

    if not is_recognizer(checkpoint):
        between = "" if checkpoint.config.phones is None else " "
        return [between.join(each.heard).strip() for each in found.suggestions]
    recognizer, texts = Recognizer(checkpoint), list[str]()
    for each in found.suggestions:
        samples_T = read(each.clip.audio, each.clip.start_s, each.clip.duration_s, each.clip.channel)
        texts.append(recognizer.transcribe(samples_T).text)
        tell("writing drafts", len(texts), len(found.suggestions))
    return texts


def report_left_out(found: "Suggested", was_cut: bool) -> None:
    """Warn about clips that were not suggested: damaged files by name, the others by number."""
    from earful.adapt.suggest import TOO_LONG, UNREADABLE

    unreadable = [each for each in found.left_out if each.reason == UNREADABLE]
    for each in unreadable[:NAMED]:
        warn(f"left out {each.clip.audio}: {each.detail}")
    for reason, number in Counter(each.reason for each in found.left_out).items():
        remedy = "; --cut cuts them at their pauses" if reason == TOO_LONG and not was_cut else ""
        if reason != UNREADABLE or number > NAMED:
            warn(f"left out {counted(number, 'clip')}: {reason}{remedy}")


def print_suggestions(found: "Suggested", audio: Path, out: Path | None) -> None:
    """Print one line per clip, with the reasons, and the totals."""
    folder = audio if audio.is_dir() else audio.parent
    parts = any(each.clip.start_s for each in found.suggestions)
    start = (">from",) if parts else ()
    rows = (
        (
            rank,
            within(folder, each.clip.audio),
            *([f"{each.clip.start_s:.1f} s"] if parts else []),
            f"{each.clip.duration_s or 0.0:.1f} s",
            new_in(each),
            percent(each.unsure),
            percent(each.unlike),
        )
        for rank, each in enumerate(found.suggestions, 1)
    )
    print_table((">", "clip", *start, ">lasts", "new sounds", ">unsure", ">unlike others"), rows)
    where = f"; write what is said into the column text of {out}" if out else ""
    print(f"{counted(len(found.suggestions), 'clip')} of {found.candidates}, {found.seconds:.1f} s of speech{where}")


def new_in(suggestion: "Suggestion") -> str:
    """The new sounds of a clip, and the number of new pairs.

    >>> new_in(Suggestion(Utterance("a", Path("a.wav")), ("a", "b"), ("b",), 2, 0.1, 1.0))  # doctest: +SKIP
    'b, 2 pairs'
    """
    new = [sound for sound in suggestion.new_sounds if not sound.isspace()]
    sounds = " ".join(new[:SHOWN]) + (" …" if len(new) > SHOWN else "")
    return ", ".join(filter(None, (sounds, counted(suggestion.new_pairs, "pair"))))


def summary(model: str, found: "Suggested", heard: Sequence[str], out: Path | None) -> dict[str, Any]:
    """What `--json` prints. The keys stay."""
    from earful.adapt.suggest import UNREADABLE

    clips = [
        {
            "rank": rank,
            "path": str(each.clip.audio),
            "start": each.clip.start_s,
            "duration": each.clip.duration_s,
            "id": each.clip.id,
            "heard": text,
            "new_sounds": list(each.new_sounds),
            "new_pairs": each.new_pairs,
            "unsure": round(each.unsure, 4),
            "unlike": round(each.unlike, 4),
        }
        for rank, (each, text) in enumerate(zip(found.suggestions, heard, strict=True), 1)
    ]
    unreadable = [
        {"path": str(each.clip.audio), "reason": each.detail} for each in found.left_out if each.reason == UNREADABLE
    ]
    return {
        "model": model,
        "suggested": clips,
        "speech_seconds": round(found.seconds, 2),
        "candidates": found.candidates,
        "left_out": dict(Counter(each.reason for each in found.left_out)),
        "unreadable": unreadable,
        "table": None if out is None else str(out),
    }


def check_table(out: Path, overwrite: bool) -> None:
    """Check before any work that the table can be written. Raises ManifestError."""
    from earful.errors import ManifestError

    if out.suffix.lower() not in SUFFIXES:
        raise ManifestError(f"{out}: a table is {', '.join(SUFFIXES)}; give the file one of these suffixes")
    if out.exists() and not (overwrite and out.is_file()):
        raise ManifestError(f"{out}: exists already, perhaps with transcripts; name another file, or add --overwrite")
    if not os.access(out.absolute().parent, os.W_OK | os.X_OK):
        raise ManifestError(f"{out}: nothing can be written in {out.absolute().parent}; name another folder")


def write_table(out: Path, suggestions: "Sequence[Suggestion]", heard: Sequence[str]) -> None:
    """Write a table of clips with empty texts to fill in, whole or not at all.

    Sound files inside the table's folder are written relative to it. Raises ManifestError where it cannot be written.
    """
    from earful.data.manifest import write_manifest

    clips = [each.clip for each in suggestions]
    if out.suffix.lower() == ".jsonl":
        pairs = zip(clips, heard, strict=True)
        write_manifest(out, [replace(clip, text="", extra={**clip.extra, "heard": text}) for clip, text in pairs])
        return
    rows = (
        (
            within(out.absolute().parent, clip.audio.absolute()),
            round(clip.start_s, 3),
            round(clip.duration_s or 0.0, 3),
            "",
            text,
        )
        for clip, text in zip(clips, heard, strict=True)
    )
    write(out, table([COLUMNS, *rows], "\t" if out.suffix.lower() == ".tsv" else ","))


def table(rows: Iterable[Sequence[object]], separator: str) -> str:
    """Rows as CSV or TSV; cells with the separator, a quotation mark or a line end are quoted."""
    import csv

    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue()
