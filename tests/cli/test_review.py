"""`earful review`: what to correct first, and what became of what was."""

import json
from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write

MODEL = "earful-tiny"


@pytest.fixture
def annotated(tmp_path: Path, tones, earful) -> Path:
    """A folder with a recording of tones and its drafts, the first of them corrected by hand."""
    folder = tmp_path / "talks"
    folder.mkdir()
    parts = [np.pad(tones(text), (0, 48_000))[:48_000] for text in ("abbacab", "accabaab", "babacca")]
    write(folder / "talk.wav", np.concatenate(parts))
    words = [(f"draft{n}", 3.0 * n, 3.0 * n + 1.3) for n in range(3)]
    from earful.transcript import Transcript, Word
    from earful.writers.formats import render

    said = Transcript("", tuple(Word(*each, 0.5) for each in words), 0.5, 9.0)
    place = folder / "talk.eaf"
    drafts = render(said, "eaf", str(folder / "talk.wav"), place=place)
    place.write_text(drafts.replace(">draft0<", ">drift0<", 1), "utf-8")
    return folder


def test_json(earful, annotated: Path) -> None:
    run = earful("review", MODEL, annotated, "-n", 1, "--json")
    assert run.status == 0, run.err
    row = json.loads(run.out)
    (first,) = row["correct_first"]
    assert first["rank"] == 1 and first["text"] in ("draft1", "draft2") and first["tier"] == "earful phrases"
    assert first["file"] == str(annotated / "talk.eaf") and first["start_ms"] in (3000, 6000)
    assert row["files"] == [
        {"file": first["file"], "drafts": 3, "untouched": 2, "corrected": 1, "deleted": 0, "cer": 1 / 6}
    ]


def test_tables_for_people(earful, annotated: Path) -> None:
    run = earful("review", MODEL, annotated / "talk.eaf")
    assert run.status == 0, run.err
    assert "Correct first" in run.out and "0:03.000" in run.out and "16.7 %" in run.out and "draft2" in run.out


def test_what_cannot_be_reviewed(earful, annotated: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, message in ((tmp_path / "empty", "holds no files of ELAN's"), (annotated / "talk.wav", "not XML")):
        run = earful("review", MODEL, place)
        assert run.status == 2 and message in run.err and run.err.count("\n") == 1


def test_what_is_left_out_is_said(earful, annotated: Path) -> None:
    (annotated / "broken.eaf").write_text("<", "utf-8")
    run = earful("review", MODEL, annotated, "--json")
    assert run.status == 0, run.err
    row = json.loads(run.out)
    assert row["not_suggested"] == {} and [each["file"] for each in row["broken"]] == [f"{annotated}/broken.eaf:1"]
    assert "broken.eaf:1: left out: not XML" in run.err
    drafts = (annotated / "talk.eaf").read_text("utf-8")
    (annotated / "talk.eaf").write_text(
        drafts.replace("[6000,7300,", "[6000,6500,").replace('"7300"', '"6500"'), "utf-8"
    )
    run = earful("review", MODEL, annotated / "talk.eaf")
    assert run.status == 0 and "earful: warning: 1 draft not suggested: shorter than 1 s" in run.err
