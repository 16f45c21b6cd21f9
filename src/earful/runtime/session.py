"""A session of onnxruntime for one model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    RuntimeException,
)

from earful.errors import CheckpointError
from earful.features.windows import CONTEXT_S, WINDOW_S
from earful.runtime.build import SAMPLES, window_model
from earful.runtime.graph import Kind
from earful.runtime.kinds import Windowing
from earful.runtime.weights import Weights

WINDOWING = Windowing(WINDOW_S, CONTEXT_S)
PARTS = ("backbone", "encoder", "upsample", "heads")
"""The prefixes of the names of weights (`model.AcousticModel`)."""
_MISFITS = (
    *(TypeError, ValueError, ArithmeticError, IndexError, RuntimeError),  # of building: no number, of another shape
    *(Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, RuntimeException),  # of onnxruntime
)
_TRIED = 1600  # samples, a tenth of a second: some milliseconds
_ERRORS = 3  # what onnxruntime logs: errors alone


def session_of(folder: Path, config: Mapping[str, Any], weights: Weights, kind: Kind, threads: int) -> Any:
    """A session for one window. With `threads` 0 there are as many as processors.

    Raises CheckpointError: weights and configuration do not belong together, or no graph can be made of the model.
    """
    if strange := [name for name in weights if name.split(".")[0] not in PARTS]:
        raise CheckpointError(f"{folder}: the weight {strange[0][:60]!r} belongs to no model of earful; copy it again")
    try:
        model, large = window_model(config, weights, WINDOWING, kind=kind)
        options = options_of(threads)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in large.values()]
        options.add_external_initializers(list(large), values)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        session.run(None, {SAMPLES: np.zeros((1, _TRIED), np.float32)})  # what does not fit may show only now
        return session
    except KeyError as error:
        raise CheckpointError(
            f"{folder}: the weight {error.args[0]} is missing; weights and model.json do not belong together"
        ) from error
    except _MISFITS as error:
        raise CheckpointError(f"{folder}: weights and model.json do not fit ({_line(error)}); copy it again") from error


def options_of(threads: int) -> Any:
    """The options of sessions: no output, so many threads, no spinning while idle."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
