"""The settings of the extension in ELAN's folder: the models to choose from, and the folder for new ones."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from earful.errors import ConfigError
from earful.reading import read_whole
from earful.writing import replacing

NAME = "settings.json"


@dataclass(frozen=True)
class Settings:
    """`models`: names without spaces, each with a folder or a shipped base; `home`: the folder for new ones."""

    models: Mapping[str, str]
    home: Path


def read_settings(folder: Path) -> Settings:
    """Read the settings. Raises ConfigError if the file is missing or malformed."""
    place = folder / NAME
    try:
        row = json.loads(read_whole(place).decode("utf-8"))
        models = {str(name): str(model) for name, model in row["models"].items()}
        return Settings(models, Path(row["home"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{place}: not as earful wrote it ({error}); run: earful elan install") from None


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the settings, whole or not at all. Raises OSError."""
    row = {"models": dict(settings.models), "home": str(settings.home)}
    with replacing(folder / NAME) as beside:
        beside.write_text(json.dumps(row, ensure_ascii=False, indent=1) + "\n", "utf-8", newline="\n")


def named(model: str, taken: Iterable[str]) -> str:
    """A name for a model in ELAN's list, which splits names at spaces.

    >>> named("models/my model", ["my_model"])
    'my_model-2'
    """
    name = re.sub(r"[^\w.-]+", "_", Path(model).name or model).strip("_") or "model"
    number, free = 1, name
    while free in set(taken):
        number += 1
        free = f"{name}-{number}"
    return free
