import os
import resource
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earful.audio.decode import decode, name_for_libsndfile, open_stream
from earful.audio.files import SAMPLE_RATE_HZ, blocks, probe, read, write
from earful.errors import AudioError


def sound(rate_hz: int, seconds: float = 1.0, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Noise without the highest frequencies, so that lossy codecs keep its shape."""
    steps_TC = np.random.default_rng(seed).standard_normal((round(rate_hz * seconds), channels))
    smooth_TC = np.apply_along_axis(lambda x: np.convolve(x, np.hanning(33), "same"), 0, steps_TC)
    return (0.3 * smooth_TC / np.abs(smooth_TC).max()).astype(np.float32)


def expected(samples_TC: np.ndarray, rate_hz: int) -> np.ndarray:
    return soxr.resample(samples_TC.mean(1), rate_hz, SAMPLE_RATE_HZ, "HQ")


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_051, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_rate_and_channel_count_becomes_16_khz_mono(tmp_path: Path, rate_hz: int, channels: int) -> None:
    samples_TC = sound(rate_hz, 0.7, channels)
    soundfile.write(tmp_path / "a.wav", samples_TC, rate_hz, subtype="FLOAT")
    read_T = read(tmp_path / "a.wav")
    assert read_T.dtype == np.float32
    np.testing.assert_allclose(read_T, expected(samples_TC, rate_hz), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_U8", 2e-2),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "DOUBLE", 1e-6),
        ("a.wav", "ULAW", 2e-2),
        ("a.aiff", "PCM_16", 1e-4),
        ("a.flac", "PCM_24", 1e-6),
        ("a.ogg", "VORBIS", 6e-2),
        ("a.mp3", "MPEG_LAYER_III", 6e-2),
    ],
)
def test_formats(tmp_path: Path, name: str, subtype: str, tolerance: float) -> None:
    samples_TC = sound(16_000)
    soundfile.write(tmp_path / name, samples_TC, 16_000, subtype=subtype)
    info = probe(tmp_path / name)
    assert (info.rate_hz, info.channels, info.sample_count, info.duration_s) == (16_000, 1, 16_000, 1.0)
    assert info.subtype == subtype
    np.testing.assert_allclose(read(tmp_path / name), samples_TC[:, 0], atol=tolerance)


def test_floats_beyond_one_and_silence_are_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.full(100, 7.5), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), 16_000)
    assert (read(tmp_path / "loud.wav") == 7.5).all()
    assert (read(tmp_path / "silent.wav") == 0).all()


def test_names_with_spaces_and_umlauts(tmp_path: Path) -> None:
    write(tmp_path / "zwei Hörer 語.flac", sound(16_000)[:, 0])
    assert len(read(tmp_path / "zwei Hörer 語.flac")) == 16_000


@pytest.fixture(scope="module")
def long_sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sounds")
    paths = {}
    for rate_hz, name in [
        (16_000, "a.flac"),
        (44_100, "b.wav"),
        (44_100, "b.ogg"),
        (22_050, "c.mp3"),
        (8_000, "d.flac"),
    ]:
        paths[name] = folder / name
        soundfile.write(paths[name], sound(rate_hz, 3.0, 2), rate_hz)
    return paths


@pytest.mark.parametrize("name", ["a.flac", "b.wav", "b.ogg", "c.mp3", "d.flac"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 47_000), count=st.integers(1, 48_000))
def test_a_part_equals_that_part_of_the_whole(long_sounds: dict[str, Path], name: str, start: int, count: int) -> None:
    whole_T = read(long_sounds[name])
    count = min(count, len(whole_T) - start)
    part_T = read(long_sounds[name], start / 16_000, count / 16_000)
    np.testing.assert_allclose(part_T, whole_T[start : start + count], atol=1e-6)


@pytest.mark.parametrize("name", ["a.flac", "b.wav", "b.ogg", "c.mp3", "d.flac"])
@pytest.mark.parametrize("block_s", [0.25, 0.7, 3.0, 100.0])
def test_blocks_join_to_the_whole(long_sounds: dict[str, Path], name: str, block_s: float) -> None:
    pieces = list(blocks(long_sounds[name], block_s))
    assert all(len(piece_T) == round(block_s * 16_000) for piece_T in pieces[:-1])
    assert 0 < len(pieces[-1]) <= round(block_s * 16_000)
    np.testing.assert_array_equal(np.concatenate(pieces), read(long_sounds[name]))


def test_an_hour_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    soundfile.write(path, np.zeros(3600 * 8_000, np.int16), 8_000, subtype="PCM_U8")
    tracemalloc.start()
    seconds = sum(len(block_T) for block_T in blocks(path, 30.0)) / 16_000
    part_T = read(path, 3_500.0, 10.0)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == 3600 and len(part_T) == 160_000
    assert peak_bytes < 20e6


def test_a_duration_may_be_rounded_up_but_not_wrong(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", sound(16_000)[:, 0])
    assert len(read(tmp_path / "a.wav", 0.5, 0.51)) == 8_000
    with pytest.raises(
        AudioError, match=r"a\.wav: expected sound from 0\.500 s to 2\.500 s, but the file ends at 1\.000 s"
    ):
        read(tmp_path / "a.wav", 0.5, 2.0)


@pytest.mark.parametrize(
    "part", [(-0.1, None), (float("nan"), None), (0.0, 0.0), (0.0, -1.0), (0.0, float("inf")), (1.0, None)]
)
def test_impossible_parts(tmp_path: Path, part: tuple[float, float | None]) -> None:
    write(tmp_path / "a.wav", sound(16_000)[:, 0])
    with pytest.raises(AudioError, match=r"a\.wav: "):
        read(tmp_path / "a.wav", *part)


@pytest.mark.parametrize("block_s", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_impossible_blocks(tmp_path: Path, block_s: float) -> None:
    write(tmp_path / "a.wav", sound(16_000)[:, 0])
    with pytest.raises(AudioError, match="a block must last"):
        list(blocks(tmp_path / "a.wav", block_s))


def listed(path: Path) -> list[np.ndarray]:
    return list(blocks(path, 1.0))


READERS = [probe, read, listed]


def nothing(path: Path) -> None:
    pass


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "none.wav": (nothing, "no such file"),
    "folder.wav": (Path.mkdir, "got a folder"),
    "empty.wav": (lambda path: path.write_bytes(b""), "0 bytes"),
    "text.wav": (lambda path: path.write_text("not sound\n" * 99), "not a readable sound file"),
    "headerless.raw": (lambda path: path.write_bytes(bytes(99)), "it has no header"),
    "no_samples.wav": (lambda path: soundfile.write(path, np.zeros(0), 16_000), "holds no samples"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", BAD)
def test_unreadable_files(tmp_path: Path, name: str, reader: Callable[[Path], object]) -> None:
    make, message = BAD[name]
    make(tmp_path / name)
    with pytest.raises(AudioError, match=message) as caught:
        reader(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.05])
@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".flac", ".ogg", ".mp3"])
def test_truncated_files(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"cut{suffix}"
    soundfile.write(path, sound(44_100, 3.0), 44_100)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    for reader in (read, listed):
        with pytest.raises(AudioError, match=r"truncated|not a readable"):
            reader(path)


def test_a_wav_of_unknown_length_is_a_stream_and_not_truncated(tmp_path: Path) -> None:
    path = tmp_path / "stream.wav"
    write(path, sound(16_000)[:, 0])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"data" + struct.pack("<I", 32_000), b"data" + b"\xff" * 4))
    assert len(read(path)) == probe(path).sample_count == 16_000


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_non_finite_samples(tmp_path: Path, bad: float) -> None:
    samples_TC = sound(16_000, channels=2)
    samples_TC[8_000, 1] = bad
    soundfile.write(tmp_path / "a.wav", samples_TC, 16_000, subtype="FLOAT")
    for reader in (read, listed):
        with pytest.raises(AudioError, match=r"the sample at 0\.5000 s is NaN"):
            reader(tmp_path / "a.wav")
    assert len(read(tmp_path / "a.wav", 0.6)) == 6_400


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_write_clips_and_reads_back(tmp_path: Path, suffix: str) -> None:
    samples_T = np.array([0.0, 0.5, -0.5, 3.0, -3.0], np.float32)
    write(tmp_path / f"a{suffix}", samples_T)
    np.testing.assert_allclose(read(tmp_path / f"a{suffix}"), np.clip(samples_T, -1, 1), atol=1e-4)
    assert probe(tmp_path / f"a{suffix}").subtype == "PCM_16"


@pytest.mark.parametrize("samples_T", [np.zeros(0), np.zeros((2, 9)), np.array([0.0, np.nan])])
def test_write_refuses_what_is_not_mono_sound(tmp_path: Path, samples_T: np.ndarray) -> None:
    with pytest.raises(AudioError, match="finite mono samples"):
        write(tmp_path / "a.wav", samples_T.astype(np.float32))
    assert not list(tmp_path.iterdir())


def test_write_refuses_other_suffixes_and_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"can write \.wav and \.flac, not '\.mp3'"):
        write(tmp_path / "a.mp3", sound(16_000)[:, 0])
    with pytest.raises(AudioError, match="cannot write"):
        write(tmp_path / "missing" / "a.wav", sound(16_000)[:, 0])
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", sound(16_000)[:, 0])
    before = (tmp_path / "a.wav").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # a file of more bytes cannot be written
    try:
        with pytest.raises(AudioError, match=r"a\.wav: cannot write"):
            write(tmp_path / "a.wav", np.zeros(16_000, np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_long_mp3_has_no_glitch_where_chunks_join(tmp_path: Path, rate_hz: int) -> None:
    """A decoder that is sent to where it already is begins anew, and spoils the samples around."""
    times_T = np.arange(30 * rate_hz) / rate_hz
    soundfile.write(tmp_path / "long.mp3", 0.5 * np.sin(2 * np.pi * (200 + 5 * times_T) * times_T), rate_hz)
    whole_T, _ = soundfile.read(tmp_path / "long.mp3", dtype="float32")  # in one piece
    expected_T = whole_T if rate_hz == 16_000 else soxr.resample(whole_T, rate_hz, 16_000, quality="HQ")
    np.testing.assert_allclose(read(tmp_path / "long.mp3"), expected_T, atol=1e-4)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_parts_of_a_long_recording_are_sought_not_decoded_from_the_start(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / name, sound(16_000, 120.0), 16_000)
    whole_T, decoded = read(tmp_path / name), 0

    def counted(*words, **more):
        nonlocal decoded
        for chunk_TC in decode(*words, **more):
            decoded += len(chunk_TC)
            yield chunk_TC

    monkeypatch.setattr("earful.audio.files.decode", counted)
    for start_s in range(2, 112, 5):
        part_T = read(tmp_path / name, float(start_s), 1.0)
        np.testing.assert_allclose(part_T, whole_T[start_s * 16_000 : (start_s + 1) * 16_000], atol=2e-3)
    assert decoded / 16_000 < 22 * (1.0 + 2.1)  # the part and its margin; an MP3 leans on two seconds before


def test_an_mp3_stays_open_between_its_parts_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = tmp_path / "a.mp3", []

    def counted(path, stream):
        opened.append(path)
        return open_stream(path, stream)

    soundfile.write(path, sound(16_000, 30.0), 16_000)
    whole_T = read(path)
    monkeypatch.setattr("earful.audio.decode.open_stream", counted)
    parts = {start_s: read(path, start_s, 0.5) for start_s in (20.0, 6.0, 29.4, 6.0, 12.3)}
    assert len(opened) == 1
    for start_s, part_T in parts.items():
        begin = round(16_000 * start_s)
        np.testing.assert_allclose(part_T, whole_T[begin : begin + len(part_T)], atol=2e-3)
    with pytest.raises(AudioError, match="but the file ends at"):
        read(path, 40.0, 1.0)
    soundfile.write(path, sound(16_000, 31.0, seed=1), 16_000)
    np.testing.assert_allclose(read(path, 12.3, 0.5), read(path)[196_800:204_800], atol=2e-3)
    assert len(opened) == 2


def test_names_reach_libsndfile_whole(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff.wav")
    assert name_for_libsndfile(odd, "linux") == b"\xff.wav" and name_for_libsndfile("þ.wav", "win32") == "þ.wav"
    soundfile.write(tmp_path / "þ.wav", sound(16_000, 0.1), 16_000)
    for system in ("linux", "win32"):  # soundfile takes text on every system
        with soundfile.SoundFile(name_for_libsndfile(str(tmp_path / "þ.wav"), system)) as file:
            assert file.frames == 1600
