"""The recursions of CTC in tensor operations, for every device; slower than the kernels, and their reference."""

from collections.abc import Iterable

import torch
from torch import Tensor

from earful.ctc.lattice import Lattice, check

_LEAST = -1e30  # stands for minus infinity: differences of infinities are not numbers


def shares(logp_FBV: Tensor, lattice: Lattice, impossible: float, v_FBV: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Minus the log-likelihood of the labels `[B]`, and the posteriors: `shares[b, t, 0]` that frame t is blank,
    `shares[b, t, i]` that it is label i (counted from 1); zero behind the clip's frames and labels.

    With a direction `v_FBV`, the derivatives of both along it. A clip too short for its labels is infinite, with shares
    `impossible`; zero with zeros where `impossible` is 0.
    """
    check(logp_FBV, lattice)
    lattice = _cleaned(lattice)
    if v_FBV is None:
        return _shares(logp_FBV.detach(), lattice, impossible)
    found, changes = torch.func.jvp(  # type: ignore[misc]
        lambda logp: _shares(logp, lattice, impossible), (logp_FBV.detach(),), (v_FBV.detach(),)
    )
    values_B = torch.where(found[0].isinf(), impossible, changes[0])
    return values_B, torch.where(found[1].isnan(), torch.nan, changes[1])


def spread(shares_BFL: Tensor, lattice: Lattice, weights_B: Tensor, like_FBV: Tensor) -> Tensor:
    """Weighted shares as a tensor `[F, B, V]`, those of equal labels summed."""
    symbols_BL = torch.nn.functional.pad(_cleaned(lattice).labels_BL, (1, 0), value=lattice.blank).to(like_FBV.device)
    index_FBL = symbols_BL.expand(len(like_FBV), -1, -1)
    values_FBL = (shares_BFL * weights_B[:, None, None].to(shares_BFL.dtype)).transpose(0, 1)
    return torch.zeros_like(like_FBV).scatter_add_(2, index_FBL, values_FBL.to(like_FBV.dtype))


def _cleaned(lattice: Lattice) -> Lattice:
    """Blanks in place of the padding, which may be anything."""
    inside_BL = torch.arange(lattice.labels_BL.shape[1]) < lattice.label_counts_B[:, None]
    return lattice._replace(labels_BL=torch.where(inside_BL, lattice.labels_BL, lattice.blank))


def _shares(logp_FBV: Tensor, lattice: Lattice, impossible: float) -> tuple[Tensor, Tensor]:
    labels_BL, frame_counts_B, label_counts_B = (each.to(logp_FBV.device) for each in lattice[:3])
    frames, batch, _ = logp_FBV.shape
    symbols_BS = torch.full((batch, 2 * labels_BL.shape[1] + 1), lattice.blank, device=logp_FBV.device)
    symbols_BS[:, 1::2] = labels_BL
    # A blank between two labels may be left out, unless they are the same.
    skips_BS = torch.zeros(symbols_BS.shape, dtype=torch.float64, device=logp_FBV.device)
    skips_BS[:, 1::2] = _LEAST
    skips_BS[:, 3::2] = torch.where(labels_BL[:, 1:] == labels_BL[:, :-1], _LEAST, 0.0)
    skips_BS[:, 0::2] = _LEAST
    emission_FBS = logp_FBV.double().gather(2, symbols_BS.expand(frames, -1, -1)).clamp(min=_LEAST)
    states_S = torch.arange(symbols_BS.shape[1], device=logp_FBV.device)
    first_BS = torch.where(states_S < 2, 0.0, _LEAST).expand(batch, -1)
    final_BS = torch.where((states_S - 2 * label_counts_B[:, None]).abs() * 2 - 1 <= 1, 0.0, _LEAST)
    final_BS = torch.where(states_S <= 2 * label_counts_B[:, None], final_BS, _LEAST)
    ahead_FBS = _ahead(emission_FBS, first_BS, skips_BS)
    back_FBS = _back(emission_FBS, final_BS, skips_BS, frame_counts_B)
    joint_FBS = ahead_FBS + emission_FBS + back_FBS
    total_B = joint_FBS[0].logsumexp(1) if frames else torch.full((batch,), _LEAST, device=logp_FBV.device).double()
    nothing_B = (frame_counts_B == 0) & (label_counts_B == 0)
    impossible_B = ((total_B < _LEAST / 2) | (frame_counts_B == 0)) & ~nothing_B
    inside_FB = torch.arange(frames, device=logp_FBV.device)[:, None] < frame_counts_B
    inside_FBS = inside_FB[..., None] & (states_S <= 2 * label_counts_B[:, None])
    share_FBS = torch.where(impossible_B[:, None], impossible, (joint_FBS - total_B[:, None]).exp())
    share_FBS = torch.where(inside_FBS, share_FBS, 0.0)
    shares_FBL = torch.cat([share_FBS[..., 0::2].sum(-1, keepdim=True), share_FBS[..., 1::2]], -1)
    value = torch.inf if impossible != 0.0 else 0.0
    value_B = torch.where(impossible_B, value, torch.where(nothing_B, 0.0, -total_B))
    return value_B.to(logp_FBV.dtype), shares_FBL.transpose(0, 1).to(logp_FBV.dtype)


def _ahead(emission_FBS: Tensor, first_BS: Tensor, skips_BS: Tensor) -> Tensor:
    """The probability that reaches each state before its own frame is counted (Graves et al. 2006, eq. 6)."""
    rows = [first_BS]
    for emission_BS in emission_FBS[:-1]:
        said_BS = rows[-1] + emission_BS
        rows.append(_sum([said_BS, _shifted(said_BS, 1), _shifted(said_BS, 2) + skips_BS]))
    return torch.stack(rows[: len(emission_FBS)]) if len(emission_FBS) else emission_FBS


def _back(emission_FBS: Tensor, final_BS: Tensor, skips_BS: Tensor, frame_counts_B: Tensor) -> Tensor:
    """The same from the end (eq. 10), which is each clip's own."""
    rows = [final_BS]
    for frame in range(len(emission_FBS) - 1, 0, -1):
        said_BS = rows[-1] + emission_FBS[frame]
        came_BS = _sum([said_BS, _shifted(said_BS, -1), _shifted(said_BS + skips_BS, -2)])
        rows.append(torch.where((frame < frame_counts_B)[:, None], came_BS, final_BS))
    return torch.stack(rows[: len(emission_FBS)][::-1]) if len(emission_FBS) else emission_FBS


def _shifted(x_BS: Tensor, by: int) -> Tensor:
    pad = torch.full_like(x_BS[:, : abs(by)], _LEAST)
    return torch.cat([pad, x_BS[:, :-by]], 1) if by > 0 else torch.cat([x_BS[:, -by:], pad], 1)


def _sum(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(parts)).logsumexp(0).clamp(min=2 * _LEAST)
