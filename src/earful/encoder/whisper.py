"""The encoder of Whisper (Radford et al. 2022, figure 1), on clips as long as they are, amid a bed of other speech."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.device import even
from earful.encoder.backbone import (
    Backbone,
    Bed,
    Layer,
    check_cut,
    hop_below,
    in_pieces,
    padding_bias,
    pooled,
    without_padding,
)
from earful.encoder.encoder import valid_frames
from earful.errors import ConfigError
from earful.features.whisper import HOP, RATE_HZ, whisper_logmel

BED = "bed_"
"""The prefix of the names of the weights that come from the bed."""


@dataclass(frozen=True)
class WhisperConfig:
    """The dimensions of a Whisper encoder, and where it is cut (`encoder.backbone.Cut`). `inner` is of feed-forward.

    `bed` is the number of 20 ms frames of other speech before every clip; with 0 it hears clips alone.
    """

    kind: Literal["whisper"]
    mels: int = 80
    width: int = 384
    layers: int = 4
    heads: int = 6
    inner: int = 1536
    positions: int = 1500
    frozen: int = 4
    rank: int = 0
    pool: int = 2
    bed: int = 0

    def __post_init__(self) -> None:
        check_cut(self)
        if self.bed < 0 or self.pool > self.positions - self.bed:
            raise ConfigError(
                f"whisper: of its {self.positions} positions the bed takes {self.bed}, which leaves fewer than "
                f"`pool`, {self.pool}; shorten the bed"
            )

    @property
    def stride_s(self) -> float:
        """Seconds from one frame of the last layer to the next."""
        return 2 * HOP / RATE_HZ

    @property
    def bins(self) -> int:
        """Numbers in each frame that `lower` gives."""
        return self.width

    @property
    def hop_s(self) -> float:
        """Seconds from one frame that `lower` gives to the next."""
        return hop_below(self)


@final
class Whisper(Backbone):
    """Log-mel, two convolutions, sinusoids, pre-norm layers, a norm; then the mean of `pool` frames.

    Whisper was trained on windows full of speech, and hears a short clip better amid other speech of its language, a
    bed. The model keeps what attention needs of it: the keys and values of each layer. The bed does not attend to the
    clip, so they are the same for every clip, and cost each clip little (`bench/company.py` measures it).
    """

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(config.mels, config.width, 3, padding=1)
        self.second = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.positions_FD = nn.Parameter(torch.zeros(config.positions, config.width))
        self.layers = nn.ModuleList(
            Layer(config.width, config.heads, config.inner, config.rank * (n >= config.frozen), key_bias=False)
            for n in range(config.layers)
        )
        self.norm_out = nn.LayerNorm(config.width)
        if config.bed:
            shape = (config.layers, config.bed, config.width)
            self.bed_keys_NFD, self.bed_values_NFD = (nn.Parameter(torch.zeros(shape)) for _ in range(2))

    @property
    def bed_s(self) -> float:
        """The bed's length in seconds."""
        return float(self.config.bed * self.config.stride_s)

    def amid(self, samples_T: Tensor) -> "Whisper":
        """The same encoder with shared weights and these samples (whole frames of them) as its bed."""
        frames = min(len(samples_T) // (2 * HOP), self.config.positions - self.config.pool)
        with torch.device("meta"):
            found = Whisper(replace(self.config, bed=frames))
        keys, values = [], []
        x_1FD = self._entered(samples_T[: frames * 2 * HOP], 0)[:, :frames]
        for layer in cast(Iterable[Layer], self.layers):
            normed_1FD = layer.norm_attention(x_1FD)
            keys.append(layer.key(normed_1FD)[0])
            values.append(layer.value(normed_1FD)[0])
            x_1FD = layer(x_1FD)
        bed = {"bed_keys_NFD": keys, "bed_values_NFD": values} if frames else {}
        weights = {name: weight for name, weight in self.state_dict().items() if not name.startswith(BED)}
        bed_NFD = {name: torch.stack(each).half().to(samples_T.dtype) for name, each in bed.items()}  # as it is kept
        found.load_state_dict(weights | bed_NFD, assign=True)
        return found.requires_grad_(False).train(self.training)

    def lower(self, samples_T: Tensor) -> Tensor:
        """Samples `[T]` to frames `[F, D]`; a clip longer than Whisper's 30 s, less the bed, is processed in pieces."""
        longest = (self.config.positions - self.config.bed) * 2 * HOP
        return in_pieces(samples_T, longest, 2 * HOP * self.config.pool, self._lower)

    def _lower(self, samples_T: Tensor) -> Tensor:
        x_1FD = self._entered(samples_T, self.config.bed)
        frames = x_1FD.shape[1]
        # Few lengths: oneDNN writes a kernel for each that it meets, and keeps it.
        valid_1F = torch.arange(even(frames), device=x_1FD.device)[None] < frames
        bias_111F = padding_bias(valid_1F, x_1FD.dtype)
        x_1FD = F.pad(x_1FD, (0, 0, 0, even(frames) - frames))
        for n, layer in enumerate(self.layers[: self.config.frozen]):
            x_1FD = layer(x_1FD, bias_111F, bed=self._bed(n))
        x_1FD = x_1FD[:, :frames]
        if self.config.frozen == self.config.layers:
            x_1FD, _ = self._end(x_1FD, torch.tensor([x_1FD.shape[1]], device=x_1FD.device))
        return x_1FD[0].to(samples_T.dtype)

    def _entered(self, samples_T: Tensor, position: int) -> Tensor:
        """The input of the first layer, `[1, F, D]`, with the first frame at `position`."""
        mel_1MF = whisper_logmel(samples_T, self.config.mels).T[None].contiguous()
        x_1DF = F.gelu(self.second(F.gelu(self.first(mel_1MF))))
        return x_1DF.transpose(1, 2) + self.positions_FD[position : position + x_1DF.shape[2]]

    def _bed(self, layer: int) -> Bed | None:
        """Keys and values of the bed in one layer, `[F, D]` each."""
        return (self.bed_keys_NFD[layer], self.bed_values_NFD[layer]) if self.config.bed else None

    def upper(self, frames_BFD: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """The layers above the cut, the norm and the mean of `pool` frames; the identity if nothing is above it."""
        if self.config.frozen == self.config.layers:
            return frames_BFD, frame_counts_B
        valid_BF = valid_frames(frame_counts_B, frames_BFD.shape[1])
        bias_B11F = padding_bias(valid_BF, frames_BFD.dtype)
        frames_BFD = without_padding(frames_BFD, valid_BF)
        for n, layer in enumerate(self.layers[self.config.frozen :], self.config.frozen):
            frames_BFD = layer(frames_BFD, bias_B11F, bed=self._bed(n))
        return self._end(frames_BFD, frame_counts_B)

    def _end(self, x_BFD: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
        return pooled(self.norm_out(x_BFD), counts_B, self.config.pool)
