"""Data sets of Hugging Face's on disk, as pyarrow writes their files; `bench/formats.py` tries `datasets` itself."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from earful.audio.files import read as read_sound
from earful.data.check import inspect
from earful.data.clips import read_clips, read_with_findings
from earful.data.readers import arrow
from earful.data.readers.leftovers import left_over
from earful.data.tiers import Choice
from earful.errors import AudioError, ConfigError, ManifestError

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Write = Callable[[Path, pa.Table], None]


def sound(pitch: float, form: str = "WAV", rate_hz: int = 16_000) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, 0.3 * np.sin(np.arange(rate_hz) * pitch), rate_hz, format=form)
    return content.getvalue()


def parquet(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)


def stream(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(path, table.schema) as file:
        file.write_table(table, max_chunksize=2)


def arrow_file(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table, max_chunksize=2)


def rows(*clips: Any, **columns: Any) -> pa.Table:
    """A table of these cells of sound, with a text for each."""
    texts = columns.pop("text", [f"word {place}" for place in range(len(clips))])
    return pa.table({"audio": pa.array(clips, columns.pop("kind", AUDIO)), "text": texts, **columns})


def cell(pitch: float, path: str | None = None, **how: Any) -> dict[str, Any]:
    return {"bytes": sound(pitch, **how), "path": path}


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.parquet", parquet), ("a.arrow", stream), ("b.arrow", arrow_file)],
    ids=["parquet", "stream", "file"],
)
def test_rows_are_clips_in_their_order(tmp_path: Path, name: str, write: Write) -> None:
    pitches = [0.1, 0.2, 0.3, 0.4, 0.5]
    cells = [cell(pitch, f"clip{place}.flac", form="FLAC") for place, pitch in enumerate(pitches)]
    table = rows(
        *cells, client_id=list("aabbc"), locale=["is"] * 5, votes=[1, None, 3, 4, 5], gain=[0.5, *[np.nan] * 4]
    )
    write(tmp_path / name, table)
    clips = read_clips(tmp_path / name)
    assert [clip.id for clip in clips] == ["clip0", "clip1", "clip2", "clip3", "clip4"]
    assert [(clip.text, clip.speaker, clip.language) for clip in clips][1:3] == [
        ("word 1", "a", "is"),
        ("word 2", "b", "is"),
    ]
    assert [dict(clip.extra) for clip in clips][:3] == [{"votes": 1, "gain": 0.5}, {}, {"votes": 3}]
    assert [clip.duration_s for clip in clips] == [1.0] * 5
    for clip, pitch in zip(clips, pitches, strict=True):
        assert clip.audio.suffix == ".flac"
        assert np.allclose(read_sound(clip.audio), 0.3 * np.sin(np.arange(16_000) * pitch), atol=1e-3)


def test_sound_is_laid_out_once_and_said(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(cell(0.1), cell(0.2)))
    first = read_with_findings(tmp_path)
    (said,) = [each for each in first.findings if each.kind == "laid out"]
    assert said.severity == "note" and "0.1 MB" in said.message and ".earful-sound" in said.message
    files = sorted((tmp_path / ".earful-sound").rglob("*"))
    assert [file.name.partition("-")[0] for file in files if file.is_file()] == ["0", "1"]
    assert {file.suffix for file in files if file.is_file()} == {".wav"}, "by what is in it, where no name says so"
    files[-1].write_bytes(b"not written again")
    second = read_with_findings(tmp_path)
    assert [clip.audio for clip in second.manifest] == [clip.audio for clip in first.manifest]
    assert files[-1].read_bytes() == b"not written again" and not second.findings
    parquet(tmp_path / "a.parquet", rows(cell(0.3), cell(0.2)))
    assert read_clips(tmp_path)[0].audio != first.manifest[0].audio, "another sound has another name"


def test_progress_reaches_the_end_of_all_files(tmp_path: Path) -> None:
    for place in range(2):
        parquet(tmp_path / f"train-0000{place}-of-00002.parquet", rows(*[cell(0.1)] * 64))
    told: list[tuple[float, float]] = []
    arrow.read(tmp_path, lambda done, of: told.append((done, of)))
    assert told == [(0.5, 2), (1.0, 2), (1.5, 2), (2.0, 2)]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 1 << 18), np.uint8)
    parquet(tmp_path / "a.parquet", rows(*({"bytes": part.tobytes(), "path": None} for part in noise)))
    before, held = pa.total_allocated_bytes(), list[int]()
    arrow.read(tmp_path, lambda done, of: held.append(pa.total_allocated_bytes() - before))
    assert len(held) == 2 and 1 << 20 <= max(held) < 8 << 20, "of the 16 MB some rows at a time"


def saved(folder: Path, *tables: pa.Table) -> None:
    """What `save_to_disk` writes; files are listed in another order than their names have."""
    names = [f"data-0000{len(tables) - 1 - place}-of-0000{len(tables)}.arrow" for place in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        stream(folder / name, table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


def test_a_saved_data_set_is_read_in_the_order_that_it_says(tmp_path: Path) -> None:
    saved(tmp_path, rows(cell(0.1), text=["first"]), rows(cell(0.2), text=["second"]))
    stream(tmp_path / "cache-1234.arrow", rows(cell(0.3), text=["of a cache"]))
    assert [clip.text for clip in read_clips(tmp_path)] == ["first", "second"]
    (tmp_path / "data-00000-of-00002.arrow").unlink()
    with pytest.raises(ManifestError, match=r"data-00000-of-00002\.arrow: no such file, but state\.json names it"):
        read_clips(tmp_path)


def test_of_splits_train_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    for split in ("test", "train"):
        saved(tmp_path / split, rows(cell(0.1), text=[split]))
    clips = read_with_findings(tmp_path)
    assert [clip.text for clip in clips.manifest] == ["train"]
    assert "reads the split 'train'; the others are test" in [each.message for each in clips.findings]
    assert read_clips(tmp_path / "test")[0].text == "test"


def test_a_repository_of_the_hub_is_read(tmp_path: Path) -> None:
    for name in ("test-00000-of-00001", "train-00001-of-00002", "train-00000-of-00002-0123abcd"):
        parquet(tmp_path / "data" / f"{name}.parquet", rows(cell(0.1), text=[name]))
    (tmp_path / "README.md").write_text("# a data set")
    assert [clip.text for clip in read_clips(tmp_path)] == ["train-00000-of-00002-0123abcd", "train-00001-of-00002"]
    parquet(tmp_path / "is" / "train-00000-of-00001.parquet", rows(cell(0.1)))
    with pytest.raises(ManifestError, match=r"holds several data sets \(data, is\); give the path of one"):
        read_clips(tmp_path)
    assert len(read_clips(tmp_path / "is")) == 1


def test_files_of_unknown_splits_must_be_chosen(tmp_path: Path) -> None:
    for name in ("old", "new"):
        parquet(tmp_path / f"{name}.parquet", rows(cell(0.1)))
    with pytest.raises(ManifestError, match=r"cannot tell which to read of new, old; give the path of one of them"):
        read_clips(tmp_path)


def test_rows_without_sound_are_left_out_and_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "there.wav", np.zeros(16_000), 16_000)
    cells = [
        cell(0.1),
        None,
        {"bytes": None, "path": None},
        {"bytes": b"", "path": "there.wav"},
        {"bytes": None, "path": "absent.wav"},
        {"bytes": b"no sound", "path": "broken.wav"},
        None,
    ]
    parquet(tmp_path / "a.parquet", rows(*cells, text=["a", "b", "c", "d", "e", None, "g"]))
    clips = read_with_findings(tmp_path / "a.parquet")
    assert [clip.id for clip in clips.manifest] == ["a-0", "there", "absent", "broken"]
    assert clips.manifest[1].audio == tmp_path / "there.wav" and clips.manifest[3].text is None
    said = {each.message: each.where for each in clips.findings if each.kind == "rows left out"}
    file = tmp_path / "a.parquet"
    assert said == {
        "2 rows left out: its sound is null": f"{file}, row 1, {file}, row 6",
        "1 row left out: its sound has neither bytes nor a path": f"{file}, row 2",
    }
    errors = {each.utterance_id: each.kind for each in inspect(clips.manifest).findings if each.severity == "error"}
    assert errors["absent"] == "missing file" and errors["broken"] in ("unreadable sound", "no transcript")


def test_samples_are_sound_at_their_rate(tmp_path: Path) -> None:
    wave = 0.3 * np.sin(np.arange(8_000) * 0.1)
    kind = pa.struct([("path", pa.string()), ("array", pa.list_(pa.float64())), ("sampling_rate", pa.int64())])
    good = {"path": "a.wav", "array": wave, "sampling_rate": 8_000}
    bad = {"path": "b.wav", "array": wave * np.nan, "sampling_rate": 8_000}
    parquet(tmp_path / "a.parquet", rows(good, bad, {"path": None, "array": wave, "sampling_rate": None}, kind=kind))
    clips = read_with_findings(tmp_path / "a.parquet")
    assert [(clip.id, clip.duration_s) for clip in clips.manifest] == [("a", 1.0)]
    assert np.allclose(read_sound(clips.manifest[0].audio)[4_000:4_100:2], wave[2_000:2_050], atol=1e-2)
    said = " ".join(each.message for each in clips.findings)
    assert "NaN" in said and "without a sampling_rate" in said
    integers = rows((wave * 32767).astype(np.int16), kind=pa.list_(pa.int16()), sampling_rate=[8_000])
    parquet(tmp_path / "b.parquet", integers)
    assert read_clips(tmp_path / "b.parquet")[0].duration_s == 1.0


def test_paths_may_have_a_stretch_and_bytes_have_none(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", np.zeros(160_000), 16_000)
    table = pa.table({"file": ["talk.wav", "talk.wav"], "text": ["a", "b"], "start": [1.0, 3.0], "end": [2.5, 2.0]})
    parquet(tmp_path / "data" / "a.parquet", table)
    clips = read_with_findings(tmp_path / "data")
    assert [(clip.audio, clip.start_s, clip.duration_s) for clip in clips.manifest] == [
        (tmp_path / "talk.wav", 1.0, 1.5)
    ]
    assert any("duration is -1.0 s" in each.message for each in clips.findings)
    parquet(tmp_path / "b.parquet", rows(cell(0.1), start=[5.0], end=[6.0]))
    assert (read_clips(tmp_path / "b.parquet")[0].start_s, read_clips(tmp_path / "b.parquet")[0].duration_s) == (0, 1)


def test_what_datasets_says_of_columns_is_believed(tmp_path: Path) -> None:
    features = {
        "picture": {"_type": "Image"},
        "spoken": {"_type": "Audio", "sampling_rate": 16_000},
        "language": {"_type": "ClassLabel", "names": ["is", "fo"]},
    }
    table = pa.table(
        {
            "picture": pa.array([{"bytes": b"png", "path": "a.png"}], AUDIO),
            "spoken": pa.array([cell(0.1)], AUDIO),
            "sentence": ["hello"],
            "language": [1],
            "speaker_id": [7],
            "label": [3],
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet(tmp_path / "a.parquet", table)
    (clip,) = read_clips(tmp_path / "a.parquet")
    assert (clip.text, clip.language, clip.speaker, dict(clip.extra)) == ("hello", "fo", "7", {"label": 3})
    assert clip.duration_s == 1.0, "the sound, not the picture"
    parquet(tmp_path / "a.parquet", table.replace_schema_metadata({"huggingface": "no JSON"}).drop(["picture"]))
    assert read_clips(tmp_path / "a.parquet")[0].language == "1"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"audio": [1], "text": ["a"]}, r"no column of sound.*'audio' \(int64\).*name it audio_filepath"),
        ({"audio": ["a.wav"], "text": [1]}, r"no column of text; there are .*'text' \(int64\)"),
        ({"audio": ["a.wav"]}, "no column of text"),
    ],
)
def test_columns_that_are_missing_or_of_another_type_are_named(
    tmp_path: Path, columns: dict[str, list[Any]], message: str
) -> None:
    parquet(tmp_path / "a.parquet", pa.table(columns))
    with pytest.raises(ManifestError, match=rf"a\.parquet: {message}"):
        read_clips(tmp_path / "a.parquet")


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("content", ["cut", "other", "empty", "lfs"])
def test_a_damaged_file_is_an_error_and_among_others_it_is_named(tmp_path: Path, suffix: str, content: str) -> None:
    write, broken = (parquet if suffix == "parquet" else stream), tmp_path / f"train-00001-of-00002.{suffix}"
    for file in (tmp_path / f"train-00000-of-00002.{suffix}", broken):
        write(file, rows(*[cell(0.1)] * 3))
    whole = broken.read_bytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    broken.write_bytes({"cut": whole[: len(whole) // 2], "other": b"hello" * 9, "empty": b"", "lfs": pointer}[content])
    with pytest.raises(
        ManifestError, match="git lfs pull" if content == "lfs" else r"fetch or save it again"
    ) as caught:
        read_clips(broken)
    assert str(caught.value).startswith(f"{broken}: ") and "\n" not in str(caught.value)
    clips = read_with_findings(tmp_path)
    assert len(clips.manifest) == 3
    (said,) = [each for each in clips.findings if each.kind == "broken file"]
    assert said.severity == "error" and said.where == str(broken) and "left out" in said.message


def test_nothing_is_left(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(None, None))
    with pytest.raises(ManifestError, match=r"no row can be used: 2 rows left out: its sound is null .*row 0"):
        read_clips(tmp_path)
    parquet(tmp_path / "a.parquet", rows(text=pa.array([], pa.string())))
    with pytest.raises(ManifestError, match="no row can be used: there is none"):
        read_clips(tmp_path)


def test_text_that_is_not_utf8_leaves_its_row_out(tmp_path: Path) -> None:
    texts = pa.array([b"fine", b"\xff\xfe"], pa.binary()).view(pa.string())
    stream(tmp_path / "a.arrow", rows(cell(0.1), cell(0.2), text=texts))
    clips = read_with_findings(tmp_path)
    assert [clip.text for clip in clips.manifest] == ["fine"]
    assert any("'text' is not UTF-8" in each.message for each in clips.findings)


def test_ids_differ(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(cell(0.1, "x.wav"), cell(0.2, "y.wav"), cell(0.3), id=[5, 5, None]))
    assert [clip.id for clip in read_clips(tmp_path)] == ["5", "5#2", "a-2"]


def test_where_nothing_can_be_written_the_error_says_so(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(cell(0.1)))
    (tmp_path / ".earful-sound").write_text("a file in the way")
    with pytest.raises(AudioError, match=r"cannot unpack the sound here: .*; free some space, or copy"):
        read_clips(tmp_path)


def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet(tmp_path / "a.parquet", rows(cell(0.1)))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ManifestError, match=r'a\.parquet: is read by pyarrow.*pip install "\.\[parquet\]"'):
        read_clips(tmp_path)


def test_no_tiers_and_marks_only_if_asked_for(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", rows(cell(0.1), text=["so [laughs] it is"]))
    with pytest.raises(ConfigError, match="holds no annotations"):
        read_clips(tmp_path, Choice(tier="x"))
    assert read_clips(tmp_path)[0].text == "so [laughs] it is"
    assert read_clips(tmp_path, Choice(drop=r"\[.*?\]"))[0].text == "so it is"


def test_a_data_set_beside_clips_with_texts_is_named_as_left_over(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    (tmp_path / "a.txt").write_text("hello")
    parquet(tmp_path / "b.parquet", rows(cell(0.1)))
    clips = read_with_findings(tmp_path)
    assert [clip.text for clip in clips.manifest] == ["hello"]
    (group,) = left_over(tmp_path, clips.manifest, clips.files)
    assert str(group) == "left out b.parquet: another list of clips is read; to read it, give its path"
    (tmp_path / "a.txt").unlink()
    clips = read_with_findings(tmp_path)
    assert [clip.text for clip in clips.manifest] == ["word 0"]
    assert [group.reason for group in left_over(tmp_path, clips.manifest, clips.files)] == [
        "the list of clips does not name it"
    ]
    (tmp_path / "b.parquet").unlink()
    parquet(tmp_path / "metadata.parquet", pa.table({"file_name": ["a.wav"], "text": ["hello"]}))
    clips = read_with_findings(tmp_path)
    assert [clip.audio for clip in clips.manifest] == [tmp_path / "a.wav"]
    assert not left_over(tmp_path, clips.manifest, clips.files)
