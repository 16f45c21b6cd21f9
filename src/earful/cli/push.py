"""`earful push`: upload an export to the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer

from earful.cli.tables import print_json


def push(
    folder: Annotated[
        Path, typer.Argument(help="The folder that `earful export --to huggingface` wrote.", metavar="DIR")
    ],
    name: Annotated[str, typer.Argument(help="The repository: OWNER/NAME.", metavar="NAME")],
    private: Annotated[bool, typer.Option("--private", help="Only you can see it.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Upload an exported model to the Hugging Face hub for others to use (`earful export` makes the folder).

    \b
    Example:
        earful push my-model-hub me/my-language
    """
    from earful.export.huggingface import push as pushed

    address = pushed(folder, name, private=private)
    if json:
        print_json({"address": address, "base": f"hf-model:{name}"})
    else:
        print(f"{address}; others adapt it with: earful adapt CLIPS --base hf-model:{name} --out MODEL")
