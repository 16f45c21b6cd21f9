"""What `earful adapt` learns from beside the clips: what espeak-ng says, and recordings without transcripts."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.progress import Tell, warn
from earful.cli.tables import counted

if TYPE_CHECKING:
    from earful.adapt.adapt import AdaptReport
    from earful.checkpoint import Checkpoint
    from earful.data.manifest import Manifest

Speak = Annotated[
    int | None, typer.Option(min=1, help="Learn from so many sentences that espeak-ng says, too.", metavar="N")
]
Unlabelled = Annotated[
    Path | None, typer.Option(help="Learn from recordings without transcripts, too.", metavar="FOLDER")
]
FLATTERS = (
    "the recogniser that wrote the recordings down had learned from the clips that measure: the rate after adaptation "
    "flatters a little"
)
Run = Callable[["Manifest | None"], tuple["Checkpoint", "AdaptReport"]]


@dataclass(frozen=True)
class Spoken:
    """How much a synthesiser said."""

    clips: int
    seconds: float


@dataclass(frozen=True)
class Believed:
    """How much of the recordings was believed, and how many clips were not; `kept`: what was learned of them stayed."""

    clips: int
    seconds: float
    refused: int
    kept: bool


@dataclass(frozen=True)
class Beside:
    """What lay beside the clips; None what was not asked for. `--json` prints it: the keys stay."""

    spoken: Spoken | None
    believed: Believed | None


def spoken(
    start: "Checkpoint", count: int, texts: Sequence[str], clips: "Manifest", *, folder: Path, seed: int, tell: Tell
) -> "Manifest":
    """So many sentences of the language, said by espeak-ng: of `texts`, or else random words of its word list.

    What the clips say is not said: those that measure are not to be met in another voice. Nor are sentences with
    figures, which are said otherwise than they are written.

    Raises:
        ConfigError: the language is not known.
        SynthesisError: espeak-ng does not speak it, or is not there; or there are neither texts nor a word list.
    """
    from earful.adapt.resources import of_script
    from earful.data.synthesis.speak import speak_corpus
    from earful.errors import ConfigError

    language = start.config.rules.language
    if not language:
        raise ConfigError("--speak needs to know the language: say --language CODE")
    texts, _ = of_script(texts, clips, start.config.rules)  # `adapt` says so
    sayable = shuffled([text for text in texts if not any(c.isdigit() for c in text)], seed)[:count]
    never = sorted({u.text or "" for u in clips})
    name = hashlib.sha256(json.dumps([sayable, never, seed]).encode()).hexdigest()[:16]
    manifest, _ = speak_corpus(
        [language],
        folder / name,  # an interrupted run goes on with what was said; one with other clips or texts begins anew
        clips=count,
        text=sayable or None,
        invented=0.0,
        exclude=never,
        seed=seed,
        progress=lambda done, total: tell("speaking", done, total),
    )
    return manifest


def can_speak(language: str) -> bool:
    """Whether espeak-ng is there and speaks the language."""
    from earful.data.synthesis.languages import find_language
    from earful.errors import SynthesisError

    try:
        return bool(language and find_language(language))
    except SynthesisError:
        return False


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """In an order of the seed's own, so that the first ones are of all the text."""
    import torch

    order: list[int] = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    return [texts[i] for i in order]


def self_trained(
    run: Run, beside: "Manifest | None", recordings: Path | None, tell: Tell
) -> tuple["Checkpoint", "AdaptReport", Beside]:
    """Adapt. Where there are recordings: write them down, adapt once more with what was believed, keep the better.

    Also answers what lay beside the clips. Raises ManifestError if there is no speech in the recordings.
    """
    from earful.adapt.unlabelled import believed
    from earful.cli.pretrain import speech_in
    from earful.data.manifest import Manifest

    said = None if beside is None else Spoken(len(beside), round(beside.duration_s, 2))
    if recordings is None:
        return *run(beside), Beside(said, None)
    clips = Manifest(tuple(speech_in(recordings, tell)))
    first = run(beside)
    found = believed(first[0], clips, tell=tell)
    if not len(found):
        warn(f"of {counted(len(clips), 'clip')} without transcripts the recogniser is sure of none; left out")
        return *first, Beside(said, Believed(0, 0.0, len(clips), kept=False))
    second = run(Manifest((*(beside or ()), *found)))
    better = rate_of(second[1]) <= rate_of(first[1])
    warn(
        f"of {clips.duration_s / 60:.1f} minutes without transcripts {found.duration_s / 60:.1f} were believed; CER "
        f"{rate_of(first[1]):.1%} without them, {rate_of(second[1]):.1%} with them"
        + ("" if better else ", so they were left out")
    )
    checkpoint, report = second if better else first
    trusted = Believed(len(found), round(found.duration_s, 2), len(clips) - len(found), better)
    if better and report.improved and report.measured != "own clips":  # those flatter more, and are said to
        report = replace(report, warnings=(*report.warnings, FLATTERS))
    return checkpoint, report, Beside(said, trusted)


def in_words(beside: Beside) -> Iterator[str]:
    """The same for people, a line each."""
    if said := beside.spoken:
        yield f"{counted(said.clips, 'clip')} said by espeak-ng, {said.seconds:.0f} s"
    if trusted := beside.believed:
        unused = "" if trusted.kept or not trusted.clips else ", but nothing was gained, so they were left out"
        every = counted(trusted.clips + trusted.refused, "clip")
        yield f"{trusted.clips} of {every} without transcripts believed, {trusted.seconds:.0f} s{unused}"


def rate_of(report: "AdaptReport") -> float:
    """What a user of the recogniser meets."""
    return report.cer_after if report.cer_with_language is None else report.cer_with_language
