"""The output layer of a task: rows for its own letters, made of the rows that all tasks share.

Every language has its own letters, and a user's language is not among the training languages. So a task begins like
adaptation: its letters get rows, which are then trained. The rows are a linear map of the shared rows with constant
coefficients; the gradient of a task's rows flows back through it.

Shapes, beside the usual: `V` are the symbols of the task, `P` those of a shared head; both without the blank.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from earful.adapt.letters import is_said, sounds
from earful.adapt.prototypes import prototype_rows
from earful.adapt.rows import BIAS, WEIGHT
from earful.data.batch import Batch
from earful.model import PHONES, TEXT, AcousticModel, Params
from earful.text.alphabet import Alphabet

Maps = dict[str, Tensor]
"""For each shared head, the share of its symbols in those of the task `[V, P]`."""


def chosen(ids: list[int], size: int, head: str) -> Maps:
    """The rows of these symbols (from 1) of one shared head with `size` rows, its blank among them."""
    map_VP = torch.zeros(len(ids), size - 1)
    map_VP[torch.arange(len(ids)), torch.tensor(ids) - 1] = 1.0
    return {head: map_VP}


def heard(
    params: Params, known: Alphabet, task: Alphabet, logp: Mapping[str, list[Tensor]], labels: list[tuple[int, ...]]
) -> Maps:
    """The sounds of the letters of a task, as in `heard_rows`; all letters are among the `known`.

    `logp` are log-posteriors `[F, 1 + P]` of the support clips by each shared head, `labels` their letters.
    """
    said_V1 = torch.tensor([[float(is_said(symbol))] for symbol in task.symbols]).to(params[WEIGHT].device)
    own = chosen(known.encode_symbols(task.symbols), known.size, TEXT)[TEXT].to(said_V1.device)
    maps = {head: said_V1 * p_VP / len(logp) for head, p_VP in sounds(params, known, task, logp, labels).items()}
    return {**maps, TEXT: maps.get(TEXT, 0.0) + (1 - said_V1) * own}


def begin(start: Mapping[str, Tensor], maps: Maps) -> Params:
    """The shared parameters with the text head made for a task: blank + Σ map · (rows − their blank)."""
    weight, bias = start[WEIGHT][:1], start[BIAS][:1]
    for head, map_VP in maps.items():
        weight_PD, bias_P = start[f"heads.{head}.weight"], start[f"heads.{head}.bias"]
        weight, bias = weight + map_VP @ (weight_PD[1:] - weight_PD[:1]), bias + map_VP @ (bias_P[1:] - bias_P[:1])
    return {
        **start,
        WEIGHT: torch.cat([start[WEIGHT][:1], weight]),
        BIAS: torch.cat([start[BIAS][:1], bias]),
    }


def begin_by_prototypes(
    model: AcousticModel, start: Mapping[str, Tensor], still: Params, maps: Maps, support: Batch
) -> Params:
    """As `begin`; then each row is the mean of the hidden frames that align with the letter."""
    begun = begin(start, maps)
    return {**begun, **prototype_rows(model, {**still, **begun}, support)}


def shared_heads(output: str) -> tuple[str, ...]:
    """The heads from which a task's rows are made, and which therefore are meta-trained."""
    return {"phones": (TEXT, PHONES), "heard": (TEXT, PHONES)}.get(output, (TEXT,))
