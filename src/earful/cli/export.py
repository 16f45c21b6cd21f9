"""`earful export`: a model for another runtime, proved by running it there."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from earful.cli.progress import note, progress
from earful.cli.tables import counted, print_json

if TYPE_CHECKING:
    from earful.export.export import Exported

Target = Literal["onnx", "sherpa-onnx", "onnx-asr", "web", "huggingface"]


def export(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped base.", metavar="MODEL")],
    to: Annotated[Target, typer.Option("--to", help="The runtime to export to.")],
    out: Annotated[Path, typer.Option(help="The folder to write.", metavar="DIR")],
    int8: Annotated[bool, typer.Option("--int8", help="Matrices in int8: a quarter of the size, faster.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="Weights in float16: half the size, equally accurate.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Recordings to compare on: clips, a folder, a file; by default synthetic speech.", metavar="CLIPS"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export in DIR.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Export a model for another runtime, and prove that it gives the same transcripts there.

    onnx is one file for onnxruntime, from raw sound to log-probabilities. sherpa-onnx is a folder for its recogniser,
    on phones and in products. web is a folder with a page that recognises in the browser, offline. huggingface is a
    folder for the hub (`earful push` uploads it). At the end the export itself runs on recordings, and its texts and
    times are compared with earful's. If they differ, nothing is written.

    \b
    Examples:
        earful export my-model --to onnx --out my-model-onnx --check my-clips
        earful export my-model --to sherpa-onnx --int8 --out for-the-phone --check my-clips
        earful export my-model --to web --int8 --out my-page --check my-clips
    """
    from earful.errors import ConfigError
    from earful.export.export import export as made

    if int8 and fp16:
        raise ConfigError("--int8 and --fp16 do not go together; leave one out")
    kind: Literal["float32", "float16", "int8"] = "int8" if int8 else "float16" if fp16 else "float32"
    with progress() as tell:
        found = made(model, to, out, kind=kind, check=check, overwrite=overwrite, tell=tell)
    if json:
        print_json(asdict(found))
        return
    for each in found.notes:
        note(each)
    print(in_words(found))


def in_words(found: "Exported") -> str:
    """The result in one line."""
    size = f"{found.folder}: {found.megabytes:g} MB for {found.target}"
    if not found.recordings:
        return size
    where = f"{counted(found.recordings, 'recording')} ({found.proved_on})"
    if found.arithmetic == "float32":
        return f"{size}; run there, it says what earful says on {where}, times within {1000 * found.off_s:.0f} ms"
    cost = "" if found.cost is None else f", which changes CER by {100 * found.cost:+.2f} points"
    return f"{size} in {found.arithmetic}; run there on {where}, {found.otherwise:.1%} of the letters are others{cost}"
