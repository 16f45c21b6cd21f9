"""What `earful adapt` learns from beside the clips: what espeak-ng says, and recordings without transcripts."""

import hashlib
import json
from collections.abc import Callable, Sequence
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
Run = Callable[["Manifest | None"], tuple["Checkpoint", "AdaptReport"]]


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
    from earful.data.synthesis.speak import speak_corpus
    from earful.errors import ConfigError

    language = start.config.rules.language
    if not language:
        raise ConfigError("--speak needs to know the language: say --language CODE")
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
) -> tuple["Checkpoint", "AdaptReport"]:
    """Adapt. Where there are recordings: write them down, adapt once more with what was believed, keep the better.

    Raises ManifestError if there is no speech in the recordings.
    """
    from earful.adapt.unlabelled import believed
    from earful.cli.pretrain import speech_in
    from earful.data.manifest import Manifest

    if recordings is None:
        return run(beside)
    clips = Manifest(tuple(speech_in(recordings, tell)))
    first = run(beside)
    found = believed(first[0], clips, tell=tell)
    if not len(found):
        warn(f"of {counted(len(clips), 'clip')} without transcripts the recogniser is sure of none; left out")
        return first
    second = run(Manifest((*(beside or ()), *found)))
    better = rate_of(second[1]) <= rate_of(first[1])
    warn(
        f"of {clips.duration_s / 60:.1f} minutes without transcripts {found.duration_s / 60:.1f} were believed; CER "
        f"{rate_of(first[1]):.1%} without them, {rate_of(second[1]):.1%} with them"
        + ("" if better else ", so they were left out")
    )
    return second if better else first


def rate_of(report: "AdaptReport") -> float:
    """What a user of the recogniser meets."""
    return report.cer_after if report.cer_with_language is None else report.cer_with_language
