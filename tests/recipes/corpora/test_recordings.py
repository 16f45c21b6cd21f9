"""Recordings put together: copied whole, measured, and the damaged ones named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earful.data.manifest import read_manifest
from earful.data.utterance import Utterance
from recipes.corpora.errors import CorpusError
from recipes.corpora.recordings import UNREADABLE, copy, gather


def test_good_ones_are_copied_and_damaged_ones_named(put_sound: Callable[[Path, float], None], tmp_path: Path) -> None:
    put_sound(tmp_path / "good.ogg", 300)
    (tmp_path / "bad.ogg").write_bytes(b"noise")
    out, left_out = tmp_path / "out", {"another reason": ["x"]}
    drafts = [(tmp_path / f"{name}.ogg", Utterance(name, out / "deep" / f"{name}.ogg")) for name in ("bad", "good")]
    (utterance,) = gather(out, drafts, left_out)
    assert utterance.audio.read_bytes() == (tmp_path / "good.ogg").read_bytes()
    assert utterance.duration_s == pytest.approx(0.2, abs=0.01) and len(read_manifest(out / "manifest.jsonl")) == 1
    assert left_out == {"another reason": ["x"], UNREADABLE: ["bad"]}
    assert [path.name for path in (out / "deep").iterdir()] == ["good.ogg"]


def test_where_nothing_is_good_there_is_an_empty_manifest(tmp_path: Path) -> None:
    assert len(gather(tmp_path / "out", [], {})) == 0 and (tmp_path / "out" / "manifest.jsonl").read_text() == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "sound.ogg").write_text("x")
    with pytest.raises(CorpusError, match=r"file/sound\.ogg: cannot write: .*; free some space or choose another"):
        copy(tmp_path / "sound.ogg", tmp_path / "file" / "sound.ogg")
