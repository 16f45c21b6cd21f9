"""From tiers to clips: what is left out, each with its reason, and who speaks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.audio.files import write
from earful.data.manifest import Manifest
from earful.data.spans import utterances_of, without_marks
from earful.data.tiers import Annotated, Choice, Lost, Span, Taken, Tier
from earful.data.utterance import Utterance
from earful.errors import ConfigError, ManifestError

ALL = Choice()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    write(tmp_path / "talk.wav", np.full(16_000 * 10, 0.1, np.float32))
    return tmp_path / "talk.wav"


def clips(recording: Path, *tiers: Tier, choice: Choice = ALL, others: tuple[Tier, ...] = (), origin_s: float = 0):
    file = Annotated(recording.with_suffix(".eaf"), recording, (*tiers, *others), origin_s)
    utterances, findings = utterances_of([Taken(file, tiers)], choice, ["talk"])
    rows = [(u.start_s, u.duration_s, u.text, u.speaker) for u in utterances]
    return rows, {finding.kind: finding for finding in findings}


def test_clips_are_in_the_order_of_time_and_named_by_it(recording: Path) -> None:
    tiers = Tier("A", (Span(4.0, 5.5, " tvö\n orð "),), speaker="Anna"), Tier("B", (Span(1.0, 2.0, "já"),), speaker="B")
    assert clips(recording, *tiers) == ([(1.0, 1.0, "já", "B"), (4.0, 1.5, "tvö orð", "Anna")], {})
    file = Annotated(recording, recording, tiers)
    utterances, _ = utterances_of([Taken(file, tiers)], Choice(), ["x/talk"])
    assert [(u.id, dict(u.extra)) for u in utterances] == [
        ("x/talk-1.00", {"tier": "B"}),
        ("x/talk-4.00", {"tier": "A"}),
    ]


def test_each_reason_is_counted_with_its_first_place(recording: Path) -> None:
    spans = (
        Span(0.0, 1.0, "gott"),
        Span(1.0, 2.0, " "),
        Span(2.0, 3.0, "[laughs] xxx"),
        Span(3.0, 3.0, "empty"),
        Span(3.5, 3.2, "backwards"),
        Span(4.0, 5.0, "one"),
        Span(4.5, 5.5, "another"),
        Span(9.0, 10.24, "to the end"),
        Span(9.95, 10.3, "beyond"),
        Span(12.0, 13.0, "far beyond"),
    )
    lost = (Lost("untimed", "x"), Lost("dangling", "y"))
    found, findings = clips(recording, Tier("T", spans, lost=lost))
    assert [row[2] for row in found] == ["gott", "to the end"]
    assert found[1][:2] == (9.0, 1.0)  # not past the end
    assert {kind: finding.message.split(" ")[0] for kind, finding in findings.items()} == {
        "spans untimed": "1",
        "spans dangling": "1",
        "spans empty": "2",
        "spans textless": "1",
        "spans marks": "1",
        "spans overlap": "2",
        "spans beyond": "2",
    }
    assert findings["spans overlap"].message == "2 spans left out, in which two speak at once"
    assert findings["spans overlap"].where.endswith("talk.eaf, tier 'T', 4.00 s and 1 more")
    assert [kind for kind, finding in findings.items() if finding.severity == "note"] == [
        "spans textless",
        "spans marks",
    ]


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(2, 40)), max_size=12))
def test_no_two_clips_share_time_and_none_is_left_out_that_is_alone(times: list[tuple[int, int]]) -> None:
    spans = [Span(begin / 2, (begin + length) / 2, str(number)) for number, (begin, length) in enumerate(times)]
    file = Annotated(Path("a"), Path("nowhere.wav"), (Tier("T", tuple(spans)),))
    utterances, _ = utterances_of([Taken(file, file.tiers)], Choice(), ["a"])
    alone = [
        span.text
        for span in spans
        if all(span is each or each.end_s <= span.start_s or each.start_s >= span.end_s for each in spans)
    ]
    assert sorted(u.text or "" for u in utterances) == sorted(alone)


def test_times_of_a_recording_that_began_earlier(recording: Path) -> None:
    found, findings = clips(recording, Tier("T", (Span(1.0, 2.0, "a"), Span(8.0, 9.0, "b"))), origin_s=1.5)
    assert [row[:3] for row in found] == [(2.5, 1.0, "a")]
    assert "tier 'T', 8.00 s" in findings["spans beyond"].where


def test_the_tier_of_speakers_says_who_speaks(recording: Path) -> None:
    who = Tier("who", (Span(5.0, 9.0, "Ben"), Span(0.0, 2.4, "Anna"), Span(2.4, 2.6, ""), Span(2.6, 5.0, "Ben")))
    said = Tier("T", (Span(0.5, 2.0, "a"), Span(2.0, 4.0, "b"), Span(9.2, 9.8, "c")), speaker="the tier's own")
    found, _ = clips(recording, said, others=(who,), choice=Choice(speaker_tier="who"))
    assert [row[3] for row in found] == ["Anna", "Ben", "the tier's own"]
    with pytest.raises(ManifestError, match=r"no tier, and no type of tiers, 'whom'; did you mean 'who'\?"):
        clips(recording, said, others=(who,), choice=Choice(speaker_tier="whom"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("so [laughs] it [xx yy] was", "so it was"),
        ("so ((coughs)) it (was)", "so it (was)"),
        ("&=laughs so &=points:left it", "so it"),
        ("xxx so yyy it www xxxl wwwx", "so it xxxl wwwx"),
        ("@ so @@@ it", "so it"),
        ("gaga@b said hund@s:deu", "gaga said hund"),
        ("<unk> so <i>it</i>", "so it"),
        ("so <it was> 3 < 4 a@b.c", "so <it was> 3 < 4 a@b.c"),
    ],
)
def test_what_the_conventions_mark_is_no_word(text: str, words: str) -> None:
    (clip,), _ = without_marks(Manifest((Utterance("a", Path("a.wav"), text=text),)), ALL)
    assert clip.text == words


def test_marks_are_counted_and_others_can_be_named(recording: Path) -> None:
    tier = Tier("T", (Span(0.0, 1.0, "já [laughs] #ha nei [laughs]"), Span(2.0, 3.0, "xxx jú")))
    found, findings = clips(recording, tier)
    assert [row[2] for row in found] == ["já #ha nei", "jú"]
    assert findings["marks"].message == (
        "took 3 marks out of the texts that stand for no word by the usual conventions: [laughs] 2, xxx 1"
    )
    found, findings = clips(recording, tier, choice=Choice(drop=r"#\w+"))
    assert [row[2] for row in found] == ["já [laughs] nei [laughs]", "xxx jú"]
    assert findings["marks"].message == "took 1 mark out of the texts by --drop: #ha 1"
    assert clips(recording, tier, choice=Choice(drop=""))[0][1][2] == "xxx jú"
    with pytest.raises(ConfigError, match=r"--drop is '\[laughs', no regular expression \(unterminated"):
        clips(recording, tier, choice=Choice(drop="[laughs"))
