"""FLAC files whose descriptions lie: what the frames hold is read, or the file is refused."""

import io
import struct

import numpy as np
import pytest
import soundfile

from earful.audio.files import probe, read
from earful.errors import AudioError

RATE_HZ = 16_000


def sound(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((round(seconds * RATE_HZ), channels))
    return (0.1 * noise).astype(np.float32)


def flac(samples_TC: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples_TC, rate_hz, format="FLAC", subtype=subtype)
    return content.getvalue()


def with_count(content: bytes, count: int) -> bytes:
    """The same with another count of samples in its description."""
    changed = bytearray(content)
    (bits,) = struct.unpack_from(">Q", changed, 18)
    struct.pack_into(">Q", changed, 18, bits >> 36 << 36 | count)
    return bytes(changed)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_S8"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (16_000, 2), (44_100, 2), (11_111, 3), (96_000, 1)])
def test_a_count_that_is_too_small_does_not_cut_the_sound(rate_hz: int, channels: int, subtype: str) -> None:
    whole = flac(sound(3.0, channels), rate_hz, subtype)
    count = soundfile.info(io.BytesIO(whole)).frames
    assert probe(whole).warnings == ()
    half = with_count(whole, count // 2)
    told = f"its header promises {count // 2 / rate_hz:.2f} s of sound; {count / rate_hz:.2f} s are there, and are read"
    assert probe(half).warnings == (told,) and probe(half).sample_count == count
    assert np.array_equal(read(half), read(whole))


def test_the_end_of_a_file_that_is_cut() -> None:
    whole = flac(sound(3.0))
    with pytest.raises(AudioError, match=r"ends .* early"):
        probe(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match=r"ends 3.00 s early"):
        probe(with_count(whole, 2 * 48_000))


def test_an_unknown_count_is_counted() -> None:
    whole = flac(sound(3.0))
    assert len(read(with_count(whole, 0))) == 48_000 and probe(with_count(whole, 0)).duration_s == 3.0


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 11_111, 12_340, 48_000, 96_000])
def test_the_rate_of_the_frames_is_that_of_the_sound(rate_hz: int) -> None:
    """The description has no checksum of its own; a bit of its rate says 16032 for 16000."""
    whole = flac(sound(3.0), rate_hz)
    assert probe(whole).warnings == ()
    changed = bytearray(whole)
    changed[19] ^= 2  # a bit of the rate, 20 bits from here but for ten
    said = int.from_bytes(changed[18:21], "big") >> 4
    assert said != rate_hz
    told = f"its header says {said} samples a second, the sound itself {rate_hz}; it is read as the latter"
    assert probe(bytes(changed)).warnings == (told,) and probe(bytes(changed)).rate_hz == rate_hz
    assert np.array_equal(read(bytes(changed)), read(whole))


def test_a_rate_and_a_count_that_are_both_wrong() -> None:
    whole = flac(sound(3.0, 2), 44_100, "PCM_24")
    changed = bytearray(with_count(whole, 100))
    changed[19] ^= 2
    assert len(probe(bytes(changed)).warnings) == 2
    assert np.array_equal(read(bytes(changed)), read(whole))


def test_several_files_with_lies() -> None:
    one, other = flac(sound(1.0)), flac(sound(2.0, seed=1))
    both = with_count(one, 100) + with_count(other, 100)
    assert np.array_equal(read(both), np.concatenate([read(one), read(other)]))
    assert len(probe(both).warnings) == 3


def test_a_description_of_another_length() -> None:
    changed = bytearray(flac(sound(1.0)))
    changed[7] = 0x21
    with pytest.raises(AudioError):
        probe(bytes(changed))


@pytest.mark.parametrize("seconds", [0.01, 0.25, 0.3])
def test_one_or_two_frames(seconds: float) -> None:
    whole = flac(sound(seconds))
    assert np.array_equal(read(with_count(whole, 50)), read(whole))
