"""The commands as a user runs them: processes of their own, signals, limits and pipes."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import SAMPLE_RATE_HZ, write
from earful.checkpoint import shipped_bases

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def words(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "earful", *map(str, arguments)]


def run(*arguments: object, status: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words(*arguments), capture_output=True, text=True, env=ENVIRONMENT, check=False, **options)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and "Warning:" not in done.stderr, done.stderr
    return done


def test_from_clips_to_transcripts(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    """check → adapt → transcribe → score; enough steps to learn something of the language of tones."""
    model = tmp_path / "model"
    assert json.loads(earful("check", clips, "--base", tiny_base, "--json").out)["usable_clips"] == 8
    adapted = run("adapt", clips, "--out", model, "--base", tiny_base, "--steps", 20, "--json")
    report = json.loads(adapted.stdout)
    assert report["cer_after"] <= report["cer_before"] and report["peak_memory_mb"] > 50
    words = ("transcribe", model, clips / "clip0.wav")
    shown = {name: earful(*words, "--format", name).out for name in ("json", "srt", "vtt", "tsv")}
    shown["text"] = run(*words).stdout
    text = json.loads(shown["json"])["text"]
    assert shown["text"].strip() == text and shown["vtt"].startswith("WEBVTT") and shown["tsv"].startswith("start_s")
    after, before = (json.loads(earful("score", m, clips, "--json").out) for m in (model, tiny_base))
    assert after["cer"] < before["cer"] or not report["improved"]


def hear_interruptions() -> None:
    """Whoever is started in the background of a shell is deaf to Ctrl-C, and its children are."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_the_last_state(clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    command = words("adapt", clips, "--out", tmp_path / "m", "--base", tiny_base, "--steps", 100_000)
    state = tmp_path / ".m.adapting"
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=hear_interruptions,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        # not while it imports: what is imported may swallow the interruption
        told = next(line for line in process.stderr if "left" in line)
        process.send_signal(signal.SIGINT)
        err, out = told + process.stderr.read(), process.stdout.read()
    assert process.returncode == 130 and out == ""
    assert err.splitlines()[-1] == "earful: interrupted; run the same command again to resume"
    assert "Traceback" not in err and not (tmp_path / "m").exists()
    assert not list(tmp_path.rglob("*.partial")) and not [p for p in tmp_path.iterdir() if p != state]


def test_a_disk_that_is_really_full(clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    """The limit on the size of a file is met where a full disk would be: in the write itself."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    done = run(
        "adapt",
        clips,
        "--out",
        tmp_path / "m",
        "--base",
        tiny_base,
        "--steps",
        1,
        "--greedy",
        status=2,
        preexec_fn=limit,
    )
    assert (
        done.stdout == "" and done.stderr.splitlines()[-1].startswith("earful: ") and "free some space" in done.stderr
    )
    assert not (tmp_path / "m").exists() and [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_reader_that_goes_away(clips: Path, tiny_base: Path) -> None:
    """`earful transcribe … | head -0` ends quietly."""
    process = subprocess.Popen(
        words("transcribe", tiny_base, clips), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (said, process.wait(20)) == (b"", 0)


@pytest.mark.slow
@pytest.mark.skipif("earful-base" not in shipped_bases(), reason="no base is shipped yet")
def test_the_demo_learns_a_language_that_the_base_has_never_heard(tmp_path: Path) -> None:
    shown = run("demo", "--out", tmp_path / "demo").stdout
    before, after = (float(re.search(rf"{name} +([\d.]+) %", shown)[1]) for name in ("before", "after"))
    assert "but not on Esperanto" in shown and after < before - 5


@pytest.mark.slow
def test_an_hour_in_bounded_memory(tiny_base: Path, tmp_path: Path) -> None:
    write(tmp_path / "minute.wav", np.zeros(60 * SAMPLE_RATE_HZ, np.float32))
    write(tmp_path / "hour.flac", np.zeros(3600 * SAMPLE_RATE_HZ, np.float32))
    peaks = []
    for name in ("minute.wav", "hour.flac"):
        code = (
            "import sys; from earful.cli.main import main; from earful.cli.tables import peak_memory_mb; "
            "main(sys.argv[1:]); print(peak_memory_mb(), file=sys.stderr)"
        )
        command = [sys.executable, "-c", code, "transcribe", tiny_base, tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
        peaks.append(int(done.stderr.splitlines()[-1]))
    assert peaks[1] - peaks[0] < 100, "an hour of samples alone would be 230 MB"
