"""Construction of an ONNX graph, node by node, with matrices in float32, float16 or int8.

torch.onnx makes the same from a model, but takes many times as long, needs torch, and has neither the stored int8, nor
the constant keys and values of a bed, nor attention in one node.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from earful.runtime.weights import Weight, Weights

Arrays = dict[str, NDArray[Any]]
Kind = Literal["float32", "float16", "int8"]
MICROSOFT = "com.microsoft"
OPSET, MICROSOFT_OPSET, IR = 18, 1, 9
"""A version that onnxruntime 1.20, sherpa-onnx and onnxruntime-web read."""
_LARGE = 4096  # bytes of a constant that a model may lack
_LEAST_ROUNDED = 4096  # numbers in a matrix that is worth rounding
_MIDDLE = 128  # where unsigned integers have their 0
_SMALLEST = 1e-9  # what a frame of nothing but zeros is divided by


@final
@dataclass
class Graph:
    """Nodes and constants. A method adds a node and returns the name of its output.

    Matrices are stored as `kind`: float16 is computed in float32, int8 in int8. With `fused`, nodes that only
    onnxruntime has are used where they are faster. With `batched` there are several padded recordings. The names of
    outputs begin with `prefix`, for a graph within a graph, which shares the constants.
    """

    weights: Weights
    kind: Kind = "float32"
    fused: bool = False
    batched: bool = False
    nodes: list[NodeProto] = field(default_factory=list)
    constants: Arrays = field(default_factory=dict)
    prefix: str = ""
    _rounded: dict[str, list[str]] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of one output."""
        return self.ops(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def ops(self, kind: str, *inputs: str, count: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node of `count` outputs."""
        outputs = [f"{self.prefix}{kind.lower()}_{len(self.nodes)}_{n}" for n in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs

    def constant(self, value: NDArray[Any] | int | float | Sequence[int], name: str = "") -> str:
        """A constant: an array; a float32; an int64 or a list of them. Small constants are stored only once."""
        if isinstance(value, float):
            array: NDArray[Any] = np.array(value, np.float32)
        else:
            array = value if isinstance(value, np.ndarray) else np.array(value, np.int64)
        name = name or f"constant_{array.dtype}_{array.shape}_{array.tolist()}"
        if name not in self.constants:
            self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    # --- what a network is made of -----------------------------------------------------------------------------------

    def weight(self, name: str) -> str:
        """A weight in float32."""
        return self.stored(self.weights[name].full, name)

    def linear(self, x: str, *names: str, by_frame: bool = False, unbiased: Collection[str] = ()) -> str:
        """A linear layer, `[…, K]` → `[…, N]`, with the weights and biases of these, joined; some may have no bias.

        Joined layers have equal numbers of rows. In int8 an input has one quantisation step for all its numbers, or,
        with `by_frame`, one for each frame. If some frames are far louder than others (Whisper's, between its
        feed-forward layers), that halves the cost of int8.
        """
        weight = _joined([_merged(self.weights, name) for name in names])
        rows = len(weight.values) // len(names)
        none = Weight(np.zeros(rows, np.float32))
        biases = [none.full if name in unbiased else self.weights[f"{name}.bias"].full for name in names]
        stored = f"{'+'.join(names)}.weight"
        loudest = ""
        if by_frame and self._rounds(weight):
            loudest = self.op("ReduceMax", self.op("Abs", x), self.constant([-1]), keepdims=1)
            loudest = self.op("Max", loudest, self.constant(_SMALLEST))
            x = self.op("Div", x, loudest)
        product = self._product(x, weight, stored)
        product = self.op("Mul", product, loudest) if loudest else product
        return self.op("Add", product, self.constant(np.concatenate(biases), f"{'+'.join(names)}.bias"))

    def _rounds(self, weight: Weight) -> bool:
        return self.kind == "int8" and weight.values.size >= _LEAST_ROUNDED

    def _product(self, x: str, weight: Weight, name: str) -> str:
        if not self._rounds(weight):
            return self.op("MatMul", x, self.stored(weight.full.T, name))
        integers_NK, scale_N = weight.rows
        scale = self.constant(scale_N, f"{name}.scale")
        # Of signed integers some older processors add up to 16 bits and no further; onnxruntime fuses only these.
        unsigned = not self.fused
        shifted_NK = (integers_NK.astype(np.int16) + _MIDDLE).astype(np.uint8) if unsigned else integers_NK
        matrix = self.constant(shifted_NK.T, name)
        middle = [self.constant(np.array(_MIDDLE, np.uint8))] if unsigned else []
        if x not in self._rounded:
            self._rounded[x] = self.ops("DynamicQuantizeLinear", x, count=3)
        rounded, step, zero = self._rounded[x]
        sums = self.op("Cast", self.op("MatMulInteger", rounded, matrix, zero, *middle), to=TensorProto.FLOAT)
        return self.op("Mul", sums, self.op("Mul", step, scale))

    def stored(self, values: NDArray[np.float32], name: str) -> str:
        """A constant, in float16 if fewer bits are asked for."""
        halved = self.kind == "float16" or (self.kind == "int8" and not self.fused)
        if not halved or values.size < _LEAST_ROUNDED or np.abs(values).max() > np.finfo(np.float16).max:
            return self.constant(values, name)
        return self.op("Cast", self.constant(values.astype(np.float16), name), to=TensorProto.FLOAT)

    def norm(self, x: str, name: str) -> str:
        """A layer norm over the last dimension."""
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

    def convolution(self, x: str, name: str, **attributes: Any) -> str:
        """A convolution; its weights are not rounded to int8."""
        return self.op("Conv", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), **attributes)

    def gelu(self, x: str) -> str:
        """Gaussian error linear unit, exact."""
        if self.fused:
            return self.op("Gelu", x, domain=MICROSOFT)
        inner = self.op("Add", self.op("Erf", self.op("Mul", x, self.constant(0.5**0.5))), self.constant(1.0))
        return self.op("Mul", self.op("Mul", x, self.constant(0.5)), inner)

    def silu(self, x: str) -> str:
        """x · sigmoid(x)."""
        return self.op("Mul", x, self.op("Sigmoid", x))

    def attention(self, query: str, key: str, value: str, heads: int, width: int, bias: str | None = None) -> str:
        """Scaled dot-product attention of `[B, F, D]` over `[B, S, D]`; `bias` is added to the scores."""
        if self.fused:
            more = ("", "", bias) if bias else ()
            return self.op("MultiHeadAttention", query, key, value, *more, domain=MICROSOFT, num_heads=heads)
        shape, size = self.constant([0, 0, heads, width // heads]), float((width // heads) ** -0.5)
        query, key, value = (self.op("Reshape", each, shape) for each in (query, key, value))
        query = self.op("Transpose", self.op("Mul", query, self.constant(size)), perm=[0, 2, 1, 3])
        key, value = self.op("Transpose", key, perm=[0, 2, 3, 1]), self.op("Transpose", value, perm=[0, 2, 1, 3])
        scores = self.op("MatMul", query, key)
        scores = self.op("Add", scores, bias) if bias else scores
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        mixed = self.op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.op("Reshape", mixed, self.constant([0, 0, width]))

    # --- shapes and counts -------------------------------------------------------------------------------------------

    def size(self, x: str, axis: int) -> str:
        """The length of an axis, `[1]`."""
        return self.op("Shape", x, start=axis, end=axis + 1)

    def at_least(self, x: str, least: int) -> str:
        """Counts, at least `least`."""
        return self.op("Max", x, self.constant([least]))

    def at_most(self, x: str, most: str) -> str:
        """Counts, at most `most`."""
        return self.op("Min", x, most)

    def slice(self, x: str, begin: str, end: str, axis: int) -> str:
        """From `begin` up to `end`, both `[1]`, of an axis."""
        return self.op("Slice", x, begin, end, self.constant([axis]))

    def divided_up(self, count: str, divisor: int) -> str:
        """Counts over a divisor, rounded up."""
        if divisor == 1:
            return count
        return self.op("Div", self.op("Add", count, self.constant([divisor - 1])), self.constant([divisor]))

    def range(self, size: str) -> str:
        """0, 1, … size - 1, where `size` is `[1]`."""
        none = self.constant(np.array([0]))
        return self.op("Range", self.constant(0), self.op("Squeeze", size, none), self.constant(1))

    def valid(self, counts_B: str, size: str) -> str:
        """The mask of the real ones of `size` (`[1]`) frames of each recording: float32 `[B, F, 1]`."""
        counts_B1 = self.op("Unsqueeze", counts_B, self.constant([1]))
        valid_BF = self.op("Less", self.op("Unsqueeze", self.range(size), self.constant([0])), counts_B1)
        return self.op("Unsqueeze", self.op("Cast", valid_BF, to=TensorProto.FLOAT), self.constant([2]))


def model_of(
    graph: Graph,
    name: str,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    *,
    apart: bool = False,
) -> onnx.ModelProto:
    """The graph as a model, with its large constants within, or `apart` (`large_of`)."""
    large = large_of(graph) if apart else {}
    constants = [_elsewhere(n, v) if n in large else numpy_helper.from_array(v, n) for n, v in graph.constants.items()]
    made = helper.make_graph(graph.nodes, name, inputs, outputs, constants)
    opsets = [helper.make_opsetid("", OPSET)]
    if graph.fused:
        opsets.append(helper.make_opsetid(MICROSOFT, MICROSOFT_OPSET))
    return helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="earful")


def large_of(graph: Graph) -> Arrays:
    """The constants that a model may lack, by their names."""
    return {name: value for name, value in graph.constants.items() if value.nbytes > _LARGE}


def _elsewhere(name: str, value: NDArray[Any]) -> TensorProto:
    """A constant with its data outside the model."""
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    found = TensorProto(name=name, dims=value.shape, data_type=kind, data_location=TensorProto.EXTERNAL)
    found.external_data.add(key="location", value="given to the session")
    return found


def _joined(weights: Sequence[Weight]) -> Weight:
    if len(weights) == 1:
        return weights[0]
    if all(each.scale is not None for each in weights):
        return Weight(
            np.concatenate([each.values for each in weights]),
            np.concatenate([each.scale for each in weights if each.scale is not None]),
        )
    return Weight(np.concatenate([each.full for each in weights]))


def _merged(weights: Weights, name: str) -> Weight:
    """A layer's matrix plus its low-rank adapter, if it has one (`encoder.backbone.merged`)."""
    weight = weights[f"{name}.weight"]
    if f"{name}.down" not in weights:
        return weight
    return Weight(weight.full + weights[f"{name}.up"].full @ weights[f"{name}.down"].full)
