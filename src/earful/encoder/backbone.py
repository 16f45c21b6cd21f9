"""Public pre-trained encoders as the lower part of a model: frozen below, adapted above.

A backbone is cut between two of its layers. The part below the cut is frozen: it is computed once per clip and kept.
The part above is trained with the rest of the model, whole or by low-rank adapters.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.errors import ConfigError

LAYERS = "layers."
ADAPTERS = (".down", ".up")
FAR_BELOW = -30_000.0
"""Added to an attention score, it makes the weight zero; unlike the lowest float32 it is finite in float16."""

C = TypeVar("C", bound="Cut")
Bed = tuple[Tensor, Tensor]
"""Keys and values, `[F, D]` each, of extra frames that every item attends to."""


class Cut(Protocol):
    """The common configuration of all backbones.

    `layers` layers have `width` features and `heads` heads. The first `frozen` layers are frozen. The others have
    low-rank adapters of `rank`, or are trained themselves if it is 0. The frames of the last layer, one every
    `stride_s`, are averaged over `pool`.
    """

    @property
    def width(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def frozen(self) -> int: ...
    @property
    def rank(self) -> int: ...
    @property
    def pool(self) -> int: ...
    @property
    def stride_s(self) -> float: ...


def check_cut(cut: Cut) -> None:
    """Raise ConfigError for a cut that cannot be made."""
    if min(cut.layers, cut.heads, cut.width) < 1 or cut.width % cut.heads:
        dimensions = f"{cut.layers} layers, {cut.heads} heads and width {cut.width}"
        raise ConfigError(f"backbone: got {dimensions}; all must be at least 1, the width a multiple of the heads")
    if not 0 <= cut.frozen <= cut.layers:
        raise ConfigError(f"backbone: frozen is {cut.frozen}, must be from 0 to its {cut.layers} layers")
    if cut.rank < 0 or cut.pool < 1:
        raise ConfigError(f"backbone: rank must be at least 0 and pool at least 1, got {cut.rank} and {cut.pool}")


def pooling_above(cut: Cut) -> int:
    """The number of frames entering the trained part that become one in it: pooling follows the last layer."""
    return 1 if cut.frozen == cut.layers else cut.pool


def hop_below(cut: Cut) -> float:
    """Seconds between the frames of the frozen part."""
    return cut.stride_s * cut.pool / pooling_above(cut)


def moves(cut: Cut, name: str) -> bool:
    """Whether a backbone's parameter (its name within the backbone) is adapted."""
    if not name.startswith(LAYERS):
        return cut.frozen < cut.layers and cut.rank == 0 and name.startswith("norm_out.")
    above = int(name.split(".")[1]) >= cut.frozen
    return above and (cut.rank == 0 or name.endswith(ADAPTERS))


class Backbone(nn.Module, ABC):
    """A pre-trained encoder of `config`. `lower` is the frozen part, for a clip; `upper` the rest, for a padded batch.

    Together they equal the original. With all layers frozen `upper` is the identity.
    """

    config: Any

    @property
    def bed_s(self) -> float:
        """Seconds of other speech, the bed, amid which it hears each clip; 0 if it hears them alone."""
        return 0.0

    @abstractmethod
    def lower(self, samples_T: Tensor) -> Tensor:
        """Samples `[T]` of 16 kHz in [-1, 1] to frames `[F, D]`, which are kept for a clip. Never differentiated."""

    def amid(self, samples_T: Tensor) -> "Backbone":
        """The same encoder with these samples as its bed; itself, if it hears clips alone."""
        return self

    @abstractmethod
    def upper(self, frames_BFD: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of `lower`, padded, and their counts, to (frames_BFD, frame_counts_B) at the pooled rate."""


class Linear(nn.Linear):
    """A linear layer, with a low-rank adapter beside it if `rank` > 0 (Hu et al. 2021, "LoRA", eq. 3)."""

    def __init__(self, inputs: int, outputs: int, rank: int = 0, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.rank = rank
        if rank:
            self.down = nn.Parameter(first_adapter(".down", (rank, inputs)))
            self.up = nn.Parameter(first_adapter(".up", (outputs, rank)))

    def forward(self, x: Tensor) -> Tensor:
        plain = super().forward(x)
        return plain + F.linear(F.linear(x, self.down), self.up) if self.rank else plain


class Layer(nn.Module):
    """A Transformer layer as in the public encoders: the norm before each branch (`pre_norm`) or after the sum.

    `bias_B11F`, for the padding, is added to the attention scores. So are relative positions `positions_HFF` if an
    encoder has them, weighted by `gate` (`encoder.wavlm`). All items attend to a `bed`.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        rank: int = 0,
        *,
        pre_norm: bool = True,
        key_bias: bool = True,
        gate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.pre_norm, self.gate = heads, pre_norm, gate
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.value, self.out = (Linear(width, width, rank) for _ in range(3))
        self.key = Linear(width, width, rank, bias=key_bias)
        self.widen, self.narrow = Linear(width, inner, rank), Linear(inner, width, rank)

    def forward(
        self,
        x_BFD: Tensor,
        bias_B11F: Tensor | None = None,
        positions_HFF: Tensor | None = None,
        bed: Bed | None = None,
    ) -> Tensor:
        if self.pre_norm:
            x_BFD = x_BFD + self.attend(self.norm_attention(x_BFD), bias_B11F, positions_HFF, bed)
            return x_BFD + self.feed(self.norm_feed(x_BFD))
        x_BFD = self.norm_attention(x_BFD + self.attend(x_BFD, bias_B11F, positions_HFF))
        return self.norm_feed(x_BFD + self.feed(x_BFD))  # type: ignore[no-any-return]

    def attend(
        self,
        x_BFD: Tensor,
        bias: Tensor | None = None,
        positions_HFF: Tensor | None = None,
        bed: Bed | None = None,
    ) -> Tensor:
        """Multi-head self-attention, also to a bed if there is one. A bed and relative positions exclude each other."""
        batch, frames, width = x_BFD.shape
        shape = (batch, frames, self.heads, width // self.heads)
        query, key, value = (each(x_BFD).view(shape).transpose(1, 2) for each in (self.query, self.key, self.value))
        if self.gate is not None and positions_HFF is not None:
            gated_BHFF = self.gate(x_BFD.view(shape)) * positions_HFF
            bias = gated_BHFF if bias is None else gated_BHFF + bias
        if bed is not None:
            before = (part.to(key.dtype).view(1, -1, *shape[2:]).transpose(1, 2) for part in bed)
            key, value = (
                torch.cat([b.expand(batch, -1, -1, -1), own], 2) for b, own in zip(before, (key, value), strict=True)
            )
            bias = bias if bias is None else F.pad(bias, (len(bed[0]), 0))
        bias = bias if bias is None else bias.to(query.dtype)
        # The fused kernels are faster, and have no second derivative: what moves does without them.
        if torch.is_grad_enabled():
            scores = (query * shape[-1] ** -0.5) @ key.transpose(2, 3)
            mixed = (scores if bias is None else scores + bias).softmax(-1).to(value.dtype) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, bias)
        return self.out(mixed.transpose(1, 2).reshape(batch, frames, width))  # type: ignore[no-any-return]

    def feed(self, x_BFD: Tensor) -> Tensor:
        """The feed-forward branch."""
        return self.narrow(F.gelu(self.widen(x_BFD)))  # type: ignore[no-any-return]


def padding_bias(valid_BF: Tensor, dtype: torch.dtype) -> Tensor:
    """The bias that excludes padding from attention: `[B, 1, 1, F]`, far below zero where there is no frame."""
    return torch.zeros_like(valid_BF, dtype=dtype).masked_fill(~valid_BF, FAR_BELOW)[:, None, None]


def without_padding(frames_BFD: Tensor, valid_BF: Tensor) -> Tensor:
    """Zeros beyond the counts: attention gives the padding no weight, but 0 × NaN is NaN."""
    return torch.where(valid_BF.unsqueeze(-1), frames_BFD, frames_BFD.new_zeros(()))


def pooled(frames_BFD: Tensor, counts_B: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """Means of `pool` frames, of fewer at the end of an item, and the counts; zeros beyond the counts."""
    size = frames_BFD.shape[1]
    valid_BF1 = (torch.arange(size, device=counts_B.device) < counts_B[:, None]).unsqueeze(-1)
    sum_BFD, count_BF1 = (
        F.pad(part, (0, 0, 0, -size % pool)).reshape(len(counts_B), -1, pool, part.shape[2]).sum(2)
        for part in (torch.where(valid_BF1, frames_BFD, 0.0), valid_BF1.to(frames_BFD.dtype))
    )
    return sum_BFD / count_BF1.clamp(min=1), (counts_B + pool - 1) // pool


def in_pieces(
    samples_T: Tensor, longest: int, hop: int, encode: Callable[[Tensor], Tensor], overlap: int = 0
) -> Tensor:
    """Encode a clip longer than `longest` samples in pieces of similar length, each a multiple of `hop`.

    All pieces except the last are `overlap` samples longer, so that frames that reach beyond their hop are not lost.
    """
    if len(samples_T) <= longest:
        return encode(samples_T)
    hops = -(-len(samples_T) // hop)
    count = -(-hops // max(1, (longest - overlap) // hop))
    edges = [hops * n // count * hop for n in range(count + 1)]
    return torch.cat([encode(samples_T[begin : end + overlap]) for begin, end in itertools.pairwise(edges)])


def recut(cut: C, *, frozen: int, rank: int = 0) -> C:
    """The same backbone with another part of it trained."""
    return replace(cut, frozen=frozen, rank=rank)  # type: ignore[type-var]


def first_adapter(name: str, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """The initial factor of a low-rank adapter: `down` random, `up` zero, so that the layer starts as loaded."""
    if name.endswith(".up"):
        return torch.zeros(*shape)
    return torch.randn(*shape, generator=generator) / math.sqrt(shape[-1])


def merged(params: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Parameters with every low-rank adapter under `prefix` added into its weight: W + up · down."""
    names = [name for name in params if name.startswith(prefix) and name.endswith(".down")]
    sums = {}
    for name in names:
        layer = name.removesuffix(".down")
        sums[f"{layer}.weight"] = params[f"{layer}.weight"] + params[f"{layer}.up"] @ params[name]
    rest = {n: v for n, v in params.items() if not (n.startswith(prefix) and n.endswith(ADAPTERS))}
    return rest | sums
