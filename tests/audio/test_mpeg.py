"""MP3 files without a count of their frames, with a wrong one, with junk; several in one; and no word of libmpg123."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from earful.audio.files import blocks, probe, read
from earful.errors import AudioError

DELAY = 1_344  # samples by which a file is longer without the encoder's word on what it added


def changing(rate_hz: int = 16_000, seed: int = 0) -> np.ndarray:
    """Noise, then next to nothing, then noise: a bit rate that varies, and at first is the highest."""
    noise = np.convolve(np.random.default_rng(seed).normal(0, 0.05, 3 * rate_hz), np.hanning(17), "same")
    noise[rate_hz : 2 * rate_hz] *= 1e-4
    return noise.astype(np.float32)


@pytest.fixture(scope="module")
def mp3(odd: ModuleType) -> bytes:
    return odd.encoded(changing(), kind="MP3", bitrate_mode="VARIABLE")


def whole(path: Path, content: bytes) -> np.ndarray:
    """What is read of a file with this content: at once, in blocks and in part all the same."""
    path.write_bytes(content)
    samples_T = read(path)
    assert probe(path).duration_s == pytest.approx(len(samples_T) / 16_000, abs=1e-3)
    np.testing.assert_array_equal(np.concatenate(list(blocks(path, 0.7))), samples_T)
    np.testing.assert_allclose(read(path, 1.23, 0.5), samples_T[19_680:27_680], atol=1e-6)
    return samples_T


def alike(samples_T: np.ndarray, expected_T: np.ndarray) -> bool:
    return bool(np.corrcoef(samples_T, expected_T[: len(samples_T)])[0, 1] > 0.95)


def test_variable_bit_rate_without_a_count(tmp_path: Path, odd: ModuleType, mp3: bytes) -> None:
    """Half of it was lost: the decoder guesses the length from the first frame's bit rate, and stops there."""
    samples_T = whole(tmp_path / "a.mp3", odd.without_info(mp3))
    assert len(samples_T) == pytest.approx(48_000, abs=1.3 * DELAY) and alike(samples_T[576:40_000], changing())
    assert "of variable bit rate, and does not say how long" in probe(tmp_path / "a.mp3").warnings[0]


def test_constant_bit_rate_without_a_count_is_as_it_should_be(tmp_path: Path, odd: ModuleType) -> None:
    content = odd.without_info(odd.encoded(changing(), kind="MP3", bitrate_mode="CONSTANT", compression_level=0.5))
    assert len(whole(tmp_path / "a.mp3", content)) == pytest.approx(48_000, abs=1.3 * DELAY)
    assert probe(tmp_path / "a.mp3").warnings == ()


def test_a_count_that_is_too_small(tmp_path: Path, odd: ModuleType, mp3: bytes) -> None:
    samples_T = whole(tmp_path / "a.mp3", odd.told_frames(mp3, 20))
    assert len(samples_T) == 48_000 and alike(samples_T, changing())
    assert "promises 0.72 s" in probe(tmp_path / "a.mp3").warnings[0]


def test_a_count_that_is_too_large_is_a_file_cut_short(tmp_path: Path, odd: ModuleType, mp3: bytes) -> None:
    (tmp_path / "a.mp3").write_bytes(odd.told_frames(mp3, 200))
    with pytest.raises(AudioError, match=r"truncated .* ends 4\.\d\d s early"):
        read(tmp_path / "a.mp3")


@pytest.mark.parametrize("counted", [True, False])
def test_two_in_one(tmp_path: Path, odd: ModuleType, mp3: bytes, counted: bool) -> None:
    """The second is of another rate, and stereo."""
    one_T = changing(44_100, 1)
    second = odd.encoded(np.stack([one_T, one_T], 1), 44_100, "MP3")
    samples_T = whole(tmp_path / "a.mp3", mp3 + odd.id3() + (second if counted else odd.without_info(second)))
    assert len(samples_T) == pytest.approx(96_000, abs=DELAY) and alike(samples_T[:48_000], changing())
    assert np.square(samples_T[48_000:64_000]).mean() > 1e-3 > np.square(samples_T[66_000:78_000]).mean()
    assert probe(tmp_path / "a.mp3").warnings[0] == "holds 2 MP3 streams one behind the other; all are read"


@pytest.mark.parametrize("before", [b"", bytes(3_000)], ids=["nothing", "zeros"])
def test_tags_and_junk(
    tmp_path: Path, odd: ModuleType, mp3: bytes, before: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    middle = mp3.index(mp3[:2], len(mp3) * 9 // 10)
    content = odd.id3() + before + mp3[:middle] + b"junk" * 100 + mp3[middle:] + b"TAG" + bytes(125)
    samples_T = whole(tmp_path / "a.mp3", content)
    assert len(samples_T) == 48_000 and alike(samples_T[:40_000], changing())
    assert probe(tmp_path / "a.mp3").warnings == ("400 bytes in it are no MP3, and are left out",)
    assert capfd.readouterr().err == ""


def test_the_decoder_does_not_print(tmp_path: Path, mp3: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Frames that are frames by their heads alone make libmpg123 talk."""
    rng = np.random.default_rng(0)
    broken = bytearray(mp3)
    for place in range(3_000, len(mp3) - 700, 97):
        if 0xFF not in broken[place - 1 : place + 5]:
            broken[place : place + 3] = rng.integers(0, 255, 3, np.uint8).tobytes()
    (tmp_path / "a.mp3").write_bytes(bytes(broken))
    assert len(read(tmp_path / "a.mp3")) > 40_000
    assert capfd.readouterr().err == ""


def test_what_a_mac_leaves_beside_a_file_does_not_spoil_it(
    tmp_path: Path, mp3: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file `._NAME`; of bytes `._`, in the folder where one stands."""
    place = tmp_path / "a.mp3"
    place.write_bytes(mp3)
    monkeypatch.chdir(tmp_path)
    expected = read(place), read(place.read_bytes())
    for name in ("._a.mp3", "._"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(4092))
    (tmp_path / "b").mkdir()
    for found, sound in zip((read(place), read(place.read_bytes())), expected, strict=True):
        assert np.array_equal(found, sound)
    (tmp_path / "b.mp3").write_bytes(b"\xff\xf3 no MP3" * 100 + b"\xff")
    with pytest.raises(AudioError, match="not a readable"):
        read(tmp_path / "b.mp3")
