"""Common Voice's spontaneous speech, a table and a folder of sound."""

from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.clips import read_with_findings
from earful.data.tiers import Choice
from earful.errors import ManifestError

HEAD = "client_id\taudio_id\taudio_file\tduration_ms\tprompt_id\tprompt\ttranscription\tlanguage\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "audios").mkdir()
    for name in ("a", "b"):
        write(tmp_path / "audios" / f"{name}.flac", np.full(16_000, 0.1, np.float32))
    rows = (
        "c1\t1\ta.flac\t1000\t5\tHvað?\tjá [disfluency] ég [noise] held\tis\nc2\t2\tb.flac\t1000\t5\tHvað?\tnei\tis\n"
    )
    (tmp_path / "ss-corpus-is.tsv").write_text(HEAD + rows, "utf-8")
    (tmp_path / "ss-reported-audios-is.tsv").write_text("audio_id\treason\n", "utf-8")
    return tmp_path


def test_a_folder_or_its_table_with_marks_taken_out_and_counted(corpus: Path) -> None:
    for place in (corpus, corpus / "ss-corpus-is.tsv"):
        clips = read_with_findings(place)
        assert [(u.audio.name, u.text, u.speaker, u.language) for u in clips.manifest] == [
            ("a.flac", "já ég held", "c1", "is"),
            ("b.flac", "nei", "c2", "is"),
        ]
        (finding,) = clips.findings
        assert finding.message.endswith("by the usual conventions: [disfluency] 1, [noise] 1")


def test_other_marks_and_none(corpus: Path) -> None:
    assert read_with_findings(corpus, Choice(drop="held")).manifest[0].text == "já [disfluency] ég [noise]"
    assert read_with_findings(corpus, Choice(drop="")).manifest[0].text == "já [disfluency] ég [noise] held"


def test_two_languages_in_one_folder(corpus: Path) -> None:
    (corpus / "ss-corpus-fo.tsv").write_text(HEAD, "utf-8")
    with pytest.raises(ManifestError, match=r"holds ss-corpus-fo\.tsv, ss-corpus-is\.tsv; give the path of one"):
        read_with_findings(corpus)
