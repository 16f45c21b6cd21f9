"""What several speakers say, as one transcript."""

import json

from earful.transcript import Transcript, Word, together
from earful.writers.formats import render
from earful.writers.phrases import cues


def test_a_speaker_on_each_channel() -> None:
    first = [Word("how", 0.0, 0.3, 0.8), Word("are", 0.4, 0.6, 0.8), Word("fine", 5.0, 5.4, 0.8)]
    second = [Word("<well>", 2.0, 2.5, 0.6), Word("thanks", 2.6, 3.0, 0.6)]
    both = together({
        "speaker 1": Transcript("how are fine", tuple(first), 0.8, 9.0),
        "speaker 2": Transcript("<well> thanks", tuple(second), 0.6, 9.5),
    })  # fmt: skip
    assert render(both, "text") == "speaker 1: how are\nspeaker 2: <well> thanks\nspeaker 1: fine\n"
    row = json.loads(render(both, "json"))
    assert [(w["text"], w["speaker"]) for w in row["words"]][1:3] == [("are", "speaker 1"), ("<well>", "speaker 2")]
    assert (row["confidence"], row["duration_s"]) == (0.72, 9.5)
    assert render(both, "tsv").splitlines()[0::3] == [
        "start_s\tend_s\tconfidence\tword\tspeaker",
        "2.000\t2.500\t0.600\t<well>\tspeaker 2",
    ]
    assert "00:00:02,000 --> 00:00:03,000\nspeaker 2: <well> thanks\n" in render(both, "srt")
    assert "<v speaker 2>&lt;well&gt; thanks\n" in render(both, "vtt")


def test_who_speaks_at_the_same_time_keeps_his_sentence() -> None:
    first = [Word(str(n), n / 2, n / 2 + 0.4, 0.9) for n in range(6)]
    both = together(
        {"1": Transcript("", tuple(first), 0.9, 4.0), "2": Transcript("", (Word("ah", 1.2, 1.4, 0.9),), 0.9, 4.0)}
    )
    assert both.text == "1: 0 1 2 3 4 5\n2: ah"
    assert [cue.lines for cue in cues(both.words)] == [("0 1 2 3 4 5",), ("ah",)]
