"""`earful adapt --speak` and `--unlabelled`: what is learned from beside the clips."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earful.adapt.self_train import Believed, Beside, Spoken
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.cli.beside import in_words
from earful.data.manifest import Manifest
from earful.data.synthesis.speak import speak_corpus


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of Dutch with their texts, and a folder of one long recording without."""
    folder = tmp_path_factory.mktemp("spoken")
    lines = ["de man leest een boek", "een vis zwemt in zee", "ik zie de maan", "wij gaan naar huis", "de kat slaapt"]
    lines += ["het regent in mei", "zij zingen een lied", "kom maar hier"]
    (folder / "text.txt").write_text("\n".join(lines), "utf-8")
    manifest, _ = speak_corpus(["nl"], folder / "nl", clips=8, text=folder / "text.txt", seed=3, workers=2)
    sounds = [soundfile.read(u.audio, dtype="float32")[0] for u in manifest]
    (folder / "clips").mkdir()
    for number, (u, samples) in enumerate(zip(manifest, sounds[:4], strict=False)):
        soundfile.write(folder / "clips" / f"{number}.wav", samples, 16_000)
        (folder / "clips" / f"{number}.txt").write_text(f"{u.text}\n", "utf-8")
    (folder / "more").mkdir()
    pause = np.zeros(16_000, np.float32)
    soundfile.write(folder / "more" / "long.wav", np.concatenate([p for s in sounds[4:] for p in (s, pause)]), 16_000)
    return folder


def words(spoken: Path, base: Path, out: Path, *more: object) -> tuple[object, ...]:
    return "adapt", spoken / "clips", "--out", out, "--base", base, "--json", *more


def test_a_synthesiser_speaks(earful: Any, spoken: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(["xylofoon 7 en zes", *["een quiz met xx qq"] * 8]), "utf-8")
    more = ("--language", "nl", "--speak", 6, "--text", tmp_path / "text.txt", "--steps", 2, "--greedy")
    run = earful(*words(spoken, tiny_base, tmp_path / "m", *more))
    row = json.loads(run.out)
    assert run.status == 0 and row["clips"] == 4 and row["plan"]["steps"] == 2
    assert row["spoken"]["clips"] == 6 and 3 < row["spoken"]["seconds"] < 60 and row["believed"] is None
    letters = load_checkpoint(tmp_path / "m").config.alphabet.symbols
    assert {"q", "x"} <= set(letters) and "y" not in letters and "7" not in letters
    assert not any("adapting" in path.name for path in tmp_path.iterdir()), "the state is removed"


def test_text_in_another_script_is_not_spoken(earful: Any, spoken: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(["дом стоит"] * 8), "utf-8")
    more = ("--language", "Dutch", "--speak", 2, "--text", tmp_path / "text.txt", "--steps", 1, "--greedy")
    run = earful(*words(spoken, tiny_base, tmp_path / "m", *more))
    assert run.status == 0 and json.loads(run.out)["spoken"]["clips"] == 2 and "is not used" in run.err
    assert not set("домстит") & set(load_checkpoint(tmp_path / "m").config.alphabet.symbols)


def test_recordings_without_transcripts(
    earful: Any, spoken: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("silero_vad", reason="the extra `vad` is not installed")
    seen = list[int]()

    def sure(recogniser: Checkpoint, clips: Manifest, tell: Any, hearing: Any) -> Manifest:
        """Of all but the first."""
        seen.append(len(clips))
        return Manifest(tuple(replace(u, text="ik zie") for u in clips[1:]))

    monkeypatch.setattr("earful.adapt.self_train.believed", sure)
    more = ("--language", "nl", "--unlabelled", spoken / "more", "--no-words", "--steps", 1)
    run = earful(*words(spoken, tiny_base, tmp_path / "m", *more))
    assert run.status == 0 and 2 <= seen[0] <= 8, run.err
    assert seen == seen[:1] * 4, "the recogniser writes them down, and each of three that have not met a part"
    assert "minutes without transcripts" in run.err and "were believed" in run.err
    row = json.loads(run.out)
    assert row["believed"]["clips"] == seen[0] - 1 and row["believed"]["refused"] == 1 and row["spoken"] is None
    assert row["believed"]["seconds"] > 1 and row["believed"]["kept"] == ("so they were left out" not in run.err)
    monkeypatch.setattr("earful.adapt.self_train.believed", lambda *each, **options: Manifest(()))
    run = earful(*words(spoken, tiny_base, tmp_path / "n", *more))
    row = json.loads(run.out)
    assert run.status == 0 and "sure of none" in run.err and row["clips"] == 4
    assert row["believed"] == {"clips": 0, "seconds": 0, "refused": seen[0], "kept": False}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (lambda folder: ("--speak", 3), "give --language CODE"),
        (lambda folder: ("--speak", 3, "--language", "xx"), "espeak-ng has no language 'xx'"),
        (lambda folder: ("--unlabelled", folder / "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be(
    more: Callable[[Path], tuple[object, ...]], message: str, earful: Any, spoken: Path, tiny_base: Path, tmp_path: Path
) -> None:
    run = earful(*words(spoken, tiny_base, tmp_path / "m", "--steps", 1, *more(spoken)))
    assert run.status == 2 and message in run.err and not (tmp_path / "m").exists(), run.err


def test_the_best_effort_has_both(
    earful: Any, spoken: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("silero_vad", reason="the extra `vad` is not installed")
    monkeypatch.setattr(
        "earful.adapt.self_train.believed",
        lambda writer, clips, **options: Manifest(tuple(replace(u, text="ik zie") for u in clips[1:])),
    )
    more = ("--language", "nl", "--effort", "best", "--unlabelled", spoken / "more", "--speak", 6, "--steps", 1)
    run = earful(*words(spoken, tiny_base, tmp_path / "m", *more, "--greedy"))
    row = json.loads(run.out)
    assert run.status == 0, run.err
    steps = {each["name"]: each for each in row["steps"]}
    assert list(steps) == ["usual", "spoken", "recordings", "averaged"]
    assert all(each["cer"] is not None for each in steps.values()), "each came to an end"
    assert (row["spoken"] is not None) == steps["spoken"]["kept"]
    assert row["believed"]["kept"] == steps["recordings"]["kept"] and row["believed"]["refused"] == 1
    assert "learn from 6 sentences" in run.err and row["cer_after"] == min(each["cer"] for each in steps.values())


def test_in_words() -> None:
    lines = list(in_words(Beside(Spoken(1, 1.5), Believed(4, 6.0, 1, True))))
    assert lines == ["1 clip spoken by espeak-ng, 2 s", "4 of 5 clips without transcripts believed, 6 s"]
    assert next(in_words(Beside(None, Believed(4, 6.0, 1, False)))).endswith("left out")
    assert list(in_words(Beside(None, None))) == []
