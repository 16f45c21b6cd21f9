"""A linear probe: how well a linear layer on frozen hidden frames tells phones; a sign of what is learned."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from earful.model import AcousticModel, fast_arithmetic
from earful.pretrain.dataset import UNKNOWN, Dataset

ITERATIONS, PENALTY, BATCH = 60, 1e-4, 16


class Probe(NamedTuple):
    """A linear classifier of frames: `weight_PD`, `bias_P`, after each dimension was centred and scaled."""

    mean_D: Tensor
    scale_D: Tensor
    weight_PD: Tensor
    bias_P: Tensor

    def logits(self, rows_ND: Tensor) -> Tensor:
        """Of each row and each phone, `[N, P]`."""
        return (rows_ND - self.mean_D) * self.scale_D @ self.weight_PD.T + self.bias_P


def phone_accuracy(model: AcousticModel, dataset: Dataset, learn: Sequence[int], test: Sequence[int]) -> float:
    """The share of the frames of `test` clips whose phone a linear layer, fitted on `learn` clips, tells.

    Frames whose phone is not known do not count; silence (id 0) does. The model is frozen, and in evaluation mode.
    """
    size = len(dataset.phone_ids)
    probe = fit_probe(*labelled_frames(model, dataset, learn), size)
    rows_ND, phones_N = labelled_frames(model, dataset, test)
    return float((probe.logits(rows_ND).argmax(1) == phones_N).float().mean())


def labelled_frames(model: AcousticModel, dataset: Dataset, clips: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Hidden frames of the clips `[N, D]` and their phones `[N]`, all whose phone is known."""
    rows, phones = [], []
    model.eval()
    with torch.no_grad(), fast_arithmetic():
        for begin in range(0, len(clips), BATCH):
            batch, labels = dataset.batch(clips[begin : begin + BATCH], model.config)
            hidden_BFD, _ = model.encode(batch.frames_BFM, batch.frame_counts_B)
            known_BF = labels.frames_BF != UNKNOWN
            rows.append(hidden_BFD[known_BF].float())
            phones.append(labels.frames_BF[known_BF])
    return torch.cat(rows), torch.cat(phones)


def fit_probe(rows_ND: Tensor, phones_N: Tensor, size: int, penalty: float = PENALTY) -> Probe:
    """Multinomial logistic regression with a quadratic penalty on the weights, by L-BFGS from zero: no randomness."""
    mean_D, scale_D = rows_ND.mean(0), 1 / rows_ND.std(0).clamp(min=1e-5)
    x_ND = (rows_ND - mean_D) * scale_D
    weight_PD = torch.zeros(size, rows_ND.shape[1], requires_grad=True)
    bias_P = torch.zeros(size, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight_PD, bias_P], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(x_ND @ weight_PD.T + bias_P, phones_N) + penalty * weight_PD.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return Probe(mean_D, scale_D, weight_PD.detach(), bias_P.detach())
