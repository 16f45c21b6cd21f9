"""Telephone prompts: a tiny copy of the packages' folders, in G.722 and WAV, packed and unpacked, into a manifest."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from earful.audio.files import read
from earful.data.manifest import read_manifest
from earful.errors import EarfulError
from recipes.corpora.errors import CorpusError
from recipes.corpora.prompts import NOT_SPEECH, PACKAGES, SHORT, SILENT, decode_g722, prompts
from recipes.corpora.recordings import DUPLICATE, UNREADABLE

G722 = pytest.importorskip("G722")

SOUNDS = Path("usr/share/asterisk/sounds")
CARLO, JUNE, MENARDI = "it_IT_m_Carlo", "fr_CA_f_June", "it_IT_f_Menardi"


def voice(pitch_hz: float, duration_s: float = 0.6, rate_hz: int = 16_000) -> np.ndarray:
    """Harmonics up to 3 kHz that swell and fade: int16 [T]."""
    times_T = np.arange(round(duration_s * rate_hz)) / rate_hz
    harmonics = sum(np.sin(2 * np.pi * k * pitch_hz * times_T) / k for k in range(1, int(3000 / pitch_hz) + 1))
    return np.rint(6000 * harmonics * np.sin(np.pi * times_T / duration_s)).astype(np.int16)


def put_g722(path: Path, pcm_T: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(G722.G722(16_000, 64_000).encode(pcm_T.tolist())))


def put_wav(path: Path, pcm_T: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, pcm_T, 8_000, subtype="PCM_16")


def put_sounds(sounds: Path) -> Path:
    """Three voices, with a clip for every reason to be left out."""
    put_g722(sounds / CARLO / "vm-INBOX.g722", voice(110))
    put_g722(sounds / CARLO / "digits" / "4.g722", voice(120))
    put_g722(sounds / CARLO / "digits" / "quattro.g722", voice(120))
    put_g722(sounds / CARLO / "digits" / "a.g722", voice(130, 0.39))
    put_g722(sounds / CARLO / "silence" / "1.g722", np.zeros(16_000, np.int16))
    put_g722(sounds / CARLO / "beep.g722", voice(800))
    (sounds / CARLO / "empty.g722").write_bytes(b"")
    put_g722(sounds / JUNE / "vm-INBOX.g722", voice(200, 0.7))
    put_g722(sounds / "en_US_f_Allison" / "vm-INBOX.g722", voice(210))
    put_g722(sounds / "moh" / "music.g722", voice(220))
    minutes_T = voice(180, rate_hz=8_000)
    put_wav(sounds / MENARDI / "minutes.wav", minutes_T)
    put_wav(sounds / MENARDI / "vm-minutes.wav", minutes_T + np.arange(len(minutes_T), dtype=np.int16) % 5 - 2)
    put_wav(sounds / MENARDI / "demo-instruct.wav", voice(190, 0.9, 8_000))
    put_wav(sounds / MENARDI / "demo-thanks.wav", voice(190, 0.8, 8_000))
    put_wav(sounds / MENARDI / "cut.wav", minutes_T)
    (sounds / MENARDI / "cut.wav").write_bytes((sounds / MENARDI / "cut.wav").read_bytes()[:3000])
    return sounds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put_sounds(tmp_path / "x" / SOUNDS)
    return tmp_path / "x"


KEPT = {
    "fr": ["prompts/fr-june/vm-INBOX"],
    "it": [
        "prompts/it-carlo/digits/4",
        "prompts/it-carlo/vm-INBOX",
        "prompts/it-menardi/demo-instruct",
        "prompts/it-menardi/minutes",
    ],
}


def test_the_manifest_holds_what_is_said_and_stands_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    seen: list[tuple[int, int]] = []
    manifest, _ = prompts(out, source=folder, progress=lambda *step: seen.append(step))
    shutil.rmtree(folder)
    assert read_manifest(out / "manifest.jsonl") == manifest
    assert [u.id for u in manifest] == KEPT["fr"] + KEPT["it"]
    assert [u.speaker for u in manifest] == ["fr-june", "it-carlo", "it-carlo", "it-menardi", "it-menardi"]
    assert all(u.language == u.speaker[:2] and u.text is None for u in manifest if u.speaker)
    assert manifest[1].audio.relative_to(out).as_posix() == "audio/it-carlo/digits/4.flac"
    assert [soundfile.info(u.audio).samplerate for u in manifest] == [16_000] * 3 + [8_000] * 2
    for utterance in manifest:
        assert utterance.duration_s == pytest.approx(len(read(utterance.audio)) / 16_000, abs=1e-3)
    assert seen == [(n, 13) for n in range(1, 14)]
    assert sorted(p.name for p in out.rglob("*") if p.is_file() and p.suffix != ".flac") == ["manifest.jsonl"]


def test_the_sound_is_what_was_recorded(folder: Path, tmp_path: Path) -> None:
    manifest, _ = prompts(tmp_path / "out", source=folder, languages=["it"])
    clips = {u.id.rpartition("/")[2]: soundfile.read(u.audio)[0] for u in manifest}
    assert np.abs(clips["minutes"] - voice(180, rate_hz=8_000) / 32768).max() < 1e-4
    heard_T, spoken_T = clips["vm-INBOX"][22:], voice(110)[:-22] / 32768  # the codec's filters lag by 22 samples
    assert np.corrcoef(heard_T, spoken_T)[0, 1] > 0.995


def test_what_is_left_out_is_listed_by_reason(folder: Path, tmp_path: Path) -> None:
    _, left_out = prompts(tmp_path / "out", source=folder)
    assert left_out == {
        NOT_SPEECH: ("prompts/it-carlo/beep",),
        SHORT: ("prompts/it-carlo/digits/a",),
        DUPLICATE: (
            "prompts/it-carlo/digits/quattro",
            "prompts/it-menardi/demo-thanks",
            "prompts/it-menardi/vm-minutes",
        ),
        UNREADABLE: ("prompts/it-carlo/empty", "prompts/it-menardi/cut"),
        SILENT: ("prompts/it-carlo/silence/1",),
    }


@pytest.mark.parametrize("pitch_hz", [300, 1000, 3000, 6000])
def test_decoding_keeps_shape_and_level(pitch_hz: int) -> None:
    spoken_T = np.rint(9830 * np.sin(2 * np.pi * pitch_hz * np.arange(16_000) / 16_000)).astype(np.int16)
    heard_T = decode_g722(bytes(G722.G722(16_000, 64_000).encode(spoken_T.tolist())))
    assert heard_T.dtype == np.float32 and len(heard_T) == len(spoken_T)
    settled_T = heard_T[1022:-978]
    assert np.corrcoef(settled_T, spoken_T[1000:-1000])[0, 1] > 0.99
    assert settled_T.std() == pytest.approx(0.3 / np.sqrt(2), rel=0.01)


@given(st.binary(max_size=400))
def test_any_bytes_are_sound(stream: bytes) -> None:
    heard_T = decode_g722(stream)
    assert len(heard_T) == 2 * len(stream) and (np.abs(heard_T) <= 1).all()
    assert np.array_equal(heard_T, decode_g722(stream)), "each stream has a decoder of its own"


@pytest.mark.parametrize("languages", [["it"], ["fr"]])
def test_one_language(folder: Path, tmp_path: Path, languages: list[str]) -> None:
    manifest, _ = prompts(tmp_path / "out", source=folder, languages=languages)
    assert [u.id for u in manifest] == KEPT[languages[0]]


@pytest.mark.parametrize("part", [SOUNDS, SOUNDS / CARLO, SOUNDS / CARLO / "digits"])
def test_the_folder_may_be_named_at_any_depth(folder: Path, tmp_path: Path, part: Path) -> None:
    manifest, _ = prompts(tmp_path / "out", source=folder / part, languages=["it"])
    assert KEPT["it"][0] in [u.id for u in manifest]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is Debian's")
def test_packages_give_the_same_as_their_content(folder: Path, tmp_path: Path) -> None:
    whole, _ = prompts(tmp_path / "loose", source=folder)
    packages = tmp_path / "packages"
    for name, speaker in zip(PACKAGES["it"] + PACKAGES["fr"], (CARLO, MENARDI, JUNE), strict=True):
        shutil.copytree(folder / SOUNDS / speaker, packages / name / SOUNDS / speaker)
        control = packages / name / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text(
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: N <n@example.org>\nDescription: test\n"
        )
        package = packages / f"{name}_1_all.deb"
        subprocess.run(["dpkg-deb", "--build", packages / name, package], check=True, capture_output=True)
        shutil.rmtree(packages / name)
    for how in ({"source": packages}, {"cache": packages}):  # in the cache there is nothing to download
        packed, _ = prompts(tmp_path / "packed", **how)
        assert [(u.id, u.duration_s) for u in packed] == [(u.id, u.duration_s) for u in whole]


def test_what_cannot_be_built_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(CorpusError, match=r"no prompts in fr, it; name the folder .* asterisk-core-sounds-fr-g722"):
        prompts(out, source=tmp_path / "x" / SOUNDS / "moh")
    with pytest.raises(CorpusError, match=r"no prompts in fr;"):
        prompts(out, source=folder / SOUNDS / CARLO)
    with pytest.raises(CorpusError, match="no such folder"):
        prompts(out, source=tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="languages are cs, must be of it, fr"):
        prompts(out, source=folder, languages=["it", "cs"])
    with pytest.raises(CorpusError, match="languages are missing"):
        prompts(out, source=folder, languages=[])
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EarfulError, match="cannot write"):
        prompts(tmp_path / "out", source=folder)


def test_the_missing_package_is_named_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "G722", None)
    with pytest.raises(CorpusError, match="pip install G722"):
        prompts(tmp_path / "out", source=folder)
    assert not (tmp_path / "out").exists()
