"""`earful pretrain`: from recordings without transcripts to a base."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from earful.checkpoint import load_checkpoint
from earful.data.synthesis.speak import speak_corpus

pytest.importorskip("silero_vad", reason="the extra `vad` is not installed")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of six sentences each with pauses, one of silence, and a damaged file."""
    folder = tmp_path_factory.mktemp("untranscribed")
    (folder / "text.txt").write_text("de man leest een boek\neen vis zwemt in zee\nik zie de maan\n", "utf-8")
    speak_corpus(["nl"], folder / "nl", clips=12, text=folder / "text.txt", seed=3, workers=2)
    spoken = [soundfile.read(path, dtype="float32")[0] for path in sorted((folder / "nl").rglob("*.flac"))]
    long = folder / "long"
    long.mkdir()
    pause = np.zeros(16_000, np.float32)
    for name, some in (("a", spoken[:6]), ("b", spoken[6:])):
        soundfile.write(
            long / f"{name}.flac", np.concatenate([part for clip in some for part in (clip, pause)]), 16_000
        )
    soundfile.write(long / "silence.wav", np.zeros(80_000, np.float32), 16_000)
    (long / "damaged.flac").write_bytes(b"fLaC" + bytes(100))
    (long / "more.silk").write_bytes(b"?")
    return long


def test_a_folder(earful: Any, recordings: Path, tiny_base: Path, tmp_path: Path) -> None:
    out = tmp_path / "base"
    run = earful("pretrain", recordings, "--start", tiny_base, "--steps", 3, "--out", out, "--json")
    assert run.status == 0, run.err
    row = json.loads(run.out)
    assert row["objectives"] == ["best_rq"] and row["steps"] == 3 and 2 <= row["clips"] <= 24
    assert row["losses"]["best_rq masked"] > 0 and row["skipped_steps"] == 0
    assert (
        "left out more.silk: .silk is not read" in run.err
        and "silence.wav: no speech" in run.err
        and "damaged.flac" in run.err
        and row["left_out"] == 2
    )
    names = (Path(row["log"]).parents[1] / "left-out.jsonl").read_text("utf-8").splitlines()
    named = [json.loads(line) for line in names]
    assert sorted(Path(each["file"]).name for each in named) == ["damaged.flac", "silence.wav"]
    assert row["hours_per_hour"] > 0 and 0 < row["spread"] < 1 and row["probe"] == {}
    assert len(Path(row["log"]).read_text("utf-8").splitlines()) == 3
    base = load_checkpoint(out)
    before = load_checkpoint(tiny_base)
    assert base.config == before.config and base.about["pretrained"]["objectives"] == ["best_rq"]
    assert any(bool((base.params[name] != value).any()) for name, value in before.params.items())


def test_several_objectives_in_a_table(earful: Any, recordings: Path, tiny_base: Path, tmp_path: Path) -> None:
    names = [part for name in ("wav2vec2", "simclr") for part in ("--objective", name)]
    run = earful("pretrain", recordings, "--start", tiny_base, "--steps", 2, "--out", tmp_path / "m", *names)
    assert run.status == 0 and "wav2vec2, simclr" in run.out and "wav2vec2 contrastive" in run.out


def test_a_person_sees_whether_it_learns(
    earful: Any, recordings: Path, tiny_base: Path, tmp_path: Path, points: Callable[[Path], Any]
) -> None:
    pytest.importorskip("tensorboardX", reason="the extra `curves` is not installed")
    command = ("pretrain", recordings, "--start", tiny_base, "--steps", 4, "--objective", "wav2vec2")
    spoken = recordings.parent / "nl" / "manifest.jsonl"
    watched = ("--probe", spoken, "--probe-every", 2, "--tensorboard", tmp_path / "curves")
    run = earful(*command, *watched, "--out", tmp_path / "a", "--json")
    row = json.loads(run.out)
    assert run.status == 0 and row["probe"].keys() == {"0", "2", "4"} and 0 < row["probe"]["4"] < 1
    drawn = points(tmp_path / "curves")
    assert [step for step, _ in drawn["probe/phone_accuracy"]] == [0, 2, 4]
    assert drawn["probe/phone_accuracy"][2][1] == pytest.approx(row["probe"]["4"])
    each = {
        "loss/wav2vec2_contrastive",
        "loss/wav2vec2_diversity",
        "fact/wav2vec2_perplexity",
        "fact/wav2vec2_accuracy",
    }
    each |= {"learning_rate", "hours_of_audio_per_hour", "gradient_norm"}
    assert all([step for step, _ in drawn[name]] == [1, 2, 3, 4] for name in each)
    assert drawn["learning_rate"][0][1] == pytest.approx(3e-4) and drawn["hours_of_audio_per_hour"][3][1] > 1
    plain = earful(*command, "--out", tmp_path / "b")
    assert plain.status == 0 and "not measured: --probe" in plain.out
    bases = [load_checkpoint(tmp_path / name).params for name in "ab"]
    assert all(torch.equal(value, bases[1][name]) for name, value in bases[0].items())
    again = earful(*command, *watched, "--out", tmp_path / "b", "--objective", "cpc", "--overwrite")
    assert again.status == 0 and "% of phones (" in again.out and "at step 0)" in again.out


def test_another_run_does_not_meet_this_one(
    earful: Any, recordings: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command finds its clips again; other recordings are heard, another objective begins anew."""
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "a.flac").write_bytes((recordings / "a.flac").read_bytes())
    command = ("pretrain", folder, "--start", tiny_base, "--steps", 2, "--out", tmp_path / "m", "--json", "--overwrite")
    first = json.loads(earful(*command).out)
    monkeypatch.setattr("earful.data.untranscribed.cut", lambda *_, **__: pytest.fail("they were heard again"))
    again, other = json.loads(earful(*command).out), json.loads(earful(*command, "--objective", "denoise").out)
    assert again["log"] == first["log"] and again["seconds"] == 0.0 and other["seconds"] > 0
    monkeypatch.undo()
    (folder / "b.flac").write_bytes((recordings / "b.flac").read_bytes())
    more = json.loads(earful(*command).out)
    assert more["clips"] > first["clips"] and more["seconds"] > 0 and more["left_out"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda folder: [folder], "with --out"),
        (lambda folder: [folder, "--out", "m", "--objective", "best-rq"], "did you mean 'best_rq'"),
        (lambda folder: [folder / "nowhere", "--out", "m"], "there is no such recipe"),
        (lambda folder: [folder, "--out", "m", "--probe", folder / "a.jsonl"], "a.jsonl"),
    ],
)
def test_what_cannot_be(
    arguments: Callable[[Path], list[Any]], message: str, earful: Any, recordings: Path, tiny_base: Path
) -> None:
    run = earful("pretrain", *arguments(recordings), "--start", tiny_base)
    assert run.status == 2 and message in run.err, run.err


def test_what_is_wrong_is_said_before_the_recordings_are_heard(
    earful: Any, recordings: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earful.data.untranscribed.cut", lambda *_, **__: pytest.fail("they were heard"))
    lost = earful("pretrain", recordings, "--start", "nope", "--out", tmp_path / "m")
    assert lost.status == 2 and "nope: no such folder" in lost.err
    unprobed = earful("pretrain", recordings, "--start", tiny_base, "--out", tmp_path / "m", "--probe", tmp_path / "no")
    assert unprobed.status == 2 and "no" in unprobed.err
    there = earful("pretrain", recordings, "--start", tiny_base, "--out", tiny_base)
    assert there.status == 2 and "exists already" in there.err


@pytest.mark.parametrize(
    ("option", "value", "key"),
    [("start", "m", "start"), ("out", "m", "out"), ("steps", 9, "optimisation"), ("objective", "cpc", "objectives")],
)
def test_what_a_recipe_says_by_itself(option: str, value: object, key: str, earful: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'out = "{tmp_path}/m"\n[[corpora]]\nmanifest = "no"\n[objectives.cpc]\n[optimisation]\nsteps = 1\n', "utf-8"
    )
    run = earful("pretrain", recipe, f"--{option}", value)
    assert run.status == 2 and f"r.toml: --{option} is for a folder of recordings; in a recipe set `{key}`" in run.err


def test_no_speech_at_all(earful: Any, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "quiet").mkdir()
    soundfile.write(tmp_path / "quiet" / "a.wav", np.zeros(48_000, np.float32), 16_000)
    run = earful("pretrain", tmp_path / "quiet", "--start", tiny_base, "--out", tmp_path / "m")
    assert run.status == 2 and "no speech was found in 1 recording" in run.err and not (tmp_path / "m").exists()
