"""A model on disk: a folder with `model.safetensors` (weights) and `model.json` (everything else). Never pickle."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from earful.config import finite, from_mapping, to_mapping
from earful.ctc.ngram import save_ngram
from earful.ctc.words import save_words
from earful.device import CPU, moved
from earful.encoder.whisper import BED
from earful.errors import CheckpointError, EarfulError
from earful.folders import CARD as CARD
from earful.folders import FILES as FILES
from earful.folders import FORMAT as FORMAT
from earful.folders import INNER, LEXICON, NGRAM, WITH_INT8, WORDS, language_in, number_in, read_card
from earful.folders import WEIGHTS as WEIGHTS
from earful.folders import Language as Language
from earful.folders import locate as locate
from earful.folders import shipped_bases as shipped_bases
from earful.int8 import from_int8, to_int8
from earful.model import BACKBONE, AcousticModel, ModelConfig, Params
from earful.reading import check_regular
from earful.text.lexicon import Lexicon, load_lexicon, save_lexicon
from earful.writing import check_name, replacing_folder

SCALE = ".scale"
"""The suffix of the name of a weight's scales."""


@dataclass(frozen=True)
class InnerLoop:
    """How to adapt a meta-trained model: settings as JSON, and the learned numbers.

    `adapt` interprets them.
    """

    settings: Mapping[str, Any]
    learned: Params


@dataclass(frozen=True)
class Checkpoint:
    """A stored model: its configuration, its weights, `about` (free JSON on its training), and its language model.

    Without a `language` it is decoded greedily. `inner` is the inner loop that was meta-trained with it, if it was.
    `lexicon` turns recognised pinyin into characters, if `config.rules` say so. `shift` belongs to the confidences of
    words by the best path, as `language.shift` to those by the search.
    """

    config: ModelConfig
    params: Params
    about: Mapping[str, Any] = field(default_factory=dict)
    language: Language | None = None
    inner: InnerLoop | None = None
    lexicon: Lexicon | None = None
    shift: float = 0.0

    @property
    def device(self) -> torch.device:
        """The device of its weights, on which a model built from it computes."""
        return next((tensor.device for tensor in self.params.values()), CPU)

    def on(self, device: torch.device) -> "Checkpoint":
        """The same with its weights on that device. Stored models are on the CPU."""
        return replace(self, params=moved(dict(self.params), device))

    def build(self) -> AcousticModel:
        """The model, in evaluation mode, on the device of its weights. It shares the checkpoint's weights."""
        with torch.device("meta"):  # no memory, and no time for first weights that nobody wants
            model = AcousticModel(self.config)
        model.load_state_dict(self.params, assign=True)
        return model.eval()


def save_checkpoint(folder: str | Path, checkpoint: Checkpoint, *, half: bool = False, replace: bool = False) -> None:
    """Write the folder beside its place first, then rename it, so that a reader never finds half a model.

    `half` stores float16, which halves the file without a measurable cost; and the matrices of a pre-trained encoder as
    int8 (`bench/base.py`).

    A replaced model stays until the new one is complete: at any moment one of them is there.

    Raises:
        CheckpointError: the folder exists and `replace` is false or it is no model, the weights are not finite, or it
        cannot be written.
    """
    folder = Path(folder)
    check_destination(folder, replace=replace)
    if odd := next((name for name, each in checkpoint.params.items() if not bool(torch.isfinite(each).all())), None):
        raise CheckpointError(
            f"{folder}: {odd} holds NaN or infinity, so nothing is saved: the training has diverged; lower the rate"
        )
    weights = _small({name: tensor.detach().cpu() for name, tensor in checkpoint.params.items()}, half)
    format_ = WITH_INT8 if any(name.endswith(SCALE) for name in weights) else FORMAT
    card = {"format": format_, "config": to_mapping(checkpoint.config), "about": finite(to_mapping(checkpoint.about))}
    if checkpoint.language:
        card["language"] = _card_of(checkpoint.language)
    if checkpoint.shift:
        card["shift"] = checkpoint.shift
    if checkpoint.inner:
        card["inner"] = to_mapping(checkpoint.inner.settings)
    if checkpoint.lexicon:
        card["lexicon"] = {"words": len(checkpoint.lexicon.entries)}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(folder) as beside:
            _write(beside, checkpoint, weights, card)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: the model cannot be written ({error}); free some space or name another folder"
        ) from error


def _write(beside: Path, checkpoint: Checkpoint, weights: Params, card: Mapping[str, Any]) -> None:
    """Write all files of a model. Raises OSError or SafetensorError if one cannot be written."""
    save_file(weights, beside / WEIGHTS)
    if checkpoint.language:
        save_ngram(beside / NGRAM, checkpoint.language.ngram)
        if checkpoint.language.words:
            save_words(beside / WORDS, checkpoint.language.words)
    if checkpoint.inner:
        whole = torch.contiguous_format  # safetensors takes no transposed ones
        learned = {name: v.detach().cpu().clone(memory_format=whole) for name, v in checkpoint.inner.learned.items()}
        save_file(learned, beside / INNER)
    if checkpoint.lexicon:
        save_lexicon(beside / LEXICON, checkpoint.lexicon)
    text = json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False)
    (beside / CARD).write_text(text + "\n", "utf-8", newline="\n")
    for file in beside.iterdir():  # made for the owner's eyes only
        file.chmod(0o644)
    beside.chmod(0o755)


def _small(params: Params, half: bool) -> Params:
    """Each weight in the smallest form that is asked for, or that loses nothing, as for weights that did not move.

    Weights in int8 have their scales beside them.
    """
    found: Params = {}
    for name, weight in params.items():
        found[name] = _rounded(weight, half).contiguous()
        if name.startswith(BACKBONE) and weight.ndim > 1 and "positions" not in name:
            integers, scale = to_int8(weight)
            if (half and BED not in name) or bool((from_int8(integers, scale) == weight).all()):
                found |= {name: integers.contiguous(), f"{name}{SCALE}": scale}
    return found


def _rounded(weight: Tensor, half: bool) -> Tensor:
    small = weight.half()
    asked = half and bool(torch.isfinite(small).all())  # beyond 65 504 a half is infinite
    return small if asked or bool((small.float() == weight).all()) else weight


def _large(weights: Params, path: Path) -> Params:
    """All weights as float32, by the model's own names. Raises CheckpointError for tensors that cannot be weights.

    All are copies: tensors from safetensors keep the file mapped, and Windows does not replace a mapped file.
    """
    for name, weight in weights.items():
        scale = weights.get(f"{name}{SCALE}")
        fits = weight.is_floating_point() if scale is None else weight.dtype == torch.int8
        if not fits or (scale is not None and scale.shape != weight.shape[:-1]):
            raise CheckpointError(
                f"{path}: {name} is {weight.dtype} {tuple(weight.shape)}, which is no weight of a model; copy it again"
            )
    whole = {name: weight.to(torch.float32, copy=True) for name, weight in weights.items() if not name.endswith(SCALE)}
    scales = {name.removesuffix(SCALE): scale for name, scale in weights.items() if name.endswith(SCALE)}
    return whole | {name: from_int8(weights[name], scale) for name, scale in scales.items() if name in weights}


def check_destination(folder: Path, *, replace: bool = False) -> None:
    """Refuse a place where no model can be written, before any work is done.

    Raises:
        CheckpointError: it exists and `replace` is false, it holds what is no model, or nothing can be written there.
    """
    try:
        check_name(folder)
    except OSError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}; name another folder") from None
    if folder.exists() or folder.is_symlink():
        if not replace:
            raise CheckpointError(f"{folder}: exists already; name another folder, or ask to replace it (--overwrite)")
        if not folder.is_dir() or {path.name for path in folder.iterdir()} - FILES:
            raise CheckpointError(f"{folder}: holds what is no model, so it is not overwritten; name another folder")
    parent = next(place for place in folder.absolute().parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise CheckpointError(f"{folder}: nothing can be written in {parent}; name another folder")


def load_checkpoint(model: str | Path) -> Checkpoint:
    """Read a model folder, or a shipped base by its name.

    Raises:
        CheckpointError: missing, foreign, damaged, or of a format that this version does not read.
    """
    folder = locate(model)
    card = read_card(folder / CARD)
    try:
        config = from_mapping(ModelConfig, card["config"], str(folder / CARD))
        check_regular(folder / WEIGHTS)
        params = _large(load_file(folder / WEIGHTS), folder / WEIGHTS)
    except FileNotFoundError:
        raise CheckpointError(f"{folder / WEIGHTS}: missing; the folder is not a whole model: copy it again") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: damaged ({error}); copy the model again") from error
    except EarfulError as error:
        raise CheckpointError(f"{error}: the model was made by another version of earful") from error
    _check_weights(params, config, folder / WEIGHTS)
    language, inner = language_in(folder, card, config.alphabet), _inner(folder, card)
    lexicon = load_lexicon(folder / LEXICON) if "lexicon" in card else None
    return Checkpoint(config, params, card.get("about", {}), language, inner, lexicon, number_in(folder, card, "shift"))


def _card_of(language: Language) -> dict[str, float]:
    known = {"words": len(language.words.known)} if language.words else {}
    return {"weight": language.weight, "bonus": language.bonus, "shift": language.shift, **known}


def _inner(folder: Path, card: Mapping[str, Any]) -> InnerLoop | None:
    """The learned inner loop beside the weights, if the card mentions one."""
    if "inner" not in card:
        return None
    try:
        check_regular(folder / INNER)
        learned = {name: value.clone() for name, value in load_file(folder / INNER).items()}  # as in `_large`
    except FileNotFoundError:
        raise CheckpointError(f"{folder / INNER}: missing; the folder is not a whole model: copy it again") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{folder / INNER}: damaged ({error}); copy the model again") from error
    if not all(bool(torch.isfinite(value).all()) for value in learned.values()):
        raise CheckpointError(f"{folder / INNER}: holds NaN or infinity; copy the model again")
    return InnerLoop(card["inner"], learned)


def _check_weights(weights: Mapping[str, Tensor], config: ModelConfig, path: Path) -> None:
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in AcousticModel(config).state_dict().items()}
    for name in sorted(expected.keys() ^ weights.keys()):
        problem = "is missing" if name in expected else "is unknown"
        raise CheckpointError(f"{path}: the weight {name} {problem}; weights and {CARD} do not belong together")
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise CheckpointError(
                f"{path}: {name} is {tuple(weights[name].shape)}, {CARD} says {tuple(shape)}; copy the model again"
            )
        if not bool(torch.isfinite(weights[name]).all()):
            raise CheckpointError(f"{path}: {name} holds NaN or infinity; the model is damaged: copy or adapt it again")
