"""What a page is held to: earful with silences and language model; and when rounding may be blamed for a difference."""

from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.errors import ExportError
from earful.export.ears import Tape, Whole, as_file
from earful.export.proof import Written, prove
from earful.export.recordings import Recording
from earful.export.source import read_source
from earful.recognizer import Recognizer
from earful.transcriber import Samples


@pytest.fixture
def ears(searcher: Path) -> Whole:
    return Whole(read_source(searcher))


@pytest.fixture
def sound_T(clips: Path) -> Samples:
    """A clip, six seconds of nearly nothing, and the clip again."""
    clip_T = read(clips / "clip1.wav")
    hush = 1e-4 * np.random.default_rng(0).standard_normal(6 * SAMPLE_RATE_HZ).astype(np.float32)
    return np.concatenate([clip_T, hush, clip_T])


def heard_of(ears: Whole, sound_T: Samples) -> tuple[Written, Tape]:
    heard = ears.heard(sound_T)
    assert ears._last is not None
    return heard, ears._last


def test_it_is_earful_with_all_that_it_has(ears: Whole, searcher: Path, sound_T: Samples) -> None:
    heard, tape = heard_of(ears, sound_T)
    said = Recognizer.load(searcher).transcribe(as_file(sound_T))
    assert heard.text == said.text and heard.words == tuple((w.text, w.start_s, w.end_s) for w in said.words)
    assert heard.text != Recognizer.load(searcher, greedy=True).transcribe(as_file(sound_T)).text
    assert 0.2 < (~tape.heard_F).mean() < 0.9
    assert ears.of(tape, len(sound_T) / SAMPLE_RATE_HZ) == heard


def test_rounding_may_be_blamed_for_what_it_does(ears: Whole, sound_T: Samples) -> None:
    """Another text of numbers that are nearly the same is no difference; of others it is, or at other silences."""
    _, tape = heard_of(ears, sound_T)
    seconds = len(sound_T) / SAMPLE_RATE_HZ
    rounded = tape._replace(logp_FV=tape.logp_FV.astype(np.float16))
    far_FV = tape.logp_FV.copy()
    far_FV[3, far_FV[3].argmax()] -= 0.05
    elsewhere_F = tape.heard_F.copy()
    elsewhere_F[0] = False
    for other, near in (
        (rounded, True),
        (tape._replace(logp_FV=far_FV), False),
        (tape._replace(heard_F=elsewhere_F), False),
        (Tape(far_FV[1:], tape.best_F[1:], tape.heard_F[1:]), False),
    ):
        ears.tapes[id(sound_T)] = other, seconds
        assert list(ears.as_likely(sound_T)) == ([ears.of(other, seconds)] if near else [])


def test_a_text_that_its_numbers_do_not_say_is_named(ears: Whole, sound_T: Samples) -> None:
    heard, tape = heard_of(ears, sound_T)
    ears.tapes[id(sound_T)] = tape, len(sound_T) / SAMPLE_RATE_HZ
    wrong = heard._replace(text=heard.text[:-1])
    with pytest.raises(ExportError, match="the export says"):
        prove("x", [Recording("clip", sound_T)], ears, lambda _: [wrong], lambda *_: None)
