"""Algebra on trees: flat dictionaries of tensors, by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

Tree = Mapping[str, Tensor]


def plus(first: Tree, second: Tree, factor: float = 1.0) -> dict[str, Tensor]:
    """`first + factor · second`, name by name; both have the same names."""
    return {name: value + factor * second[name] for name, value in first.items()}


def scale(tree: Tree, factor: float | Tensor) -> dict[str, Tensor]:
    return {name: factor * value for name, value in tree.items()}


def mean(trees: Sequence[Tree], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """The weighted mean of some trees. Raises ValueError if there is none, or the weights sum to nothing."""
    weights = [1.0] * len(trees) if weights is None else weights
    total = sum(weights)
    if not trees or total <= 0:
        raise ValueError("expected one tree or more, and weights that sum to more than 0")
    shares = [weight / total for weight in weights]
    return {name: sum_of(share * tree[name] for share, tree in zip(shares, trees, strict=True)) for name in trees[0]}


def dot(first: Tree, second: Tree) -> Tensor:
    """The inner product of two trees with the same names."""
    return sum_of((value * second[name]).sum() for name, value in first.items())


def sum_of(tensors: Iterable[Tensor]) -> Tensor:
    found = list(tensors)
    total = found[0]
    for tensor in found[1:]:
        total = total + tensor
    return total


def part(tree: Tree, prefix: str) -> dict[str, Tensor]:
    """The entries under `prefix`, without the prefix."""
    return {name.removeprefix(prefix): value for name, value in tree.items() if name.startswith(prefix)}


def under(tree: Tree, prefix: str) -> dict[str, Tensor]:
    """The tree with `prefix` before every name."""
    return {prefix + name: value for name, value in tree.items()}


def split(tree: Tree, belongs: Callable[[str], bool]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors whose names are selected, and the rest."""
    return {n: v for n, v in tree.items() if belongs(n)}, {n: v for n, v in tree.items() if not belongs(n)}


def is_finite(tree: Tree) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in tree.values())
