"""The folder of a model except for its weights: its place, its card, its language model. Without torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earful.config import from_mapping
from earful.ctc.ngram import NGram, load_ngram
from earful.errors import CheckpointError, EarfulError
from earful.reading import read_whole
from earful.text.alphabet import Alphabet

if TYPE_CHECKING:
    from earful.ctc.words import Words

FORMAT, WITH_INT8 = 1, 2
"""Models with weights in int8 have another format number, so that older versions do not take them for damaged."""
WEIGHTS, CARD, NGRAM, INNER = "model.safetensors", "model.json", "ngram.safetensors", "inner.safetensors"
_MOST = 1e30
LEXICON, WORDS = "lexicon.json", "words.safetensors"
FILES = frozenset({WEIGHTS, CARD, NGRAM, INNER, LEXICON, WORDS})


@dataclass(frozen=True)
class Language:
    """The language model of the beam search, letters and words, and its weight (`ctc.beam`).

    `shift` belongs to the confidences of words (`ctc.confidence`).
    """

    ngram: NGram
    weight: float
    bonus: float
    words: "Words | None" = None
    shift: float = 0.0


@dataclass(frozen=True)
class _Shares:
    weight: float
    bonus: float
    words: int = 0
    shift: float = 0.0


def shipped_bases() -> tuple[str, ...]:
    """Names of the bases inside the package."""
    return (
        tuple(sorted(path.name for path in _bases().iterdir() if (path / CARD).exists())) if _bases().exists() else ()
    )


def locate(model: str | Path) -> Path:
    """The folder of a model given by its path or by the name of a shipped base."""
    folder = Path(model)
    if (folder / CARD).is_file():
        return folder
    if str(model) in shipped_bases():
        return _bases() / str(model)
    known = f"; the shipped bases are {', '.join(shipped_bases())}" if shipped_bases() else ""
    if folder.is_file():
        what = "is a file, and no model; the model comes first, then the recordings"
    else:
        what = f"holds no {CARD}, so it is not a model" if folder.exists() else "no such folder"
    raise CheckpointError(f"{model}: {what}; give a folder that `earful adapt` wrote{known}")


def _bases() -> Path:
    return Path(str(resources.files("earful"))) / "bases"


def read_card(path: Path) -> dict[str, Any]:
    """The content of `model.json`. Raises CheckpointError: damaged, foreign, or of an unknown format."""
    try:
        card = json.loads(read_whole(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy the model again") from error
    if not isinstance(card, dict) or "config" not in card or not isinstance(card.get("about", {}), dict):
        raise CheckpointError(f"{path}: not written by earful; give a folder that `earful adapt` wrote")
    if card.get("format") not in (FORMAT, WITH_INT8):
        raise CheckpointError(
            f"{path}: format {str(card.get('format'))[:60]}, this version reads {FORMAT} and {WITH_INT8}; "
            "update earful or adapt again"
        )
    return card


def language_in(folder: Path, card: Mapping[str, Any], alphabet: Alphabet) -> Language | None:
    """The language model beside the weights, if the card mentions one."""
    if "language" not in card:
        return None
    from earful.ctc.words import load_words  # it compiles

    try:
        language = from_mapping(_Shares, card["language"], str(folder / CARD))
    except EarfulError as error:
        raise CheckpointError(f"{error}: the model was made by another version of earful") from error
    ngram = load_ngram(folder / NGRAM)
    if ngram.alphabet != alphabet:
        raise CheckpointError(f"{folder / NGRAM}: writes other letters than the model; copy the model again")
    words = load_words(folder / WORDS) if language.words else None
    return Language(ngram, language.weight, language.bonus, words, language.shift)


def number_in(folder: Path, card: Mapping[str, Any], name: str) -> float:
    """An optional number in the card, else 0. Raises CheckpointError: it is no number."""
    value = card.get(name, 0.0)
    if not isinstance(value, int | float) or not abs(value) < _MOST:
        raise CheckpointError(f"{folder / CARD}: {name} is {value!r}, must be a number; copy the model again")
    return float(value)
