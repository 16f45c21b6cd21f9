"""What a file really holds is read, whole, whatever its header says; and what is wrong is said."""

import os
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from earful.audio.container import Spliced, examine
from earful.audio.files import blocks, probe, read
from earful.errors import AudioError


def sweep(seconds: float = 3.0, rate_hz: int = 16_000) -> np.ndarray:
    """A tone that rises: no part of it equals another."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t)).astype(np.float32)


def check(path: Path, content: bytes, expected_T: np.ndarray, warning: str | None, tolerance: float = 1e-4) -> None:
    path.write_bytes(content)
    info = probe(path)
    assert len(info.warnings) == (warning is not None), info.warnings
    assert warning is None or warning in info.warnings[0]
    assert info.duration_s == pytest.approx(len(expected_T) / 16_000, abs=1e-3)
    whole_T = read(path)
    assert len(whole_T) == len(expected_T)
    np.testing.assert_allclose(whole_T, expected_T, atol=tolerance)
    np.testing.assert_array_equal(np.concatenate(list(blocks(path, 0.7))), whole_T)
    np.testing.assert_allclose(read(path, 1.23, 0.5), whole_T[19_680:27_680], atol=1e-6)
    assert probe(content) == info
    np.testing.assert_array_equal(read(content), whole_T)


@pytest.mark.parametrize("data", [0, 1_000, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, 0x7FFF_F000])
@pytest.mark.parametrize("riff", [None, 0, 0xFFFF_FFFF])
def test_a_recorder_that_crashed(tmp_path: Path, odd: ModuleType, data: int, riff: int | None) -> None:
    content = odd.with_sizes(odd.encoded(sweep()), data, riff)
    check(tmp_path / "a.wav", content, sweep(), "96000 are there" if data <= 1_000 else None)


def test_a_length_that_was_guessed_before(tmp_path: Path, odd: ModuleType) -> None:
    """The length of the sound is a guess that nobody mended, that of all is not filled in."""
    content = odd.with_sizes(odd.encoded(sweep()), 5_000_000, 0)
    check(tmp_path / "a.wav", content, sweep(), "promises 5000000 bytes of sound, the file holds 96000")


@pytest.mark.parametrize("missing", [1, 2, 3, 1_000])
def test_a_little_is_missing_at_the_end(tmp_path: Path, odd: ModuleType, missing: int) -> None:
    content = odd.encoded(sweep())[:-missing]
    check(tmp_path / "a.wav", content, sweep()[: (96_000 - missing) // 2], f"the file holds {96_000 - missing}")


def test_much_is_missing_at_the_end(tmp_path: Path, odd: ModuleType) -> None:
    (tmp_path / "a.wav").write_bytes(odd.encoded(sweep())[:-20_000])
    for reader in (probe, read):
        with pytest.raises(AudioError, match=r"promises 96000 bytes of sound, the file holds 76000; copy"):
            reader(tmp_path / "a.wav")
        with pytest.raises(AudioError, match=r"^the recording given as bytes: .*promises 96000 bytes of sound"):
            reader((tmp_path / "a.wav").read_bytes())


@pytest.mark.parametrize("content", [b"odd", b"even", b"x" * 70_001])
@pytest.mark.parametrize("padded", [True, False])
def test_a_chunk_before_the_sound(tmp_path: Path, odd: ModuleType, content: bytes, padded: bool) -> None:
    bad = len(content) % 2 and not padded
    made = odd.with_chunk(odd.encoded(sweep()), content, padded=padded)
    check(tmp_path / "a.wav", made, sweep(), "lacks its byte of padding" if bad else None)


@pytest.mark.parametrize("data", [None, 0])
def test_chunks_behind_the_sound_are_no_sound(tmp_path: Path, odd: ModuleType, data: int | None) -> None:
    content = odd.with_sizes(odd.encoded(sweep()), data) + b"LIST\x04\0\0\0\xff\x7f\xff\x7f"
    check(tmp_path / "a.wav", content, sweep(), None if data is None else "96000 are there")


@pytest.mark.parametrize(
    "tail", [b"ID3\x03" + b"\x7f" * 9_000, bytes(9_000), b"\x7f" * 99], ids=["tag", "zeros", "few"]
)
def test_what_is_behind_the_sound_and_no_chunk(tmp_path: Path, odd: ModuleType, tail: bytes) -> None:
    check(tmp_path / "a.wav", odd.encoded(sweep()) + tail, sweep(), None)


def test_a_wav_without_sound_stays_without(tmp_path: Path, odd: ModuleType) -> None:
    (tmp_path / "a.wav").write_bytes(odd.encoded(np.zeros(0)) + b"LIST\x04\0\0\0abcd")
    with pytest.raises(AudioError, match="holds no samples"):
        read(tmp_path / "a.wav")


def test_an_au_that_promises_nothing(tmp_path: Path, odd: ModuleType) -> None:
    made = odd.encoded(sweep(), kind="AU")
    check(tmp_path / "a.au", made[:8] + bytes(4) + made[12:], sweep(), "96000 bytes of sound are there")


@pytest.mark.parametrize("begin", [None, 0, 7])
def test_an_au_that_promises_less_than_there_is(tmp_path: Path, odd: ModuleType, begin: int | None) -> None:
    """With a place of the sound that cannot be, too."""
    made = odd.encoded(sweep(), kind="AU")
    place = made[4:8] if begin is None else begin.to_bytes(4, "big")
    few = made[:4] + place + (128).to_bytes(4, "big") + made[12:]
    check(tmp_path / "a.au", few, sweep(), "holds 128 bytes of sound; 96000 bytes of sound are there")
    check(tmp_path / "b.au", made + bytes(1000), sweep(), None)


@pytest.mark.parametrize(("kind", "tolerance"), [("WAV", 5e-3), ("FLAC", 5e-3), ("OGG", 0.1)])
def test_several_files_in_one(tmp_path: Path, odd: ModuleType, kind: str, tolerance: float) -> None:
    """The second is of another rate, and comes whole, in its own time."""
    content = odd.encoded(sweep(2.0), kind=kind) + odd.encoded(sweep(1.0, 32_000), 32_000, kind)
    check(tmp_path / "two", content, np.concatenate([sweep(2.0), sweep(1.0)]), "holds 2", tolerance)


def test_an_ogg_that_lost_a_page(tmp_path: Path, odd: ModuleType) -> None:
    content = odd.encoded(np.random.default_rng(0).normal(0, 0.1, 160_000), kind="OGG")
    pages = content.split(b"OggS")
    (tmp_path / "a.ogg").write_bytes(b"OggS".join([*pages[:4], *pages[5:]]))
    assert probe(tmp_path / "a.ogg").warnings == ("1 pages of it are missing, and their sound with them",)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg", ".flac", ""])
@pytest.mark.parametrize(("kind", "tolerance"), [("WAV", 1e-4), ("FLAC", 1e-4), ("OGG", 0.1), ("MP3", 0.1)])
def test_the_content_counts_not_the_name(
    tmp_path: Path, odd: ModuleType, kind: str, tolerance: float, suffix: str
) -> None:
    check(tmp_path / f"a{suffix}", odd.encoded(sweep(), kind=kind), sweep(), None, tolerance)


@pytest.mark.parametrize(
    ("magic", "kind"),
    [
        (b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
        (b"\x30\x26\xb2\x75", "WMA"),
        (b"#!AMR\n", "AMR"),
        (b"RIFF\0\0\0\0AVI ", "AVI"),
        ((b"G" + bytes(187)) * 5, "MPEG-TS"),
        (b"\x00\x00\x01\xba", "MPEG video"),
        (bytes.fromhex("fff14c8002bffc") + bytes(14) + bytes.fromhex("fff14c80"), "AAC"),
    ],
)
@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_what_needs_another_decoder_is_named_where_that_is_not_installed(
    tmp_path: Path, magic: bytes, kind: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earful.audio.container.is_installed", lambda: False)
    path = tmp_path / f"my talk{suffix}"
    path.write_bytes(magic + bytes(500))
    told = rf"holds .*{kind}.*, which is read by PyAV; install it, as with: pip install \"\.\[media\]\" — or convert"
    with pytest.raises(AudioError, match=told):
        probe(path)


def test_what_nobody_reads_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"#!SILK_V3" + bytes(500))
    with pytest.raises(AudioError, match=r"a\.wav: holds SILK, which is not read; convert it, as with: ffmpeg -i "):
        probe(tmp_path / "a.wav")


def test_m4a_named_mp3(tmp_path: Path, odd: ModuleType) -> None:
    (tmp_path / "a.mp3").write_bytes(odd.m4a())
    with pytest.raises(AudioError, match=r"a\.mp3: the file is truncated or damaged"):
        read(tmp_path / "a.mp3")


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "GSM610"),
        ("W64", "GSM610"),
        ("WAV", "G721_32"),
        ("AU", "G723_24"),
        ("AU", "G723_40"),
        ("WAV", "NMS_ADPCM_32"),
        ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"),
    ],
)
def test_codecs_of_telephones_in_which_nobody_can_seek(
    tmp_path: Path, odd: ModuleType, kind: str, subtype: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(odd.encoded(sweep(3.0, 8_000), 8_000, kind, subtype))
    whole_T = read(path)
    assert (
        len(whole_T) == pytest.approx(48_000, abs=640) and np.corrcoef(whole_T[:40_000], sweep()[:40_000])[0, 1] > 0.9
    )
    np.testing.assert_array_equal(np.concatenate(list(blocks(path, 0.7))), whole_T)
    np.testing.assert_allclose(read(path, 1.23, 0.5), whole_T[19_680:27_680], atol=1e-6)
    np.testing.assert_array_equal(read(path.read_bytes()), whole_T)


def test_a_file_that_changes_is_looked_at_again(tmp_path: Path, odd: ModuleType) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(odd.with_sizes(odd.encoded(sweep()), 0))
    assert examine(path).warnings
    path.write_bytes(odd.encoded(sweep()))
    assert not examine(path).warnings


def test_spliced_spans_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with Spliced(tmp_path / "a", [b"<", (2, 5), (8, 10), b">"]) as spliced:
        assert spliced.read() == b"<23489>" and spliced.tell() == 7 and spliced.read() == b""
        assert spliced.seek(-4, os.SEEK_END) == 3 and spliced.read(3) == b"489"
        assert spliced.seek(1) == 1 and spliced.seek(1, os.SEEK_CUR) == 2 and spliced.read(1) == b"3"


def rf64(sound: bytes, promised: int) -> bytes:
    """RF64 (EBU Tech 3306): the sizes of 32 bits say nothing, `ds64` has those of 64."""
    described = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, promised + 72, promised, promised // 2, 0)
    return b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + described + b"data" + b"\xff" * 4 + sound


def test_sizes_of_64_bits(tmp_path: Path) -> None:
    sound = (sweep() * 32_768).astype("<i2").tobytes()
    check(tmp_path / "a.wav", rf64(sound, len(sound)), sweep(), None)
    (tmp_path / "cut.wav").write_bytes(rf64(sound[:-20_000], len(sound)))
    with pytest.raises(AudioError, match="promises 96000 bytes of sound, the file holds 76000"):
        read(tmp_path / "cut.wav")


@pytest.mark.parametrize("length", range(12, 84, 3))
def test_a_header_of_64_bits_that_ends_early(tmp_path: Path, length: int) -> None:
    """Found by fuzzing: `ds64` promised more of itself than the file had."""
    (tmp_path / "a.wav").write_bytes(rf64(b"", 96_000)[:length])
    with pytest.raises(AudioError):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize("behind", range(6, 12))
def test_an_odd_length_with_a_few_bytes_behind(tmp_path: Path, behind: int) -> None:
    """Found by fuzzing: a chunk behind was looked for where its header no longer fits."""
    described = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8_000, 8, 1, 8)  # 8 bytes a second: no slack
    sound = bytes(range(100, 163))
    content = b"WAVE" + described + b"data" + struct.pack("<I", len(sound)) + sound + b"\0" * behind
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    assert probe(tmp_path / "a.wav").duration_s == pytest.approx(len(sound) / 8_000)
