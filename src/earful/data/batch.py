"""Examples and batches of clips of different lengths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from earful.device import even


class Batch(NamedTuple):
    """Training data of a recogniser: frames and label ids, padded with zeros. A NamedTuple, so a pytree."""

    frames_BFM: Tensor
    frame_counts_B: Tensor
    labels_BL: Tensor
    label_counts_B: Tensor


class PhoneLabels(NamedTuple):
    """IPA labels beside a Batch: the sequence, and the phone of every encoder output frame (−1 where unknown)."""

    labels_BL: Tensor
    label_counts_B: Tensor
    frames_BF: Tensor


@dataclass(frozen=True)
class Example:
    """One clip ready to be batched: `frames_FM` log-mel, `labels` ids of its transcript."""

    frames_FM: Tensor
    labels: tuple[int, ...]


def pad(rows: Sequence[Tensor], fill: float = 0) -> tuple[Tensor, Tensor]:
    """Stack tensors of different first dimension: padded `[B, longest, …]` and counts `[B]`."""
    counts_B = torch.tensor([len(row) for row in rows], dtype=torch.long)
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=fill), counts_B


def collate(examples: Sequence[Example], frames: int = 0) -> Batch:
    """Put examples into one Batch, padded to at least so many frames."""
    frames_BFM, frame_counts_B = pad([example.frames_FM for example in examples])
    if (more := frames - frames_BFM.shape[1]) > 0:
        frames_BFM = torch.nn.functional.pad(frames_BFM, (0, 0, 0, more))
    return Batch(frames_BFM, frame_counts_B, *pad([torch.tensor(e.labels, dtype=torch.long) for e in examples]))


def alone(frames_FM: Tensor) -> tuple[Tensor, Tensor]:
    """One clip as a batch: frames `[1, F', M]`, of an even length, and their count `[1]`."""
    more = even(len(frames_FM)) - len(frames_FM)
    return torch.nn.functional.pad(frames_FM, (0, 0, 0, more))[None], torch.tensor([len(frames_FM)])


def bucket(counts: Sequence[int], budget: int, generator: torch.Generator, jitter: float = 0.1) -> list[list[int]]:
    """Group indexes of clips so that padded batches hold at most `budget` frames, clips of like length together.

    Lengths are jittered before sorting, so that batches differ from one epoch to the next; their order is random.
    A clip longer than the budget is a batch of its own.
    """
    lengths = torch.tensor(counts, dtype=torch.float)
    noise = 1 + jitter * (2 * torch.rand(len(counts), generator=generator) - 1)
    batches: list[list[int]] = []
    for index in (lengths * noise).argsort().tolist():
        longest = max([counts[i] for i in batches[-1]] + [counts[index]]) if batches else 0
        if batches and longest * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
