"""Output rows of a new alphabet: each letter starts from the row of the same, or the most similar, letter of the base.

Random rows cost much accuracy with few clips; carried rows already point to directions that the encoder uses.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from earful.model import TEXT
from earful.text.alphabet import Alphabet, closest

WEIGHT, BIAS = f"heads.{TEXT}.weight", f"heads.{TEXT}.bias"


def sources(old: Alphabet, new: Alphabet) -> dict[str, str | None]:
    """For each letter of `new`, the letter of `old` whose row it starts from; None if none is similar."""
    known = set(old.symbols)
    return {s: s if s in known else closest(s, old.symbols) for s in new.symbols}


def random_rows(
    params: Mapping[str, Tensor], old: Alphabet, new: Alphabet, generator: torch.Generator
) -> dict[str, Tensor]:
    """`params` with a text head of random rows, distributed like the base's, and its blank: a baseline."""
    weight_VD, bias_V = params[WEIGHT], params[BIAS]
    noise_VD = torch.randn(len(new.symbols), weight_VD.shape[1], generator=generator) * weight_VD.std()
    biases_V = bias_V[1:].min().expand(len(new.symbols))
    return {**params, WEIGHT: torch.cat([weight_VD[:1], noise_VD]), BIAS: torch.cat([bias_V[:1], biases_V])}


def carry_rows(
    params: Mapping[str, Tensor], old: Alphabet, new: Alphabet, generator: torch.Generator
) -> dict[str, Tensor]:
    """`params` with a text head for `new`.

    The blank's row is kept. A letter unlike all letters of the base gets a small random row and the bias of a rare
    letter. Letters with the same source get a little noise, so that they can diverge.
    """
    weight_VD, bias_V = params[WEIGHT], params[BIAS]
    spread = float(weight_VD.std())
    ids = {symbol: index for index, symbol in enumerate(old.symbols, 1)}
    rows, biases, used = [weight_VD[0]], [bias_V[0]], set()
    for source in sources(old, new).values():
        noise_D = torch.randn(weight_VD.shape[1], generator=generator) * spread
        if source is None:
            rows.append(noise_D)
            biases.append(bias_V[1:].min())
        else:
            rows.append(weight_VD[ids[source]] + (0.1 * noise_D if source in used else 0))
            biases.append(bias_V[ids[source]])
        used.add(source)
    return {**params, WEIGHT: torch.stack(rows), BIAS: torch.stack(biases)}
