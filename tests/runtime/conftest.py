"""Models of every kind, small and untrained."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from earful.checkpoint import Checkpoint, save_checkpoint
from earful.encoder.encoder import EncoderConfig
from earful.encoder.whisper import WhisperConfig
from earful.features.fbank import FbankConfig
from earful.model import AcousticModel, ModelConfig, parameters_of
from earful.text.alphabet import Alphabet

Made = tuple[Path, AcousticModel]


def checkpoint_of(features: FbankConfig | WhisperConfig, kind: str, subsampling: int, upsampling: int) -> Checkpoint:
    encoder = EncoderConfig(kind, features.bins, width=16, layers=2, heads=2, kernel=5, subsampling=subsampling)
    config = ModelConfig(Alphabet(tuple(" abc")), features=features, encoder=encoder, upsampling=upsampling)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        params = parameters_of(AcousticModel(config))
        # Not the zeros and ones that biases, norms and positions begin with.
        moved = {name: value + 0.1 * torch.randn_like(value) for name, value in params.items()}
    return Checkpoint(config, moved)


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """`make(features, kind, subsampling, upsampling)` is a model folder, and the model itself."""

    def make(
        features: FbankConfig | WhisperConfig, kind: str = "conformer", subsampling: int = 4, upsampling: int = 2
    ) -> Made:
        checkpoint = checkpoint_of(features, kind, subsampling, upsampling)
        folder = tmp_path_factory.mktemp("made") / "model"
        save_checkpoint(folder, checkpoint)
        return folder, checkpoint.build()

    return make
