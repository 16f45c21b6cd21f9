"""What `earful adapt` learns from beside the clips: what espeak-ng says, and recordings without transcripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.numbers import MOST_COUNT
from earful.cli.tables import counted

if TYPE_CHECKING:
    from earful.adapt.self_train import Beside

Speak = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_COUNT, help="Also learn from N sentences spoken by espeak-ng.", metavar="N"),
]
Unlabelled = Annotated[
    Path | None, typer.Option(help="Also learn from recordings without transcripts.", metavar="FOLDER")
]


def in_words(beside: "Beside") -> Iterator[str]:
    """The same for people, a line each."""
    if said := beside.spoken:
        yield f"{counted(said.clips, 'clip')} spoken by espeak-ng, {said.seconds:.0f} s"
    if trusted := beside.believed:
        unused = "" if trusted.kept or not trusted.clips else ", but they did not lower CER, so they were left out"
        every = counted(trusted.clips + trusted.refused, "clip")
        yield f"{trusted.clips} of {every} without transcripts believed, {trusted.seconds:.0f} s{unused}"
