"""Measures of learning: the accuracy of a linear phone classifier on frozen hidden frames, and the frames' spread."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from earful.data.frames import FrameStore
from earful.data.synthesis.speech import SILENCE
from earful.data.utterance import Utterance
from earful.device import home_of, moved
from earful.encoder.backbone import Backbone
from earful.encoder.encoder import Encoder, subtract_mean, valid_frames
from earful.errors import ManifestError
from earful.features.mfcc import Spectral
from earful.model import AcousticModel, fast_arithmetic
from earful.pretrain.dataset import UNKNOWN, Dataset, Progress, chosen, phones_of, stored
from earful.pretrain.masking import sounding
from earful.pretrain.recipe import Corpus
from earful.pretrain.unlabelled import QUIET
from earful.text.alphabet import Alphabet

ITERATIONS, PENALTY, BATCH = 60, 1e-4, 16
PROBED = 200
"""The number of clips of a probe: half of them to fit it, half to test it."""


@dataclass(frozen=True)
class PhoneProbe:
    """Clips with phone times for repeated measurements; always the same, so that figures can be compared."""

    dataset: Dataset
    learn: Sequence[int]
    test: Sequence[int]

    def accuracy(self, model: AcousticModel) -> float:
        """See `phone_accuracy`."""
        return phone_accuracy(model, self.dataset, self.learn, self.test)


def timed_clips(manifest: Path) -> list[Utterance]:
    """The clips of a manifest whose phones have times. Raises ManifestError as `open_probe`."""
    timed = [u for u in chosen(Corpus(manifest)) if u.extra.get("phones")]
    if len(timed) < 2:
        raise ManifestError(
            f"{manifest}: {len(timed)} clips have the times of their phones (`phones`), a probe needs two or more; "
            "`earful corpus speak` makes such clips"
        )
    return timed


def open_probe(manifest: Path, model: AcousticModel, cache: Path, tell: Progress | None = None) -> PhoneProbe:
    """Draw clips from a manifest with phone times, and compute (or find, under `cache`) the frames that `model` takes.

    The draw depends on the manifest alone. Nothing is augmented.

    Raises:
        ManifestError: the manifest cannot be read, or fewer than two clips of at most 16 s have phone times.
        AudioError: a recording cannot be read.
        ConfigError: the frames cannot be stored.
    """
    timed = timed_clips(manifest)
    order = torch.randperm(len(timed), generator=torch.Generator().manual_seed(9)).tolist()
    clips = [timed[place] for place in order[:PROBED]]
    symbols = {symbol for clip in clips for symbol in phones_of(clip)}
    front = model.backbone or model.config.features
    assert isinstance(front, Backbone | Spectral)
    frames = FrameStore([stored(cache, clips, front, QUIET, 0, tell)])
    nothing: list[tuple[int, ...]] = [()] * len(clips)  # labels of whole clips, which no probe reads
    inventory = Alphabet(tuple(sorted(symbols - {SILENCE})))
    dataset = Dataset(clips, frames, nothing, nothing, inventory, inventory, model.config.features)
    return PhoneProbe(dataset, range(len(clips) // 2), range(len(clips) // 2, len(clips)))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, in the arithmetic of training; afterwards each module has its former mode.

    A measurement must not disturb training: in evaluation mode dropout would stay off.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), fast_arithmetic(home_of(model)):
            yield
    finally:
        for module, training in modes:
            module.training = training


def spread(encoder: Encoder, frames_BFM: Tensor, counts_B: Tensor) -> float | None:
    """The distance of hidden frames from the mean of their clip, relative to their norm; root mean squares of both.

    It is 0 if all hidden frames of a clip are equal: the representation has collapsed, and no layer above can
    distinguish sounds. On speech, new and trained encoders had 0.4 to 0.9. Clips of silence, or of a single hidden
    frame, do not count; None if there are no others.
    """
    with evaluating(encoder):
        hidden_BFD, hidden_counts_B = encoder(frames_BFM, counts_B)
    counted_B = sounding(frames_BFM, counts_B) & (hidden_counts_B > 1)
    if not bool(counted_B.any()):
        return None
    hidden_BFD = hidden_BFD[counted_B].float()
    moved_BFD = subtract_mean(hidden_BFD, valid_frames(hidden_counts_B[counted_B], hidden_BFD.shape[1]))
    whole = float(hidden_BFD.square().sum())
    return (float(moved_BFD.square().sum()) / whole) ** 0.5 if whole > 0 else 0.0


class Probe(NamedTuple):
    """A linear classifier of frames: `weight_PD`, `bias_P`, on centred and scaled dimensions."""

    mean_D: Tensor
    scale_D: Tensor
    weight_PD: Tensor
    bias_P: Tensor

    def logits(self, rows_ND: Tensor) -> Tensor:
        """The logits of each row and each phone, `[N, P]`."""
        return (rows_ND - self.mean_D) * self.scale_D @ self.weight_PD.T + self.bias_P


def phone_accuracy(model: AcousticModel, dataset: Dataset, learn: Sequence[int], test: Sequence[int]) -> float:
    """The share of the frames of `test` clips that a linear layer, fitted on `learn` clips, classifies correctly.

    Frames of unknown phone do not count; silence (id 0) does. The model is frozen and in evaluation mode meanwhile, and
    nothing random is drawn, so training is not affected.
    """
    size = len(dataset.phone_ids)
    probe = fit_probe(*labelled_frames(model, dataset, learn), size)
    rows_ND, phones_N = labelled_frames(model, dataset, test)
    return float((probe.logits(rows_ND).argmax(1) == phones_N).float().mean())


def labelled_frames(model: AcousticModel, dataset: Dataset, clips: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Hidden frames of the clips `[N, D]` and their phones `[N]`, for known phones."""
    rows, phones = [], []
    with evaluating(model):
        for begin in range(0, len(clips), BATCH):
            batch, labels = moved(dataset.batch(clips[begin : begin + BATCH], model.config), home_of(model))
            hidden_BFD, _ = model.encode(batch.frames_BFM, batch.frame_counts_B)
            known_BF = labels.frames_BF != UNKNOWN
            rows.append(hidden_BFD[known_BF].float())
            phones.append(labels.frames_BF[known_BF])
    return torch.cat(rows), torch.cat(phones)


def fit_probe(rows_ND: Tensor, phones_N: Tensor, size: int, penalty: float = PENALTY) -> Probe:
    """Multinomial logistic regression with a quadratic penalty on the weights, by L-BFGS from zero: no randomness."""
    mean_D, scale_D = rows_ND.mean(0), 1 / rows_ND.std(0).clamp(min=1e-5)
    x_ND = (rows_ND - mean_D) * scale_D
    weight_PD = torch.zeros(size, rows_ND.shape[1], device=rows_ND.device, requires_grad=True)
    bias_P = torch.zeros(size, device=rows_ND.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight_PD, bias_P], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(x_ND @ weight_PD.T + bias_P, phones_N) + penalty * weight_PD.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return Probe(mean_D, scale_D, weight_PD.detach(), bias_P.detach())
