"""The runner says what the recogniser says, and starts without torch."""

import contextlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earful import runner
from earful.audio.files import write
from earful.checkpoint import Language, load_checkpoint, save_checkpoint
from earful.ctc.ngram import learn
from earful.errors import CheckpointError
from earful.recognizer import Recognizer
from earful.runner import Runner, can_run


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some processors would compute in bfloat16, with torch."""
    monkeypatch.setattr("earful.model.fast_arithmetic", lambda device=None: contextlib.nullcontext())


@pytest.fixture
def model(tiny_base: Path, tmp_path: Path) -> Path:
    """A model that writes a lot, for it thinks little of the blank; with a language model."""
    base = load_checkpoint(tiny_base)
    base.params["heads.text.weight"] *= 6  # and is sure of it: no two texts are nearly as likely
    base.params["heads.text.bias"][0] -= 2
    language = Language(learn(["abba cab acca", "bac caba", "ab ab ca"], base.config.alphabet, order=3), 0.5, 0.5)
    save_checkpoint(tmp_path / "model", replace(base, language=language))
    return tmp_path / "model"


@pytest.mark.parametrize("options", [{}, {"greedy": True}, {"hot": {"abba": 3.0}}, {"guesses": 3}])
def test_it_says_the_same(model: Path, tones: Any, options: Any) -> None:
    sound = np.concatenate([tones("abba cab acca bac"), np.zeros(3 * 16_000, np.float32), tones("caba ab " * 12)])
    expected = Recognizer.load(model, **options).transcribe(sound)
    found = Runner.load(model, **options).transcribe(sound)
    assert found.text == expected.text and len(found.text) > 8
    assert found.guesses == expected.guesses
    for mine, theirs in zip(found.words, expected.words, strict=True):
        assert (mine.text, mine.start_s, mine.end_s) == (theirs.text, theirs.start_s, theirs.end_s)
        assert mine.confidence == pytest.approx(theirs.confidence, abs=0.02)


def test_hardly_any_sound(model: Path) -> None:
    assert Runner.load(model).transcribe(np.zeros(30, np.float32)).text == ""


def test_the_command_imports_no_torch(model: Path, tones: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tones("abba cab"))
    asked = ["transcribe", str(model), str(tmp_path / "a.wav"), "--greedy"]
    code = (
        "import sys; from earful.cli.main import main; "
        f"print(main({asked!r}), sorted({{'torch', 'numba', 'rich'}} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    said = done.stdout.splitlines()[0]
    assert said == Recognizer.load(model, greedy=True).transcribe(tmp_path / "a.wav").text


def test_torch_is_the_fallback(model: Path, tones: Any, tmp_path: Path, earful: Any, monkeypatch: Any) -> None:
    write(tmp_path / "a.wav", tones("abba cab"))
    with_it = earful("transcribe", model, tmp_path / "a.wav")
    monkeypatch.setattr(runner, "find_spec", lambda name: None)
    assert not can_run(model)
    monkeypatch.setattr(Runner, "load", lambda *_, **__: pytest.fail("there is no onnxruntime"))
    without = earful("transcribe", model, tmp_path / "a.wav")
    assert with_it.status == without.status == 0 and with_it.out == without.out


def test_int8_where_the_card_says_so_and_the_processor_can(model: Path, tones: Any, monkeypatch: Any) -> None:
    card = json.loads((model / "model.json").read_text("utf-8"))
    assert runner.arithmetic_of(card) == "float32"
    card["arithmetic"] = "int8"
    monkeypatch.setattr(runner, "fast_in_int8", lambda: False)
    assert runner.arithmetic_of(card) == "float32"
    monkeypatch.setattr(runner, "fast_in_int8", lambda: True)
    assert runner.arithmetic_of(card) == "int8"
    exact = Runner.load(model)._logp_of(tones("abba"))
    (model / "model.json").write_text(json.dumps(card), "utf-8")
    rounded = Runner.load(model)._logp_of(tones("abba"))
    assert 0 < np.abs(np.exp(exact) - np.exp(rounded)).max() < 0.2


def test_what_it_cannot_run(model: Path, tmp_path: Path) -> None:
    card = json.loads((model / "model.json").read_text("utf-8"))
    card["config"]["features"] = {"kind": "wav2vec2"}
    (model / "model.json").write_text(json.dumps(card), "utf-8")
    assert not can_run(model)
    card["config"]["features"] = {"kind": "whisper", "positions": "many", "bed": 0}
    (model / "model.json").write_text(json.dumps(card), "utf-8")
    assert not can_run(model), "what is wrong with it the recogniser says"
    with pytest.raises(CheckpointError, match="no such folder"):
        can_run(tmp_path / "none")
    del card["config"]["alphabet"]
    card["config"]["features"] = load_checkpoint("earful-tiny").config.features.__dict__
    (model / "model.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(CheckpointError, match=r"model\.json: damaged"):
        Runner.load(model)
