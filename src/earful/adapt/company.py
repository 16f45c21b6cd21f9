"""The bed of a recogniser: some of its own training clips, which its encoder attends to with every clip."""

from dataclasses import replace

import torch

from earful.checkpoint import Checkpoint
from earful.data.bed import bed_of
from earful.data.manifest import Manifest
from earful.device import CPU
from earful.encoder.whisper import BED, WhisperConfig
from earful.model import BACKBONE, ModelConfig, Params, amid

LEAST_BED_S = 1.0
"""With less speech the bed of the base is kept."""


def in_company(base: Checkpoint, clips: Manifest) -> Checkpoint:
    """The base with a bed of these clips instead of its own; unchanged if its encoder uses no bed.

    Speech of the language itself is the best bed (`bench/company.py`). The model then stores the attention keys and
    values of at most eleven seconds of these clips. Raises AudioError if a recording cannot be read.
    """
    features = base.config.features
    knows = isinstance(features, WhisperConfig) and (features.bed or "untrained" in base.about)
    if not knows or clips.duration_s < LEAST_BED_S:
        return base
    backbone = base.build().backbone
    assert backbone is not None
    heard = amid(backbone, bed_of(list(clips), torch.Generator().manual_seed(0)))
    bed = {f"{BACKBONE}{name}": weight for name, weight in heard.state_dict().items() if name.startswith(BED)}
    return replace(base, config=replace(base.config, features=heard.config), params={**base.params, **bed})


def in_its_own(config: ModelConfig, params: Params, base: Checkpoint) -> tuple[ModelConfig, Params]:
    """The configuration and the weights of an adapted model, with the base's own bed or none."""
    bed = f"{BACKBONE}{BED}"
    rest = {name: value for name, value in params.items() if not name.startswith(bed)}
    own = {name: value.to(CPU) for name, value in base.params.items() if name.startswith(bed)}
    return replace(config, features=base.config.features), {**rest, **own}
