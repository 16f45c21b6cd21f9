from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.audio.line import CODECS, Codec, telephone, through_codec
from earful.errors import AudioError

RATES = [("mp3", 9), ("mp3", 32), ("mp3", 64), ("vorbis", 32), ("opus", 12), ("opus", 32)]
RATES += [("gsm", 13), ("mulaw", 64), ("adpcm", 32), ("adpcm", 64)]


def tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def power_db(samples_T: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples_T, dtype=np.float64))))


def syllables(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Harmonics of a moving pitch in uneven syllables: what codecs are made for, and what has one best lag."""
    random = np.random.default_rng(seed)
    time_s = np.arange(round(16_000 * seconds)) / 16_000
    phase = np.cumsum(2 * np.pi * (140 + 30 * np.sin(2 * np.pi * 0.9 * time_s)) / 16_000)
    harmonics = sum(np.sin(k * phase + random.uniform(0, 6)) / k for k in range(1, 25))
    level = np.interp(time_s, np.arange(round(seconds * 10) + 1) / 10, random.uniform(0, 1, round(seconds * 10) + 1))
    return (0.2 * harmonics * level).astype(np.float32)


def lag_of(heard_T: np.ndarray, clean_T: np.ndarray) -> int:
    """By how many samples `heard` comes later: where the cross-correlation is highest."""
    size = 2 * len(clean_T)
    product = np.fft.irfft(np.fft.rfft(heard_T, size) * np.conj(np.fft.rfft(clean_T, size)), size)
    return (int(np.argmax(product)) + len(clean_T)) % size - len(clean_T)


def test_a_telephone_passes_its_band_only() -> None:
    for frequency_hz, change_db in [(440, 0), (1_000, 0), (3_000, 0)]:
        assert power_db(telephone(tone(frequency_hz))) == pytest.approx(
            power_db(tone(frequency_hz)) + change_db, abs=0.1
        )
    for frequency_hz in (100, 4_000, 6_000):
        assert power_db(telephone(tone(frequency_hz))[1_000:-1_000]) < power_db(tone(frequency_hz)) - 40


@pytest.mark.parametrize(("codec", "kbps"), RATES)
def test_a_codec_changes_sound_but_not_its_length_level_or_times(codec: Codec, kbps: float) -> None:
    clean_T = syllables()
    heard_T = through_codec(clean_T, codec, kbps)
    assert heard_T.shape == clean_T.shape and heard_T.dtype == np.float32
    assert abs(lag_of(heard_T, clean_T)) <= 32  # 2 ms
    assert power_db(heard_T) == pytest.approx(power_db(clean_T), abs=1.5)
    assert 3 < power_db(clean_T) - power_db(heard_T - clean_T) < 40


@pytest.mark.parametrize("codec", ["mp3", "vorbis", "opus", "adpcm"])
def test_more_bits_forget_less(codec: Codec) -> None:
    clean_T = syllables()
    few, many = (power_db(through_codec(clean_T, codec, kbps) - clean_T) for kbps in (10, 64))
    assert many < few - 3


@pytest.mark.parametrize("codec", ["gsm", "mulaw"])
def test_telephone_codecs_pass_nothing_above_4_khz(codec: Codec) -> None:
    assert power_db(through_codec(syllables() + tone(6_000), codec, 13)) < power_db(tone(6_000)) - 6


@pytest.mark.parametrize("count", [0, 1, 2, 160])
@pytest.mark.parametrize("codec", CODECS)
def test_the_shortest_clips_pass(codec: Codec, count: int) -> None:
    heard_T = through_codec(syllables(0.1)[800 : 800 + count], codec, 12)
    assert heard_T.shape == (count,) and np.isfinite(heard_T).all()


@settings(max_examples=60, deadline=None)
@given(
    codec=st.sampled_from(CODECS),
    count=st.integers(0, 6_000),
    level=st.sampled_from([0.0, 1e-30, 1e-6, 1.0, 1e4, 1e9]),
    kbps=st.floats(0.5, 600),
    seed=st.integers(0, 2**31),
)
def test_always_finite_float32_of_the_same_length(
    codec: Codec, count: int, level: float, kbps: float, seed: int
) -> None:
    samples_T = (level * np.random.default_rng(seed).uniform(-1, 1, count)).astype(np.float32)
    heard_T = through_codec(samples_T, codec, kbps)
    assert heard_T.shape == (count,) and heard_T.dtype == np.float32 and np.isfinite(heard_T).all()
    assert np.abs(heard_T).max(initial=0) <= 4 * level


@pytest.mark.parametrize("codec", CODECS)
def test_loudness_is_no_matter(codec: Codec) -> None:
    loud_T = through_codec(512 * syllables(0.3), codec, 24)
    np.testing.assert_allclose(loud_T / 512, through_codec(syllables(0.3), codec, 24), atol=1e-6)


@pytest.mark.parametrize("codec", CODECS)
def test_silence_and_what_is_not_finite_come_back_as_they_are(codec: Codec) -> None:
    for samples_T in (np.zeros(500, np.float32), np.full(500, np.nan, np.float32), np.full(9, np.inf, np.float32)):
        np.testing.assert_array_equal(through_codec(samples_T, codec, 24), samples_T)


def test_a_library_without_the_codec_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    np.testing.assert_array_equal(through_codec(syllables(0.1), "mp3", 24), syllables(0.1))


def test_a_long_clip_does_not_end_the_process() -> None:
    """libvorbis keeps on the stack what is written at once: a minute would overflow it."""
    heard_T = through_codec(np.tile(syllables(), 60), "vorbis", 24)
    assert len(heard_T) == 60 * 16_000 and abs(lag_of(heard_T[-16_000:], syllables())) <= 32


def test_threads_do_not_disturb_each_other() -> None:
    jobs = [(syllables(0.2, seed), codec, kbps) for seed, (codec, kbps) in enumerate(RATES * 3)]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda job: through_codec(*job), jobs))
    for job, heard_T in zip(jobs, at_once, strict=True):
        np.testing.assert_array_equal(heard_T, through_codec(*job))


def test_bad_arguments() -> None:
    with pytest.raises(AudioError, match=r"expected one of mp3, .*, got 'mp4' and 24 kbps"):
        through_codec(tone(440), "mp4", 24)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="a rate above 0 kbps, got 'mp3' and 0 kbps"):
        through_codec(tone(440), "mp3", 0)
    with pytest.raises(AudioError, match="mono"):
        through_codec(np.zeros((2, 9), np.float32), "mp3", 24)
