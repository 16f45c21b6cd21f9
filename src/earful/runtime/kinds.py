"""The models that a graph can represent, and the properties of a graph without building it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from earful.errors import CheckpointError

STRIDE_S = 0.020
"""Seconds from one frame of Whisper's layers to the next."""


@dataclass(frozen=True)
class Windowing:
    """The windows of a recording: their length, and the context on either side, in seconds."""

    window_s: float
    context_s: float

    @property
    def longest_s(self) -> float:
        """The longest input of the graph."""
        return self.window_s + 2 * self.context_s


def check_buildable(config: Mapping[str, Any], longest_s: float) -> None:
    """Raise CheckpointError, with the reason, if no graph can be made of a model for inputs of `longest_s`."""
    features = config["features"]
    if "kind" not in features:
        return
    if features["kind"] != "whisper":
        raise CheckpointError(
            f"no graph is made of models on a {features['kind']} encoder; adapt earful-base, or one on Whisper"
        )
    most_s = (features["positions"] - features["bed"]) * STRIDE_S
    if most_s < longest_s:
        raise CheckpointError(
            f"its encoder hears {most_s:g} s at once beside its bed, windows are {longest_s:g} s long; "
            "adapt a base with a shorter bed"
        )


def output_hop_s(config: Mapping[str, Any]) -> float:
    """Seconds from one output frame to the next (`ModelConfig.output_hop_s`)."""
    features = config["features"]
    hop_s = features["hop_s"] if "hop_s" in features else STRIDE_S * features["pool"]
    return float(hop_s * config["encoder"]["subsampling"] / config["upsampling"])
