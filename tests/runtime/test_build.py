"""The graph says what torch says: every kind of encoder, alone and in padded batches, in one window and in many."""

import json
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from earful.encoder.encoder import KINDS
from earful.encoder.whisper import WhisperConfig
from earful.errors import CheckpointError
from earful.features.fbank import FbankConfig
from earful.features.windows import windows
from earful.folders import CARD, WEIGHTS
from earful.model import AcousticModel
from earful.runtime.build import COUNTS, LENGTHS, LOGP, SAMPLES, recording_model
from earful.runtime.kinds import Windowing, check_buildable, output_hop_s
from earful.runtime.session import options_of, session_of
from earful.runtime.weights import Weight, read_weights

NEAR = 2e-4
SMALL = {"width": 16, "layers": 3, "heads": 2, "inner": 24, "positions": 1500}
HEARD = {
    "fbank": FbankConfig(),
    "another filterbank": FbankConfig(bins=40, window_s=0.020, low_hz=50, high_hz=8000, preemphasis=0.9),
    "whisper": WhisperConfig("whisper", frozen=3, **SMALL),
    "whisper amid a bed": WhisperConfig("whisper", frozen=3, bed=37, **SMALL),
    "whisper whose layers move": WhisperConfig("whisper", frozen=1, bed=11, pool=2, **SMALL),
    "whisper with adapters": WhisperConfig("whisper", frozen=2, rank=2, pool=1, **SMALL),
    "whisper, pooled by three": WhisperConfig("whisper", frozen=3, pool=3, bed=5, **SMALL),
}
COMBINED = [
    *(("fbank", kind, subsampling, 2) for kind, subsampling in product(KINDS, (2, 3, 4))),
    ("another filterbank", "conformer", 4, 1),
    *((name, "conformer", 1, 2) for name in HEARD if name.startswith("whisper")),
    ("whisper", "bilstm", 1, 1),
]
LENGTHS_OF = [80, 159, 161, 200, 201, 250, 1_000, 7_777, 16_000]
WINDOWING = Windowing(1.2, 0.36)
"""Shorter windows than those of earful, so that a test has several; multiples of all hops, too."""

Made = Callable[..., tuple[Path, AcousticModel]]


def noise(length: int) -> np.ndarray:
    """Noise that is soft and loud in turn."""
    rng = np.random.default_rng(length)
    return (rng.standard_normal(length) * (0.02 + 0.2 * np.sin(np.arange(length) / 2000) ** 2)).astype(np.float32)


def by_torch(model: AcousticModel, samples_T: np.ndarray) -> np.ndarray:
    """In float32, one recording at a time."""
    sound = torch.from_numpy(samples_T)
    frames_FM = model.backbone.lower(sound) if model.backbone else model.frames_of(sound)
    with torch.no_grad():
        return model(frames_FM[None], torch.tensor([len(frames_FM)]))[0][0].numpy()  # type: ignore[no-any-return]


def in_windows(model: AcousticModel, samples_T: np.ndarray) -> np.ndarray:
    """As `Transcriber` hears a recording."""
    size, around = (round(s * 16_000) for s in (WINDOWING.window_s, WINDOWING.context_s))
    parts = windows((samples_T[i : i + size] for i in range(0, len(samples_T), size)), around)
    hop_s = model.config.output_hop_s
    return np.concatenate([by_torch(model, w.content)[w.own(1 / 16_000, hop_s)] for w in parts])


def config_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / CARD).read_text("utf-8"))["config"]  # type: ignore[no-any-return]


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options_of(1))
    return session.run(None, inputs)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("heard", "kind", "subsampling", "upsampling"), COMBINED)
def test_one_window(make: Made, heard: str, kind: str, subsampling: int, upsampling: int) -> None:
    folder, model = make(HEARD[heard], kind, subsampling, upsampling)
    session = session_of(folder, config_in(folder), read_weights(folder / WEIGHTS), "float32", 1)
    assert output_hop_s(config_in(folder)) == pytest.approx(model.config.output_hop_s)
    for length in LENGTHS_OF:
        expected, found = by_torch(model, noise(length)), session.run(None, {SAMPLES: noise(length)[None]})[0][0]
        assert found.shape == expected.shape, length
        np.testing.assert_allclose(found, expected, atol=NEAR, err_msg=str(length))


@pytest.mark.parametrize(("heard", "kind", "subsampling", "upsampling"), COMBINED)
def test_recordings_in_a_batch(make: Made, heard: str, kind: str, subsampling: int, upsampling: int) -> None:
    folder, model = make(HEARD[heard], kind, subsampling, upsampling)
    lengths = [19_200 * 3 + 77, 100, 19_200, 19_200 * 2, 30_000, 0]
    samples_BT = np.full((len(lengths), max(lengths)), np.float32(7.0))  # padding is not heard
    for samples_T, length in zip(samples_BT, lengths, strict=True):
        samples_T[:length] = noise(length)
    made = recording_model(config_in(folder), read_weights(folder / WEIGHTS), WINDOWING)
    logp_BFV, counts_B = run(made, {SAMPLES: samples_BT, LENGTHS: np.array(lengths)})
    assert [each.name for each in made.graph.output] == [LOGP, COUNTS] and np.isfinite(logp_BFV).all()
    for logp_FV, count, length in zip(logp_BFV, counts_B, lengths, strict=True):
        expected = in_windows(model, noise(length)) if length else np.zeros((0, 5))
        assert count == len(expected)
        np.testing.assert_allclose(logp_FV[:count], expected, atol=NEAR)


@pytest.mark.parametrize("heard", ["fbank", "whisper amid a bed"])
def test_one_recording_louder_and_with_more_frames(make: Made, heard: str) -> None:
    folder, model = make(HEARD[heard], subsampling=1 if "whisper" in heard else 4)
    weights = read_weights(folder / WEIGHTS)
    made = recording_model(config_in(folder), weights, WINDOWING, batched=False, level=0.25, repeated=2)
    found = run(made, {SAMPLES: noise(50_000)[None]})[0][0]
    expected = in_windows(model, noise(50_000) * np.float32(0.25))
    np.testing.assert_allclose(found[::2], expected, atol=NEAR)
    np.testing.assert_allclose(found[1::2], expected, atol=NEAR)


@pytest.mark.parametrize(("heard", "kind"), [("fbank", "float16"), ("fbank", "int8"), ("whisper amid a bed", "int8")])
def test_fewer_bits_say_nearly_the_same(make: Made, heard: str, kind: Any) -> None:
    features = HEARD[heard]
    wide = WhisperConfig("whisper", frozen=2, bed=9, width=64, layers=2, heads=2, inner=256)
    folder, model = make(
        wide if isinstance(features, WhisperConfig) else features, subsampling=1 if "w" in heard else 4
    )
    weights = read_weights(folder / WEIGHTS)
    exact, made = (recording_model(config_in(folder), weights, WINDOWING, kind=each) for each in ("float32", kind))
    inputs = {SAMPLES: noise(40_000)[None], LENGTHS: np.array([40_000])}
    found, expected = run(made, inputs)[0], in_windows(model, noise(40_000))
    assert made.ByteSize() < exact.ByteSize()
    assert 0 < np.abs(np.exp(found[0]) - np.exp(expected)).max() < (2e-3 if kind == "float16" else 0.1)


def test_what_is_frozen_in_int8_stays_in_it(make: Made, tmp_path: Path) -> None:
    """The int8 of the file is that of the graph, not rounded twice."""
    from earful.checkpoint import load_checkpoint, save_checkpoint

    folder, _ = make(WhisperConfig("whisper", frozen=2, width=64, layers=2, heads=2, inner=128), subsampling=1)
    save_checkpoint(tmp_path / "half", load_checkpoint(folder), half=True)
    weights = read_weights(tmp_path / "half" / WEIGHTS)
    name = "backbone.layers.0.widen"
    assert weights[f"{name}.weight"].values.dtype == np.int8
    made = recording_model(config_in(folder), weights, WINDOWING, kind="int8")
    (kept,) = (onnx.numpy_helper.to_array(each) for each in made.graph.initializer if each.name == f"{name}.weight")
    assert (weights[f"{name}.weight"].values == kept.T.astype(int) - 128).all()


def test_models_that_no_graph_is_made_of() -> None:
    long = {"kind": "whisper", "positions": 1500, "bed": 600, "pool": 2}
    wrong: Iterable[tuple[dict[str, Any], str]] = [
        ({"features": long}, "hears 18 s at once beside its bed, windows are 18.6 s long"),
        ({"features": {"kind": "wav2vec2"}}, "no graph is made of models on a wav2vec2 encoder"),
    ]
    for config, message in wrong:
        with pytest.raises(CheckpointError, match=message):
            check_buildable(config, 18.6)


def test_weights_that_do_not_belong_to_the_card(make: Made, tmp_path: Path) -> None:
    folder, _ = make(FbankConfig())
    other, _ = make(FbankConfig(), "bigru")
    with pytest.raises(
        CheckpointError, match=r"the weight encoder\.layers\.0\..* is missing; weights and model.json do"
    ):
        session_of(folder, config_in(folder), read_weights(other / WEIGHTS), "float32", 1)
    weights = read_weights(folder / WEIGHTS)
    for gone in (name for name in weights if name.endswith(".bias") and not name.startswith("heads.phones")):
        with pytest.raises(CheckpointError, match=f"the weight {gone} is missing"):
            session_of(folder, config_in(folder), {n: w for n, w in weights.items() if n != gone}, "float32", 1)
    config = config_in(folder)
    config["encoder"]["width"] = 32
    with pytest.raises(CheckpointError, match=r"weights and model\.json do not fit"):
        session_of(folder, config, read_weights(folder / WEIGHTS), "float32", 1)
    for part, name, value in (("encoder", "heads", "[]"), ("encoder", "heads", 0), ("features", "rate_hz", "16k")):
        config = config_in(folder)
        config[part][name] = value
        with pytest.raises(CheckpointError, match=r"weights and model\.json do not fit"):
            session_of(folder, config, read_weights(folder / WEIGHTS), "float32", 1)
    with pytest.raises(CheckpointError, match=r"weights and model\.json do not fit"):
        short = {
            **read_weights(folder / WEIGHTS),
            "encoder.layers.0.convolution.depthwise.bias": Weight(np.zeros(7, np.float32)),
        }
        session_of(folder, config_in(folder), short, "float32", 1)
    more = {**read_weights(folder / WEIGHTS), "more": Weight(np.zeros(1, np.float32))}
    with pytest.raises(CheckpointError, match=r"the weight 'more' belongs to no model of earful"):
        session_of(folder, config_in(folder), more, "float32", 1)
    damaged = tmp_path / WEIGHTS
    damaged.write_bytes((folder / WEIGHTS).read_bytes()[:-40])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged"):
        read_weights(damaged)
    with pytest.raises(CheckpointError, match=r"missing; the folder is not a whole model"):
        read_weights(tmp_path / "none.safetensors")
