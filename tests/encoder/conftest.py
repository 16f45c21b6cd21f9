"""Small encoders with random weights, made and saved by `transformers`: what ours are compared with."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

WIDTH, LAYERS, POSITIONS = 32, 3, 100
CONVOLUTIONS = {"conv_dim": (16,) * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4}
DIMENSIONS = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "intermediate_size": 48}
LARGE = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2": ("Wav2Vec2", {}),
    "wav2vec2-xlsr": ("Wav2Vec2", LARGE),
    "wav2vec2-mixed": ("Wav2Vec2", {"feat_extract_norm": "layer", "num_conv_pos_embeddings": 7}),
    "hubert": ("Hubert", {}),
    "hubert-large": ("Hubert", LARGE),
    "distilhubert": ("Hubert", {"feat_proj_layer_norm": False}),
    "wavlm": ("WavLM", {}),
    "wavlm-large": ("WavLM", LARGE | {"conv_bias": False, "num_buckets": 32, "max_bucket_distance": 40}),
}


class Original(NamedTuple):
    """A folder that transformers saved, and what it computes: samples `[T]` to frames `[F, D]`."""

    folder: Path
    run: Callable[[Tensor], Tensor]


@pytest.fixture(scope="session")
def transformers() -> Any:
    """The library, imported once, which takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("transformers")


@pytest.fixture(scope="session")
def original(transformers: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Original]:
    """`original("wavlm")` is a saved model of FAMILIES, or of Whisper; one of each is made."""
    made: dict[str, Original] = {}

    def original(name: str) -> Original:
        if name not in made:
            make = _whisper if name == "whisper" else _wav2vec2
            with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
                warnings.simplefilter("ignore")
                torch.manual_seed(0)
                made[name] = make(transformers, name, tmp_path_factory.mktemp("original") / name)
        return made[name]

    return original


def _wav2vec2(transformers: Any, name: str, folder: Path) -> Original:
    family, options = FAMILIES[name]
    config = getattr(transformers, f"{family}Config")(**CONVOLUTIONS | DIMENSIONS | options)
    model = _unsettled(getattr(transformers, f"{family}Model")(config))
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=name != "hubert")
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)

    def run(samples_T: Tensor) -> Tensor:
        inputs = extractor(samples_T.numpy(), sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            return model(inputs.input_values).last_hidden_state[0]  # type: ignore[no-any-return]

    return Original(folder, run)


def _whisper(transformers: Any, name: str, folder: Path) -> Original:
    dimensions = {"encoder_layers": LAYERS, "encoder_attention_heads": 4, "encoder_ffn_dim": 48, "d_model": WIDTH}
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
    model = _unsettled(
        transformers.WhisperForConditionalGeneration(
            transformers.WhisperConfig(max_source_positions=POSITIONS, **dimensions, **decoder)
        )
    )
    extractor = transformers.WhisperFeatureExtractor(chunk_length=POSITIONS // 50)
    model.save_pretrained(folder)

    def run(samples_T: Tensor) -> Tensor:
        inputs = extractor(samples_T.numpy(), sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            return model.model.encoder(inputs.input_features).last_hidden_state[0]  # type: ignore[no-any-return]

    return Original(folder, run)


def _unsettled(model: Any) -> Any:
    """The model with no weight left at zero or one, and attention that is not uniform: every weight must count."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.5 if "rel_" in name else 0.2
            parameter.add_(scale * torch.randn(parameter.shape))
    return model.eval()


@pytest.fixture
def edited(original: Callable[[str], Original], tmp_path: Path) -> Callable[..., Path]:
    """`edited("hubert", key=value)` is a copy of a saved model, with keys of `config.json` changed; None deletes."""

    def edited(name: str, **keys: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path in original(name).folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        config = json.loads((folder / "config.json").read_text("utf-8")) | keys
        kept = {key: value for key, value in config.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(kept), "utf-8")
        return folder

    return edited


@pytest.fixture(scope="session")
def voice() -> Callable[[float], Tensor]:
    """`voice(2.0)`: two seconds of a gliding tone in noise, loud and off centre, as recordings are."""

    def voice(seconds: float) -> Tensor:
        generator = torch.Generator().manual_seed(round(1000 * seconds))
        t = torch.arange(round(16_000 * seconds)) / 16_000
        tone = torch.sin(2 * torch.pi * (200 + 150 * t) * t) * (0.5 + 0.5 * torch.sin(9 * t))
        return 0.3 * tone + 0.02 * torch.randn(len(t), generator=generator) + 0.01

    return voice
