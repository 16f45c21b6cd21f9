"""Self-supervised pre-training: views of clips, units, every objective through the loop, exact resume."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.config import from_mapping
from earful.data.manifest import read_manifest, write_manifest
from earful.data.utterance import Utterance
from earful.encoder.encoder import EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.recipe import Corpus
from earful.pretrain.selfsupervised import (
    NO_LETTERS,
    Objectives,
    SelfRecipe,
    Told,
    model_for,
    objectives_of,
    pretrain,
    speech_for,
)
from earful.pretrain.unlabelled import Units, classes_of
from earful.train import Optimisation

NAMES = tuple(field.name for field in fields(Objectives))
SMALL: dict[str, dict[str, Any]] = {"hubert": {"units": 8}, "best_rq": {"codes": 16}}


@pytest.fixture
def make(spoken: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SelfRecipe]:
    """A recipe of the objectives named, on clips without their texts and phones."""
    clips = [replace(u, text=None, extra={}) for u in read_manifest(spoken)]
    write_manifest(tmp_path / "clips.jsonl", clips)

    def recipe(*names: str, steps: int = 3, **changes: Any) -> SelfRecipe:
        plan = SelfRecipe(
            out=tmp_path / "model",
            corpora=(Corpus(tmp_path / "clips.jsonl"),),
            optimisation=Optimisation(steps, rate=1e-3),
            objectives=from_mapping(Objectives, {name: SMALL.get(name, {}) for name in names}, "test"),
            work=tmp_path / "work",
            cache=tmp_path / "cache",
            batch_s=12.0,
            encoder=EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7, dropout=0.1),
        )
        return replace(plan, **changes)

    return recipe


def run(plan: SelfRecipe, report: Callable[[Told], None] | None = None) -> Any:
    model = model_for(plan)
    objectives = objectives_of(plan, model)
    return pretrain(plan, model, objectives, speech_for(plan, model, objectives), report)


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_trains_the_encoder(name: str, make: Callable[..., SelfRecipe]) -> None:
    plan, told = make(name), list[Told]()
    before = model_for(plan).state_dict()
    checkpoint = run(plan, told.append)
    assert [each.step.number for each in told] == [1, 2, 3] and checkpoint.about["pretrained"]["skipped_steps"] == 0
    assert all(key.startswith(f"{name} ") for each in told for key in (*each.step.losses, *each.facts))
    moved = [key for key, value in checkpoint.params.items() if not torch.equal(value, before[key])]
    assert len(moved) > 10 and all(key.startswith("encoder.") for key in moved)
    assert all(bool(value.isfinite().all()) for value in checkpoint.params.values())
    save_checkpoint(plan.out, checkpoint)
    assert load_checkpoint(plan.out).config.alphabet == NO_LETTERS


def test_a_sum_of_objectives_with_weights(make: Callable[..., SelfRecipe]) -> None:
    told = list[Told]()
    run(make("best_rq", "simclr", weights={"simclr": 0.0}, steps=2), told.append)
    assert {key.split()[0] for key in told[0].step.losses} == {"best_rq", "simclr"}
    alone = list[Told]()
    run(make("best_rq", steps=2, work=Path(str(make("best_rq").work) + "2")), alone.append)
    assert told[0].step.grad_norm != alone[0].step.grad_norm  # other weights and noise, but both are finite
    with pytest.raises(ConfigError, match="a weight for 'cpc', which is no objective"):
        make("best_rq", weights={"cpc": 1.0})
    with pytest.raises(ConfigError, match="no objective is asked for"):
        Objectives()


def test_resumed_is_uninterrupted(make: Callable[..., SelfRecipe], tmp_path: Path) -> None:
    whole = run(make("wav2vec2", "hubert", steps=5, work=tmp_path / "whole"))
    plan = make("wav2vec2", "hubert", steps=5)
    model = model_for(plan)
    objectives = objectives_of(plan, model)
    speech = speech_for(plan, model, objectives)

    def interrupt(told: Told) -> None:
        if told.step.number == 3:
            raise KeyboardInterrupt

    import earful.pretrain.selfsupervised as module

    original = module.fit
    try:
        module.fit = lambda *args, **settings: original(*args, **settings, save_every=2)  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            pretrain(plan, model, objectives, speech, interrupt)
        resumed = run(plan)
    finally:
        module.fit = original
    assert all(torch.equal(value, resumed.params[key]) for key, value in whole.params.items())


def test_it_goes_on_from_a_base(make: Callable[..., SelfRecipe], tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "first", run(make("best_rq")))
    further = make("denoise", start=str(tmp_path / "first"), work=tmp_path / "more")
    began = model_for(further).state_dict()
    first = load_checkpoint(tmp_path / "first")
    assert all(torch.equal(value, first.params[key]) for key, value in began.items())
    assert run(further).about["pretrained"]["objectives"] == ["denoise"]


def test_views(make: Callable[..., SelfRecipe]) -> None:
    plan = make("simclr", "denoise", "hubert")
    model = model_for(plan)
    speech = speech_for(plan, model, objectives_of(plan, model))
    heard = speech.heard([0, 3, 5])
    assert heard.other_BFM is not None and heard.clean_BFM is not None and heard.units_BU is not None
    assert heard.clean_BFM.shape == heard.frames_BFM.shape  # no change of speed where a clean view is needed
    assert not torch.equal(heard.other_BFM[:, :50], heard.frames_BFM[:, :50])
    hidden = model.encoder.output_counts(heard.frame_counts_B)
    assert (heard.units_BU >= 0).sum(1).tolist() == hidden.tolist() and int(heard.units_BU.max()) < 8
    again = speech_for(plan, model, objectives_of(plan, model)).heard([0, 3, 5])
    assert torch.equal(again.units_BU, heard.units_BU) and torch.equal(again.frames_BFM, heard.frames_BFM)
    alone = make("best_rq")
    only = speech_for(alone, model, objectives_of(alone, model)).heard([0])
    assert only.other_BFM is None and only.clean_BFM is None and only.units_BU is None


def test_units_of_another_model(make: Callable[..., SelfRecipe], tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "teacher", run(make("best_rq")))
    plan = make("hubert", units=Units(of=tmp_path / "teacher"))
    model = model_for(plan)
    speech = speech_for(plan, model, objectives_of(plan, model))
    plain = speech_for(make("hubert"), model, objectives_of(plan, model))
    assert speech.units is not None and plain.units is not None
    assert [len(each) for each in speech.units] == [len(each) for each in plain.units]
    assert any(not torch.equal(a, b) for a, b in zip(speech.units, plain.units, strict=True))


def test_classes() -> None:
    def clip(name: str, **facts: Any) -> Utterance:
        return Utterance(name, Path(f"{name}.wav"), **facts)

    clips = [
        clip("a", speaker="eva", language="nl", text="maan"),
        clip("b", language="nl", text="de maan"),
        clip("c", speaker="ada", language="de", text="maan"),
        clip("d", speaker="eva", language="nl", text=" maan "),
    ]
    assert classes_of(clips).tolist() == [[0, 1, 1, 1], [1, -1, 1, -1], [2, 0, 0, 0], [3, 1, 1, 1]]
