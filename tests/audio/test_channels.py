"""Stereo as it comes: nothing that holds speech is lost in the mix, nothing that holds none drowns it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.channels import channel_named, survey
from earful.audio.files import blocks, probe, read
from earful.errors import AudioError, ConfigError


def talk(seed: int, first: float = 0.0, seconds: float = 4.0) -> np.ndarray:
    """Noise in syllables: half of the time it is loud, from `first` on; what the levels of speech are like."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * 16_000)) / 16_000
    loud = (np.sin(2 * np.pi * 1.5 * t) > 0) & (t >= first)
    return (0.1 * rng.standard_normal(len(t)) * (loud + 0.001)).astype(np.float32)


def stereo(path: Path, *channels: np.ndarray, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, np.stack(channels, 1), 16_000, subtype=subtype)
    return path


def test_the_mean_where_nothing_is_lost(tmp_path: Path) -> None:
    path = stereo(tmp_path / "a.wav", talk(0), talk(1))
    assert survey(path).weights == (0.5, 0.5) and survey(path).warnings == ()
    np.testing.assert_allclose(read(path), (talk(0) + talk(1)) / 2, atol=1e-6)


@pytest.mark.parametrize("part", [1.0, 0.3])
def test_opposite_phase(tmp_path: Path, part: float) -> None:
    """The mix is silent; in part of the file is as bad."""
    other = talk(0).copy()
    other[: round(part * len(other))] *= -1
    path = stereo(tmp_path / "a.wav", talk(0), 0.9 * other)
    (warning,) = survey(path).warnings
    assert warning == "its channels cancel each other out (opposite phase); channel 1 is heard alone"
    np.testing.assert_allclose(read(path), talk(0), atol=1e-6)
    assert np.abs(read(path, channel="mix")[:1_000]).max() < 0.06


@pytest.mark.parametrize("live", [0, 1])
def test_a_dead_channel(tmp_path: Path, live: int) -> None:
    channels = [1e-5 * talk(1), talk(0)] if live else [talk(0), 1e-5 * talk(1)]
    path = stereo(tmp_path / "a.wav", *channels)
    assert survey(path).warnings == (f"channel {2 - live} is silent, and is left out",)
    np.testing.assert_allclose(read(path), talk(0), atol=1e-6)


def test_a_noisy_channel(tmp_path: Path) -> None:
    hiss = 0.2 * np.random.default_rng(2).standard_normal(64_000)
    path = stereo(tmp_path / "a.wav", hiss, talk(0), talk(1))
    assert survey(path).warnings == ("channel 1 holds steady noise alone, and is left out",)
    np.testing.assert_allclose(read(path), (talk(0) + talk(1)) / 2, atol=1e-6)


def test_noise_alone_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    path = stereo(tmp_path / "a.wav", rng.normal(0, 0.1, 64_000), rng.normal(0, 0.1, 64_000))
    assert survey(path).weights == (0.5, 0.5) and survey(path).warnings == ()


def test_a_speaker_on_each_channel(tmp_path: Path) -> None:
    first, second = talk(0), talk(1)
    first[32_000:] *= 1e-3
    second[:32_000] *= 1e-3
    found = survey(stereo(tmp_path / "a.wav", first, second))
    assert found.apart and found.weights == (0.5, 0.5)
    assert not survey(stereo(tmp_path / "b.wav", first, 0.5 * first)).apart


@pytest.mark.parametrize("channel", [1, 2, "mix"])
def test_a_channel_by_name(tmp_path: Path, channel: int | str) -> None:
    path = stereo(tmp_path / "a.wav", talk(0), -talk(0))
    expected = {1: talk(0), 2: -talk(0), "mix": 0 * talk(0)}[channel]
    np.testing.assert_allclose(read(path, channel=channel), expected, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(list(blocks(path, 0.7, channel))), expected, atol=1e-6)
    np.testing.assert_allclose(read(path, 1.0, 0.5, channel), expected[16_000:24_000], atol=1e-6)


def test_a_channel_that_is_not_there(tmp_path: Path) -> None:
    path = stereo(tmp_path / "a.wav", talk(0), talk(1))
    with pytest.raises(AudioError, match=r"a\.wav: has 2 channels, not a channel 3; name one"):
        read(path, channel=3)


def test_names() -> None:
    assert [channel_named(name) for name in ("auto", "mix", "each", "left", "right", "3")] == [
        *("auto", "mix", "each"),
        *(1, 2, 3),
    ]
    for name in ("0", "-1", "centre", ""):
        with pytest.raises(ConfigError, match="must be one of auto, mix, left, right, each, or a number from 1 on"):
            channel_named(name)


@pytest.mark.parametrize(("scale", "told"), [(32_768, 2.0**-15), (8_388_607, 2.0**-23), (2_147_483_648, 2.0**-31)])
@pytest.mark.parametrize("channels", [1, 2])
def test_integers_written_as_floats(tmp_path: Path, scale: int, told: float, channels: int) -> None:
    samples = talk(0) / np.abs(talk(0)).max()
    path = stereo(tmp_path / "a.wav", *[samples * scale] * channels, subtype="DOUBLE")
    assert survey(path).gain == told and "are taken for integers" in survey(path).warnings[0]
    np.testing.assert_allclose(read(path), samples, atol=1e-6)


def test_floats_a_little_beyond_one_stay(tmp_path: Path) -> None:
    path = stereo(tmp_path / "a.wav", 100 * talk(0))
    np.testing.assert_array_equal(read(path), 100 * talk(0))


def test_damage_is_left_to_who_reads_it(tmp_path: Path) -> None:
    broken = talk(0).copy()
    broken[8_000] = np.nan
    path = stereo(tmp_path / "a.wav", broken, talk(1))
    assert survey(path).weights == (0.5, 0.5) and probe(path).channels == 2
    with pytest.raises(AudioError, match="is NaN"):
        read(path)


@pytest.mark.parametrize(("peak", "heard"), [(0.4, 0.4), (0.11, 0.11), (0.09, 0.5), (0.002, 0.5), (0.0009, 0.0009)])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_soft_recording_is_made_louder_but_not_silence(
    tmp_path: Path, peak: float, heard: float, channels: int
) -> None:
    """Whole, in blocks and in parts alike; and it is no oddity that somebody has to be told of."""
    noise_T = np.random.default_rng(0).uniform(-1, 1, 32_000) * np.linspace(0.1, 1, 32_000)
    sound_T = (peak * noise_T / np.abs(noise_T).max()).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([sound_T] * channels, 1), 16_000, "FLOAT")
    whole_T = read(tmp_path / "a.wav")
    np.testing.assert_allclose(whole_T, sound_T * (heard / peak), rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate(list(blocks(tmp_path / "a.wav", 0.7))), whole_T)
    np.testing.assert_allclose(read(tmp_path / "a.wav", 0.2, 0.5), whole_T[3_200:11_200], atol=1e-6)
    assert survey(tmp_path / "a.wav").warnings == ()
