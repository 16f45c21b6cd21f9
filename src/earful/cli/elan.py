"""`earful elan`: the recogniser inside ELAN."""

import os
from pathlib import Path
from typing import Annotated

import typer

from earful.cli.tables import print_json

elan = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    help="""Put earful into ELAN, as a recogniser in its panel.

    \b
    Example:
        earful elan install --model my-model
    """,
)


@elan.callback()
def group() -> None:
    """Keep `install` a subcommand, though it is the only one."""


@elan.command(short_help="Install the recogniser into ELAN.")
def install(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A model to offer; may be repeated (earful-base).", metavar="MODEL"),
    ] = None,
    extensions: Annotated[
        Path | None, typer.Option(help="ELAN's folder `extensions`, if it is not found.", metavar="DIR")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Where new models go (~/earful-models).", metavar="DIR")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Install the recogniser into ELAN: transcribe and adapt from its panel.

    If there are several versions of ELAN, the newest gets it. Models from earlier installations stay in its list.
    Restart ELAN, open a recording, and choose “earful” in the tab Recognizers.

    \b
    Examples:
        earful elan install --model my-model
        earful elan install --model my-model --extensions ELAN_7-0/app/extensions
    """
    from earful.elan.install import find_extensions
    from earful.elan.install import install as put
    from earful.errors import ConfigError

    found = [extensions] if extensions else find_extensions(os.environ)
    if not found:
        raise ConfigError("no ELAN found; name its folder: earful elan install --extensions ELAN_7-0/app/extensions")
    if not found[0].absolute().parent.is_dir():
        raise ConfigError(f"{found[0]}: there is no {found[0].absolute().parent}; name ELAN's folder app/extensions")
    done = put(found[0].absolute(), model or ["earful-base"], (home or Path.home() / "earful-models").absolute())
    if json:
        print_json({"folder": str(done.folder), "models": list(done.models), "others": [str(p) for p in found[1:]]})
        return
    print(f"The recogniser is in {done.folder}; it offers {', '.join(done.models)}")
    for other in found[1:]:
        print(f"Not in {other}: to have it there, too, add --extensions {other}")
    print("Start ELAN again; choose earful in the tab Recognizers")
