"""The exported model, and the checks for all targets."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from earful.errors import CheckpointError, ExportError
from earful.features.windows import CONTEXT_S, WINDOW_S
from earful.folders import CARD, WEIGHTS, locate, read_card
from earful.runner import writing_in
from earful.runtime.kinds import Windowing, check_buildable
from earful.runtime.weights import Stored, read_weights
from earful.transcriber import Writing

WINDOWING = Windowing(WINDOW_S, CONTEXT_S)
NOTICE = "NOTICE"
WHISPER = "The encoder is that of OpenAI's Whisper (MIT License, Copyright (c) 2022 OpenAI, https://github.com/openai/whisper)."


@dataclass(frozen=True)
class Source:
    """A model folder: its card, its writing, its weights, and its name as given."""

    name: str
    folder: Path
    card: dict[str, Any]
    writing: Writing
    weights: Stored

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the model."""
        return dict(self.card["config"])

    @property
    def about(self) -> dict[str, Any]:
        """The history of the model."""
        return dict(self.card.get("about") or {})

    @property
    def licences(self) -> str:
        """The authors of parts of the model, besides the user, in words; "" if there are none."""
        return WHISPER if self.config["features"].get("kind") == "whisper" else ""


def read_source(model: str | Path) -> Source:
    """Read a model folder or a shipped base. Raises CheckpointError: there is none, or it is damaged."""
    folder = locate(model)
    card = read_card(folder / CARD)
    return Source(str(model), folder, card, writing_in(folder, card), read_weights(folder / WEIGHTS))


def check_graph(source: Source, target: str) -> None:
    """Refuse models that no graph can represent, with the remedy. Raises ExportError."""
    name, rules = source.name, source.writing.rules
    if "inner" in source.card:
        raise ExportError(f"{name}: is a base that has learned how to be adapted, not a recogniser; adapt it first")
    about = source.about
    if about.get("untrained") or ("pretrained" in about and not {"languages", "adapted"} & about.keys()):
        raise ExportError(f"{name}: is a base that writes no letters yet; adapt it first")
    if rules.writing != "given":
        raise ExportError(
            f"{name}: hears pinyin, and turns it into what it writes afterwards, which {target} does not do; "
            "export to huggingface, or transcribe with earful"
        )
    try:
        check_buildable(source.config, WINDOWING.longest_s)
    except CheckpointError as error:
        raise ExportError(f"{name}: {error}") from error


def version() -> str:
    """The version of earful."""
    return metadata.version("earful")
