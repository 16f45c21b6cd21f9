"""`earful serve`: a server that other programs know, and a studio in the browser."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

MOST_PORT = 65535
MODELS_HELP = "Model folders to serve beside the shipped bases and what is made here."
TOKEN_HELP = "What clients must send; without it one is made where HOST is not of this machine alone."
NAME_HELP = "Another name by which browsers reach this server; may be given often."


def serve(
    models: Annotated[
        list[Path] | None, typer.Argument(help=MODELS_HELP, metavar="MODEL_FOLDER", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.", metavar="HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=MOST_PORT, help="The port.", metavar="PORT")] = 8700,
    home: Annotated[Path | None, typer.Option(help="Where state is kept.", metavar="DIR", show_default=False)] = None,
    wyoming: Annotated[
        int | None, typer.Option(min=1, max=MOST_PORT, help="Speak Wyoming on this port, too.", metavar="PORT")
    ] = None,
    token: Annotated[str | None, typer.Option(help=TOKEN_HELP, metavar="TOKEN", envvar="EARFUL_TOKEN")] = None,
    name: Annotated[list[str] | None, typer.Option(help=NAME_HELP, metavar="NAME")] = None,
    originals: Annotated[
        bool, typer.Option("--originals/--no-originals", help="Keep recordings as they came, too.")
    ] = True,
) -> None:
    """Serve models to other programs, and the studio to browsers.

    The page at the address that is printed is the studio: record, correct, adapt. Programs that know OpenAI's server
    use the same address with /v1; /docs lists all routes. Only programs of this machine are served, unless another HOST
    is given: then a token is asked for, which is in the address that is printed.

    \b
    Examples:
        earful serve
        earful serve my-model --port 9000
        earful serve my-model --host 0.0.0.0 --name talks.local
    """
    from earful.server.run import run
    from earful.server.settings import Settings, home_of_user, is_loopback, new_token

    secret = token if token is not None else "" if is_loopback(host) else new_token()
    settings = Settings(
        models=tuple(models or ()),
        home=(home or home_of_user()).expanduser().absolute(),
        host=host,
        port=port,
        wyoming_port=wyoming,
        token=secret,
        names=tuple(name or ()),
        keeps_originals=originals,
    )
    print("earful: starting; open the address in a browser, Ctrl-C ends the server", file=sys.stderr)
    run(settings, partial(print, flush=True))  # a program may read the address, too
