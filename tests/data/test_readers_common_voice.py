from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.readers import common_voice
from earful.errors import ManifestError

_HEADER = "client_id\tpath\tsentence_id\tsentence\tup_votes\tage\taccents\tlocale\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    for name in ("1.wav", "2.wav"):
        write(tmp_path / "clips" / name, np.full(4_000, 0.1, np.float32))
    rows = 'x1\t1.wav\ts1\t"""Ja"", zei hij."\t2\tfifties\t\tnl\nx2\t2.wav\ts2\t"Nee\t2\t\t\tnl\n'
    (tmp_path / "validated.tsv").write_text(_HEADER + rows, "utf-8")
    (tmp_path / "clip_durations.tsv").write_text("clip\tduration[ms]\n1.wav\t250\n", "utf-8")
    return tmp_path


def test_columns(corpus: Path) -> None:
    one, two = common_voice.read(corpus)
    assert (one.speaker, one.language, one.text, one.duration_s) == ("x1", "nl", '"Ja", zei hij.', 0.25)
    assert one.audio == corpus / "clips" / "1.wav"
    assert dict(one.extra) == {"sentence_id": "s1", "up_votes": "2", "age": "fifties"}
    assert two.text == '"Nee'


def test_which_table(corpus: Path) -> None:
    assert common_voice.splits(corpus) == ("validated",)
    (corpus / "train.tsv").write_text(_HEADER + "x3\t2.wav\ts\tja\t2\t\t\tnl\n", "utf-8")
    assert [u.speaker for u in common_voice.read(corpus)] == ["x3"]
    assert len(common_voice.read(corpus, split="validated")) == 2
    with pytest.raises(ManifestError, match=r"no table dev\.tsv; name one of train\.tsv, validated\.tsv"):
        common_voice.read(corpus, split="dev")


def test_the_only_table_or_a_question(corpus: Path) -> None:
    (corpus / "validated.tsv").rename(corpus / "mine.tsv")
    assert len(common_voice.read(corpus)) == 2
    (corpus / "other.tsv").write_text(_HEADER, "utf-8")
    with pytest.raises(ManifestError, match="cannot tell which table"):
        common_voice.read(corpus)


@pytest.mark.parametrize("part", ["nothing", "clips", "train.tsv"])
def test_another_folder(tmp_path: Path, part: str) -> None:
    if part == "clips":
        (tmp_path / part).mkdir()
    elif part == "train.tsv":
        (tmp_path / part).write_text(_HEADER, "utf-8")
    with pytest.raises(ManifestError, match="not a Common Voice folder"):
        common_voice.read(tmp_path)
