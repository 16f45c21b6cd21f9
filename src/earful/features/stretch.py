"""Frames as those of slower or faster speech."""

from torch import Tensor
from torch.nn.functional import interpolate


def stretched(frames_FM: Tensor, count: int) -> Tensor:
    """`frames_FM` [F, M] drawn out or pressed together to `count` frames, each mixed of its two neighbours.

    What speed perturbation (Ko et al. 2015) does to sound, but for the pitch, and without hearing the sound again.

    >>> stretched(torch.tensor([[0.0], [1.0], [2.0]]), 5)[:, 0].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    if len(frames_FM) == count:
        return frames_FM
    moved_1MF = frames_FM.float().T[None]
    return interpolate(moved_1MF, size=count, mode="linear", align_corners=True)[0].T.to(frames_FM.dtype)
