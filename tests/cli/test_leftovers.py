"""What the commands say of annotations: which tier they read, and what they leave out."""

import json
from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.cli.leftovers import clips_of
from earful.cli.main import main

TIERS = {"said": [(0, 2, "gott er að"), (2, 4, ""), (4, 6, "[hlær] jæja þá")], "glosses": [(0, 6, "a very long gloss")]}


@pytest.fixture
def textgrid(tmp_path: Path) -> Path:
    write(tmp_path / "talk.wav", np.random.default_rng(0).normal(0, 0.1, 16_000 * 6).astype(np.float32))
    text = f'File type = "ooTextFile"\nObject class = "TextGrid"\n0 6 <exists> {len(TIERS)}\n'
    for name, spans in TIERS.items():
        text += f'"IntervalTier" "{name}" 0 6 {len(spans)}\n'
        text += "".join(f'{start} {end} "{said}"\n' for start, end, said in spans)
    (tmp_path / "talk.TextGrid").write_text(text, "utf-8")
    return tmp_path / "talk.TextGrid"


def test_the_choice_and_what_is_left_out_are_said_on_stderr(textgrid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [u.text for u in clips_of(textgrid)] == ["gott er að", "jæja þá"]
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"earful: note: {textgrid}: reads the tier 'said': most text in one script with times of its own, 3 spans; "
        "the others are 'glosses' (1 span); choose another with --tier",
        f"earful: note: {textgrid}, tier 'said', 2.00 s: 1 span left out, without text; "
        "write there what is said, if anything is",
        "earful: note: all texts: took 1 mark out of the texts that stand for no word by the usual conventions: "
        "[hlær] 1; say with --drop what else, or '' for nothing",
    ]
    assert [u.text for u in clips_of(textgrid.parent, "glosses")] == ["a very long gloss"]
    assert capsys.readouterr().err == ""


def test_check_reports_both_and_takes_the_options(textgrid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(textgrid), "--base", "none", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == 2
    assert {"tier", "spans textless", "marks"} <= {finding["kind"] for finding in found["findings"]}
    assert main(["check", str(textgrid), "--base", "none", "--tier", "glos*", "--drop", "very", "--json"]) == 0
    assert "v" not in json.loads(capsys.readouterr().out)["alphabet"]


@pytest.mark.parametrize("command", ["adapt", "forecast", "score", "suggest"])
def test_every_command_of_clips_takes_a_tier(
    textgrid: Path, command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    clips = str(textgrid)
    words = {
        "adapt": ["adapt", clips, "--out", str(tmp_path / "m"), "--base", "none"],
        "forecast": ["forecast", "none", clips],
        "score": ["score", "earful-tiny", clips],
        "suggest": ["suggest", "earful-tiny", str(tmp_path), "--transcribed", clips],
    }[command]
    assert main([*words, "--tier", "sayd", "--speaker-tier", "who", "--drop", "x"]) == 2
    assert "no tier, and no type of tiers, 'sayd'; did you mean 'said'?" in capsys.readouterr().err
