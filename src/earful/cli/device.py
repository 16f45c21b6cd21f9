"""`--device`: where a command computes."""

from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda or cuda:N.", metavar="DEVICE")]
