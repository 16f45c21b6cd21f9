"""The supervised objective: CTC on characters, CTC on IPA, and the phone of every frame.

CTC alone, from random weights, stays on a plateau for a long time, where every output is blank. The phone of each
frame, which the synthesiser knows exactly, is an ordinary classification target: it teaches the encoder in the first
minutes.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from earful.checkpoint import Checkpoint, load_checkpoint
from earful.ctc.loss import ctc_loss
from earful.data.batch import Batch, PhoneLabels
from earful.device import CPU, moved
from earful.encoder.whisper import BED
from earful.errors import CheckpointError, ConfigError
from earful.features.mask import spec_augment
from earful.identity import parts_of
from earful.model import BACKBONE, PHONE_FRAMES, PHONES, TEXT, AcousticModel, ModelConfig, fast_arithmetic, moving
from earful.pretrain.dataset import UNKNOWN, Dataset
from earful.pretrain.order import Order
from earful.pretrain.recipe import Recipe
from earful.processes import share
from earful.train import Run, Step, append_log, fit

UNSAID = ("out", "work", "cache", "about", "corpora", "start", "pretrained", "optimisation", "seed")
"""Keys of a recipe that do not identify a run: no result depends on them, or clips, start and `fit` cover them."""


def model_of(recipe: Recipe, dataset: Dataset) -> AcousticModel:
    """A new model for the dataset's inventories, its weights drawn from the recipe's seed."""
    config = ModelConfig(
        dataset.alphabet, dataset.inventory, dataset.features, recipe.encoder, recipe.upsampling, recipe.rules
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = AcousticModel(config)
    if model.backbone is not None and dataset.backbone is not None:
        model.backbone.load_state_dict(dataset.backbone.state_dict(), strict=False)  # all but low-rank adapters
    if recipe.start is not None:
        go_on_from(load_checkpoint(recipe.start), model)
    return model


def go_on_from(start: Checkpoint, model: AcousticModel) -> None:
    """Copy the weights of another model into this one; rows of the heads by their symbols, new rows stay random.

    Raises:
        CheckpointError: its encoder has other dimensions.
    """
    config, state = model.config, dict(model.state_dict())
    kept = ("heads.", f"{BACKBONE}{BED}")  # amid what it hears is of the new recipe
    body = {name: weight for name, weight in start.params.items() if not name.startswith(kept)}
    if any(name not in state or state[name].shape != weight.shape for name, weight in body.items()):
        raise CheckpointError(
            "the model to go on from has another encoder; give the [encoder] that it was trained with"
        )
    for head in model.heads:
        old, new = (c.alphabet if head == TEXT else c.phones for c in (start.config, config))
        if old is not None and new is not None:
            same = [(new.symbols.index(s) + 1, i) for i, s in enumerate(old.symbols, 1) if s in new.symbols]
            to, by = zip((0, 0), *same, strict=True)
            for part in ("weight", "bias"):
                rows = state[f"heads.{head}.{part}"] = state[f"heads.{head}.{part}"].clone()
                rows[list(to)] = start.params[f"heads.{head}.{part}"][list(by)]
    model.load_state_dict(state | body)


def losses(model: AcousticModel, batch: Batch, phones: PhoneLabels) -> dict[str, Tensor]:
    """The three losses of one batch."""
    with fast_arithmetic(batch.frames_BFM.device):
        hidden_BFD, counts_B = model.encode(batch.frames_BFM, batch.frame_counts_B)
        logp = {name: head(hidden_BFD) for name, head in model.heads.items()}
    found = {TEXT: _ctc(logp[TEXT], batch.labels_BL, counts_B, batch.label_counts_B)}
    if PHONES in logp:
        found[PHONES] = _ctc(logp[PHONES], phones.labels_BL, counts_B, phones.label_counts_B)
        found[PHONE_FRAMES] = _frame_loss(logp[PHONE_FRAMES], phones.frames_BF)
    return found


def _frame_loss(logp_BFV: Tensor, phones_BF: Tensor) -> Tensor:
    """Cross-entropy of the phone of each frame, over the frames whose phone is known."""
    total = functional.nll_loss(logp_BFV.flatten(0, 1), phones_BF.flatten(), ignore_index=UNKNOWN, reduction="sum")
    return total / (phones_BF != UNKNOWN).sum().clamp(min=1)


def _ctc(logp_BFV: Tensor, labels_BL: Tensor, counts_B: Tensor, label_counts_B: Tensor) -> Tensor:
    """The mean over the clips that have labels: one without would teach the model to write nothing."""
    each_B = ctc_loss(
        logp_BFV.transpose(0, 1), labels_BL, counts_B, label_counts_B, reduction="none", zero_infinity=True
    )
    return (each_B * (label_counts_B > 0) / label_counts_B.clamp(min=1)).sum() / (label_counts_B > 0).sum().clamp(min=1)


def train_base(
    recipe: Recipe,
    dataset: Dataset,
    report: Callable[[Step], None] | None = None,
    *,
    device: torch.device = CPU,
    discard: Callable[[str], None] | None = None,
) -> Checkpoint:
    """Train a base model on a device; resumes from `recipe.work`, and logs each step there.

    The state of another run is refused; with `discard` it is thrown away, and `discard` is told so.

    Raises:
    CheckpointError, TrainingError: as `train.fit`; or the start has another encoder.
    ConfigError: the recipe has a weight for a loss of phones, and no clip has phones.
    """
    _check_weights(recipe, dataset)
    model = model_of(recipe, dataset)
    budget = round(recipe.batch_s / dataset.features.hop_s)
    order = Order(dataset.frames.counts, budget, recipe.seed)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(moving(model.config, name))
    model.to(device)
    log = recipe.work / "log.jsonl"

    def losses_of(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch, phones = moved(dataset.batch(share(order.at(step)), model.config), device)
        masked = spec_augment(batch.frames_BFM, batch.frame_counts_B, recipe.masks, generator)
        return losses(model, batch._replace(frames_BFM=masked), phones)

    def tell(step: Step) -> None:
        append_log(log, step._asdict())
        if report:
            report(step)

    skipped = fit(
        model,
        losses_of,
        recipe.optimisation,
        seed=recipe.seed,
        state=recipe.work / "state.safetensors",
        weights_of=lambda step: recipe.weights.at(step, recipe.optimisation.steps),
        report=tell,
        run=Run({**parts_of(recipe, UNSAID), "clips": dataset.digest()}, discard),
    )
    about = {"recipe": recipe.about, "skipped_steps": skipped, "languages": _languages(dataset)}
    return Checkpoint(model.config, moved(dict(model.state_dict()), CPU), about)


def _check_weights(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse the weight of a loss without data. Raises ConfigError."""
    given = [name for name in (PHONES, PHONE_FRAMES) if getattr(recipe.weights, name) not in (0, 1)]
    if dataset.inventory is None and given:
        raise ConfigError(
            f"weights: {given[0]} is given, and not used: no clip of the corpora has phones; leave it out"
        )


def _languages(dataset: Dataset) -> list[str]:
    return sorted({u.language for u in dataset.utterances if u.language})
