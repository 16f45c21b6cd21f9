"""The supervised objective: what each loss counts, that training lowers them, and that it goes on where it was."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.data.batch import Batch, PhoneLabels
from earful.errors import CheckpointError, ConfigError
from earful.model import PHONE_FRAMES, PHONES, TEXT
from earful.pretrain import supervised
from earful.pretrain.dataset import UNKNOWN, Dataset
from earful.pretrain.recipe import LossWeights, Recipe
from earful.pretrain.supervised import losses, model_of, train_base
from earful.text.alphabet import Alphabet
from earful.train import Optimisation, Step, fit


def same(first: Checkpoint, second: Checkpoint) -> bool:
    return all(torch.equal(tensor, second.params[name]) for name, tensor in first.params.items())


def test_three_losses(recipe: Recipe, dataset: Dataset) -> None:
    model = model_of(recipe, dataset).eval()
    batch, phones = dataset.batch([0, 1, 2], model.config)
    found = losses(model, batch, phones)
    assert set(found) == {TEXT, PHONES, PHONE_FRAMES}
    assert all(loss.requires_grad and bool(torch.isfinite(loss)) and loss > 0 for loss in found.values())


def test_clips_without_labels_do_not_count(recipe: Recipe, dataset: Dataset) -> None:
    """A clip whose text or phones are not known changes nothing about the losses of the others."""
    model = model_of(recipe, dataset).eval()
    batch, phones = dataset.batch([0, 1], model.config)
    alone = losses(model, Batch(*(rows[:1] for rows in batch)), PhoneLabels(*(rows[:1] for rows in phones)))
    counts_B = torch.tensor([int(batch.label_counts_B[0]), 0])
    unknown_BF = phones.frames_BF.clone()
    unknown_BF[1] = UNKNOWN
    phone_counts_B = torch.tensor([int(phones.label_counts_B[0]), 0])
    both = losses(
        model,
        batch._replace(label_counts_B=counts_B),
        phones._replace(label_counts_B=phone_counts_B, frames_BF=unknown_BF),
    )
    for name in alone:
        assert float(both[name].detach()) == pytest.approx(float(alone[name].detach()), rel=0.02), name  # bfloat16


def test_no_label_at_all_is_no_loss(recipe: Recipe, dataset: Dataset) -> None:
    model = model_of(recipe, dataset).eval()
    batch, phones = dataset.batch([0, 1], model.config)
    none_B = torch.zeros(2, dtype=torch.long)
    nothing = phones._replace(label_counts_B=none_B, frames_BF=torch.full_like(phones.frames_BF, UNKNOWN))
    found = losses(model, batch._replace(label_counts_B=none_B), nothing)
    assert [float(loss.detach()) for loss in found.values()] == [0.0, 0.0, 0.0]


def test_a_batch_of_clips_that_have_only_phones(recipe: Recipe, dataset: Dataset) -> None:
    untold = replace(dataset, texts=[() for _ in dataset.texts])
    model = model_of(recipe, dataset).eval()
    found = losses(model, *untold.batch([0, 1], model.config))
    assert float(found[TEXT].detach()) == 0 and float(found[PHONES].detach()) > 0
    sum(found.values()).backward()  # type: ignore[union-attr]
    assert all(bool(torch.isfinite(p.grad).all()) for p in model.parameters() if p.grad is not None)


def test_without_phones_there_is_one_loss(recipe: Recipe, dataset: Dataset) -> None:
    plain = replace(dataset, inventory=None)
    model = model_of(recipe, plain)
    assert set(losses(model, *plain.batch([0], model.config))) == {TEXT}


def test_the_seed_makes_the_model(recipe: Recipe, dataset: Dataset) -> None:
    first, again, other = (model_of(replace(recipe, seed=seed), dataset).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_training_lowers_the_losses(recipe: Recipe, dataset: Dataset, tmp_path: Path) -> None:
    steps = list[Step]()
    checkpoint = train_base(replace(recipe, work=tmp_path), dataset, steps.append)

    def mean(name: str, part: slice) -> float:
        values = [step.losses[name] for step in steps[part]]
        return sum(values) / len(values)

    assert mean(PHONE_FRAMES, slice(-8, None)) < 0.7 * mean(PHONE_FRAMES, slice(0, 8))
    assert mean(TEXT, slice(-8, None)) < 0.5 * mean(TEXT, slice(0, 8))
    assert mean(PHONES, slice(-8, None)) < 0.5 * mean(PHONES, slice(0, 8))
    assert checkpoint.about["languages"] == ["nl"] and checkpoint.about["skipped_steps"] == 0
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["number"] for row in rows] == list(range(1, 61)) and rows[-1]["losses"] == steps[-1].losses
    save_checkpoint(tmp_path / "model", checkpoint)
    assert same(load_checkpoint(tmp_path / "model"), checkpoint)


def test_an_interrupted_training_is_the_same_training(
    recipe: Recipe, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(step: Step) -> None:
        if step.number == 13:
            raise KeyboardInterrupt

    monkeypatch.setattr(supervised, "fit", partial(fit, save_every=5))
    encoder = replace(recipe.encoder, dropout=0.1)
    short = replace(recipe, optimisation=Optimisation(steps=20, rate=4e-3), encoder=encoder, batch_s=5.0)
    whole = train_base(replace(short, work=tmp_path / "whole"), dataset)
    half, seen = replace(short, work=tmp_path / "half"), list[Step]()
    with pytest.raises(KeyboardInterrupt):
        train_base(half, dataset, stop)
    resumed = train_base(half, dataset, seen.append)
    assert [step.number for step in seen] == list(range(11, 21)) and same(whole, resumed)
    assert same(train_base(half, dataset, lambda step: pytest.fail("it was done")), whole)
    with pytest.raises(CheckpointError, match="of another model"):
        train_base(replace(half, encoder=replace(recipe.encoder, width=16)), dataset)


def test_it_goes_on_from_another_model(recipe: Recipe, dataset: Dataset, tmp_path: Path) -> None:
    """The body as it is, rows by their symbols; a letter that the other did not write begins at random."""
    start = model_of(recipe, dataset)
    save_checkpoint(tmp_path / "start", Checkpoint(start.config, dict(start.state_dict())))
    more = replace(dataset, alphabet=Alphabet(("#", *dataset.alphabet.symbols)))
    model = model_of(replace(recipe, start=tmp_path / "start", seed=9), more)
    for name, weight in start.state_dict().items():
        if not name.startswith(f"heads.{TEXT}."):
            assert torch.equal(model.state_dict()[name], weight), name
    old, new = start.heads[TEXT].weight, model.heads[TEXT].weight
    assert torch.equal(new[2:], old[1:]) and torch.equal(new[0], old[0])
    assert torch.equal(new[1], model_of(replace(recipe, seed=9), more).heads[TEXT].weight[1])


def test_it_cannot_go_on_from_another_encoder(recipe: Recipe, dataset: Dataset, tmp_path: Path) -> None:
    start = model_of(replace(recipe, encoder=replace(recipe.encoder, width=16)), dataset)
    save_checkpoint(tmp_path / "start", Checkpoint(start.config, dict(start.state_dict())))
    with pytest.raises(CheckpointError, match="another encoder"):
        model_of(replace(recipe, start=tmp_path / "start"), dataset)


@pytest.mark.parametrize("name", ["phones", "phone_frames"])
def test_a_weight_of_phones_that_no_clip_has(name: str, recipe: Recipe, dataset: Dataset, tmp_path: Path) -> None:
    heavy = replace(recipe, weights=LossWeights(**{name: 2.0}), work=tmp_path / "work")
    with pytest.raises(ConfigError, match=f"weights: {name} is given, and not used: no clip of the corpora has phones"):
        train_base(heavy, replace(dataset, inventory=None))
    assert not (tmp_path / "work").exists()
