"""The acoustic model: encoder, upsampling, output layers; and its loss as a pure function of parameters and batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call

from earful.ctc.head import Head, Upsample
from earful.ctc.loss import ctc_loss
from earful.encoder.build import build_encoder
from earful.encoder.encoder import EncoderConfig
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules

Params = dict[str, Tensor]
TEXT, PHONES, PHONE_FRAMES = "text", "phones", "phone_frames"


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a model again.

    `alphabet` is what the text head writes. `phones`, where there is one, is the IPA inventory of two further heads:
    `phones` (CTC) and `phone_frames` (the phone of each single frame), which teach a base model and start new letters.
    """

    alphabet: Alphabet
    phones: Alphabet | None = None
    features: FbankConfig = field(default_factory=FbankConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    upsampling: int = 2
    rules: TextRules = field(default_factory=TextRules)

    def __post_init__(self) -> None:
        if self.upsampling not in (1, 2, 3, 4):
            raise ConfigError(f"upsampling is {self.upsampling}, must be 1, 2, 3 or 4")
        if self.encoder.bins != self.features.bins:
            raise ConfigError(
                f"the encoder takes {self.encoder.bins} bins, the features give {self.features.bins}: make them equal"
            )

    @property
    def output_hop_s(self) -> float:
        """Seconds from one output frame to the next."""
        return self.features.hop_s * self.encoder.subsampling / self.upsampling

    def output_count(self, frame_count: int) -> int:
        """How many output frames come of `frame_count` frames of features."""
        return -(-frame_count // self.encoder.subsampling) * self.upsampling


class AcousticModel(nn.Module):
    """Encoder ∘ upsampling ∘ heads. `forward` gives what CTC reads."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        width = self.encoder.width
        self.upsample = Upsample(width, config.upsampling)
        heads = {TEXT: Head(width, config.alphabet.size)}
        if config.phones is not None:
            heads |= {PHONES: Head(width, config.phones.size), PHONE_FRAMES: Head(width, config.phones.size)}
        self.heads = nn.ModuleDict(heads)

    def encode(self, frames_BFM: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel frames → hidden frames `[B, F', D]` at `config.output_hop_s`, and their counts."""
        return self.upsample(*self.encoder(frames_BFM, frame_counts_B))  # type: ignore[no-any-return]

    def forward(self, frames_BFM: Tensor, frame_counts_B: Tensor, head: str = TEXT) -> tuple[Tensor, Tensor]:
        """Log-mel frames → log-probabilities `[B, F', V]` of `head`, and the counts of frames."""
        hidden_BFD, counts_B = self.encode(frames_BFM, frame_counts_B)
        return self.heads[head](hidden_BFD), counts_B


def loss_of(model: AcousticModel, head: str = TEXT) -> Callable[[Mapping[str, Tensor], tuple[Tensor, ...]], Tensor]:
    """The pure loss: `loss(params, batch)` is the CTC loss of `batch` under `params`; the model lends only its shape.

    A clip whose transcript is longer than its frames can carry counts zero, not infinity.
    """

    def loss(params: Mapping[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        frames_BFM, frame_counts_B, labels_BL, label_counts_B = batch
        logp_BFV, counts_B = functional_call(model, dict(params), (frames_BFM, frame_counts_B, head))
        return ctc_loss(logp_BFV.transpose(0, 1), labels_BL, counts_B, label_counts_B, zero_infinity=True)

    return loss


def fast_arithmetic() -> torch.autocast:
    """A context in which matrix products are in bfloat16, on processors that have instructions for it.

    On others they stay in float32, which is faster there than an emulated bfloat16.
    """
    has_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16)


def parameters_of(model: nn.Module) -> Params:
    """The model's parameters by name, detached copies."""
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
