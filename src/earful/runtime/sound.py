"""From samples to log-mel frames within a graph: Kaldi's filterbank and Whisper's.

A window of sound goes through a convolution whose kernels are the sines and cosines of a Fourier transform. The linear
operations before it (mean, pre-emphasis, the window) are multiplied into the kernels.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earful.runtime.graph import Graph

Doubles = NDArray[np.float64]
WHISPER_WINDOW, WHISPER_HOP, RATE_HZ = 400, 160, 16_000
_FLOAT32_EPSILON = float(np.finfo(np.float32).eps)


def fbank(graph: Graph, samples_BT: str, counts_B: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """Kaldi's log-mel filterbank (`features.fbank`): frames `[B, M, F]`, and their counts `[B]`; at least one frame."""
    rate_hz, bins = config["rate_hz"], config["bins"]
    window, hop = (int(rate_hz * config[f"{name}_s"] + 1e-6) for name in ("window", "hop"))
    size = 1 << (window - 1).bit_length()
    centred = np.eye(window) - 1 / window
    before = np.eye(window, k=-1)
    before[0, 0] = 1.0  # the first sample is its own predecessor
    emphasised = np.eye(window) - config["preemphasis"] * before
    povey = np.diag(np.hanning(window) ** 0.85)
    kernels = _fourier(size, window) @ povey @ emphasised @ centred
    half = graph.constant([hop // 2])
    frame_counts_B, frames = (
        graph.op("Div", graph.op("Add", each, half), graph.constant([hop]))
        for each in (counts_B, graph.size(samples_BT, 1))
    )
    frames = graph.op("Max", frames, graph.constant([1]))
    # Ends are mirrored, the edge counted twice, as often as needed: … 1 0 | 0 1 2 | 2 1 0 | 0 …
    places = _places(graph, frames, hop, window, hop // 2 - window // 2)
    counts_B1 = graph.op("Unsqueeze", graph.op("Max", counts_B, graph.constant([1])), graph.constant([1]))
    period_B1 = graph.op("Mul", counts_B1, graph.constant([2]))
    folded_BP = graph.op("Mod", places, period_B1)
    back_BP = graph.op("Sub", graph.op("Sub", period_B1, graph.constant([1])), folded_BP)
    sound_BP = _taken(graph, samples_BT, graph.op("Min", folded_BP, back_BP))
    mel = _mel_htk(size, rate_hz, bins, config["low_hz"], config["high_hz"])
    power_BMF = _mel_power(graph, sound_BP, kernels, mel, hop, "fbank")
    return graph.op("Log", graph.op("Max", power_BMF, graph.constant(_FLOAT32_EPSILON))), frame_counts_B


def whisper_logmel(graph: Graph, samples_BT: str, counts_B: str, bins: int) -> tuple[str, str]:
    """Whisper's log-mel (`features.whisper`): frames `[B, M, F]`, zero beyond the counts, and the counts (≥ 1)."""
    edge = WHISPER_WINDOW // 2
    heard_B1 = graph.op("Unsqueeze", counts_B, graph.constant([1]))
    at_least = graph.constant([WHISPER_HOP])
    frame_counts_B, frames = (
        graph.op("Div", graph.op("Max", each, at_least), at_least) for each in (counts_B, graph.size(samples_BT, 1))
    )
    places_1P = _places(graph, frames, WHISPER_HOP, WHISPER_WINDOW, -edge)
    away_1P = graph.op("Abs", places_1P)
    twice_B1 = graph.op("Mul", graph.op("Sub", heard_B1, graph.constant([1])), graph.constant([2]))
    sound_BP = _taken(graph, samples_BT, graph.op("Min", away_1P, graph.op("Sub", twice_B1, away_1P)))
    # Where a clip is shorter than half a window nothing is mirrored: there are zeros around it.
    inside_BP = graph.op("And", graph.op("Less", places_1P, heard_B1), graph.op("Equal", places_1P, away_1P))
    kept_BP = graph.op("Or", inside_BP, graph.op("Greater", heard_B1, graph.constant([edge])))
    sound_BP = graph.op("Where", kept_BP, sound_BP, graph.constant(0.0))
    hann = np.diag(0.5 - 0.5 * np.cos(2 * math.pi * np.arange(WHISPER_WINDOW) / WHISPER_WINDOW))
    kernels = _fourier(WHISPER_WINDOW, WHISPER_WINDOW) @ hann
    power_BMF = _mel_power(graph, sound_BP, kernels, _mel_slaney(bins), WHISPER_HOP, "whisper")
    log_BMF = graph.op("Log", graph.op("Max", power_BMF, graph.constant(1e-10)))
    log_BMF = graph.op("Mul", log_BMF, graph.constant(1 / math.log(10)))
    if not graph.batched:
        loudest = graph.op("ReduceMax", log_BMF, graph.constant([1, 2]), keepdims=1)
        return _floored(graph, log_BMF, loudest), frame_counts_B
    valid_B1F = graph.op("Transpose", graph.valid(frame_counts_B, frames), perm=[0, 2, 1])
    real_B1F = graph.op("Greater", valid_B1F, graph.constant(0.5))
    loudest = graph.op("ReduceMax", graph.op("Where", real_B1F, log_BMF, graph.constant(-10.0)), graph.constant([1, 2]))
    return graph.op("Mul", _floored(graph, log_BMF, loudest), valid_B1F), frame_counts_B


def _floored(graph: Graph, log_BMF: str, loudest_B11: str) -> str:
    """The loudest bin sets the floor, 80 dB below."""
    floored = graph.op("Max", log_BMF, graph.op("Sub", loudest_B11, graph.constant(8.0)))
    return graph.op("Mul", graph.op("Add", floored, graph.constant(4.0)), graph.constant(0.25))


def _places(graph: Graph, frames: str, hop: int, window: int, first: int) -> str:
    """The indexes of all samples of `frames` (`[1]`) windows, the first of them at `first`: `[1, P]`."""
    count = graph.op("Add", graph.op("Mul", frames, graph.constant([hop])), graph.constant([window - hop]))
    places = graph.op("Add", graph.range(count), graph.constant([first]))
    return graph.op("Unsqueeze", places, graph.constant([0]))


def _taken(graph: Graph, samples_BT: str, places_BP: str) -> str:
    """The samples at these indexes; arbitrary ones for indexes out of range."""
    last = graph.op("Sub", graph.size(samples_BT, 1), graph.constant([1]))
    places = graph.op("Max", graph.op("Min", places_BP, last), graph.constant([0]))
    if not graph.batched:
        one = graph.op("Squeeze", places, graph.constant([0]))
        return graph.op("Gather", samples_BT, one, axis=1)
    return graph.op("GatherElements", samples_BT, places, axis=1)


def _mel_power(graph: Graph, sound_BP: str, kernels_KW: Doubles, mel_KM: Doubles, hop: int, name: str) -> str:
    """Power in each mel band of each window: `[B, M, F]`."""
    kernel = graph.constant(kernels_KW[:, None].astype(np.float32), f"{name}_fourier")
    spectrum = graph.op("Conv", graph.op("Unsqueeze", sound_BP, graph.constant([1])), kernel, strides=[hop])
    squares = graph.op("Mul", spectrum, spectrum)
    matrix = np.concatenate([mel_KM, mel_KM]).T.astype(np.float32)  # real and imaginary parts
    return graph.op("MatMul", graph.constant(matrix, f"{name}_mel"), squares)


def _fourier(size: int, window: int) -> Doubles:
    """Cosines and sines of the half spectrum, `[2 K, W]`, of a transform of `size`."""
    angles = 2 * math.pi * np.outer(np.arange(size // 2 + 1), np.arange(window)) / size
    return np.concatenate([np.cos(angles), -np.sin(angles)])


def _triangles(hz_K: Doubles, edges: Doubles, places_K: Doubles, area: bool) -> Doubles:
    """Triangular filters `[K, M]` between edges; of equal area if asked for, and then in hertz."""
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (places_K[:, None] - left) / (centre - left), (right - places_K[:, None]) / (right - centre)
    found = np.minimum(rising, falling).clip(min=0)
    return found * 2 / (right - left) if area else found


def _mel_htk(size: int, rate_hz: int, bins: int, low_hz: float, high_hz: float) -> Doubles:
    """Kaldi's filters, straight on the mel scale of HTK."""
    hz_K = np.arange(size // 2 + 1) * rate_hz / size
    low, high, mel_K = (1127.0 * np.log1p(np.asarray(hz) / 700.0) for hz in (low_hz, high_hz, hz_K))
    return _triangles(hz_K, np.linspace(low, high, bins + 2), mel_K, area=False)


def _mel_slaney(bins: int) -> Doubles:
    """Filters of equal area on Slaney's scale: straight below 1 kHz, logarithmic above."""
    step_hz, break_hz, rise = 200 / 3, 1000.0, math.log(6.4) / 27
    highest = break_hz / step_hz + math.log(RATE_HZ / 2 / break_hz) / rise
    mel = np.linspace(0.0, highest, bins + 2)
    straight = break_hz / step_hz
    edges_hz = np.where(mel < straight, mel * step_hz, break_hz * np.exp((mel - straight) * rise))
    hz_K = np.linspace(0, RATE_HZ / 2, WHISPER_WINDOW // 2 + 1)
    return _triangles(hz_K, edges_hz, hz_K, area=True)
