"""ELAN's calls, replayed: as it sends them, in the environment that it gives, and with what it then reads."""

import io
import json
import os
import signal
import subprocess
import sys
from html import escape
from pathlib import Path

import pytest
from lxml import etree

from earful.elan.answer import answer
from earful.elan.install import install
from earful.recognizer import Recognizer

Params = dict[str, object]


def request(params: Params) -> bytes:
    """What ELAN writes to stdin before it closes it."""
    lines = "".join(f'<param name="{name}">{escape(str(value))}</param>\n' for name, value in params.items())
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<PARAM xsi:noNamespaceSchemaLocation="file:avatech-call.xsd">\n'
    return f'{head}<param name="InvocationContext">earful 2026-11-30 14:23</param>\n{lines}</PARAM>\n'.encode()


def tier(place: Path, *spans: tuple[float, float, str]) -> Path:
    """A tier as ELAN writes it: nothing is escaped."""
    rows = "".join(f'<span start="{a:.3f}" end="{b:.3f}"><v>{text}</v></span>\n' for a, b, text in spans)
    place.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<TIER columns="tier_1">\n{rows}</TIER>\n', "utf-8")
    return place


def spans(out: Path) -> dict[str, list[tuple[int, int, str]]]:
    """What ELAN reads: times that are no whole milliseconds raise."""
    return {
        each.get("columns"): [(int(s.get("start")), int(s.get("end")), s.findtext("v")) for s in each.iterfind("span")]
        for each in etree.parse(out).iterfind("TIER")
    }


@pytest.fixture
def extension(tiny_base: Path, tmp_path: Path) -> Path:
    return install(tmp_path / "app" / "extensions", [str(tiny_base)], tmp_path / "models").folder


def call(folder: Path, params: Params) -> list[str]:
    """One call within this process; the lines that ELAN gets."""
    stream = io.BytesIO()
    answer(io.BytesIO(request(params)), stream, folder)
    return stream.getvalue().decode("ascii").splitlines()


def run(folder: Path) -> "subprocess.Popen[bytes]":
    """The launcher as ELAN starts it: in its folder, without a PATH, in the locale C."""
    environment = {"LC_ALL": "C", "PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(["./earful.sh"], cwd=folder, env=environment, **pipes)


def test_a_call_by_the_launcher(extension: Path, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    audio = tmp_path / "þing & talk.wav"
    audio.write_bytes((clips / "clip0.wav").read_bytes())
    out = tmp_path / "out.xml"
    with run(extension) as process:
        said, _ = process.communicate(request({"source": f"{audio}", "model": tiny_base.name, "tiers": out}))
    lines = said.decode("ascii").splitlines()
    assert process.returncode == 0, lines
    assert lines[0] == "PROGRESS: 0.00 starting" and lines[-1] == "RESULT: DONE."
    assert all(line.startswith("PROGRESS: ") for line in lines[:-1])
    found, transcript = spans(out), Recognizer.load(tiny_base).transcribe(audio)
    assert " ".join(text for _, _, text in found["earful_words"]) == transcript.text
    assert list(found) == ["earful_phrases", "earful_words"]
    assert all(a < b for a, b, _ in found["earful_words"]) and found["earful_phrases"][0][0] >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_cancelled(extension: Path, clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "out.xml"
    out.parent.mkdir()
    with run(extension) as process:
        assert process.stdin and process.stdout
        first = process.stdout.readline()
        process.stdin.write(request({"source": clips / "clip0.wav", "tiers": out}))
        process.stdin.close()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert first == b"PROGRESS: 0.00 starting\n", "before torch is loaded"
    assert process.returncode != 0 and b"RESULT" not in rest and list(out.parent.iterdir()) == []


def test_segments(extension: Path, clips: Path, tmp_path: Path) -> None:
    chosen = tier(tmp_path / "chosen.xml", (0.2, 1.1, "R&B <"), (1.2, 1.5, ""))
    lines = call(extension, {"source": clips / "clip0.wav", "segments": chosen, "tiers": tmp_path / "out.xml"})
    assert lines[-1] == "RESULT: DONE.", lines
    found = spans(tmp_path / "out.xml")
    assert [(a, b) for a, b, _ in found["earful_phrases"]] == [(200, 1100), (1200, 1500)]
    assert found["earful_words"] and all(200 <= a < b <= 1500 for a, b, _ in found["earful_words"])


def test_an_empty_tier_of_segments(extension: Path, clips: Path, tmp_path: Path) -> None:
    chosen = tier(tmp_path / "chosen.xml")
    lines = call(extension, {"source": clips / "clip0.wav", "segments": chosen, "tiers": tmp_path / "out.xml"})
    assert any(line.startswith("INFO: the tier of segments is empty") for line in lines)
    assert lines[-1] == "RESULT: DONE." and spans(tmp_path / "out.xml")["earful_words"]


def test_adapt(extension: Path, tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from earful.audio.files import write

    monkeypatch.setattr("earful.adapt.finetune.Plan.__post_init__", lambda plan: object.__setattr__(plan, "steps", 1))
    texts = ("abba cab", "acca bac", "caba & ba", "ac abba", "cab <acca")
    write(tmp_path / "talk.wav", np.concatenate([np.pad(tones(t), (0, 48_000))[:48_000] for t in texts]))
    corrected = tier(tmp_path / "c.xml", *((3.0 * n, 3.0 * n + 1.6, t) for n, t in enumerate(texts)), (15, 16, " "))
    params = {"source": tmp_path / "talk.wav", "corrected": corrected, "tiers": tmp_path / "out.xml", "task": "adapt"}
    lines = call(extension, {**params, "new_model": "my new one", "effort": "quick"})
    assert lines[-1] == "RESULT: DONE.", lines
    bar = [float(line.split()[1]) for line in lines if line.startswith("PROGRESS: ")]
    assert bar == sorted(bar) and bar[-1] == 1.0 and max(bar[:-1]) < 1, "ELAN's bar never goes back"
    made = tmp_path / "models" / "my_new_one"
    assert (made / "model.json").is_file() and any(line.endswith(f"in {made}") for line in lines)
    assert json.loads((extension / "settings.json").read_text("utf-8"))["models"]["my_new_one"] == str(made)
    assert "my_new_one" in (extension / "earful.cmdi").read_text("utf-8")
    assert (tmp_path / "out.xml").is_file() and set(Recognizer.load(made).checkpoint.config.alphabet.symbols) >= set(
        " abc"
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "no recording was chosen (parameter source)"),
        ({"source": "none.wav", "tiers": "out.xml"}, "none.wav"),
        ({"source": "none.wav", "tiers": "out.xml", "model": "other"}, "there is no model 'other'"),
        ({"source": "none.wav", "tiers": "out.xml", "task": "adapt"}, "no tier with corrected texts was chosen"),
    ],
)
def test_what_cannot_be_done(extension: Path, params: Params, message: str) -> None:
    lines = call(extension, params)
    assert lines[-1] == "RESULT: FAILED." and lines[-2].startswith("ERROR: ") and message in lines[-2]
    assert not (extension / "out.xml").exists()


def test_a_fault_is_a_failure(extension: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*arguments: object) -> None:
        raise RuntimeError("þú")

    monkeypatch.setattr("earful.elan.answer.write_tiers", fault)
    lines = call(extension, {"source": clips / "clip0.wav", "tiers": tmp_path / "out.xml"})
    assert lines[-2:] == ["ERROR: a fault of earful: RuntimeError: \\xfe\\xfa; please report it", "RESULT: FAILED."]
