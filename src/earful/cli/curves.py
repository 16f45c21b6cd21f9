"""Curves for TensorBoard: numbers by name, step after step, into its files (the optional package tensorboardX)."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Draw = Callable[[int, Mapping[str, float | None]], None]
"""`draw(step, {name: value})`: one point of each curve. What is None, or no finite number, is left out."""


@contextmanager
def curves(folder: Path | None) -> Iterator[Draw]:
    """What draws into TensorBoard's files in `folder` while the block runs; without a folder it draws nothing.

    Raises:
        ConfigError: the package that writes them is missing, or the folder cannot be written.
    """
    if folder is None:
        yield lambda step, values: None
        return
    from earful.errors import ConfigError, install

    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ConfigError(f"curves need the optional package tensorboardX: {install('curves')}") from None
    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise ConfigError(f"{folder}: curves cannot be written there ({error}); give another folder") from error
    with writer:

        def draw(step: int, values: Mapping[str, float | None]) -> None:
            for name, value in values.items():
                if value is not None and math.isfinite(value):
                    writer.add_scalar(name, value, step)

        yield draw
