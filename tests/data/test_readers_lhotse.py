"""lhotse's lines of JSON, as lhotse 1.33 writes them, and Hugging Face's metadata of a folder."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.clips import read_clips
from earful.errors import ManifestError


def recording(source: str = "talk.wav", **more: Any) -> dict[str, Any]:
    sources = [{"type": "file", "channels": [0], "source": source}]
    return {"id": "rec", "sources": sources, "sampling_rate": 16000, "num_samples": 80000, "duration": 5.0} | more


def supervision(id: str, start: float, text: str, **more: Any) -> dict[str, Any]:
    known = {"id": id, "recording_id": "rec", "start": start, "duration": 1.0, "channel": 0, "text": text}
    return known | {"language": "is", "speaker": "anna"} | more


def cut(*supervisions: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"id": "cut", "start": 2.0, "duration": 3.0, "channel": 0, "supervisions": list(supervisions)}
    return known | {"recording": recording(), "type": "MonoCut"} | more


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture(autouse=True)
def talk(tmp_path: Path) -> Path:
    write(tmp_path / "talk.wav", np.full(16_000 * 5, 0.1, np.float32))
    return tmp_path / "talk.wav"


@pytest.mark.parametrize("name", ["cuts.jsonl", "train_cuts.jsonl.gz"])
def test_cuts_whose_supervisions_count_from_the_cut(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / name, cut(supervision("a", 0.5, "já"), supervision("b", 1.5, "nei")))
    for place in (path, tmp_path):
        assert [
            (u.id, u.audio.name, u.start_s, u.duration_s, u.text, u.speaker, u.language) for u in read_clips(place)
        ] == [
            ("a", "talk.wav", 2.5, 1.0, "já", "anna", "is"),
            ("b", "talk.wav", 3.5, 1.0, "nei", "anna", "is"),
        ]


def test_supervisions_with_their_recordings_beside(tmp_path: Path) -> None:
    path = lines(tmp_path / "x_supervisions_dev.jsonl.gz", supervision("a", 0.5, "já"))
    with pytest.raises(ManifestError, match=r":1: the recordings are not there; expected x_recordings_dev\.jsonl\.gz"):
        read_clips(path)
    two = [{"type": "file", "channels": [0, 1], "source": "talk.wav"}]
    lines(tmp_path / "x_recordings_dev.jsonl.gz", recording(sources=two))
    ((clip,), same) = read_clips(path), read_clips(tmp_path)
    assert (clip.start_s, clip.text, clip.channel) == (0.5, "já", 1) and list(same) == [clip]
    lines(path, supervision("a", 0.5, "já", recording_id="other"))
    with pytest.raises(ManifestError, match=r":1: the recording 'other' is not among the recordings"):
        read_clips(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            cut(supervision("a", 0, "x"), recording=recording(sources=[{"type": "url", "source": "x"}])),
            "the source url",
        ),
        ({"id": "m", "tracks": [], "type": "MixedCut"}, "the cut 'm' is mixed"),
        (cut({"id": "a", "start": 0.5, "text": "x"}), r"not as lhotse writes it \(KeyError: 'duration'\)"),
        (cut(supervision("a", -3.0, "x")), "offset is -1.0 s, must be 0 or more"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = lines(tmp_path / "cuts.jsonl", cut(supervision("b", 0, "y")), row)
    with pytest.raises(ManifestError, match=rf"cuts\.jsonl:2: .*{message}"):
        read_clips(path)


def test_a_gzipped_file_that_is_cut_short(tmp_path: Path) -> None:
    path = lines(tmp_path / "cuts.jsonl.gz", *(cut(supervision(str(n), 0, "y" * n)) for n in range(50)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ManifestError, match=r"cuts\.jsonl\.gz: cannot be unpacked"):
        read_clips(path)


@pytest.mark.parametrize("key", ["transcription", "text", "sentence"])
def test_metadata_of_hugging_face(tmp_path: Path, key: str) -> None:
    rows = [{"file_name": "talk.wav", key: "já já", "speaker_id": 7}]
    (clip,) = read_clips(lines(tmp_path / "metadata.jsonl", *rows).parent)
    assert (clip.id, clip.text, clip.speaker, clip.duration_s) == ("talk", "já já", "7", 5.0)
    (tmp_path / "metadata.jsonl").unlink()
    (tmp_path / "metadata.csv").write_text(f"file_name,{key}\ntalk.wav,já já\n", "utf-8")
    assert [u.text for u in read_clips(tmp_path)] == ["já já"]
    lines(tmp_path / "m.jsonl", {"file_name": "talk.wav", "label": 3})
    with pytest.raises(ManifestError, match=r"m\.jsonl:1: no transcript: expected a key such as transcription"):
        read_clips(tmp_path / "m.jsonl")
