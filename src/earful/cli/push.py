"""`earful push`: an export to the hub of Hugging Face's."""

from pathlib import Path
from typing import Annotated

import typer

from earful.cli.tables import print_json


def push(
    folder: Annotated[Path, typer.Argument(help="What `earful export --to huggingface` wrote.", metavar="DIR")],
    name: Annotated[str, typer.Argument(help="The repository: OWNER/NAME.", metavar="NAME")],
    private: Annotated[bool, typer.Option("--private", help="For you alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put an exported model on the hub of Hugging Face's, where others find it (`earful export` makes the folder).

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
