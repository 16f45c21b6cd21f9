"""Models that say something, small enough to be exported in no time."""

from dataclasses import replace
from pathlib import Path

import pytest

from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.text.alphabet import Alphabet


@pytest.fixture
def talker(tiny_base: Path, tmp_path: Path) -> Path:
    """A model that writes a lot, and is sure of it: an untrained one that thinks little of the blank."""
    return of_letters(tiny_base, tmp_path / "talker", " abcde")


@pytest.fixture
def write_talker(tiny_base: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """`write_talker(symbols)` is such a model with these five letters after the space."""
    return lambda symbols: of_letters(tiny_base, tmp_path / "talker", symbols)


def of_letters(base: Path, folder: Path, symbols: "str | tuple[str, ...]") -> Path:
    found = load_checkpoint(base)
    found.params["heads.text.weight"] *= 6
    found.params["heads.text.bias"][0] -= 2
    config = replace(found.config, alphabet=Alphabet(tuple(symbols)))
    save_checkpoint(folder, replace(found, config=config))
    return folder
