"""Exports are proved by running them, and nothing is written of what says something else."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from earful.audio.files import write
from earful.checkpoint import InnerLoop, Language, load_checkpoint, save_checkpoint
from earful.ctc.ngram import learn
from earful.encoder.whisper import WhisperConfig
from earful.errors import AudioError, ExportError
from earful.export import export as exporting
from earful.export import onnx_file, proof, sherpa
from earful.export.export import export
from earful.export.place import ABOUT
from earful.export.proof import Exact, Written, measure, prove
from earful.export.recordings import MOST, Recording, recordings_in, signals, spoken_in
from earful.export.source import read_source

TARGETS = ["onnx", "sherpa-onnx"]
sherpa_onnx = pytest.importorskip("sherpa_onnx")


@pytest.fixture
def sound(clips: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The clips without their texts; and a model that has learned nothing may change its mind more often."""
    monkeypatch.setattr(proof, "MOST_OTHERWISE", 0.2)
    folder = tmp_path_factory.mktemp("sound")
    for clip in clips.glob("*.wav"):
        (folder / clip.name).write_bytes(clip.read_bytes())
    return folder


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", ["float32", "int8", "float16"])
def test_an_export_says_the_same(talker: Path, sound: Path, tmp_path: Path, target: Any, kind: Any) -> None:
    done = export(talker, target, tmp_path / "out", kind=kind, check=sound)
    assert names_in(tmp_path / "out") == {"model.onnx", "tokens.txt", "README.md", ABOUT}
    assert (done.recordings, done.proved_on, done.arithmetic) == (8, "your recordings", kind)
    if kind == "float32":
        assert done.same == 8 and done.off_s <= 0.02
    else:
        assert done.otherwise <= 0.2 and done.cost is None
    about = json.loads((tmp_path / "out" / ABOUT).read_text("utf-8"))
    assert about["target"] == target and about["same"] == done.same


def test_the_file_says_what_it_is(talker: Path, clips: Path, tmp_path: Path) -> None:
    export(talker, "onnx", tmp_path / "out", check=clips)
    model = onnx.load(tmp_path / "out" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said["alphabet"]) == list(" abcde") and float(said["hop_s"]) == pytest.approx(0.02)
    assert {each.domain for each in model.opset_import} == {""} and model.opset_import[0].version == 18


def test_the_readme_of_onnx_can_be_run(
    talker: Path, clips: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    export(talker, "onnx", tmp_path / "out", check=clips)
    code = (tmp_path / "out" / "README.md").read_text("utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "out" / "new.wav").write_bytes((clips / "clip1.wav").read_bytes())
    monkeypatch.chdir(tmp_path / "out")
    exec(compile(code, "README.md", "exec"), {})
    expected = Exact(read_source(talker)).heard(recordings_in(clips / "clip1.wav")[0].samples_T)
    assert " ".join(capsys.readouterr().out.split()) == expected.text


def test_nothing_is_written_of_what_says_something_else(
    talker: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Exact, "heard", lambda self, samples_T: Written("abba", ()))
    with pytest.raises(ExportError, match=r"the export says '.*', earful 'abba'; nothing was written"):
        export(talker, "onnx", tmp_path / "out", check=clips)
    assert names_in(tmp_path) == {"talker"}


def test_differences_are_named() -> None:
    class Ears:
        def heard(self, samples_T: np.ndarray) -> Written:
            return Written("a b", (0.1, 0.2), (("a", 0.1, 0.14), ("b", 0.2, 0.24)))

        def as_likely(self, samples_T: np.ndarray) -> list[Written]:
            return []

    def run(found: Written) -> Any:
        return prove("x", [Recording("clip", np.zeros(9, np.float32))], Ears(), lambda _: [found], lambda *_: None)  # type: ignore[arg-type]

    assert run(Written("a b", (0.1, 0.21))).off_s == pytest.approx(0.01)
    with pytest.raises(ExportError, match=r"clip: times of the export are 0\.040 s off"):
        run(Written("a b", (0.1, 0.24)))
    with pytest.raises(ExportError, match=r"times of the export are 0\.060 s off"):
        run(Written("a b", (0.1, 0.2), (("a", 0.1, 0.2), ("b", 0.2, 0.24))))
    with pytest.raises(ExportError, match="as much in other pieces"):
        run(Written("a b", (0.1,)))


def test_a_toss_up_is_no_difference(talker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two frames in which letters are as likely: the other text of each is allowed, and said; a third text is not."""
    logp_FV = np.full((6, 6), -9.0, np.float32)
    for frame, (first, second, gap) in enumerate([(2, 0, 1.0), (0, 2, 1.0), (3, 4, 0.01), (0, 1, 1.0), (5, 6, 0.015)]):
        logp_FV[frame, [first, second % 6]] = [-0.1, -0.1 - gap]
    logp_FV[5, 0] = -0.1
    exact = Exact(read_source(talker))
    monkeypatch.setattr(exact, "logp_of", lambda samples_T: logp_FV)
    sound = np.zeros(6 * 320, np.float32)
    texts = {each.text: each for each in (exact.heard(sound), *exact.as_likely(sound))}
    assert set(texts) == {"abd", "acd", "ab", "ac"}
    for text, found in texts.items():
        proved = prove("x", [Recording("clip", sound)], exact, lambda _, f=found: [f], lambda *_: None)  # type: ignore[misc]
        assert proved.same == (text == "abd") and bool(proved.notes) == (text != "abd")
    with pytest.raises(ExportError, match="the export says 'aad', earful 'abd'"):
        prove("x", [Recording("clip", sound)], exact, lambda _: [texts["abd"]._replace(text="aad")], lambda *_: None)


def test_fewer_bits_may_not_cost_much(talker: Path) -> None:
    exact = Exact(read_source(talker))
    sound = signals()[3].samples_T
    said = exact.heard(sound).text
    half = said[: len(said) // 2]
    nothing = lambda *_: None  # noqa: E731
    with pytest.raises(ExportError, match=r"letters are other ones, at most 5%"):
        measure("x", [Recording("a", sound)], exact, lambda _: [Written(half, ())], nothing)
    with pytest.raises(ExportError, match=r"fewer bits cost [\d.]+ points of CER \(0\.0% → .*: export in float32"):
        measure("x", [Recording("a", sound, said)], exact, lambda _: [Written(half, ())], nothing)
    better = measure("x", [Recording("a", sound, half)], exact, lambda _: [Written(half, ())], nothing)
    assert better.cost is not None and better.cost < 0 and better.same == 0


def test_what_is_there_is_not_replaced_unasked(talker: Path, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", "utf-8")
    for overwrite, message in ((False, "exists already"), (True, "is no export of earful")):
        with pytest.raises(ExportError, match=message):
            export(talker, "onnx", tmp_path / "mine", check=clips, overwrite=overwrite)
    assert names_in(tmp_path / "mine") == {"thesis.txt"}
    export(talker, "onnx", tmp_path / "out", check=clips)
    export(talker, "sherpa-onnx", tmp_path / "out", check=clips, overwrite=True)
    assert json.loads((tmp_path / "out" / ABOUT).read_text("utf-8"))["target"] == "sherpa-onnx"
    assert names_in(tmp_path) == {"mine", "out", "talker"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_where_nothing_can_be_written(talker: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(ExportError, match="nothing can be written in"):
        export(talker, "onnx", tmp_path / "closed" / "out")


def test_a_full_disk_leaves_nothing(talker: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx_file.onnx, "save_model", full)
    with pytest.raises(ExportError, match=r"cannot be written .*No space left"):
        export(talker, "onnx", tmp_path / "out", check=clips)
    assert names_in(tmp_path) == {"talker"}


def test_models_that_are_refused(talker: Path, clips: Path, tmp_path: Path) -> None:
    model = load_checkpoint(talker)
    pinyin = replace(model.config, rules=replace(model.config.rules, writing="pinyin", language="zh"))
    refused = {
        "inner": (replace(model, inner=InnerLoop({"steps": 1}, {})), "has learned how to be adapted"),
        "untrained": (replace(model, about={"untrained": True}), "writes no letters yet"),
        "pretrained": (replace(model, about={"pretrained": {"objectives": ["cpc"]}}), "writes no letters yet"),
        "pinyin": (replace(model, config=pinyin), "hears pinyin"),
    }
    for name, (made, message) in refused.items():
        save_checkpoint(tmp_path / name, made)
        for target in ("onnx", "web"):
            with pytest.raises(ExportError, match=message):
                export(tmp_path / name, target, tmp_path / "out", check=clips)
    with pytest.raises(ExportError, match="onnx-asr computes the features of sound itself"):
        export(talker, "onnx-asr", tmp_path / "out")
    with pytest.raises(ExportError, match="leave --int8 and --fp16 out"):
        export(talker, "huggingface", tmp_path / "out", kind="int8")
    assert "out" not in names_in(tmp_path)


def test_without_onnxruntime(talker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"needs packages that are not installed: pip install .*export"):
        export(talker, "onnx", tmp_path / "out")


def test_a_language_model_stays_behind_and_that_is_said(talker: Path, clips: Path, tmp_path: Path) -> None:
    model = load_checkpoint(talker)
    language = Language(learn(["abba cab"], model.config.alphabet, order=2), 0.5, 0.5)
    save_checkpoint(tmp_path / "with", replace(model, language=language))
    done = export(tmp_path / "with", "onnx", tmp_path / "out", check=clips)
    (said,) = (each for each in done.notes if "without the language model, which onnx has no place for" in each)
    assert 0 < float(re.search(r"([\d.]+)% of the letters", said)[1]) <= 100  # type: ignore[index]


@pytest.mark.parametrize(
    "symbols",
    [" abñƙc", " abcƀƿ", " abɲƙc", "abcdef", (" ", "a", "ŋgʷ", "tʃ", "b", "c")],
    ids=["bytes of BPE", "up to U+01BF", "above", "no space", "several characters"],
)
def test_traps_of_alphabets(write_talker: Callable[..., Path], clips: Path, tmp_path: Path, symbols: Any) -> None:
    done = export(write_talker(symbols), "sherpa-onnx", tmp_path / "out", check=clips)
    assert done.same == 8
    lines = (tmp_path / "out" / "tokens.txt").read_text("utf-8").splitlines()
    assert lines[0] == "<blk> 0" and [int(line.split()[1]) for line in lines] == list(range(len(lines)))
    assert len(lines) == 7 + (symbols in (" abñƙc", " abcƀƿ"))


@pytest.mark.parametrize("symbol", ["<blk>", "SIL", "▁", "a b", "<0x41>", "\u00a0"])
def test_symbols_that_mean_something_else_there(write_talker: Callable[..., Path], tmp_path: Path, symbol: str) -> None:
    with pytest.raises(ExportError, match="means something else to sherpa-onnx"):
        export(write_talker((" ", "x", "y", "z", "w", symbol)), "sherpa-onnx", tmp_path / "out", check=None)


def test_frames_of_another_length(tiny_base: Path) -> None:
    source = read_source(tiny_base)
    for hop_s, fits in ((0.015, False), (0.03, False), (0.01, False), (0.02, True), (0.04, True)):
        changed = replace(source, writing=replace(source.writing, hop_s=hop_s))
        if fits:
            sherpa.check(changed)
        else:
            with pytest.raises(ExportError, match=f"frame is {hop_s * 1000:g} ms, sherpa-onnx counts 20 ms"):
                sherpa.check(changed)


def test_what_it_is_checked_on(clips: Path, tmp_path: Path, tones: Any) -> None:
    assert [each.text is not None for each in recordings_in(clips)] == [True] * 8
    (tmp_path / "sound").mkdir()
    for number in range(3):
        write(tmp_path / "sound" / f"{number}.wav", tones("abba"))
    assert [each.text for each in recordings_in(tmp_path / "sound")] == [None] * 3
    assert len(recordings_in(clips / "clip0.wav")) == 1
    assert len(signals()) <= MOST and max(len(each.samples_T) for each in signals()) > 30 * 16_000
    (tmp_path / "empty").mkdir()
    with pytest.raises((ExportError, AudioError), match="no recordings to check with"):
        recordings_in(tmp_path / "empty")
    assert spoken_in(["xx-nobody"]) == []


def test_a_model_on_whisper(tmp_path: Path, clips: Path) -> None:
    from tests.runtime.conftest import checkpoint_of

    features = WhisperConfig("whisper", width=16, layers=2, heads=2, inner=24, frozen=2, bed=21)
    made = checkpoint_of(features, "conformer", 1, 2)
    made.params["heads.text.bias"][0] -= 1
    made.params["heads.text.weight"] *= 20
    save_checkpoint(tmp_path / "whisper", made)
    for target in TARGETS:
        done = export(tmp_path / "whisper", target, tmp_path / target, check=clips)  # type: ignore[arg-type]
        assert done.same == 8
        assert "OpenAI" in (tmp_path / target / "README.md").read_text("utf-8")
