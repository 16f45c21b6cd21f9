"""`earful serve`: a server with OpenAI's routes, and a studio in the browser."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

MOST_PORT = 65535
MODELS_HELP = "Model folders to serve, in addition to the shipped bases and the models made here."
TOKEN_HELP = "The token that clients must send; by default a random one if HOST can be reached from other machines."
NAME_HELP = "Another host name of this server, for browsers; may be repeated."


def serve(
    models: Annotated[
        list[Path] | None, typer.Argument(help=MODELS_HELP, metavar="MODEL_FOLDER", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.", metavar="HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=MOST_PORT, help="The port.", metavar="PORT")] = 8700,
    home: Annotated[
        Path | None,
        typer.Option(help="The folder for recordings, models and the database.", metavar="DIR", show_default=False),
    ] = None,
    wyoming: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PORT, help="Also serve the Wyoming protocol on this port.", metavar="PORT"),
    ] = None,
    token: Annotated[str | None, typer.Option(help=TOKEN_HELP, metavar="TOKEN", envvar="EARFUL_TOKEN")] = None,
    name: Annotated[list[str] | None, typer.Option(help=NAME_HELP, metavar="NAME")] = None,
    originals: Annotated[
        bool, typer.Option("--originals/--no-originals", help="Also keep recordings in their original format.")
    ] = True,
) -> None:
    """Serve models to other programs, and the studio to browsers.

    The command prints an address. Its page is the studio: record, correct, adapt. Clients of OpenAI's API use the same
    address with /v1; /docs lists all routes. By default only programs on this machine can connect. With another HOST
    clients need a token, which is part of the printed address.

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
