"""From a configuration to an encoder."""

import torch

from earful.encoder.conformer import Conformer
from earful.encoder.encoder import Encoder, EncoderConfig, initialise, quieten_branches
from earful.encoder.recurrent import Recurrent
from earful.encoder.transformer import Transformer
from earful.errors import ConfigError


def build_encoder(config: EncoderConfig, generator: torch.Generator | None = None) -> Encoder:
    """Build the encoder that the configuration names, its weights drawn from `generator` (PyTorch's own if None).

    Example:
        >>> encoder = build_encoder(EncoderConfig("conformer", width=144, layers=2), torch.Generator().manual_seed(0))
        >>> hidden_BFD, hidden_counts_B = encoder(torch.zeros(1, 101, 80), torch.tensor([101]))
        >>> hidden_BFD.shape, hidden_counts_B
        (torch.Size([1, 26, 144]), tensor([26]))
    """
    encoder = _construct(config)
    initialise(encoder, generator)
    quieten_branches(encoder)
    return encoder


def _construct(config: EncoderConfig) -> Encoder:
    match config.kind:
        case "conformer":
            return Conformer(config)
        case "transformer":
            return Transformer(config)
        case "bigru" | "bilstm":
            return Recurrent(config)
        case kind:
            raise ConfigError(f"encoder: kind is {kind!r}, which nothing here builds; choose one of encoder.KINDS")
