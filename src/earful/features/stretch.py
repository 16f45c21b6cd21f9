"""Frames resampled in time, as of slower or faster speech."""

from torch import Tensor
from torch.nn.functional import interpolate


def stretched(frames_FM: Tensor, count: int) -> Tensor:
    """Resample `frames_FM` [F, M] to [count, M] by linear interpolation between neighbouring frames.

    Like speed perturbation (Ko et al. 2015), but without a change of pitch, and without computing features again.

    >>> stretched(torch.tensor([[0.0], [1.0], [2.0]]), 5)[:, 0].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    if len(frames_FM) == count:
        return frames_FM
    moved_1MF = frames_FM.float().T[None]
    return interpolate(moved_1MF, size=count, mode="linear", align_corners=True)[0].T.to(frames_FM.dtype)
