"""Conditions: one of those allowed, the same for many clips, and named so that names tell them apart."""

import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.augment import Augmentation, augment
from earful.audio.condition import _PARTS, describe, draw_condition
from earful.audio.line import CODECS
from earful.errors import ConfigError

PER_CLIP = {"speed_probability", "speed", "vocal_tract_probability", "vocal_tract", "gain_probability", "gain_db"}
CHANCES = [f.name for f in fields(Augmentation) if f.name.endswith("_probability")]
ALWAYS: dict[str, Any] = dict.fromkeys(CHANCES, 1.0)
SOMETIMES: dict[str, Any] = dict.fromkeys(CHANCES, 0.5)
EVERYTHING, HALF = Augmentation(**ALWAYS), Augmentation(**SOMETIMES)
CLEAN = Augmentation(noise_probability=0, room_probability=0, telephone_probability=0)
LIMITS = {  # what may be asked for
    "speed": (0.25, 4.0),
    "vocal_tract": (0.5, 2.0),
    "rt60_s": (1e-3, 3.0),
    "microphone_db": (0.0, 60.0),
    "saturation_db": (-60.0, 60.0),
    "codec_kbps": (1.0, 512.0),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def settings_of(name: str) -> st.SearchStrategy[Any]:
    if name.endswith("_probability"):
        return st.sampled_from([0, 0.5, 1]) | st.floats(0, 1)
    if name == "codecs":
        return st.lists(st.sampled_from(CODECS), min_size=1, unique=True).map(tuple)
    end = st.floats(*LIMITS.get(name, (-99.0, 99.0)))
    return st.tuples(end, end).map(lambda ends: tuple(sorted(ends)))


some = st.fixed_dictionaries({f.name: settings_of(f.name) for f in fields(Augmentation)}).map(
    lambda chosen: Augmentation(**chosen)
)


@settings(max_examples=150, deadline=None)
@given(some, st.integers(0, 2**31))
def test_a_condition_is_one_of_those_allowed_and_leaves_nothing_to_chance(allowed: Augmentation, seed: int) -> None:
    condition = draw_condition(allowed, seeded(seed))
    for name, value in vars(condition).items():
        before = getattr(allowed, name)
        if name in PER_CLIP:
            assert value == before
        elif name.endswith("_probability"):
            assert value in (0, 1) and (value == before or 0 < before < 1)
        elif name == "codecs":
            assert len(value) == 1 and set(value) <= set(before)
        elif name == "codec_kbps" and condition.codecs[0] in ("gsm", "mulaw") and condition.codec_probability:
            assert value == {"gsm": (13, 13), "mulaw": (64, 64)}[condition.codecs[0]]
        else:
            assert before[0] <= value[0] == value[1] <= before[1]
    assert draw_condition(condition, seeded(seed + 1)) == condition
    assert "/" not in describe(condition)


@settings(max_examples=100, deadline=None)
@given(some, some, st.sampled_from(sorted(_PARTS)), st.integers(0, 2**31))
def test_one_change_has_no_say_in_the_others(one: Augmentation, other: Augmentation, part: str, seed: int) -> None:
    own = {f"{part}_probability", *_PARTS[part][1]}
    mixed = replace(one, **{name: getattr(other, name) for name in own})
    first, second = seeded(seed), seeded(seed)
    before, after = draw_condition(one, first), draw_condition(mixed, second)
    assert {n: v for n, v in vars(before).items() if n not in own} == {
        n: v for n, v in vars(after).items() if n not in own
    }
    assert torch.equal(first.get_state(), second.get_state())


def test_every_setting_is_of_the_condition_or_of_the_clip() -> None:
    of_conditions = [name for part, (_, names) in _PARTS.items() for name in (f"{part}_probability", *names)]
    assert sorted([*of_conditions, *PER_CLIP]) == sorted(f.name for f in fields(Augmentation))


def test_the_generator_alone_decides() -> None:
    before = torch.get_rng_state()
    assert draw_condition(EVERYTHING, seeded(1)) == draw_condition(EVERYTHING, seeded(1))
    assert draw_condition(EVERYTHING, seeded(1)) != draw_condition(EVERYTHING, seeded(2))
    assert torch.equal(before, torch.get_rng_state())


def test_conditions_come_as_often_and_as_widely_as_was_asked() -> None:
    generator = seeded()
    drawn = [draw_condition(replace(HALF, noise_probability=0.3), generator) for _ in range(2000)]
    noisy = [condition for condition in drawn if condition.noise_probability]
    assert abs(len(noisy) / 2000 - 0.3) < 0.05
    snr_db = [condition.snr_db[0] for condition in noisy]
    assert abs(np.mean(snr_db) - 17.5) < 1.5 and min(snr_db) < 6 and max(snr_db) > 29  # of 5 to 30
    both = sum(bool(condition.noise_probability and condition.room_probability) for condition in drawn)
    assert abs(both / 2000 - 0.15) < 0.04, "noise and room do not come together more often than by chance"
    assert {c.codecs[0] for c in drawn if c.codec_probability} == set(CODECS)


def test_names_tell_conditions_apart() -> None:
    generator = seeded()
    drawn = [draw_condition(HALF, generator) for _ in range(2000)]
    names = [describe(condition) for condition in drawn]
    assert len(set(names)) == len(set(drawn)) == len(set(zip(names, drawn, strict=True))) > 1500
    assert "clean" in names and max(map(len, names)) < 160


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        (CLEAN, "clean"),
        (replace(CLEAN, telephone_probability=1), "telephone"),
        (
            replace(
                EVERYTHING, snr_db=(7, 7), noise_exponent=(0.5, 0.5), unsteady_snr_db=(-3, -3), rt60_s=(0.4, 0.4),
                direct_db=(6, 6), microphone_db=(5.5, 5.5), saturation_db=(0, 0), codecs=("opus",), codec_kbps=(16, 16),
            ),
            "noise 7 dB colour 0.5, unsteady noise -3 dB, room 0.4 s direct 6 dB, microphone 5.5 dB, saturation 0 dB, "
            "telephone, opus 16 kbps",
        ),
    ],
)  # fmt: skip
def test_names_say_what_is_heard(condition: Augmentation, name: str) -> None:
    assert describe(condition) == name


@pytest.mark.parametrize(("codec", "name"), [("gsm", "gsm 13 kbps"), ("mulaw", "mulaw 64 kbps")])
def test_codecs_of_one_rate_are_one_condition(codec: Any, name: str) -> None:
    line = replace(CLEAN, codec_probability=1, codecs=(codec,))
    assert {describe(draw_condition(line, seeded(seed))) for seed in range(20)} == {name}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_probability": 0.5}, "noise_probability is 0.5, which is no single condition; describe what draw_cond"),
        ({"noise_probability": 1}, "snr_db is (5.0, 30.0), which is no single condition"),
        ({"codec_probability": 1, "codecs": ("opus", "gsm")}, "codecs is ('opus', 'gsm'), which is no single"),
    ],
)
def test_many_conditions_have_no_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        describe(replace(CLEAN, **changes))


def test_clips_of_a_condition_share_its_snr_and_not_its_noise() -> None:
    noisy = Augmentation(speed_probability=0, gain_probability=0, noise_probability=1, room_probability=0)
    condition = draw_condition(replace(noisy, telephone_probability=0), seeded(3))
    tone_T = np.sin(np.arange(16_000) / 9).astype(np.float32)
    noises = [augment(tone_T, condition, seeded(seed))[0] - tone_T for seed in range(4)]
    for noise_T in noises:
        snr_db = 10 * np.log10(np.square(tone_T).mean() / np.square(noise_T).mean())
        assert snr_db == pytest.approx(condition.snr_db[0], abs=0.01)
        assert np.square(noise_T - noises[0]).mean() > np.square(noise_T).mean() or noise_T is noises[0]


def test_voices_of_a_condition_stay_free() -> None:
    condition = draw_condition(EVERYTHING, seeded(3))
    speeds = {augment(np.zeros(160, np.float32), condition, seeded(seed))[1] for seed in range(9)}
    assert len(speeds) == 9
