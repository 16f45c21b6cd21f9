"""Containers that libsndfile does not read, made by PyAV: whole, in blocks, and in parts that are sought."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earful.audio import media
from earful.audio.channels import survey
from earful.audio.files import blocks, probe, read
from earful.errors import AudioError

av = pytest.importorskip("av", reason='PyAV is not installed: pip install ".[media]"')

# suffix, codec, rate, largest difference from the sweep that went in (None: far from it, or shifted), more
FORMS = [
    ("m4a", "aac", 16_000, 0.05, {}),
    ("m4a", "aac", 44_100, 0.05, {}),
    ("m4a", "alac", 16_000, 1e-3, {}),
    ("mp4", "aac", 48_000, 0.05, {"video": True}),
    ("mov", "pcm_s16le", 16_000, 1e-3, {}),
    ("webm", "libopus", 48_000, None, {}),
    ("mkv", "flac", 16_000, 1e-3, {"video": True}),
    ("wma", "wmav2", 44_100, None, {"bit_rate": 64_000}),
    ("3gp", "libopencore_amrnb", 8_000, None, {}),
    ("amr", "libopencore_amrnb", 8_000, None, {}),
    ("aac", "aac", 16_000, None, {}),
    ("avi", "mp2", 44_100, None, {"video": True}),
    ("flv", "aac", 44_100, None, {}),
    ("ts", "aac", 16_000, None, {}),
    ("wv", "wavpack", 16_000, 5e-3, {}),
    ("tta", "tta", 16_000, 5e-3, {}),
    ("ac3", "ac3", 48_000, None, {}),
    ("mpg", "mp2", 48_000, None, {}),
]
FORMATS = {"amr": "amr", "aac": "adts", "ts": "mpegts", "mpg": "mpeg"}


def sweep(rate_hz: int, seconds: float) -> np.ndarray:
    times_T = np.arange(round(rate_hz * seconds)) / rate_hz
    loud_T = 0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * times_T)
    return (0.3 * np.sin(2 * np.pi * (200 + 20 * times_T) * times_T) * loud_T).astype(np.float32)


def encode(container: Any, stream: Any, samples_CT: np.ndarray, rate_hz: int, begin_s: float = 0.0) -> None:
    for begin in range(0, samples_CT.shape[1], 1024):
        part_CT = np.ascontiguousarray(samples_CT[:, begin : begin + 1024])
        frame = av.AudioFrame.from_ndarray(part_CT, format="fltp", layout="stereo" if len(part_CT) == 2 else "mono")
        frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        frame.pts = begin + round(begin_s * rate_hz)
        container.mux(stream.encode(frame))


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """Write a sweep, or the samples [C, T], into a container."""

    def make(
        name: str,
        codec: str = "aac",
        rate_hz: int = 16_000,
        samples_CT: np.ndarray | None = None,
        seconds: float = 12.0,
        video: bool = False,
        bit_rate: int | None = None,
        begin_s: float = 0.0,
        live: bool = False,
        more_pictures_s: float = 0.0,
    ) -> Path:
        path = tmp_path / name
        samples_CT = sweep(rate_hz, seconds)[None] if samples_CT is None else samples_CT
        options = {"live": "1"} if live else {}
        with av.open(str(path), "w", format=FORMATS.get(path.suffix[1:]), options=options) as container:
            stream = container.add_stream(codec, rate=rate_hz)
            stream.layout = "stereo" if len(samples_CT) == 2 else "mono"
            if bit_rate:
                stream.bit_rate = bit_rate
            pictures = container.add_stream("mpeg4", rate=10) if video else None
            if pictures:
                pictures.width = pictures.height = 32
                for number in range(round(10 * (begin_s + samples_CT.shape[1] / rate_hz + more_pictures_s))):
                    picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number % 255, np.uint8), format="rgb24")
                    picture.pts, picture.time_base = number, Fraction(1, 10)
                    container.mux(pictures.encode(picture))
                container.mux(pictures.encode(None))
            encode(container, stream, samples_CT, rate_hz, begin_s)
            container.mux(stream.encode(None))
        return path

    return make


@pytest.mark.parametrize(("suffix", "codec", "rate_hz", "near", "more"), FORMS)
def test_whole_and_in_parts(
    made: Callable[..., Path], suffix: str, codec: str, rate_hz: int, near: float | None, more: dict[str, Any]
) -> None:
    path = made(f"a.{suffix}", codec, rate_hz, **more)
    info, whole_T = probe(path), read(path)
    assert (info.rate_hz, info.channels) == (rate_hz, 1)
    assert info.duration_s == pytest.approx(12.0, abs=0.1) and len(whole_T) / 16_000 == pytest.approx(12.0, abs=0.1)
    said_T = sweep(16_000, 12.0)
    some = slice(16_000, 11 * 16_000)
    assert near is None or np.abs(whole_T[some] - said_T[some]).max() < near
    heard_T, louder_T = np.abs(whole_T[some]), np.abs(said_T[some])
    assert (
        np.corrcoef(heard_T.reshape(-1, 800).mean(1), louder_T.reshape(-1, 800).mean(1))[0, 1] > 0.95
    )  # ADTS does not say what its encoder put before
    for start_s in (0.0, 0.5, 3.21, 7.345, 11.4):
        begin = round(16_000 * start_s)
        # AMR-NB's decoder fades into what it is amid of
        assert np.abs(read(path, start_s, 0.4) - whole_T[begin : begin + 6_400]).max() < 3e-3


def test_blocks_are_the_whole_and_decoded_one_by_one(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made("a.m4a", seconds=30.0)
    counts: list[int] = []
    samples = media._samples

    def counted(*words: Any) -> np.ndarray:
        counts.append(1)
        return samples(*words)

    survey(path)  # of channels and level, once a file
    monkeypatch.setattr(media, "_samples", counted)
    pieces = blocks(path, 1.0)
    first_T = next(pieces)
    assert len(counts) < 200  # of 470 packets
    assert np.array_equal(np.concatenate([first_T, *pieces]), read(path))


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.mkv"])
def test_a_part_of_a_long_recording_is_sought(
    made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    codec, rate_hz = ("libopus", 48_000) if name == "a.webm" else ("aac", 16_000)
    path = made(name, codec, rate_hz, seconds=60.0)
    whole_T, counts = read(path), []
    samples = media._samples

    def counted(path: Path, frame: Any, facts: Any) -> np.ndarray:
        counts.append(frame.samples)
        return samples(path, frame, facts)

    monkeypatch.setattr(media, "_samples", counted)
    for start_s in range(2, 52, 5):
        part_T = read(path, float(start_s), 1.0)
        assert np.abs(part_T - whole_T[start_s * 16_000 : (start_s + 1) * 16_000]).max() < 1e-5
    decoded_s = sum(counts) / rate_hz
    assert decoded_s < 10 * (1.0 + 1.0 + 5.0)  # the part, the lead, and at most a cluster of Matroska


def test_sound_that_begins_later_than_the_video_keeps_its_time(made: Callable[..., Path]) -> None:
    path = made("a.mkv", "flac", video=True, begin_s=2.0, seconds=4.0)
    whole_T = read(path)
    assert len(whole_T) == pytest.approx(6.0 * 16_000, abs=200)
    assert not whole_T[: 2 * 16_000 - 200].any()
    assert np.abs(whole_T[2 * 16_000 : 6 * 16_000] - sweep(16_000, 4.0)).max() < 1e-3
    assert np.array_equal(read(path, 3.5, 1.0), whole_T[56_000:72_000])
    assert np.array_equal(read(path, 1.5, 1.0), whole_T[24_000:40_000])


def test_channels_are_heard_as_of_other_files(made: Callable[..., Path]) -> None:
    said_T = sweep(16_000, 4.0)
    path = made("a.m4a", "alac", samples_CT=np.stack([said_T, -said_T]))  # opposite phase
    assert np.abs(read(path) - said_T[: len(read(path))]).max() < 1e-3
    assert np.abs(read(path, channel=2) + said_T[: len(read(path))]).max() < 1e-3


def test_what_holds_no_sound_or_is_damaged_is_one_line(made: Callable[..., Path], tmp_path: Path) -> None:
    with av.open(str(tmp_path / "silent.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AudioError, match=r"silent\.mp4: holds no sound, only pictures"):
        probe(tmp_path / "silent.mp4")
    whole = made("a.m4a").read_bytes()
    for name, content in {"cut.m4a": whole[: len(whole) // 2], "junk.m4a": whole[:200] + bytes(5000)}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioError, match=rf"{name}: the file is truncated or damaged: .*; copy or record it again"):
            read(tmp_path / name)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "flac"), ("a.webm", "libopus")])
def test_a_matroska_file_that_ends_earlier_than_it_says(made: Callable[..., Path], name: str, codec: str) -> None:
    path = made(name, codec, rate_hz=48_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with pytest.raises(AudioError, match=rf"{name}: .* or damaged: the sound ends [23]\.\d\d s early"):
        probe(path)


def test_pictures_may_go_on_when_the_sound_has_ended(made: Callable[..., Path]) -> None:
    path = made("a.mkv", "flac", video=True, seconds=2.0, more_pictures_s=3.0)
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.1)


def test_a_recording_of_a_browser_promises_no_length(made: Callable[..., Path]) -> None:
    """It is written as it comes, and nobody goes back to its header: what there is of it is read."""
    path = made("a.mkv", "flac", live=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 4 * 16_000 < len(read(path)) < 11 * 16_000
    with pytest.raises(AudioError, match=r"expected sound from 11\.000 s to 12\.000 s, but the file ends at"):
        read(path, 11.0, 1.0)
