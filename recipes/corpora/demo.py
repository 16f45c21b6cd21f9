"""`python -m recipes.corpora demo`: what `earful demo` shows, on people who speak Czech."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.adapt import DEFAULT_BASE
from earful.cli.demo import NEW, Base, Out, Seed, show, start_afresh
from earful.cli.progress import progress

if TYPE_CHECKING:
    from earful.data.manifest import Manifest

CLIPS = 50
SHORTEST_S, LONGEST_S = 1.0, 15.0
NEW_S = (2.0, 6.0)


def demo(
    out: Out = Path("demo"),
    base: Base = DEFAULT_BASE,
    seed: Seed = 0,
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder with the Debian packages.", metavar="FOLDER")
    ] = None,
) -> None:
    """Adapt the base to Czech, on which earful never trained it, and show what it writes before and after.

    People speak: 50 clips of Fish Fillets NG to learn from, every sixth level to measure with. Without --from, the
    Debian packages (105 MB) are downloaded once.

    \b
    Example:
        python -m recipes.corpora demo
    """
    start_afresh(out)
    learn, test = czech(out, source, seed)
    show(learn, test, out, base, seed)


def czech(out: Path, source: Path | None, seed: int) -> "tuple[Manifest, Manifest]":
    """Clips of one to fifteen seconds from the levels to learn from; all of the levels to measure with."""
    import torch

    from recipes.corpora.fillets import fillets, split_levels

    with progress() as tell:
        manifest, _ = fillets("cs", out / "clips", source=source, progress=lambda n, total: tell("copying", n, total))
    learn, test = split_levels(manifest)
    generator = torch.Generator().manual_seed(seed)
    learn, _ = learn.filter(lambda u: SHORTEST_S <= (u.duration_s or 0.0) <= LONGEST_S).split(CLIPS, generator)
    new, _ = test.filter(lambda u: NEW_S[0] <= (u.duration_s or 0.0) <= NEW_S[1]).split(NEW, generator)
    chosen = {u.id for u in new}
    return learn, new + test.filter(lambda u: u.id not in chosen)
