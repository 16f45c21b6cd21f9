from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import write
from earful.data.frames import frames_of
from earful.data.readers import kaldi
from earful.data.utterance import Utterance
from earful.errors import ManifestError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "my rec.wav", np.full(32_000, 0.1, np.float32))
    (tmp_path / "wav.scp").write_text(f"r1 my rec.wav\nr2 {tmp_path}/my rec.wav\n", "utf-8")
    (tmp_path / "text").write_text("r1 hello  there\nr2\n", "utf-8")
    return tmp_path


def test_recordings(data: Path) -> None:
    (data / "utt2spk").write_text("r1 eva\n", "utf-8")
    (data / "utt2lang").write_text("r1\tnl\n", "utf-8")
    assert list(kaldi.read(data)) == [
        Utterance("r1", data / "my rec.wav", 0.0, 2.0, "hello  there", "nl", "eva"),
        Utterance("r2", data / "my rec.wav", 0.0, 2.0, ""),
    ]


def test_segments(data: Path) -> None:
    (data / "segments").write_text("u2 r1 0.5 1.25\nu1 r2 1.5 -1\nu3 r1 0 1\n", "utf-8")
    (data / "text").write_text("u1 one\nu2 two\n", "utf-8")
    assert [(u.id, u.start_s, u.duration_s, u.text) for u in kaldi.read(data)] == [
        ("u2", 0.5, 0.75, "two"),
        ("u1", 1.5, 0.5, "one"),
        ("u3", 0.0, 1.0, None),
    ]


def test_paths_relative_to_the_working_directory(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    (data / "wav.scp").write_text(f"r1 {data.name}/my rec.wav\nr2 x.wav\n", "utf-8")
    assert kaldi.read(data)[0].duration_s == 2.0


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("wav.scp", "r1 a.wav\nr2 sph2pipe -f wav a.sph |\n", r"wav\.scp:2: a command, .* let it write a \.wav file"),
        ("wav.scp", "r1 raw.ark:1234\n", r"wav\.scp:1: a place in a Kaldi archive"),
        ("wav.scp", "r1\n", r"wav\.scp:1: the path of the sound file is missing"),
        ("wav.scp", "\n", r"wav\.scp: the file is empty"),
        ("wav.scp", "r1 a.wav\nr1 b.wav\n", r"wav\.scp:2: 'r1' is also on line 1"),
        ("text", "r1 a\nr9 b\n", r"text:2: the utterance 'r9' has no sound"),
        ("text", "", "holds wav.scp but no transcripts"),
        ("utt2spk", "r7 eva\nr8 jo\n", r"utt2spk:1: .* \(and 1 more\)"),
        ("segments", "r1 r1 0 soon\n", r"segments:1: expected utterance, recording, start and end"),
        ("segments", "r1 r7 0 1\n", r"segments:1: the recording 'r7' is not in wav.scp"),
        ("segments", "r1 r1 1 1\n", r"segments:1: the segment goes from 1.0 s to 1.0 s"),
        ("segments", "r1 r1 nan 1\n", r"segments:1: the segment goes from nan s"),
        ("segments", "", r"segments: the file is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(data: Path, file: str, content: str, message: str) -> None:
    (data / file).write_text(content, "utf-8")
    with pytest.raises(ManifestError, match=message):
        kaldi.read(data)


def test_a_channel_in_segments(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([np.full(16_000, 0.1), np.full(16_000, 0.2)], 1), 16_000)
    (tmp_path / "wav.scp").write_text("rec a.wav\n")
    (tmp_path / "segments").write_text(
        "u0 rec 0 0.5 0\nu1 rec 0 0.5 1\nu2 rec 0 0.5 B\nu3 rec 0 0.5 -1\nu4 rec 0 0.5\nu5 rec 0 0.5 A\n"
    )
    (tmp_path / "text").write_text("u0 hi\n")
    clips = kaldi.read(tmp_path)
    assert [u.channel for u in clips] == [1, 2, 2, "auto", "auto", 1]
    assert [round(float(frames_of(u, lambda x: x)[0]), 2) for u in clips] == [0.1, 0.2, 0.2, 0.15, 0.15, 0.1]
    for channel in ("C", "-2"):
        (tmp_path / "segments").write_text(f"u0 rec 0 0.5 {channel}\n")
        with pytest.raises(ManifestError, match=rf"segments:1: .*channel \(0, 1, A, B\), got 'rec 0 0.5 {channel}'"):
            kaldi.read(tmp_path)
