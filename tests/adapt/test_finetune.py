"""Fine-tuning on a made-up language, in which each letter is a band of its own: it learns, keeps the best, resumes."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.adapt.finetune import (
    Plan,
    Tuned,
    _batches,
    cer_of,
    finetune,
    finetune_in_stages,
    group_of,
    rate_factor,
    stages,
)
from earful.data.batch import Example
from earful.encoder.encoder import EncoderConfig
from earful.errors import AdaptationError, CheckpointError, ConfigError
from earful.features.mask import SpecAugment
from earful.model import AcousticModel, ModelConfig, Params, parameters_of
from earful.text.alphabet import Alphabet
from earful.train import load_state, save_state

LETTERS = Alphabet(tuple("abc"))
PLAN = Plan(steps=8, rate=3e-3, batch_s=4.0, copies=0, evaluations=4)
WORDS = ("aba", "bac", "cab", "acb", "bca", "cac", "bcb", "abc")


def example(word: str, seed: int) -> Example:
    """Ten frames a letter, each letter loud in bands of its own."""
    rows = torch.randn(10 * len(word), 80, generator=torch.Generator().manual_seed(seed)) * 0.3
    for place, letter in enumerate(word):
        band = 25 * LETTERS.symbols.index(letter)
        rows[10 * place + 2 : 10 * place + 8, band : band + 20] += 6
    return Example(rows, tuple(LETTERS.encode(word)))


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    encoder = EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AcousticModel(ModelConfig(LETTERS, Alphabet(("a", "b")), encoder=encoder))


@pytest.fixture(scope="module")
def clips() -> list[list[Example]]:
    return [[example(word, 10 * i), example(word, 10 * i + 1)] for i, word in enumerate(WORDS)]


@pytest.fixture(scope="module")
def held() -> list[Example]:
    return [example("bac", 100), example("cb", 101)]


def test_letters_that_no_clip_has_stay(model: AcousticModel, clips: list[list[Example]]) -> None:
    few = [copies for copies, word in zip(clips, WORDS, strict=True) if "c" not in word]
    start = parameters_of(model)
    moved = finetune(model, start, few, [], LETTERS, PLAN).params
    same_V = (moved["heads.text.weight"] == start["heads.text.weight"]).all(1)
    assert same_V.tolist() == [False, False, False, True]


def same(first: Params, second: Params) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns(model: AcousticModel, clips: list[list[Example]], held: list[Example]) -> None:
    plan = Plan(steps=60, rate=6e-3, batch_s=8.0, evaluations=3, masks=SpecAugment(1, 5, 0))
    start = parameters_of(model)
    tuned = finetune(model, start, clips, held, LETTERS, plan)
    assert tuned.best.cer < 0.3 < 0.5 < tuned.curve[0].cer
    assert cer_of(model, tuned.params, held, LETTERS) == tuned.best.cer
    assert [point.step for point in tuned.curve] == [0, 20, 40, 60]
    assert tuned.curve[-1].loss < 0.5 * tuned.curve[1].loss
    assert same(start, parameters_of(model)), "what it was given does not change"
    phones = [name for name in start if name.startswith("heads.phone")]
    assert phones and all(torch.equal(tuned.params[name], start[name]) for name in phones)


def test_the_best_on_the_held_out_part_is_kept(
    model: AcousticModel, clips: list[list[Example]], held: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates, seen = iter((0.9, 0.6, 0.2, 0.5, 0.4)), list[Params]()

    def scripted(model: AcousticModel, params: Params, *_: object) -> float:
        seen.append(params)
        return next(rates)

    monkeypatch.setattr("earful.adapt.finetune.cer_of", scripted)
    tuned = finetune(model, parameters_of(model), clips, held, LETTERS, PLAN)
    assert (tuned.best.step, tuned.best.cer) == (4, 0.2) and same(tuned.params, seen[2])
    assert not same(seen[2], seen[4])


def test_a_start_that_nothing_betters_is_kept(
    model: AcousticModel, clips: list[list[Example]], held: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = itertools.chain([0.1], itertools.repeat(0.2))
    monkeypatch.setattr("earful.adapt.finetune.cer_of", lambda *_: next(rates))
    start = parameters_of(model)
    tuned = finetune(model, start, clips, held, LETTERS, PLAN)
    assert tuned.best.step == 0 and same(tuned.params, start)


def test_without_a_held_out_part_the_last_parameters_are_kept(
    model: AcousticModel, clips: list[list[Example]], tmp_path: Path
) -> None:
    tuned = finetune(model, parameters_of(model), clips, [], LETTERS, PLAN)
    again = finetune(model, parameters_of(model), clips, [], LETTERS, PLAN, state=tmp_path / "s")
    resumed = finetune(model, parameters_of(model), clips, [], LETTERS, PLAN, state=tmp_path / "s")
    assert tuned.best.step == PLAN.steps and math.isnan(tuned.best.cer)
    assert same(tuned.params, again.params) and same(tuned.params, resumed.params)


@pytest.mark.parametrize("stop", [1, 3, 7])
def test_an_interrupted_run_is_the_same_run(
    model: AcousticModel, clips: list[list[Example]], held: list[Example], tmp_path: Path, stop: int
) -> None:
    def run(state: Path | None, stop: int = 0) -> Tuned:
        def report(done: int, total: int) -> None:
            assert total == PLAN.steps
            if done == stop:
                raise KeyboardInterrupt

        return finetune(model, parameters_of(model), clips, held, LETTERS, PLAN, seed=3, state=state, report=report)

    whole, state = run(None), tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        run(state, stop)
    assert state.exists() == (stop >= 2), "saved after each evaluation"
    resumed = run(state)
    assert same(whole.params, resumed.params)
    assert str(whole.curve) == str(resumed.curve) and whole.best == resumed.best  # as text: NaN is not NaN


def test_the_state_of_another_model_is_refused(
    model: AcousticModel, clips: list[list[Example]], tmp_path: Path
) -> None:
    save_state(tmp_path / "s", {"now.x": torch.zeros(1)}, {"step": 1})
    with pytest.raises(CheckpointError, match="of another run"):
        finetune(model, parameters_of(model), clips, [], LETTERS, PLAN, state=tmp_path / "s")


def test_seeds_differ(model: AcousticModel, clips: list[list[Example]]) -> None:
    first, again, other = (
        finetune(model, parameters_of(model), clips, [], LETTERS, PLAN, seed=seed).params for seed in (0, 0, 1)
    )
    assert same(first, again) and not same(first, other)


def test_nothing_to_learn_from(model: AcousticModel) -> None:
    with pytest.raises(AdaptationError, match="no clip to learn from"):
        finetune(model, parameters_of(model), [], [], LETTERS, PLAN)


def test_a_full_disk(
    model: AcousticModel, clips: list[list[Example]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("earful.train.save_file", full)
    with pytest.raises(CheckpointError, match="No space left"):
        finetune(model, parameters_of(model), clips, [], LETTERS, PLAN, state=tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_cer_does_not_depend_on_the_batches(model: AcousticModel, held: list[Example]) -> None:
    params = parameters_of(model)
    together = cer_of(model, params, held * 3, LETTERS)
    assert together == pytest.approx(cer_of(model, params, held, LETTERS))
    assert math.isnan(cer_of(model, params, [], LETTERS))


def test_the_schedule_rises_and_falls() -> None:
    plan = Plan(steps=100, warmup=0.1)
    factors = [rate_factor(step, plan) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and max(factors) == factors[10] == 1.0 and 0 < factors[-1] < 0.01


@pytest.mark.parametrize("change", [{"steps": 0}, {"evaluations": 0}, {"copies": -1}, {"holdout": 1.0}, {"warmup": 1}])
def test_plans_that_cannot_be(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        Plan(**{"steps": 10, **change})  # type: ignore[arg-type]


def test_stages_are_one_fine_tuning_after_the_other(model: AcousticModel, clips: list[list[Example]]) -> None:
    plan, told = replace(PLAN, copies=1, first=replace(PLAN, steps=3)), list[tuple[int, int]]()
    params, taken = finetune_in_stages(
        model, parameters_of(model), clips, LETTERS, plan, learned=None, seed=1, report=lambda *each: told.append(each)
    )
    expected = parameters_of(model)
    for part in stages(plan):
        copies = [each[: 1 + part.copies] for each in clips]
        expected = dict(finetune(model, expected, copies, [], LETTERS, part, seed=1).params)
    assert same(params, expected) and taken == 11 and told == [(n, 11) for n in range(1, 12)]


def test_the_way_back_is_between_the_end_and_the_start(
    model: AcousticModel, clips: list[list[Example]], held: list[Example]
) -> None:
    """A quarter of the way back, for what is kept and for what measures; the steps themselves are the same."""
    start = parameters_of(model)
    whole, back = (finetune(model, start, clips, [], LETTERS, replace(PLAN, back=share)) for share in (0.0, 0.25))
    for name, value in whole.params.items():
        torch.testing.assert_close(back.params[name], 0.75 * value + 0.25 * start[name])
    assert not same(whole.params, back.params) and same(back.last or {}, back.params)
    measured = finetune(model, start, clips, held, LETTERS, replace(PLAN, back=0.25, evaluations=1))
    assert measured.curve[-1].cer == cer_of(model, measured.last or {}, held, LETTERS)


def test_an_interrupted_way_back_is_the_same_way(
    model: AcousticModel, clips: list[list[Example]], tmp_path: Path
) -> None:
    plan, start = replace(PLAN, back=0.5), parameters_of(model)
    whole = finetune(model, start, clips, [], LETTERS, plan)

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(model, start, clips, [], LETTERS, plan, state=tmp_path / "s", report=stop)
    resumed = finetune(model, start, clips, [], LETTERS, plan, state=tmp_path / "s")
    ended = finetune(model, start, clips, [], LETTERS, plan, state=tmp_path / "s")
    assert same(whole.params, resumed.params) and same(whole.last or {}, ended.last or {})


def test_groups_of_weights_have_rates_of_their_own(model: AcousticModel, clips: list[list[Example]]) -> None:
    start = parameters_of(model)
    still = {"encoder.layers.0 matrices": 0.0, "heads vectors": 0.0}
    moved = finetune(model, start, clips, [], LETTERS, replace(PLAN, factors=still)).params
    stayed = {name for name, value in start.items() if torch.equal(value, moved[name]) and "phone" not in name}
    assert stayed == {n for n, v in start.items() if group_of(n, v) in still and "phone" not in n}
    twice = finetune(model, start, clips, [], LETTERS, replace(PLAN, factors={"heads matrices": 2.0})).params
    head = finetune(
        model, start, clips, [], LETTERS, replace(PLAN, head_factor=8.0, factors={"heads vectors": 0.5})
    ).params
    assert same(twice, head), "twice the rate of the rows, by one way and by the other"


def test_the_rows_move_first(model: AcousticModel, clips: list[list[Example]]) -> None:
    start = parameters_of(model)
    moved = finetune(model, start, clips, [], LETTERS, replace(PLAN, rows_first=0.95)).params
    assert {name for name, value in start.items() if not torch.equal(value, moved[name])} == {
        "heads.text.weight",
        "heads.text.bias",
    }
    later = finetune(model, start, clips, [], LETTERS, replace(PLAN, rows_first=0.5)).params
    assert not torch.equal(start["encoder.layers.0.norm_out.bias"], later["encoder.layers.0.norm_out.bias"])


def test_clips_come_at_another_pace_each_time(model: AcousticModel) -> None:
    """By up to the share that the plan says; what was interrupted goes on with the very same batches."""
    clips = [[Example(torch.randn(200, 80), (1, 2))], [Example(torch.randn(100, 80), (2, 1))]]
    plan = Plan(steps=30, batch_s=2.0, stretch=0.2, masks=SpecAugment(time_masks=0, frequency_masks=0))
    batches = list(_batches(clips, plan, model.config, 5, 0))
    counts = [int(count) for _, batch in batches for count in batch.frame_counts_B]
    slow, fast = [c for c in counts if c >= 150], [c for c in counts if c < 150]
    assert 160 <= min(slow) < 175 < 225 < max(slow) <= 240 and 80 <= min(fast) < 90 < 110 < max(fast) <= 120
    later = list(_batches(clips, plan, model.config, 5, 20))
    assert [step for step, _ in later] == list(range(20, 30))
    for (_, one), (_, other) in zip(batches[20:], later, strict=True):
        assert torch.equal(one.frames_BFM, other.frames_BFM)
    plain = [batch for _, batch in _batches(clips, replace(plan, stretch=0.0), model.config, 5, 0)]
    assert {int(count) for batch in plain for count in batch.frame_counts_B} == {100, 200}


def test_a_clip_stays_as_slow_as_its_labels_need(model: AcousticModel) -> None:
    """Pressed together, so few frames could not carry them: its loss would be none."""
    frames = 40
    most = model.config.output_count(frames)
    plan = Plan(steps=60, batch_s=2.0, stretch=0.5)
    tight = [[Example(torch.randn(frames, 80), tuple(1 + i % 2 for i in range(most)))]]
    counts = [int(batch.frame_counts_B[0]) for _, batch in _batches(tight, plan, model.config, 0, 0)]
    assert min(counts) >= frames - 3 and max(counts) > 45
    assert all(model.config.output_count(count) >= most for count in counts)


def test_a_state_holds_what_moved_alone(model: AcousticModel, clips: list[list[Example]], tmp_path: Path) -> None:
    """A frozen encoder is most of a model, and is there without."""
    start, plan = parameters_of(model), replace(PLAN, moves="head")
    finetune(model, start, clips, [], LETTERS, plan, state=tmp_path / "s")
    found = load_state(tmp_path / "s")
    assert found and {name.removeprefix("now.") for name in found[0] if name.startswith("now.")} == {
        "heads.text.weight",
        "heads.text.bias",
    }
