"""What a header promises beside what is there, in every format that says how long it is; and what cannot be."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import probe, read
from earful.audio.ogg import _is_whole
from earful.errors import AudioError

RATE_HZ = 16_000
SILENT = ("RAW", "SD2", "IRCAM", "PAF", "PVF", "XI")  # no header, or one that does not say how long the sound is
PAIRS = [
    (kind, subtype)
    for kind in soundfile.available_formats()
    for subtype in soundfile.available_subtypes(kind)
    if kind not in SILENT
]


def speechlike(seconds: float = 3.0) -> np.ndarray:
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(0).standard_normal(len(at_s))
    return (0.3 * np.sin(1400 * at_s) * (1 + 0.5 * np.sin(20 * at_s)) + 0.01 * noise).astype(np.float32)


def written(kind: str, subtype: str, samples_T: np.ndarray | None = None) -> bytes:
    content = io.BytesIO()
    try:
        soundfile.write(content, speechlike() if samples_T is None else samples_T, RATE_HZ, subtype, format=kind)
    except (soundfile.LibsndfileError, ValueError):
        pytest.skip("libsndfile writes no such file")
    return content.getvalue()


@pytest.mark.parametrize(("kind", "subtype"), PAIRS)
def test_what_is_cut_is_refused_or_said_in_every_format(kind: str, subtype: str) -> None:
    whole = written(kind, subtype)
    count = len(read(whole))
    for share in (0.3, 0.6, 0.9):
        part = whole[: int(share * len(whole))]
        try:
            warnings, held = probe(part).warnings, len(read(part))
        except AudioError as error:
            assert "\n" not in str(error)
            continue
        assert warnings or held >= 0.97 * count, f"{held} of {count} samples of {share:.0%} of the bytes"


@pytest.mark.parametrize(("kind", "subtype"), PAIRS)
def test_what_is_cut_is_never_filled_up(kind: str, subtype: str) -> None:
    """As many samples as before from half of the file would be silence or noise that nobody spoke."""
    whole = written(kind, subtype)
    try:
        probe(whole[: len(whole) // 2])
    except AudioError:
        return
    sound_T, part_T = read(whole), read(whole[: len(whole) // 2])
    held = min(len(part_T), len(sound_T) // 3)
    assert len(part_T) < 0.75 * len(sound_T)
    assert np.corrcoef(part_T[:held], sound_T[:held])[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["W64", "AIFF", "SVX", "AU"])
def test_a_header_with_hardly_any_sound_left_is_refused(kind: str) -> None:
    whole = written(kind, "PCM_16")
    header = len(whole) - 2 * 48_000
    with pytest.raises(AudioError, match="promises"):
        probe(whole[: header + 2])


@pytest.mark.parametrize("kind", ["SVX", "AVR", "MPC2K", "NIST", "WVE", "VOC"])
def test_more_than_the_header_promises_is_said(kind: str) -> None:
    """libsndfile reads these to the end of the file, whatever stands there."""
    whole = written(kind, "ALAW" if kind == "WVE" else "PCM_16")
    assert probe(whole).warnings == ()
    (warning,) = probe(whole + bytes(range(256)) * 40).warnings
    assert "more than one block" in warning if kind == "VOC" else "48000 samples; " in warning


@pytest.mark.parametrize("subtype", ["ALAC_16", "ALAC_24"])
def test_lossless_packets_that_give_another_number_of_samples(subtype: str) -> None:
    """A byte that is lost moves all packets behind it; they have no checksum."""
    whole = written("CAF", subtype)
    place = len(whole) // 2
    with pytest.raises(AudioError, match="promises 48000 samples, the file holds"):
        probe(whole[:place] + whole[place + 1 :])


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_damaged_page_of_ogg_is_found_wherever_it_is(subtype: str) -> None:
    whole = written("OGG", subtype, speechlike(10))
    pages = [place for place in range(len(whole)) if whole[place : place + 4] == b"OggS"]
    assert all(_is_whole(whole[a:b]) for a, b in zip(pages, [*pages[1:], len(whole)], strict=True))
    for page in pages:
        damaged = bytearray(whole)
        damaged[min(page + 60, len(whole) - 1)] ^= 0x55
        with pytest.raises(AudioError, match=r"1 of its \d+ Ogg pages is damaged|not a readable"):
            probe(bytes(damaged))


def test_few_damaged_pages_of_a_long_recording_are_named() -> None:
    whole = written("OGG", "OPUS", speechlike(150))
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0x55
    (warning,) = probe(bytes(damaged)).warnings
    assert warning.startswith("1 of its ") and warning.endswith("Ogg pages are damaged, and their sound is missing")


@pytest.mark.parametrize(("rate_hz", "said"), [(1, "says 1 samples a second"), (2_000_000, "2000000 samples a second")])
def test_a_rate_that_cannot_be_is_refused_before_anything_is_resampled(rate_hz: int, said: str) -> None:
    changed = bytearray(written("WAV", "PCM_16"))
    struct.pack_into("<I", changed, 24, rate_hz)
    for act in (probe, read):
        with pytest.raises(AudioError, match=said):
            act(bytes(changed))


@pytest.mark.parametrize("rate_hz", [1000, 768_000])
def test_rates_at_the_ends_are_read(rate_hz: int) -> None:
    changed = bytearray(written("WAV", "PCM_16"))
    struct.pack_into("<I", changed, 24, rate_hz)
    assert len(read(bytes(changed))) == pytest.approx(48_000 * 16_000 / rate_hz, abs=2)


def test_more_channels_than_there_are() -> None:
    content = io.BytesIO()
    soundfile.write(content, np.zeros((100, 300), np.float32), RATE_HZ, format="WAV")
    with pytest.raises(AudioError, match="300 channels"):
        probe(content.getvalue())


@pytest.mark.parametrize("suffix", [".gsm", ".vox", ".au", ".snd", ".raw", ".sph", ".aiff", ""])
def test_noise_under_the_name_of_sound_is_no_sound(tmp_path: Path, suffix: str) -> None:
    """libsndfile goes by the name where there is no header."""
    noise = np.random.default_rng(1).integers(0, 256, 20_000, dtype=np.uint8)
    (tmp_path / f"a{suffix}").write_bytes(noise.tobytes())
    with pytest.raises(AudioError, match=r"has no header|not a readable"):
        probe(tmp_path / f"a{suffix}")
