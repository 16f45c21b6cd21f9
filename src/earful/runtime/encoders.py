"""The encoders of `earful.encoder` as graphs, from frames `[B, F, D]` to frames `[B, F, D]`.

`tests/runtime/test_build.py` compares each kind with torch, alone and in padded batches.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from earful.runtime.graph import Graph
from earful.runtime.weights import Weight

Config = Mapping[str, Any]
FAR_BELOW = -30_000.0
"""Added to an attention score, it makes the weight zero."""
STRIDES = {2: (2, 1), 3: (3, 1), 4: (2, 2)}
"""The strides of the two convolutions in time, as in `encoder.subsample`."""


class Frames(NamedTuple):
    """Frames `[B, F, D]`, their counts `[B]`, and in a batch the mask of real frames, `[B, F, 1]`."""

    x: str
    counts: str
    valid: str | None


def framed(graph: Graph, x_BFD: str, counts_B: str) -> Frames:
    """Frames and which of them are real."""
    return Frames(x_BFD, counts_B, graph.valid(counts_B, graph.size(x_BFD, 1)) if graph.batched else None)


def _kept(graph: Graph, frames: Frames) -> str:
    """The frames, with zeros for padding."""
    return graph.op("Mul", frames.x, frames.valid) if frames.valid else frames.x


def _bias(graph: Graph, valid_BF1: str | None) -> str | None:
    """The bias that excludes padding from attention: `[B, 1, 1, F]`."""
    if valid_BF1 is None:
        return None
    none = graph.op("Sub", valid_BF1, graph.constant(1.0))
    bias_BF1 = graph.op("Mul", none, graph.constant(-FAR_BELOW))
    return graph.op("Unsqueeze", graph.op("Transpose", bias_BF1, perm=[0, 2, 1]), graph.constant([1]))


# --- Whisper (encoder.whisper) ----------------------------------------------------------------------------------------


def whisper(graph: Graph, mel_BMF: str, counts_B: str, config: Config) -> Frames:
    """All layers of a Whisper encoder, amid its bed if it has one; then the mean of `pool` frames."""
    x_BDF = graph.gelu(graph.convolution(mel_BMF, "backbone.first", pads=[1, 1]))
    if graph.batched:  # the second convolution sees the zeros that it would see of a clip alone
        valid_BF1 = graph.valid(counts_B, graph.size(mel_BMF, 2))
        x_BDF = graph.op("Mul", x_BDF, graph.op("Transpose", valid_BF1, perm=[0, 2, 1]))
    x_BDF = graph.gelu(graph.convolution(x_BDF, "backbone.second", pads=[1, 1], strides=[2]))
    x_BFD, counts_B = graph.op("Transpose", x_BDF, perm=[0, 2, 1]), graph.divided_up(counts_B, 2)
    first = graph.constant([config["bed"]])
    last = graph.op("Add", graph.size(x_BFD, 1), first)
    x_BFD = graph.op("Add", x_BFD, graph.slice(graph.weight("backbone.positions_FD"), first, last, 0))
    frames = framed(graph, x_BFD, counts_B)
    x_BFD, bias = _kept(graph, frames), _bias(graph, frames.valid)
    if bias and config["bed"]:
        heard = graph.constant(np.zeros((1, 1, 1, config["bed"]), np.float32), "bed_bias")
        bias = graph.op("Concat", _for_each(graph, heard, counts_B), bias, axis=3)
    for layer in range(config["layers"]):
        x_BFD = _whisper_layer(graph, x_BFD, counts_B, bias, layer, config)
    return _pooled(graph, frames._replace(x=graph.norm(x_BFD, "backbone.norm_out")), config["pool"])


def _whisper_layer(graph: Graph, x_BFD: str, counts_B: str, bias: str | None, layer: int, config: Config) -> str:
    name, width = f"backbone.layers.{layer}", config["width"]
    normed = graph.norm(x_BFD, f"{name}.norm_attention")
    together = graph.linear(normed, f"{name}.query", f"{name}.key", f"{name}.value", unbiased=[f"{name}.key"])
    query, key, value = graph.ops("Split", together, count=3, axis=2, num_outputs=3)
    if config["bed"]:
        beds = (_bed(graph, kind, layer, width, config["heads"]) for kind in ("keys", "values"))
        key, value = (
            graph.op("Concat", _for_each(graph, bed, counts_B), own, axis=1)
            for bed, own in zip(beds, (key, value), strict=True)
        )
    mixed = graph.attention(query, key, value, config["heads"], width, bias)
    x_BFD = graph.op("Add", x_BFD, graph.linear(mixed, f"{name}.out"))
    wide = graph.gelu(graph.linear(graph.norm(x_BFD, f"{name}.norm_feed"), f"{name}.widen"))
    return graph.op("Add", x_BFD, graph.linear(wide, f"{name}.narrow", by_frame=True))


def _bed(graph: Graph, kind: str, layer: int, width: int, heads: int) -> str:
    """Keys or values of the bed in one layer: `[1, F, D]`."""
    return graph.stored(graph.weights[f"backbone.bed_{kind}_NFD"].part(layer)[None], f"bed_{kind}.{layer}")


def _for_each(graph: Graph, x_1: str, counts_B: str) -> str:
    """Something `[1, …]` for each recording of a batch."""
    if not graph.batched:
        return x_1
    shape = graph.op("Concat", graph.size(counts_B, 0), graph.op("Shape", x_1, start=1), axis=0)
    return graph.op("Expand", x_1, shape)


def _pooled(graph: Graph, frames: Frames, pool: int) -> Frames:
    """Means of `pool` frames, of fewer at the end of a recording."""
    if pool == 1:
        return frames
    kept_BFD = _kept(graph, frames)
    ones = frames.valid or graph.op("Expand", graph.constant(1.0), _of_ones(graph, frames.x))
    sums_BFD, held_BF1 = (_summed(graph, each, pool) for each in (kept_BFD, ones))
    held_BF1 = graph.op("Max", held_BF1, graph.constant(1.0))
    return framed(graph, graph.op("Div", sums_BFD, held_BF1), graph.divided_up(frames.counts, pool))


def _of_ones(graph: Graph, x_BFD: str) -> str:
    one = graph.constant([1])
    return graph.op("Concat", one, graph.size(x_BFD, 1), one, axis=0)


def _summed(graph: Graph, x_BFD: str, pool: int) -> str:
    """Sums of `pool` frames; the last may be of fewer."""
    lacking = graph.op("Mod", graph.op("Neg", graph.size(x_BFD, 1)), graph.constant([pool]))
    nothing = graph.constant([0])
    pads = graph.op("Concat", *[nothing] * 4, lacking, nothing, axis=0)
    padded = graph.op("Pad", x_BFD, pads)
    # `0, -1, pool, …` would leave the width unknown: it is what the last axis has.
    shape = graph.op("Concat", graph.size(x_BFD, 0), graph.constant([-1, pool]), graph.size(x_BFD, 2), axis=0)
    return graph.op("ReduceSum", graph.op("Reshape", padded, shape), graph.constant([2]), keepdims=0)


# --- what moves (encoder.encoder and its neighbours) ------------------------------------------------------------------


def encoder(graph: Graph, frames: Frames, config: Config, longest: int) -> Frames:
    """The encoder of a `config` of at most `longest` hidden frames: Conformer, Transformer, or recurrent."""
    entered = _entrance(graph, frames, config)
    match config["kind"]:
        case "conformer" | "transformer":
            x_BFD = _attending(graph, entered, config, longest)
        case _:
            x_BFD = _recurrent(graph, entered, config)
    return entered._replace(x=_kept(graph, entered._replace(x=x_BFD)))


def _entrance(graph: Graph, frames: Frames, config: Config) -> Frames:
    """Mean subtraction and subsampling (`encoder.subsample`)."""
    kept_BFM = _kept(graph, frames)
    sums_B1M = graph.op("ReduceSum", kept_BFM, graph.constant([1]), keepdims=1)
    held = graph.op("Unsqueeze", graph.op("Max", frames.counts, graph.constant([1])), graph.constant([1, 2]))
    mean_B1M = graph.op("Div", sums_B1M, graph.op("Cast", held, to=1))
    centred = frames._replace(x=graph.op("Sub", kept_BFM, mean_B1M))
    x_BFM = graph.op("Mul", _kept(graph, centred), graph.weight("encoder.subsample.normalise.scale_M"))
    if config["subsampling"] == 1:
        entered = frames._replace(x=graph.linear(x_BFM, "encoder.subsample.project"))
        return entered._replace(x=_kept(graph, entered))
    first, second = STRIDES[config["subsampling"]]
    x_BCFM = graph.op("Unsqueeze", x_BFM, graph.constant([1]))
    x_BCFM = graph.silu(graph.convolution(x_BCFM, "encoder.subsample.first", pads=[1] * 4, strides=[first, 2]))
    counts_B = graph.divided_up(frames.counts, first)
    if graph.batched:
        valid_BF1 = graph.valid(counts_B, graph.size(x_BCFM, 2))
        x_BCFM = graph.op("Mul", x_BCFM, graph.op("Unsqueeze", valid_BF1, graph.constant([1])))
    x_BCFM = graph.silu(graph.convolution(x_BCFM, "encoder.subsample.second", pads=[1] * 4, strides=[second, 2]))
    x_BFMC = graph.op("Transpose", x_BCFM, perm=[0, 2, 3, 1])
    flat_BFD = graph.op("Reshape", x_BFMC, graph.constant([0, 0, -1]))
    entered = framed(graph, graph.linear(flat_BFD, "encoder.subsample.project"), graph.divided_up(counts_B, second))
    return entered._replace(x=_kept(graph, entered))


def _attending(graph: Graph, frames: Frames, config: Config, longest: int) -> str:
    """The layers of a Conformer or a Transformer, with the final norm of the latter."""
    turn, bias = _rotation(graph, frames.x, config, longest), _bias(graph, frames.valid)
    x_BFD, conformer = frames.x, config["kind"] == "conformer"
    for layer in range(config["layers"]):
        name = f"encoder.layers.{layer}"
        if conformer:
            x_BFD = graph.op("Add", x_BFD, _feed(graph, x_BFD, f"{name}.feed_in", half=True))
        attended = _rotary(graph, graph.norm(x_BFD, f"{name}.norm_attention"), f"{name}.attention", turn, bias, config)
        x_BFD = graph.op("Add", x_BFD, attended)
        if conformer:
            x_BFD = graph.op("Add", x_BFD, _convolved(graph, frames._replace(x=x_BFD), f"{name}.convolution", config))
        x_BFD = graph.op("Add", x_BFD, _feed(graph, x_BFD, f"{name}.feed{'_out' * conformer}", half=conformer))
        x_BFD = graph.norm(x_BFD, f"{name}.norm_out") if conformer else x_BFD
    return x_BFD if conformer else graph.norm(x_BFD, "encoder.norm_out")


def _feed(graph: Graph, x_BFD: str, name: str, *, half: bool) -> str:
    wide = graph.silu(graph.linear(graph.norm(x_BFD, f"{name}.0"), f"{name}.1"))
    fed = graph.linear(wide, f"{name}.3", by_frame=True)
    return graph.op("Mul", fed, graph.constant(0.5)) if half else fed


def _rotation(graph: Graph, x_BFD: str, config: Config, longest: int) -> tuple[str, str]:
    """Cosines and signed sines of the positions, `[F, 1, E]`, computed beforehand in float64."""
    head = config["width"] // config["heads"]
    angle_FE = np.outer(np.arange(longest), 10_000.0 ** -(np.arange(0, head, 2) / head))
    cosine, sine = np.cos(angle_FE), np.sin(angle_FE)
    tables = {"cosine": np.concatenate([cosine, cosine], 1), "sine": np.concatenate([-sine, sine], 1)}
    begin, end = graph.constant([0]), graph.size(x_BFD, 1)
    first, second = (
        graph.slice(graph.constant(table[:, None].astype(np.float32), name), begin, end, 0)
        for name, table in tables.items()
    )
    return first, second


def _rotary(graph: Graph, x_BFD: str, name: str, turn: tuple[str, str], bias: str | None, config: Config) -> str:
    """Self-attention with rotary positions (`encoder.attention`)."""
    width, heads = config["width"], config["heads"]
    split = graph.ops("Split", graph.linear(x_BFD, f"{name}.project_in"), count=3, axis=2, num_outputs=3)
    query, key = (_turned(graph, each, turn, heads, width) for each in split[:2])
    return graph.linear(graph.attention(query, key, split[2], heads, width, bias), f"{name}.project_out")


def _turned(graph: Graph, x_BFD: str, turn: tuple[str, str], heads: int, width: int) -> str:
    x_BFHE = graph.op("Reshape", x_BFD, graph.constant([0, 0, heads, width // heads]))
    first, second = graph.ops("Split", x_BFHE, count=2, axis=3, num_outputs=2)
    swapped = graph.op("Concat", second, first, axis=3)
    turned = graph.op("Add", graph.op("Mul", x_BFHE, turn[0]), graph.op("Mul", swapped, turn[1]))
    return graph.op("Reshape", turned, graph.constant([0, 0, width]))


def _convolved(graph: Graph, frames: Frames, name: str, config: Config) -> str:
    """The convolution module of a Conformer (`encoder.conformer.Convolution`)."""
    gated = graph.linear(graph.norm(frames.x, f"{name}.norm_in"), f"{name}.gate")
    open_, gate = graph.ops("Split", gated, count=2, axis=2, num_outputs=2)
    x_BFD = _kept(graph, frames._replace(x=graph.op("Mul", open_, graph.op("Sigmoid", gate))))
    x_BDF, around = graph.op("Transpose", x_BFD, perm=[0, 2, 1]), config["kernel"] // 2
    x_BDF = graph.convolution(x_BDF, f"{name}.depthwise", pads=[around] * 2, group=config["width"])
    x_BFD = graph.op("Transpose", x_BDF, perm=[0, 2, 1])
    return graph.linear(graph.silu(graph.norm(x_BFD, f"{name}.norm_mid")), f"{name}.project_out")


def _recurrent(graph: Graph, frames: Frames, config: Config) -> str:
    """The layers of a bidirectional recurrent encoder (`encoder.recurrent`), and its norm."""
    x_BFD, gates = frames.x, {"bigru": "rzn", "bilstm": "ifgo"}[config["kind"]]
    counts_B = graph.op("Cast", graph.op("Max", frames.counts, graph.constant([1])), to=6)
    for layer in range(config["layers"]):
        name = f"encoder.layers.{layer}"
        normed_FBD = graph.op("Transpose", graph.norm(x_BFD, f"{name}.norm"), perm=[1, 0, 2])
        parts = [_cells(graph.weights, f"{name}.{way}", gates) for way in ("onward", "backward_in_time")]
        input_, hidden, bias = (np.stack([part[n] for part in parts]) for n in range(3))
        of = [graph.constant(a, f"{name}.{k}") for a, k in ((input_, "input"), (hidden, "hidden"), (bias, "bias"))]
        more: dict[str, Any] = {"linear_before_reset": 1} if gates == "rzn" else {}
        out_F2BD = graph.op(
            "GRU" if gates == "rzn" else "LSTM", normed_FBD, *of, counts_B,
            hidden_size=config["width"], direction="bidirectional", **more,
        )  # fmt: skip
        both_BF2D = graph.op("Transpose", out_F2BD, perm=[2, 0, 1, 3])
        flat = graph.op("Reshape", both_BF2D, graph.constant([0, 0, 2 * config["width"]]))
        x_BFD = graph.op("Add", x_BFD, graph.linear(flat, f"{name}.project"))
    return graph.norm(x_BFD, "encoder.norm_out")


def _cells(weights: Mapping[str, Weight], name: str, gates: str) -> tuple[np.ndarray, ...]:
    """Matrices and biases of one direction, in ONNX's order of gates: z r n of a GRU, i o f g of an LSTM."""
    order = [gates.index(gate) for gate in ("zrn" if gates == "rzn" else "iofg")]
    found = []
    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        parts = np.split(weights[f"{name}.{kind}_l0"].full, len(gates))
        found.append(np.concatenate([parts[n] for n in order]))
    return found[0], found[1], np.concatenate(found[2:])
