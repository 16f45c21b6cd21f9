"""The configuration, the contract and the input normalisation of all encoders."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from earful.errors import ConfigError

KINDS = ("conformer", "transformer", "bigru", "bilstm")
SUBSAMPLINGS = (1, 2, 3, 4)


@dataclass(frozen=True)
class EncoderConfig:
    """The dimensions of an encoder; a checkpoint stores them.

    `kind` is one of KINDS; the default was the most accurate after equal processor time (`bench/encoders.json`). The
    input has `bins` mel bins, the output `width` features, one vector for every `subsampling` frames. `heads` belongs
    to the conformer and the transformer, `kernel` (hidden frames) to the conformer, `expansion` (of the feed-forward
    layers) to both; the recurrent encoders ignore them. With frames every 10 ms, `subsampling=4` gives an output frame
    every 40 ms. `subsampling=1` is for the frames of a pre-trained encoder.

    Raises ConfigError, which names the key, for impossible values.

    Example:
        >>> EncoderConfig(width=96, layers=4, subsampling=3).width
        96
    """

    kind: str = "bilstm"
    bins: int = 80
    width: int = 240
    layers: int = 4
    heads: int = 4
    kernel: int = 15
    expansion: int = 4
    dropout: float = 0.1
    subsampling: int = 4

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise _refusal("kind", self.kind, f"one of {', '.join(KINDS)}")
        for key in ("bins", "width", "layers", "heads", "kernel", "expansion"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise _refusal(key, value, "a whole number of at least 1")
        if self.subsampling not in SUBSAMPLINGS:
            raise _refusal("subsampling", self.subsampling, "1, 2, 3 or 4")
        if not 0.0 <= self.dropout < 1.0:
            raise _refusal("dropout", self.dropout, "a number from 0 up to, but not including, 1")
        if self.kernel % 2 == 0:
            raise _refusal("kernel", self.kernel, "an odd number, so that it has a middle")
        if self.kind in ("conformer", "transformer") and self.width % (2 * self.heads):
            raise _refusal("width", self.width, f"a multiple of 2 × heads = {2 * self.heads}")


def _refusal(key: str, value: object, expected: str) -> ConfigError:
    return ConfigError(f"encoder: {key} is {value!r}, must be {expected}; correct `{key}` in the [encoder] table")


class Encoder(nn.Module, ABC):
    """Frames to hidden frames. `tests/contract/test_encoders.py` tests this contract for every kind:

    - An item gives the same output alone, in a batch and under any padding; the padding is never read.
    - `output_counts` is exact, at least 1 for at least 1 frame, and hidden frames beyond it are zero.
    - Twice differentiable in the parameters and in the frames, through `torch.func.functional_call` too.
    - No buffer changes in a forward pass; the only randomness is `nn.Dropout` in training mode.

    It has two parts, for training that masks between them: `subsample` makes local frames, `context` relates them.
    """

    width: int
    subsampling: int
    subsample: nn.Module

    @abstractmethod
    def context(self, hidden_BFD: Tensor, valid_BF: Tensor) -> Tensor:
        """Local frames to contextual frames, both hidden_BFD; the padding of the output is zero."""

    def forward(self, frames_BFM: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a padded batch: (frames_BFM, frame_counts_B) to (hidden_BFD, hidden_counts_B), in their dtype."""
        hidden_BFD, hidden_counts_B, valid_BF = self.subsample(frames_BFM, frame_counts_B)
        return self.context(hidden_BFD, valid_BF).to(frames_BFM.dtype), hidden_counts_B

    def output_counts(self, frame_counts_B: Tensor) -> Tensor:
        """The number of hidden frames for each number of input frames: ceil(frames / subsampling)."""
        return (frame_counts_B + self.subsampling - 1) // self.subsampling


def valid_frames(counts_B: Tensor, frame_count: int) -> Tensor:
    """The real frames of a padded batch: counts_B to a boolean valid_BF."""
    return torch.arange(frame_count, device=counts_B.device) < counts_B.unsqueeze(1)


def subtract_mean(frames_BFM: Tensor, valid_BF: Tensor) -> Tensor:
    """Take away each utterance's mean per bin over its valid frames; the padding becomes zero.

    A channel multiplies the spectrum, so it adds a constant to the logarithm, which this removes (Atal 1974, cepstral
    mean subtraction). The variance is not normalised: on a clip of a few frames it is mostly chance.
    """
    # `where` and not a product, so that not even a NaN in the padding comes through.
    kept_BFM = torch.where(valid_BF.unsqueeze(-1), frames_BFM, frames_BFM.new_zeros(()))
    count_B1 = valid_BF.sum(dim=1, keepdim=True).clamp(min=1)
    mean_BM = kept_BFM.sum(dim=1) / count_B1
    return (kept_BFM - mean_BM.unsqueeze(1)) * valid_BF.unsqueeze(-1)


class MeanNorm(nn.Module):
    """Mean subtraction, then a learned factor per bin that is the same for all utterances.

    The factor starts at 1/3: natural-log mel energies of speech spread by about 3.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.scale_M = nn.Parameter(torch.full((bins,), 1.0 / 3.0))

    def forward(self, frames_BFM: Tensor, valid_BF: Tensor) -> Tensor:
        """(frames_BFM, valid_BF) to frames_BFM. Raises ConfigError when the bins are not the encoder's."""
        if frames_BFM.dim() != 3 or frames_BFM.shape[2] != self.scale_M.shape[0]:
            raise ConfigError(
                f"encoder: expected frames of shape [batch, frames, {self.scale_M.shape[0]}], got "
                f"{list(frames_BFM.shape)}; set `bins` in the [encoder] table to what the features have"
            )
        return subtract_mean(frames_BFM, valid_BF) * self.scale_M


_drawn_from: ContextVar[torch.Generator | None] = ContextVar("drawn_from", default=None)


@contextmanager
def noise_from(generator: torch.Generator) -> Iterator[None]:
    """Dropout in this thread draws from a generator of its own, where others train at the same time.

    Without, it draws from torch's, which all threads share.
    """
    before = _drawn_from.set(generator)
    try:
        yield
    finally:
        _drawn_from.reset(before)


@contextmanager
def noise_of(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout draws by this seed, and whoever draws elsewhere does not notice.

    Elsewhere than on the processor only one at a time may be in it: torch's own generator is lent.
    """
    if device.type == "cpu":
        with noise_from(torch.Generator().manual_seed(seed)):
            yield
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


class Dropout(nn.Dropout):
    """nn.Dropout that draws eight mask elements from one random word, so that p is rounded to 1/256.

    Drawing one number per element took a fifth of a training step on a CPU; this takes a thirtieth.
    Under `torch.vmap` give `randomness="different"` (or "same"), as for nn.Dropout.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements with probability p and scale up the others, in training mode; else the input itself."""
        dropped = min(round(256 * self.p), 255)
        if not self.training or dropped == 0:
            return x
        shape, generator = ((x.numel() + 7) // 8,), _drawn_from.get()
        words = torch.randint(-(2**63), 2**63 - 1, shape, device=x.device, generator=generator)
        kept = (words.view(torch.uint8)[: x.numel()] >= dropped).view(x.shape)
        return x * (256 / (256 - dropped)) * kept


def initialise(encoder: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw all weight matrices and kernels anew, uniform with variance 1 / fan-in, and zero the biases beside them.

    Norms keep their ones and zeros (LeCun et al. 1998, "Efficient BackProp", section 4.6).
    """
    for name, parameter in encoder.named_parameters():
        if parameter.dim() >= 2:
            nn.init.kaiming_uniform_(parameter, nonlinearity="linear", generator=generator)
        elif "bias" in name:
            nn.init.zeros_(parameter)


def quieten_branches(encoder: nn.Module) -> None:
    """Divide the last weights of every residual branch by √(number of branches), so that depth starts near identity.

    Without this a Conformer of eight layers learned nothing in its first 200 steps: each layer's norm halved what came
    from below (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3).
    """
    ends = [module for module in encoder.modules() if isinstance(module, BranchEnd)]
    with torch.no_grad():
        for end in ends:
            end.weight.div_(len(ends) ** 0.5)


class BranchEnd(nn.Linear):
    """The linear layer that ends a residual branch."""
