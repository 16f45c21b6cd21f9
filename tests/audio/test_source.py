"""A recording given as bytes, as an open file or as samples is read as the file would be."""

import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from earful.audio import source
from earful.audio.channels import survey
from earful.audio.files import blocks, probe, read
from earful.audio.source import Held, all_of, from_samples, source_of
from earful.errors import AudioError


def noise(seconds: float = 1.5, rate_hz: int = 16_000, channels: int = 1) -> np.ndarray:
    noise_TC = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate_hz), channels))
    return noise_TC[:, 0] if channels == 1 else noise_TC


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(16_000, 1), (44_100, 2)])
def test_bytes_and_open_files_are_read_as_the_file_is(
    tmp_path: Path, odd: ModuleType, kind: str, rate_hz: int, channels: int
) -> None:
    path, content = tmp_path / "a", odd.encoded(noise(1.5, rate_hz, channels), rate_hz, kind=kind)
    path.write_bytes(content)
    for given in (content, bytearray(content), memoryview(content), io.BytesIO(content), Held(content)):
        np.testing.assert_array_equal(read(given), read(path))
    with path.open("rb") as file:
        assert probe(file) == probe(path)
    np.testing.assert_array_equal(read(content, 0.7, 0.5), read(path, 0.7, 0.5))
    np.testing.assert_array_equal(np.concatenate(list(blocks(content, 0.4))), read(path))


def test_channels_of_bytes_are_judged_too(odd: ModuleType) -> None:
    one_T = noise()
    assert "opposite phase" in survey(odd.encoded(np.stack([one_T, -one_T], 1))).warnings[0]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (b"", "the recording given as bytes: the file is empty"),
        (b"no sound at all" * 9, "the recording given as bytes: not a readable sound file"),
        (b"#!AMR\n" + bytes(99), "the recording given as bytes: (the file is truncated or damaged|holds AMR)"),
        (io.StringIO("text"), "bytes or a file opened in binary mode, got a file opened as text"),
        (7, "a file opened in binary mode, got int"),
    ],
)
def test_what_is_no_recording_is_named(given: object, line: str) -> None:
    with pytest.raises(AudioError, match=line):
        read(given)


def test_an_open_file_is_read_from_where_it_stands(odd: ModuleType) -> None:
    file = io.BytesIO(b"head" + odd.encoded(noise()))
    file.seek(4)
    assert len(read(file)) == 24_000


def test_samples_of_any_rate_and_kind() -> None:
    t = np.arange(12_000) / 8_000
    tone_T = 0.5 * np.sin(2 * np.pi * 440 * t)
    found_T = read(from_samples(tone_T, 8_000))
    assert len(found_T) == 24_000 and np.abs(found_T).max() == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(read(from_samples((tone_T * 32_767).astype(np.int16), 8_000)), found_T, atol=1e-3)
    mixed_T = read(from_samples(np.stack([tone_T, tone_T], 1), 8_000))
    np.testing.assert_allclose(mixed_T, found_T, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "line"),
    [
        (np.array([0.1, np.nan]), 8_000, "hold NaN or infinity"),
        (np.zeros((2, 2, 2)), 8_000, r"got float64 \(2, 2, 2\) and 8000"),
        (np.zeros(9), 0, "a rate in Hz, got .* and 0"),
        (np.zeros(9, np.uint8), 8_000, "got uint8"),
        (np.zeros(9, np.int64), 8_000, "expected int16 or int32, or floats, got int64"),
        (np.zeros((2, 5_000)), 8_000, r"\(2, 5000\) at 8000 Hz is no sound"),
    ],
)
def test_samples_that_are_none(samples: np.ndarray, rate_hz: int, line: str) -> None:
    with pytest.raises(AudioError, match=f"^the recording given as samples: .*{line}"):
        from_samples(samples, rate_hz)


def test_a_path_stays_a_path() -> None:
    assert source_of("a.wav") == Path("a.wav") and str(source_of(b"x")) == "the recording given as bytes"


@pytest.mark.parametrize("place", [0, 5, 6, 7, 8, 9, 4090, 8192])
def test_a_file_whose_pages_are_given_back_is_searched_and_sliced_as_bytes_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """Whatever the blocks are in which it is looked through: what lies across two of them is found too."""
    monkeypatch.setattr(source, "_BLOCK", 8)
    content = bytearray(b"." * 9000)
    content[place : place + 4] = b"fLaC"
    (tmp_path / "x").write_bytes(content)
    with all_of(tmp_path / "x") as data:
        for begin, end in ((0, None), (place, None), (place + 1, None), (0, place + 3), (0, place + 4), (0, 10**6)):
            assert data.find(b"fLaC", begin, end) == content.find(b"fLaC", begin, end)
        assert data[place : place + 4] == b"fLaC" and data[place] == ord("f") and data[-1] == ord(".")
        assert data[:] == bytes(content) and len(data) == 9000
