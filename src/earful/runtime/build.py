"""From a model folder to an ONNX model: raw samples in, log-probabilities out, windows and all; without torch."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from earful.runtime.encoders import Frames, encoder, framed, whisper
from earful.runtime.graph import Arrays, Graph, Kind, large_of, model_of
from earful.runtime.kinds import Windowing, check_buildable, output_hop_s
from earful.runtime.sound import RATE_HZ, fbank, whisper_logmel
from earful.runtime.weights import Weights

SAMPLES, LENGTHS, LOGP, COUNTS = "samples", "lengths", "log_probs", "log_probs_lengths"


def window_graph(
    graph: Graph, config: Mapping[str, Any], windowing: Windowing, samples_BT: str, lengths_B: str
) -> Frames:
    """The whole model on one window: log-probabilities `[B, F, V]` of samples `[B, T]`."""
    features = config["features"]
    hidden_s = output_hop_s(config) * config["upsampling"]
    longest = math.ceil(windowing.longest_s / hidden_s) + 1
    if "kind" in features:
        mel_BMF, counts_B = whisper_logmel(graph, samples_BT, lengths_B, features["mels"])
        frames = whisper(graph, mel_BMF, counts_B, features)
    else:
        mel_BMF, counts_B = fbank(graph, samples_BT, lengths_B, features)
        frames = framed(graph, graph.op("Transpose", mel_BMF, perm=[0, 2, 1]), counts_B)
    hidden = encoder(graph, frames, config["encoder"], longest)
    wide = graph.linear(hidden.x, "upsample.expand")
    width = config["encoder"]["width"]
    flat = graph.op("Reshape", wide, graph.constant([0, -1, width]))
    counts_B = graph.op("Mul", hidden.counts, graph.constant([config["upsampling"]]))
    logp_BFV = graph.op("LogSoftmax", graph.linear(flat, "heads.text"), axis=-1)
    return Frames(logp_BFV, counts_B, None)


def window_model(
    config: Mapping[str, Any],
    weights: Weights,
    windowing: Windowing,
    *,
    kind: Kind = "float32",
    fused: bool = True,
    apart: bool = True,
) -> tuple[onnx.ModelProto, Arrays]:
    """A single window: `samples` `[1, T]` → `log_probs` `[1, F, V]`. earful itself runs this model.

    The second value are the large constants by name. With `apart` the model does not contain them; the session gets
    them.
    """
    check_buildable(config, windowing.longest_s)
    graph = Graph(weights, kind, fused)
    lengths_B = graph.size(SAMPLES, 1)
    found = window_graph(graph, config, windowing, SAMPLES, lengths_B)
    kept = graph.slice(found.x, graph.constant([0]), found.counts, 1)
    graph.nodes.append(helper.make_node("Identity", [kept], [LOGP]))
    inputs = [helper.make_tensor_value_info(SAMPLES, TensorProto.FLOAT, [1, "samples"])]
    outputs = [helper.make_tensor_value_info(LOGP, TensorProto.FLOAT, [1, "frames", _size(weights)])]
    return model_of(graph, "earful_window", inputs, outputs, apart=apart), large_of(graph)


def recording_model(
    config: Mapping[str, Any],
    weights: Weights,
    windowing: Windowing,
    *,
    kind: Kind = "float32",
    batched: bool = True,
    level: float = 1.0,
    repeated: int = 1,
) -> onnx.ModelProto:
    """Recordings of any length, window by window as in earful, with operators of the standard only.

    `samples` `[B, T]` and `lengths` `[B]` → `log_probs` `[B, F, V]` and `log_probs_lengths` `[B]`. If not `batched`
    there are no lengths, and B is 1. Samples are multiplied by `level`, frames `repeated`.
    """
    check_buildable(config, windowing.longest_s)
    graph = Graph(weights, kind, batched=batched)
    lengths_B = LENGTHS if batched else graph.size(SAMPLES, 1)
    size = round(windowing.window_s * RATE_HZ)
    windows = graph.at_least(graph.divided_up(graph.size(SAMPLES, 1), size), 1)
    none_BFV = graph.op(
        "ConstantOfShape",
        graph.op("Concat", graph.size(SAMPLES, 0), graph.constant([0, _size(weights)]), axis=0),
        value=numpy_helper.from_array(np.zeros(1, np.float32)),
    )
    none_B = graph.op("Mul", lengths_B, graph.constant([0]))
    body = _body(graph, config, windowing, lengths_B, level)
    trips = graph.op("Squeeze", windows, graph.constant([0]))
    logp_BFV, counts_B = graph.ops("Loop", trips, "", none_BFV, none_B, count=2, body=body)
    if repeated > 1:
        logp_BFV, counts_B = _repeated(graph, logp_BFV, counts_B, repeated, _size(weights))
    graph.nodes.append(helper.make_node("Identity", [logp_BFV], [LOGP]))
    batch = "batch" if batched else 1
    inputs = [helper.make_tensor_value_info(SAMPLES, TensorProto.FLOAT, [batch, "samples"])]
    outputs = [helper.make_tensor_value_info(LOGP, TensorProto.FLOAT, [batch, "frames", _size(weights)])]
    if batched:
        graph.nodes.append(helper.make_node("Identity", [counts_B], [COUNTS]))
        inputs.append(helper.make_tensor_value_info(LENGTHS, TensorProto.INT64, ["batch"]))
        outputs.append(helper.make_tensor_value_info(COUNTS, TensorProto.INT64, ["batch"]))
    return model_of(graph, "earful_recording", inputs, outputs)


def _body(
    graph: Graph, config: Mapping[str, Any], windowing: Windowing, lengths_B: str, level: float
) -> onnx.GraphProto:
    """One iteration of the loop: it processes a window with its context, and appends the window's own frames."""
    body = Graph(graph.weights, graph.kind, batched=graph.batched, constants=graph.constants, prefix="window_")
    size, around = (round(s * RATE_HZ) for s in (windowing.window_s, windowing.context_s))
    begin = body.op("Mul", body.op("Unsqueeze", "turn", body.constant([0])), body.constant([size]))
    first = body.at_least(body.op("Sub", begin, body.constant([around])), 0)
    end = body.op("Add", begin, body.constant([size]))
    last = body.at_most(body.op("Add", end, body.constant([around])), body.size(SAMPLES, 1))
    content_BT = body.slice(SAMPLES, first, last, 1)
    content_BT = body.op("Mul", content_BT, body.constant(level)) if level != 1.0 else content_BT
    heard_B = body.at_most(body.at_least(body.op("Sub", lengths_B, first), 0), body.op("Sub", last, first))
    found = window_graph(body, config, windowing, content_BT, heard_B)
    unit = body.constant([round(output_hop_s(config) * RATE_HZ)])
    before = body.op("Div", body.op("Sub", begin, first), unit)
    own = body.op("Div", body.constant([size]), unit)
    rest_B = body.at_least(body.op("Sub", found.counts, before), 0)
    own_B = body.op("Where", body.op("LessOrEqual", lengths_B, end), rest_B, own)
    own_B = body.op("Where", body.op("LessOrEqual", lengths_B, begin), body.constant([0]), own_B)
    own_BFV = body.slice(found.x, before, body.op("Add", before, own), 1)
    outputs = [body.op("Concat", "said", own_BFV, axis=1), body.op("Add", "said_counts", own_B)]
    outputs = [body.op("Identity", "go_on"), *outputs]
    kinds = (TensorProto.BOOL, TensorProto.FLOAT, TensorProto.INT64)
    shapes: tuple[list[Any], ...] = ([], [None, None, None], [None])
    made = [helper.make_tensor_value_info(*each) for each in zip(outputs, kinds, shapes, strict=True)]
    names = ("go_on", "said", "said_counts")
    taken = [helper.make_tensor_value_info(*each) for each in zip(names, kinds, shapes, strict=True)]
    turn = helper.make_tensor_value_info("turn", TensorProto.INT64, [])
    return helper.make_graph(body.nodes, "window", [turn, *taken], made)


def _repeated(graph: Graph, logp_BFV: str, counts_B: str, times: int, size: int) -> tuple[str, str]:
    """Each frame so many times, for a target with frames of another length."""
    apart = graph.op("Unsqueeze", logp_BFV, graph.constant([2]))
    several = graph.op("Expand", apart, graph.constant([1, 1, times, 1]))
    return graph.op("Reshape", several, graph.constant([0, -1, size])), graph.op(
        "Mul", counts_B, graph.constant([times])
    )


def _size(weights: Weights) -> int:
    """The number of symbols including the blank."""
    return len(weights["heads.text.weight"].values)
