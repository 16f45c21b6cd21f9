"""The acoustic model: encoder, upsampling, output layers; and its loss as a pure function of parameters and batch."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from earful.ctc.head import Head, Upsample
from earful.ctc.loss import ctc_loss
from earful.device import CPU, home_of, moved
from earful.encoder.backbone import Backbone, moves, pooling_above
from earful.encoder.build import build_encoder
from earful.encoder.encoder import EncoderConfig
from earful.encoder.pretrained import BackboneConfig, build_backbone
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mfcc import Spectral, spectral
from earful.text.alphabet import BLANK_ID, Alphabet
from earful.text.normalize import TextRules

Params = dict[str, Tensor]
TEXT, PHONES, PHONE_FRAMES = "text", "phones", "phone_frames"
ENCODE = ""
"""In place of a head's name: the hidden frames themselves."""
BACKBONE = "backbone."


@dataclass(frozen=True)
class ModelConfig:
    """The complete configuration of a model.

    The text head writes the `alphabet`. `phones`, where there is one, is the IPA inventory of two further heads:
    `phones` (CTC) and `phone_frames` (the phone of each single frame), which teach a base model and start new letters.
    `features` turn sound into frames: a filterbank, its cepstrum, or a pre-trained encoder's frozen layers.
    """

    alphabet: Alphabet
    phones: Alphabet | None = None
    features: BackboneConfig | Spectral = field(default_factory=FbankConfig)
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
        return self.features.hop_s * self._subsampling / self.upsampling

    def output_count(self, frame_count: int) -> int:
        """The number of output frames for `frame_count` frames of features."""
        return -(-frame_count // self._subsampling) * self.upsampling

    @property
    def _subsampling(self) -> int:
        """Frames of features per frame of the encoder."""
        above = 1 if isinstance(self.features, Spectral) else pooling_above(self.features)
        return above * self.encoder.subsampling


class AcousticModel(nn.Module):
    """Heads ∘ upsampling ∘ encoder, with an optional pre-trained backbone below. Its output is for CTC.

    `frames_of` turns sound into frames. They are computed once; everything above them can be trained.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = None if isinstance(config.features, Spectral) else build_backbone(config.features)
        self.encoder = build_encoder(config.encoder)
        width = self.encoder.width
        self.upsample = Upsample(width, config.upsampling)
        heads = {TEXT: Head(width, config.alphabet.size)}
        if config.phones is not None:
            heads |= {PHONES: Head(width, config.phones.size), PHONE_FRAMES: Head(width, config.phones.size)}
        self.heads = nn.ModuleDict(heads)

    def frames_of(self, samples_T: Tensor) -> Tensor:
        """Samples `[T]`, mono, 16 kHz, in [-1, 1] → the frames `[F, M]` that `forward` takes; no gradient."""
        return frames_by(self.backbone or self.config.features, samples_T)

    def encode(self, frames_BFM: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """Frames → hidden frames `[B, F', D]` at `config.output_hop_s`, and their counts."""
        if self.backbone is not None:
            frames_BFM, frame_counts_B = self.backbone.upper(frames_BFM, frame_counts_B)
        return self.upsample(*self.encoder(frames_BFM, frame_counts_B))  # type: ignore[no-any-return]

    def forward(self, frames_BFM: Tensor, frame_counts_B: Tensor, head: str = TEXT) -> tuple[Tensor, Tensor]:
        """Frames → log-probabilities `[B, F', V]` of `head`, or hidden frames for ENCODE, and the counts of frames."""
        hidden_BFD, counts_B = self.encode(frames_BFM, frame_counts_B)
        return (self.heads[head](hidden_BFD) if head else hidden_BFD), counts_B


def like(model: AcousticModel) -> AcousticModel:
    """Another model of its shape, with weights of any value: for calls with parameters, two threads at a time.

    While torch computes with parameters that it is given, they stand in the model.
    """
    with torch.device("meta"):
        found = AcousticModel(model.config)
    return found.to_empty(device=home_of(model))


def frames_by(features: Backbone | BackboneConfig | Spectral, samples_T: Tensor) -> Tensor:
    """The frames `[F, M]` that a filterbank, its cepstrum or a backbone's frozen layers make of samples `[T]`.

    No gradient. A backbone computes on its own device; the frames are on the device of the samples.
    """
    if isinstance(features, Spectral):
        return spectral(samples_T, features)
    assert isinstance(features, Backbone)
    device = home_of(features)
    with torch.no_grad(), fast_arithmetic(device):
        return features.lower(samples_T.to(device)).to(samples_T.device)


def ears_of(model: AcousticModel) -> Callable[[Tensor], Tensor]:
    """The model's `frames_of`, for many clips: the same frames; what bfloat16 needs is made once, not for each clip."""
    if model.backbone is None or not has_bfloat16(home_of(model)):
        return model.frames_of
    with torch.device("meta"):
        found = build_backbone(model.backbone.config)
    layers = [name for name, layer in found.named_modules() if isinstance(layer, nn.Linear)]
    cast = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    weights = {name: w.bfloat16() if name in cast else w for name, w in model.backbone.state_dict().items()}
    found.load_state_dict(weights, assign=True)
    return partial(frames_by, found.requires_grad_(False).eval())


def amid(backbone: Backbone, samples_T: Tensor) -> Backbone:
    """The encoder with these samples `[T]` as its bed, computed in the same arithmetic as the clips; no gradient."""
    device = home_of(backbone)
    with torch.no_grad(), fast_arithmetic(device):
        return backbone.amid(samples_T.to(device))


def moving(config: ModelConfig, name: str) -> bool:
    """Whether training changes a parameter: all except the frozen ones of a backbone."""
    if isinstance(config.features, Spectral) or not name.startswith(BACKBONE):
        return True
    return moves(config.features, name.removeprefix(BACKBONE))


def loss_of(
    model: AcousticModel, head: str = TEXT, among: Collection[int] | None = None
) -> Callable[[Mapping[str, Tensor], tuple[Tensor, ...]], Tensor]:
    """The pure loss: `loss(params, batch)` is the CTC loss of `batch` under `params`; only the model's shape is used.

    A clip with too few frames for its transcript counts as zero, not infinity. With `among`, ids of symbols that
    include all labels, only these and the blank compete. So a symbol that no transcript has is not unlearned.
    """
    ids = None if among is None else torch.tensor(sorted({BLANK_ID, *among}), device=home_of(model))
    rows = (f"heads.{head}.weight", f"heads.{head}.bias")

    def loss(params: Mapping[str, Tensor], batch: tuple[Tensor, ...]) -> Tensor:
        frames_BFM, frame_counts_B, labels_BL, label_counts_B = batch
        if ids is not None:  # rows are chosen, not outputs: the gradient of the others is zero to the last digit
            params = {**params, **{name: params[name][ids] for name in rows}}
            labels_BL = torch.searchsorted(ids, labels_BL)
        logp_BFV, counts_B = functional_call(model, dict(params), (frames_BFM, frame_counts_B, head))
        return ctc_loss(logp_BFV.transpose(0, 1), labels_BL, counts_B, label_counts_B, zero_infinity=True)

    return loss


def logp_of(
    model: AcousticModel,
    frames_FM: Tensor,
    params: Mapping[str, Tensor] | None = None,
    length: int | None = None,
) -> Tensor:
    """Log-probabilities `[F', V]` of one clip, computed alone, so that no other clip influences them. No gradient.

    `params` replace the model's own parameters of the same names. With `length` the clip is padded to that many frames
    first; padding is not in the result. Fewer shapes are faster (`device.even`).
    """
    device, count = home_of(model), len(frames_FM)
    if length is not None:
        frames_FM = F.pad(frames_FM, (0, 0, 0, length - count))
    with torch.no_grad(), fast_arithmetic(device):
        clip = moved((frames_FM[None], torch.tensor([count])), device)
        logp_BFV, (kept,) = functional_call(model, moved(dict(params or {}), device), clip)
    return logp_BFV[0, :kept].to(CPU)  # type: ignore[no-any-return]


def fast_arithmetic(device: torch.device = CPU) -> torch.autocast:
    """A context in which matrix products on the device are in bfloat16, if it has instructions for it.

    Otherwise they stay in float32, which is then faster than emulated bfloat16.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def parameters_of(model: nn.Module) -> Params:
    """The model's parameters by name, detached copies."""
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
