import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.augment import Augmentation, augment, change_gain, change_speed, reverberate
from earful.audio.noise import add_noise, coloured_noise
from earful.config import from_mapping, read_toml, to_mapping
from earful.errors import AudioError, ConfigError

ALWAYS = Augmentation(
    speed_probability=1, room_probability=1, noise_probability=1, telephone_probability=1, gain_probability=1
)
EVERYTHING = replace(
    ALWAYS,
    vocal_tract_probability=1,
    unsteady_probability=1,
    microphone_probability=1,
    saturation_probability=1,
    codec_probability=1,
)
NEVER = Augmentation(
    speed_probability=0, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def power_db(samples_T: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples_T, dtype=np.float64))))


def peak_hz(samples_T: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples_T * np.hanning(len(samples_T))))
    return float(np.argmax(spectrum) * 16_000 / len(samples_T))


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.0, 1.0712345, 1.1, 2.0])
def test_speed_moves_pitch_and_times_together(factor: float) -> None:
    played_T = change_speed(tone(1_000), factor)
    assert len(played_T) == round(16_000 / factor)
    assert peak_hz(played_T) == pytest.approx(1_000 * factor, abs=2)
    click_T = np.zeros(16_000, np.float32)
    click_T[8_000] = 1
    assert np.argmax(change_speed(click_T, factor)) == pytest.approx(8_000 / factor, abs=1)


def test_gain_is_in_decibels() -> None:
    assert power_db(change_gain(tone(440), -6)) == pytest.approx(power_db(tone(440)) - 6, abs=1e-3)
    assert np.abs(change_gain(tone(440), 12)).max() > 3  # not clipped


@pytest.mark.parametrize("rt60_s", [0.2, 0.5])
def test_a_room_decays_by_60_db_and_leaves_the_direct_sound_in_place(rt60_s: float) -> None:
    click_T = np.zeros(16_000, np.float32)
    click_T[1_000] = 1
    wet_T = reverberate(click_T, seeded(), rt60_s, direct_db=6.0)
    assert len(wet_T) == 16_000 and np.argmax(np.abs(wet_T)) == 1_000
    assert np.abs(wet_T[:1_000]).max() < 1e-4  # nothing comes before the direct sound
    assert power_db(wet_T) == pytest.approx(power_db(click_T), abs=0.01)
    direct_over_echo_db = 20 * np.log10(wet_T[1_000]) - 10 * np.log10(np.square(wet_T[1_001:]).sum())
    assert direct_over_echo_db == pytest.approx(6, abs=0.1)
    early_db, late_db = power_db(wet_T[1_100:1_900]), power_db(wet_T[1_100 + 1_600 : 1_900 + 1_600])
    assert early_db - late_db == pytest.approx(60 * 0.1 / rt60_s, abs=1.5)


def test_nothing_happens_when_nothing_may() -> None:
    samples_T = tone(440)
    changed_T, speed = augment(samples_T, NEVER, seeded())
    assert speed == 1 and np.array_equal(changed_T, samples_T)


def test_the_generator_alone_decides() -> None:
    first_T, first_speed = augment(tone(440), ALWAYS, seeded(1))
    again_T, again_speed = augment(tone(440), ALWAYS, seeded(1))
    other_T, other_speed = augment(tone(440), ALWAYS, seeded(2))
    assert first_speed == again_speed != other_speed
    assert np.array_equal(first_T, again_T) and not np.array_equal(first_T[:9_000], other_T[:9_000])


NEW = [f.name for f in fields(Augmentation) if f.name.endswith("_probability") and f.default == 0]


def test_the_first_draws_are_those_of_old_so_old_settings_give_what_they_gave() -> None:
    generator, a = seeded(4), ALWAYS
    torch.rand(5, generator=generator)
    chances = torch.rand(6, generator=generator).tolist()
    ranges = (a.speed, a.rt60_s, a.direct_db, a.snr_db, a.noise_exponent, a.gain_db)
    speed, rt60_s, direct_db, snr_db, exponent, gain_db = (
        low + chance * (high - low) for (low, high), chance in zip(ranges, chances, strict=True)
    )
    wet_T = reverberate(change_speed(tone(440), speed), generator, rt60_s, direct_db)
    noisy_T = add_noise(wet_T, coloured_noise(len(wet_T), exponent, generator), snr_db)
    changed_T, changed_speed = augment(tone(440), replace(a, telephone_probability=0), seeded(4))
    assert changed_speed == speed
    np.testing.assert_array_equal(changed_T, change_gain(noisy_T, gain_db))


@pytest.mark.parametrize("name", NEW)
def test_each_new_change_changes_something_and_no_other_draw(name: str) -> None:
    assert len(NEW) == 5
    before, after = seeded(9), seeded(9)
    plain_T, plain_speed = augment(tone(440, 0.3), ALWAYS, before)
    changed_T, speed = augment(tone(440, 0.3), replace(ALWAYS, **{name: 1}), after)
    assert speed == plain_speed and torch.equal(before.get_state(), after.get_state())
    assert len(changed_T) == len(plain_T) and not np.allclose(changed_T, plain_T, atol=1e-3)


def test_new_changes_do_not_know_of_each_other() -> None:
    """With the microphone alone or after another throat, the same response: so the same draws."""
    click_T = np.zeros(8_000, np.float32)
    click_T[4_000] = 1  # its spectrum is flat, which no vocal tract changes
    alone = replace(NEVER, microphone_probability=1)
    both = replace(alone, vocal_tract_probability=1)
    np.testing.assert_allclose(augment(click_T, alone, seeded())[0], augment(click_T, both, seeded())[0], atol=1e-4)


@pytest.mark.parametrize("codec", ["gsm", "mulaw"])
def test_only_the_codecs_asked_for_are_used(codec: str) -> None:
    lines = replace(NEVER, codec_probability=1, codecs=(codec,))
    heard = {augment(tone(440, 0.2), lines, seeded(seed))[0].tobytes() for seed in range(5)}
    assert len(heard) == 1  # these two have one rate, so that nothing is left to chance
    assert heard != {tone(440, 0.2).tobytes()}


def test_switching_one_change_off_leaves_the_other_draws_alone() -> None:
    quiet = Augmentation(speed_probability=1, telephone_probability=0)
    line = Augmentation(speed_probability=1, telephone_probability=1)
    assert augment(tone(440), quiet, seeded())[1] == augment(tone(440), line, seeded())[1]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 3_000),
    level=st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e4]),
    seed=st.integers(0, 2**31),
    augmentation=st.sampled_from([ALWAYS, EVERYTHING]),
)
def test_always_finite_float32_of_the_expected_length(
    count: int, level: float, seed: int, augmentation: Augmentation
) -> None:
    samples_T = (level * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)
    changed_T, speed = augment(samples_T, augmentation, seeded(seed))
    assert changed_T.dtype == np.float32 and np.isfinite(changed_T).all()
    assert len(changed_T) == (0 if count == 0 else max(1, round(count / speed)))
    assert 0.9 <= speed <= 1.1
    if level == 0:
        assert not changed_T.any()


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match="mono"):
        augment(np.zeros((2, 9), np.float32), NEVER, seeded())
    with pytest.raises(AudioError, match="speed factor is 0, must be"):
        change_speed(tone(440), 0)
    with pytest.raises(AudioError, match="reverberation time"):
        reverberate(tone(440), seeded(), 0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"room_probability": 1.5}, "room_probability is 1.5, must be from 0 to 1"),
        ({"codec_probability": float("nan")}, "codec_probability is nan, must be from 0 to 1"),
        ({"vocal_tract_probability": (0.1, 0.2)}, "vocal_tract_probability is (0.1, 0.2), must be from 0 to 1"),
        ({"snr_db": (20, 10)}, "snr_db is (20, 10), must be a lowest and a highest value"),
        ({"speed": 1.0}, "speed is 1.0, must be a lowest and a highest value"),
        ({"microphone_db": (1, 2, 3)}, "microphone_db is (1, 2, 3), must be a lowest and a highest value"),
        ({"speed": (0.0, 1.0)}, "speed is (0.0, 1.0), must lie within 0.25 to 4"),
        ({"rt60_s": (0.0, 1.0)}, "rt60_s is (0.0, 1.0), must lie above 0"),
        ({"vocal_tract": (0.4, 1.0)}, "vocal_tract is (0.4, 1.0), must lie within 0.5 to 2"),
        ({"microphone_db": (-1, 9)}, "microphone_db is (-1, 9), must lie within 0 to 60"),
        ({"codec_kbps": (0, 9)}, "codec_kbps is (0, 9), must lie within 1 to 512"),
        ({"codecs": ()}, "codecs is (), must be one or more of mp3, vorbis, opus, gsm, mulaw, adpcm"),
        ({"codecs": ("mp3", "mp4")}, "codecs is ('mp3', 'mp4'), must be one or more of mp3"),
    ],
)
def test_bad_settings_are_named(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Augmentation(**setting)


def test_settings_come_from_toml_and_go_back(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'codecs = ["opus", "gsm"]\ncodec_kbps = [8, 16]\nvocal_tract_probability = 0.5', "utf-8"
    )
    augmentation = read_toml(Augmentation, tmp_path / "a.toml")
    assert augmentation == Augmentation(codecs=("opus", "gsm"), codec_kbps=(8, 16), vocal_tract_probability=0.5)
    assert from_mapping(Augmentation, to_mapping(augmentation), "itself") == augmentation
    (tmp_path / "a.toml").write_text('codecs = ["opsu"]', "utf-8")
    with pytest.raises(ConfigError, match=r"expected one of 'mp3', .*, got \"opsu\""):
        read_toml(Augmentation, tmp_path / "a.toml")
