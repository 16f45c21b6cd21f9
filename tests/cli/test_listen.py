"""`earful listen`: words out of a pipe, into a pipe, a terminal and files; and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from earful.audio.files import write
from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.cli import listen as command
from earful.cli.screen import phrases
from earful.live.live import Update
from earful.runner import Runner
from earful.transcript import Transcript, Word


@pytest.fixture
def model(tiny_base: Path, tmp_path: Path) -> Path:
    """A model that writes a lot."""
    base = load_checkpoint(tiny_base)
    base.params["heads.text.weight"] *= 6
    base.params["heads.text.bias"][0] -= 2
    base.params["heads.text.bias"][1] += 6
    save_checkpoint(tmp_path / "model", base)
    return tmp_path / "model"


@pytest.fixture
def sound(tones: Any) -> np.ndarray:
    return np.concatenate([tones("abba cab acca bac"), np.zeros(16_000, np.float32), tones("caba ab")])


def pcm(sound: np.ndarray) -> bytes:
    return np.rint(sound * 32767).astype("<i2").tobytes()


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`piped(content)` is what comes by stdin."""

    def pipe(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False))

    return pipe


def test_words_from_a_pipe_into_a_pipe_and_files(
    model: Path, sound: np.ndarray, tmp_path: Path, earful: Any, piped: Any
) -> None:
    write(tmp_path / "a.wav", sound)
    piped((tmp_path / "a.wav").read_bytes())
    places = [tmp_path / f"talk.{suffix}" for suffix in ("txt", "srt", "json", "TextGrid")]
    done = earful("listen", model, "-", *[word for place in places for word in ("--out", place)])
    assert done.status == 0, done.err
    assert len(done.out.split()) > 1 and done.out.endswith("\n") and not done.out.startswith((" ", "\n"))
    expected = Runner.load(model).transcribe(tmp_path / "a.wav").text
    assert places[0].read_text("utf-8").split() == expected.split() and len(expected.split()) > 1
    row = json.loads(places[2].read_text("utf-8"))
    assert row["text"] == expected and row["duration_s"] == pytest.approx(len(sound) / 16_000)
    assert "-->" in places[1].read_text("utf-8") and "TextGrid" in places[3].read_text("utf-8")


def test_json_for_machines(model: Path, sound: np.ndarray, earful: Any, piped: Any) -> None:
    piped(pcm(np.repeat(sound, 2)))
    done = earful("listen", model, "-", "--rate", 32_000, "--json")
    *rows, last = [json.loads(line) for line in done.out.splitlines()]
    settled = [word for row in rows for word in row["settled"]]
    assert settled == sorted(settled, key=lambda word: word["start_s"]) and settled and rows[-1]["tail"] == ""
    assert last["text"].split() == [word["text"] for word in last["words"]] and last["words"]
    assert all(set(row) == {"settled", "tail"} for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["talk.wav"], "talk.wav: expected - for a pipe, or nothing for the microphone; earful transcribe reads files"),
        (["-", "--device", "USB"], "--device names a microphone, and - a pipe; leave one out"),
        (["-", "--rate", 100], "--rate is 100 Hz, must be from 4000 to 384000"),
        (["-", "--out", "a.eaf"], "a.eaf: the suffix must be one of .txt, .json, .srt, .vtt, .lrc, .tsv, .textgrid"),
        (["-", "--out", "there.srt"], "there.srt: exists already; name another file, or add --overwrite"),
    ],
)
def test_what_cannot_be(
    model: Path, tmp_path: Path, earful: Any, piped: Any, monkeypatch: Any, arguments: list[Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.srt").touch()
    piped(b"")
    done = earful("listen", model, *arguments)
    assert done.status == 2 and message in done.err and not done.out


def test_nothing_at_all(model: Path, tmp_path: Path, earful: Any, piped: Any) -> None:
    piped(b"")
    done = earful("listen", model, "-", "--out", tmp_path / "a.srt")
    assert (done.status, done.out) == (0, "") and not (tmp_path / "a.srt").exists()


def test_a_terminal_is_no_pipe(model: Path, earful: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    done = earful("listen", model, "-")
    assert done.status == 2 and "nothing is piped in" in done.err


def test_sound_that_is_lost_is_told_of_once(model: Path, sound: np.ndarray, earful: Any, monkeypatch: Any) -> None:
    class Slow:
        lost_s, count = 0.0, 0

        def take(self, wait_s: float) -> np.ndarray | None:
            self.count, self.lost_s = self.count + 1, self.lost_s + 0.1
            return sound[:8_000] if self.count < 4 else None

        def close(self) -> None:
            self.closed = True

    slow = Slow()
    monkeypatch.setattr(command, "opened", lambda *_: slow)
    done = earful("listen", model)
    assert (
        done.status == 0 and slow.closed and done.err.count("sound is lost: this computer is slower than speech") == 1
    )


def test_ctrl_c_writes_the_whole_transcript(model: Path, sound: np.ndarray, tmp_path: Path) -> None:
    place = tmp_path / "talk.txt"
    words = [sys.executable, "-m", "earful", "listen", str(model), "-", "--out", str(place)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ) as running:
        assert running.stdin and running.stdout and running.stderr
        running.stdin.write(pcm(np.tile(sound, 3)))
        running.stdin.flush()
        first = running.stdout.read(1)  # it hears
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        rest, err = running.stdout.read(), running.stderr.read()
        assert running.wait(60) == 0, err
    assert (first + rest).decode().split() and place.read_text("utf-8").split() and b"interrupted" not in err


def test_phrases_end_at_pauses() -> None:
    words = [Word("a", 0.0, 0.5, 1.0), Word("b", 0.7, 1.0, 1.0), Word("c", 1.8, 2.0, 1.0)]
    assert [[w.text for w in phrase] for phrase in phrases(words[1:], words[:1])] == [["a", "b"], ["c"]]


def test_a_terminal_shows_the_tail_dim_and_keeps_what_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    from earful.cli.screen import screen

    class Screen(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    shown = Screen()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("TERM", "xterm")
    words = (Word("one", 0.0, 0.5, 1.0), Word("two", 2.0, 2.5, 1.0), Word("[b]three", 3.0, 3.5, 1.0))
    with screen(json=False) as drawn:
        drawn.show(Update(words[:1], words[1:2]))
        dim = shown.getvalue()
        drawn.show(Update(words[1:], ()))
        drawn.end(Transcript("one two [b]three", words, 1.0, 4.0))
    assert "one\x1b[2m two\x1b[0m" in dim
    assert shown.getvalue().rstrip("\x1b[?25h").rstrip().endswith("two [b]three")
