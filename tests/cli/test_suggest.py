"""`earful suggest`: the ranking, the table to fill in, and what cannot be suggested."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.data.clips import read_clips
from earful.data.synthesis.espeak import speak
from earful.data.synthesis.speech import Voice

BASE = "earful-tiny"
SENTENCES = ("Een vis zwemt in de grote zee.", "Ik zie de maan en de sterren.", "Wij lopen samen door het bos.")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sentences, the first of them twice; and a damaged file."""
    pytest.importorskip("espeakng_loader", reason="the extra `speak` is not installed")
    folder = tmp_path_factory.mktemp("recordings")
    for number, text in enumerate((SENTENCES[0], *SENTENCES)):
        write(folder / f"clip{number}.wav", speak(text, Voice("nl", "f2")).samples_T)
    (folder / "damaged.flac").write_bytes(b"fLaC" + bytes(100))
    (folder / "more.silk").write_bytes(b"?")
    return folder


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What passes for an adapted model."""
    base = load_checkpoint(BASE)
    folder = tmp_path_factory.mktemp("adapted") / "model"
    save_checkpoint(folder, replace(base, about={"adapted": {}}))
    return folder


def test_json(earful, recordings: Path) -> None:
    run = earful("suggest", BASE, recordings, "-n", 3, "--json")
    assert run.status == 0, run.err
    row = json.loads(run.out)
    clips = row["suggested"]
    assert [clip["rank"] for clip in clips] == [1, 2, 3] and row["candidates"] == 4 and row["table"] is None
    assert {Path(clip["path"]).stem for clip in clips} in ({"clip0", "clip2", "clip3"}, {"clip1", "clip2", "clip3"})
    assert row["speech_seconds"] == pytest.approx(sum(clip["duration"] for clip in clips), abs=0.01)
    assert clips[0]["new_sounds"] and clips[0]["new_pairs"] > 5 and 0 < clips[0]["unsure"] < 1
    assert " " in clips[0]["heard"] and set(clips[0]["new_sounds"]) == set(clips[0]["heard"].split())
    assert row["left_out"] == {"unreadable": 1} and row["unreadable"][0]["path"].endswith("damaged.flac")
    unread, damaged = run.err.splitlines()
    assert "left out more.silk: .silk is not read" in unread and "damaged.flac: not a readable sound file" in damaged


def test_table_for_people(earful, recordings: Path) -> None:
    run = earful("suggest", BASE, recordings, "--seconds", 5)
    assert run.status == 0, run.err
    heading, *rest = [line for line in run.out.splitlines() if line.strip()]
    assert [word in heading for word in ("clip", "lasts", "new sounds", "unsure", "unlike others")] == [True] * 5
    assert "clip" in rest[1] and "pairs" in rest[1] and " %" in rest[1]
    assert "2 clips of 4, " in rest[-1] and " s of speech" in rest[-1]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_the_table_is_one_that_earful_reads(earful, recordings: Path, suffix: str) -> None:
    table = recordings / f"todo{suffix}"
    try:
        run = earful("suggest", BASE, recordings, "-n", 2, "--out", table, "--json")
        assert run.status == 0, run.err
        clips, shown = read_clips(table), json.loads(run.out)["suggested"]
        assert [str(clip.audio) for clip in clips] == [each["path"] for each in shown]
        assert [clip.text for clip in clips] == ["", ""] and [clip.start_s for clip in clips] == [0.0, 0.0]
        assert [clip.duration_s for clip in clips] == pytest.approx([each["duration"] for each in shown], abs=1e-3)
        assert [clip.extra["heard"] for clip in clips] == [each["heard"] for each in shown]
        assert str(recordings) not in table.read_text("utf-8")  # the folder can be moved
        assert not list(recordings.glob(".*"))
    finally:
        table.unlink(missing_ok=True)


def test_the_next_ones(earful, recordings: Path, tmp_path: Path) -> None:
    table = tmp_path / "todo.csv"
    assert earful("suggest", BASE, recordings, "-n", 2, "--out", table).status == 0
    empty = earful("suggest", BASE, recordings, "--transcribed", table)
    assert empty.status == 2 and "no clip has a transcript yet" in empty.err
    heading, first, second = table.read_text("utf-8").splitlines()
    filled = first.replace(",,", ",een vis zwemt,")
    table.write_text("\n".join([heading, filled, second]) + "\n", "utf-8")
    done, waiting = (Path(line.split(",")[0]).stem for line in (first, second))
    run = earful("suggest", BASE, recordings, "-n", 9, "--transcribed", table, "--json")
    row = json.loads(run.out)
    names = [Path(clip["path"]).stem for clip in row["suggested"]]
    assert done not in names and waiting in names and len(names) == 3
    assert row["left_out"]["transcribed already"] == 1
    assert "9 clips were asked for, there are 3 to suggest" in run.err


def test_a_recogniser_writes_drafts(earful, recordings: Path, recogniser: Path) -> None:
    row = json.loads(earful("suggest", recogniser, recordings, "-n", 1, "--json").out)
    (clip,) = row["suggested"]
    assert clip["heard"] == earful("transcribe", recogniser, clip["path"]).out.strip() != ""


def test_long_recordings_are_cut_if_asked(earful, recordings: Path, tmp_path: Path) -> None:
    spoken = [speak(text, Voice("nl", "m3")).samples_T for text in SENTENCES]
    pause = np.zeros(64_000, np.float32)
    write(tmp_path / "long.wav", np.concatenate([part for each in spoken for part in (each, pause)]))
    whole = earful("suggest", BASE, tmp_path)
    assert whole.status == 2 and "none of the 1 clips can be suggested: 1 longer than 15 s" in whole.err
    beside = tmp_path / "manifest.jsonl"
    rows = [{"audio_filepath": str(path)} for path in (recordings / "clip0.wav", tmp_path / "long.wav")]
    beside.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert "left out 1 clip: longer than 15 s; --cut cuts them" in earful("suggest", BASE, beside, "-n", 1).err
    pytest.importorskip("silero_vad", reason="the extra `vad` is not installed")
    run = earful("suggest", BASE, beside, "--cut", "-n", 4, "--json")
    clips = json.loads(run.out)["suggested"]
    assert [clip["start"] for clip in clips if clip["path"].endswith("clip0.wav")] == [0.0]
    starts = sorted(clip["start"] for clip in clips if clip["path"].endswith("long.wav"))
    ends = [len(spoken[0]) / 16_000 + 4, (len(spoken[0]) + len(spoken[1])) / 16_000 + 8]
    assert starts == pytest.approx([0, *ends], abs=0.5)
    assert "from" in earful("suggest", BASE, beside, "--cut").out


def test_a_table_with_transcripts_is_not_overwritten(earful, recordings: Path, tmp_path: Path) -> None:
    table = tmp_path / "todo.csv"
    table.write_text("path,text\nclip0.wav,een vis\n", "utf-8")
    run = earful("suggest", BASE, recordings, "-n", 1, "--out", table)
    assert run.status == 2 and "exists already, perhaps with transcripts" in run.err
    assert table.read_text("utf-8").endswith("een vis\n")
    assert earful("suggest", BASE, recordings, "-n", 1, "--out", table, "--overwrite").status == 0
    assert table.read_text("utf-8").startswith("path,start,duration,text,heard\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-n", 2, "--seconds", 9), "-n and --seconds both say how much"),
        (("--seconds", 0), "above 0"),
        (("--seconds", 0.5), "no clip is as short as 0.5 s"),
        (("--out", "todo.txt"), "a table is .csv, .tsv, .jsonl"),
        (("--out", "no/such/folder/todo.csv"), "nothing can be written"),
        (("--transcribed", "nowhere.csv"), "no such file"),
    ],
)
def test_what_cannot_be(earful, recordings: Path, arguments: tuple[object, ...], message: str) -> None:
    run = earful("suggest", BASE, recordings, *arguments)
    assert run.status == 2 and message in run.err and run.out == "", run.err


def test_nothing_to_suggest(earful, recordings: Path, tmp_path: Path) -> None:
    assert "no sound files in this folder" in earful("suggest", BASE, tmp_path).err
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    run = earful("suggest", BASE, tmp_path)
    assert run.status == 2 and "none of the 1 clips can be suggested: 1 unreadable" in run.err
    assert earful("suggest", "no-such-model", recordings).status == 2
