import json
import os
import shlex
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.clips import read_clips, read_with_findings
from earful.data.manifest import write_manifest
from earful.data.tiers import Choice
from earful.data.utterance import Utterance
from earful.errors import ManifestError


def _clip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, np.full(8_000, 0.1, np.float32))
    return path


def _texts(path: Path) -> list[str | None]:
    return [u.text for u in read_clips(path)]


def test_a_manifest_by_any_name_and_its_durations(tmp_path: Path) -> None:
    clips = [Utterance("1", _clip(tmp_path / "a.wav"), text="x"), Utterance("2", tmp_path / "a.wav", 0.2, 0.1)]
    for name in ("m.jsonl", "m.json", "m.txt", "manifest"):
        write_manifest(tmp_path / name, clips)
        assert [(u.id, u.duration_s) for u in read_clips(tmp_path / name)] == [("1", 0.5), ("2", 0.1)]


def test_every_kind_of_folder(tmp_path: Path) -> None:
    _clip(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("beside", "utf-8")
    assert _texts(tmp_path) == ["beside"]
    (tmp_path / "list.csv").write_text("path,text\na.wav,table\n", "utf-8")
    assert _texts(tmp_path) == _texts(tmp_path / "list.csv") == ["table"]
    _clip(tmp_path / "clips" / "b.wav")
    (tmp_path / "train.tsv").write_text("client_id\tpath\tsentence\tlocale\nx\tb.wav\tvoice\tnl\n", "utf-8")
    assert _texts(tmp_path) == ["voice"]
    (tmp_path / "wav.scp").write_text("r a.wav\n", "utf-8")
    (tmp_path / "text").write_text("r kaldi\n", "utf-8")
    assert _texts(tmp_path) == ["kaldi"]
    write_manifest(tmp_path / "manifest.jsonl", [Utterance("1", tmp_path / "a.wav", text="manifest")])
    assert _texts(tmp_path) == ["manifest"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_umlauts_in_either_form(tmp_path: Path, form: str) -> None:
    name, other = (unicodedata.normalize(f, "größe ü.wav") for f in (form, "NFC" if form == "NFD" else "NFD"))
    _clip(tmp_path / "clips" / name)
    (tmp_path / "t.csv").write_text(f"path,text\nclips\\{other},x\n", "utf-8")
    (tmp_path / "m.jsonl").write_text(f'{{"audio_filepath": "clips/{other}", "text": "x"}}', "utf-8")
    for file in ("t.csv", "m.jsonl"):
        (found,) = read_clips(tmp_path / file)
        assert os.path.samefile(found.audio, tmp_path / "clips" / name)  # noqa: PTH121
        assert found.duration_s == 0.5


def test_what_is_not_clips(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no such file or folder; check its spelling, and the folder"):
        read_clips(tmp_path / "nothing")
    with pytest.raises(ManifestError, match=r"found an empty folder, and no sound; expected a JSONL"):
        read_clips(tmp_path)
    with pytest.raises(ManifestError, match="found one sound file; expected"):
        read_clips(_clip(tmp_path / "a.wav"))
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(ManifestError, match=r"found a file of another kind \(\.pdf\)"):
        read_clips(tmp_path / "a.pdf")
    for name in ("x.csv", "y.csv"):
        (tmp_path / name).write_text("path,text\n", "utf-8")
    with pytest.raises(ManifestError, match=r"found 2 tables \(x\.csv, y\.csv\); give the path of one"):
        read_clips(tmp_path)


def test_what_looks_like_marks_is_named_with_the_option_that_takes_it_out(tmp_path: Path) -> None:
    texts = ["so [laughs] it is", "xxx and @ xxx", "a@b.org, 3 < 4 > 2 (but) &c", "it is"]
    lines = [json.dumps({"audio_filepath": f"{place}.wav", "text": text}) for place, text in enumerate(texts)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    clips = read_with_findings(tmp_path / "a.jsonl")
    assert [clip.text for clip in clips.manifest] == texts, "nothing is taken out unasked"
    (found,) = clips.findings
    assert found.severity == "warning" and "xxx 2, [laughs] 1, @ 1" in found.message
    option = shlex.split(found.remedy.partition("--drop ")[2].rpartition(", or say")[0])
    dropped = read_with_findings(tmp_path / "a.jsonl", Choice(drop=option[0]))
    assert [clip.text for clip in dropped.manifest][:2] == ["so it is", "and"]
    assert [clip.text for clip in dropped.manifest][2:] == texts[2:]
    assert [each.kind for each in dropped.findings] == ["marks"]
    assert read_with_findings(tmp_path / "a.jsonl", Choice(drop="")).findings == ()


def test_a_folder_of_splits_with_their_metadata(tmp_path: Path) -> None:
    for split in ("test", "train"):
        _clip(tmp_path / split / "a.wav")
        (tmp_path / split / "metadata.csv").write_text(f"file_name,transcription\na.wav,of {split}\n", "utf-8")
    clips = read_with_findings(tmp_path)
    assert [clip.text for clip in clips.manifest] == ["of train"]
    assert [each.message for each in clips.findings] == ["reads the split 'train'; the others are test"]
    assert _texts(tmp_path / "test") == ["of test"]
