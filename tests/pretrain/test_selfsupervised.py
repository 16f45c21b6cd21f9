"""Self-supervised pre-training: views of clips, units, every objective through the loop, exact resume."""

import json
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
from earful.pretrain.recipe import Corpus, Pretrained
from earful.pretrain.selfsupervised import (
    NO_LETTERS,
    Objectives,
    SelfRecipe,
    StepReport,
    model_for,
    objectives_of,
    pretrain,
    probe_for,
    speech_for,
    trouble,
)
from earful.pretrain.unlabelled import Units, classes_of
from earful.train import Optimisation, Step, rate_at

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


def run(plan: SelfRecipe, report: Callable[[StepReport], None] | None = None) -> Any:
    model = model_for(plan)
    objectives = objectives_of(plan, model)
    return pretrain(plan, model, objectives, speech_for(plan, model, objectives), report, probe_for(plan, model))


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_trains_the_encoder(name: str, make: Callable[..., SelfRecipe]) -> None:
    plan, told = make(name), list[StepReport]()
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
    told = list[StepReport]()
    run(make("best_rq", "simclr", weights={"simclr": 0.0}, steps=2), told.append)
    assert {key.split()[0] for key in told[0].step.losses} == {"best_rq", "simclr"}
    alone = list[StepReport]()
    run(make("best_rq", steps=2, work=Path(str(make("best_rq").work) + "2")), alone.append)
    assert told[0].step.grad_norm != alone[0].step.grad_norm  # other weights and noise, but both are finite
    with pytest.raises(ConfigError, match="a weight for 'cpc', which is no objective"):
        make("best_rq", weights={"cpc": 1.0})
    with pytest.raises(ConfigError, match="no objective is asked for"):
        Objectives()


def test_resumed_is_uninterrupted(make: Callable[..., SelfRecipe], tmp_path: Path, spoken: Path) -> None:
    whole = run(make("wav2vec2", "hubert", steps=5, work=tmp_path / "whole"))
    plan = make("wav2vec2", "hubert", steps=5)
    model = model_for(plan)
    objectives = objectives_of(plan, model)
    speech = speech_for(plan, model, objectives)

    def interrupt(told: StepReport) -> None:
        if told.step.number == 3:
            raise KeyboardInterrupt

    import earful.pretrain.selfsupervised as module

    original = module.fit
    try:
        module.fit = lambda *args, **settings: original(*args, **settings, save_every=2)  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            pretrain(plan, model, objectives, speech, interrupt)
        resumed = run(replace(plan, probe=spoken, probe_every=1))  # a probe from there on changes nothing
    finally:
        module.fit = original
    assert all(torch.equal(value, resumed.params[key]) for key, value in whole.params.items())
    rows = [json.loads(line) for line in (plan.work / "log.jsonl").read_text("utf-8").splitlines()]
    assert [(row["number"], row["probe"] is not None) for row in rows] == [
        (1, False),
        (2, False),
        (3, False),
        (3, True),  # over again, from the state after step 2
        (4, True),
        (5, True),
    ]


def test_probed_is_unprobed(make: Callable[..., SelfRecipe], tmp_path: Path, spoken: Path) -> None:
    """Dropout and drawn distractors would betray a look that leaves something behind."""
    plain = run(make("wav2vec2", steps=5, work=tmp_path / "plain"))
    plan, told = make("wav2vec2", steps=5, probe=spoken, probe_every=2), list[StepReport]()
    probed = run(plan, told.append)
    assert all(torch.equal(value, probed.params[key]) for key, value in plain.params.items())
    assert [each.step.number for each in told] == [0, 1, 2, 3, 4, 5]
    assert [each.probe is not None for each in told] == [True, False, True, False, True, True]
    assert [each.spread is not None for each in told] == [False, False, True, False, True, True]
    assert all(0 < each.probe < 1 for each in told if each.probe is not None)
    assert [each.rate for each in told[1:]] == [rate_at(step, plan.optimisation) for step in range(5)]
    assert all(1 < each.audio_s <= plan.batch_s and 0 < each.seconds <= each.step.elapsed_s for each in told[1:])
    rows = [json.loads(line) for line in (plan.work / "log.jsonl").read_text("utf-8").splitlines()]
    assert [row["probe"] for row in rows] == [each.probe for each in told]
    assert rows[2]["spread"] == told[2].spread and rows[5]["audio_s"] == told[5].audio_s
    with pytest.raises(ConfigError, match="probe_every is 0"):
        make("wav2vec2", probe_every=0)


@pytest.mark.parametrize("name", NAMES)
def test_one_clip_a_batch_and_clips_shorter_than_a_span(
    name: str, make: Callable[..., SelfRecipe], tmp_path: Path
) -> None:
    """Nothing to compare with, nothing to mask: no crash, no number that is none, and a word about it."""
    first, *others = read_manifest(tmp_path / "clips.jsonl")
    short = [replace(u, id=f"{u.id}-short", duration_s=0.03 * place) for place, u in enumerate(others[:3], 1)]
    write_manifest(tmp_path / "clips.jsonl", [first, *short])
    told = list[StepReport]()
    checkpoint = run(make(name, steps=8, batch_s=0.01), told.append)
    assert len(told) == 8 and checkpoint.about["pretrained"]["skipped_steps"] == 0
    assert all(bool(value.isfinite().all()) for value in checkpoint.params.values())
    warned = [sentence for each in told for sentence in each.warnings]
    assert len(warned) == len(set(warned))
    if name in ("simclr", "triplet", "prototypical"):
        assert any(f"{name}: its loss has been 0 for 8 steps" in sentence for sentence in warned)


def test_a_collapse_is_told_once(make: Callable[..., SelfRecipe]) -> None:
    plan, told = make("best_rq", steps=6, probe_every=1), list[StepReport]()
    plan = replace(plan, optimisation=replace(plan.optimisation, rate=1e-9))
    model = model_for(plan)
    for parameter in model.encoder.parameters():
        parameter.data.zero_()
    objectives = objectives_of(plan, model)
    pretrain(plan, model, objectives, speech_for(plan, model, objectives), told.append)
    assert told[0].spread is not None and told[0].spread < 0.01
    warned = [sentence for each in told for sentence in each.warnings]
    assert len(warned) == 1 and "the representation has collapsed" in warned[0] and "lower the rate" in warned[0]


@pytest.mark.parametrize(
    ("losses", "facts", "spread", "kinds"),
    [
        ({"best_rq masked": 3.0}, {"best_rq perplexity": 40.0}, 0.6, set()),
        ({"best_rq masked": 3.0}, {"best_rq perplexity": 1.1}, None, {"best_rq perplexity"}),
        ({"wav2vec2 contrastive": 3.0}, {"wav2vec2 perplexity": 2.2}, 0.6, {"wav2vec2 perplexity"}),  # two books
        ({"wav2vec2 contrastive": 3.0}, {"wav2vec2 perplexity": 9.0}, 0.05, {"spread"}),
        ({"wav2vec2 contrastive": 0.0, "wav2vec2 diversity": 0.1}, {}, None, set()),
        ({"wav2vec2 contrastive": 1.0, "simclr simclr": 0.0}, {"simclr accuracy": 0.0}, 0.6, {"simclr 0"}),
        ({"simclr simclr": float("nan")}, {}, 0.6, set()),  # such steps are skipped, and counted, elsewhere
    ],
)
def test_signs_of_trouble(
    losses: dict[str, float], facts: dict[str, float], spread: float | None, kinds: set[str]
) -> None:
    recent = [StepReport(Step(number, losses, 1.0, 1.0), facts, spread=spread) for number in (1, 2, 3)]
    assert trouble(recent, {"wav2vec2": 2}).keys() == kinds


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


def test_clips_are_heard_amid_others(make: Callable[..., SelfRecipe], small_whisper: Path) -> None:
    encoder = EncoderConfig("conformer", bins=16, width=32, layers=1, heads=2, kernel=7, subsampling=1)
    plan = make("denoise", steps=1, encoder=encoder, pretrained=Pretrained(small_whisper, bed_s=2.0))
    assert run(plan).config.features.bed == 100
