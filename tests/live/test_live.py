"""Live words settle for good, come soon, are in the end what `transcribe` says, and take bounded memory."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from earful.ctc.greedy import merge
from earful.errors import AudioError
from earful.features.windows import CONTEXT_S, WINDOW_S
from earful.live.ear import HELD_S, Pace
from earful.live.live import PATIENCE_S, Live, make_ready
from earful.transcriber import Transcriber
from earful.transcript import Word

Heard = Callable[[], Any]
RATE = 16_000
TEXT = "abba cab acca bac caba ba ac ab cab abba bacca cab"
PACE = Pace(hop_s=0.3, share=1.0)


def fed(live: Live, samples_T: np.ndarray, size: int) -> list[tuple[float, list[Word], tuple[Word, ...]]]:
    """What was shown after each piece: seconds of sound, words that have settled so far, the tail."""
    shown, settled = [], list[Word]()
    for begin in range(0, len(samples_T), size):
        update = live.feed(samples_T[begin : begin + size])
        settled = [*settled, *update.settled]
        shown.append((live.duration_s, settled, update.tail))
    return shown


def silence(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1e-4, round(seconds * RATE)).astype(np.float32)


@pytest.fixture
def spoken(tones: Any) -> np.ndarray:
    """24 s, with a long silence and a short one, and no steady rhythm."""
    parts = [tones(TEXT), silence(4.0), tones("cab ba"), silence(0.9), tones("acca abba bac")]
    return np.concatenate(parts)


@pytest.mark.parametrize("size", [160, 1_999, 16_000, 10**9])
def test_the_end_is_what_transcribe_says(tones_heard: Heard, spoken: np.ndarray, size: int) -> None:
    expected = tones_heard().transcribe(spoken)
    live = Live(tones_heard(), PACE, clock=lambda: 0.0)
    shown = fed(live, spoken, size)
    settled = [*shown[-1][1], *live.settle(last=True).settled]
    assert live.end() == expected, "to the last bit"
    assert [word.text for word in settled] == expected.text.split() and len(settled) == 17
    for mine, theirs in zip(settled, expected.words, strict=True):
        assert (mine.start_s, mine.end_s) == pytest.approx((theirs.start_s, theirs.end_s), abs=0.021)
        assert mine.confidence == pytest.approx(theirs.confidence, abs=0.1)


def test_what_has_settled_never_changes(tones_heard: Heard, spoken: np.ndarray) -> None:
    live = Live(tones_heard(), PACE, clock=lambda: 0.0)
    shown = fed(live, spoken, 1600)
    for (_, before, _), (_, after, _) in pairwise(shown):
        assert after[: len(before)] == before
    assert 10 < len(shown[-1][1]) < 17


def test_words_come_soon_and_settle_soon(tones_heard: Heard, spoken: np.ndarray) -> None:
    shown = fed(live := Live(tones_heard(), PACE, clock=lambda: 0.0), spoken, 320)
    for place, word in enumerate(live.end().words[:-3]):
        seen = next(at for at, settled, tail in shown if word.text in [w.text for w in [*settled, *tail][place:]])
        assert seen - word.end_s < PACE.hop_s + 0.15
        settles = next(at for at, settled, _ in shown if len(settled) > place)
        least_s = max(word.end_s + PACE.ahead_s + 1.0, PACE.first_s)
        assert word.end_s < settles < least_s + 2 * PACE.hop_s + 0.15


def test_a_tail_follows_what_has_settled(tones_heard: Heard, spoken: np.ndarray) -> None:
    for _, settled, tail in fed(Live(tones_heard(), PACE, clock=lambda: 0.0), spoken, 1600):
        words = [*settled, *tail]
        assert all(one.end_s <= other.start_s for one, other in pairwise(words))


def test_a_slow_computer_hears_less_often(tones_heard: Heard, tones: Any) -> None:
    ticks = iter(range(10**6))
    transcriber = tones_heard()
    live = Live(
        transcriber, Pace(hop_s=0.3, share=0.5), clock=lambda: float(next(ticks))
    )  # hearing takes a second each time
    fed(live, tones("ab " * 30), 160)
    quick = tones_heard()
    fed(Live(quick, Pace(hop_s=0.3, share=0.5), clock=lambda: 0.0), tones("ab " * 30), 160)
    assert transcriber.heard_s < 0.3 * quick.heard_s


@pytest.mark.parametrize("kind", ["speech", "silence", "a steady tone", "no spaces"])
def test_memory_is_bounded(tones_heard: Heard, tones: Any, kind: str) -> None:
    piece = {
        "speech": tones(TEXT),
        "silence": silence(10),
        "a steady tone": 0.2 * np.sin(2 * np.pi * 900 * np.arange(10 * RATE) / RATE),
        "no spaces": tones("abcacb" * 10),
    }[kind].astype(np.float32)
    live = Live(tones_heard(), Pace(hop_s=1.0), clock=lambda: 0.0)
    sizes = []
    for _ in range(4):
        fed(live, piece, 16_000)
        sizes.append((len(live._ear._held_T) / RATE, len(live._reader._logp_FV) * 0.02))
    assert max(held for held, _ in sizes) <= HELD_S + 7
    assert max(frames for _, frames in sizes[2:]) <= 21
    assert len(live._again._held_T) / RATE <= WINDOW_S + 2 * CONTEXT_S + PATIENCE_S and not live._settled
    found = live.end()
    assert found.duration_s == pytest.approx(4 * len(piece) / RATE)
    said = {"speech": TEXT * 4, "no spaces": "abcacb" * 40}.get(kind, found.text)
    assert found.text.replace(" ", "") == said.replace(" ", "")


def test_what_has_settled_is_read_again_as_nothing_else(tones_heard: Heard, tones: Any) -> None:
    """Its frames are certain: they say the last settled words, and spaces between them."""
    live = Live(tones_heard(), PACE, clock=lambda: 0.0)
    settled = fed(live, tones(TEXT), 1600)[-1][1]
    reader = live._reader
    forced_FV = reader._logp_FV[: reader._border - reader._begin].astype(np.float32)
    best_F = forced_FV.argmax(1)
    assert len(forced_FV) > 50 and (forced_FV.max(1) == 0).all() and (np.sort(forced_FV, 1)[:, -2] == -30).all()
    letters = "".join(" abc"[e.symbol - 1] for e in merge(best_F, np.ones(len(best_F))))
    assert letters.split() == [word.text for word in settled[-len(letters.split()) :]] and len(letters.split()) >= 3


def test_silence_costs_nothing(tones_heard: Heard, tones: Any) -> None:
    transcriber = tones_heard()
    live = Live(transcriber, PACE, clock=lambda: 0.0)
    fed(live, np.concatenate([tones("abba cab"), silence(5)]), 1600)
    before = transcriber.heard_s
    fed(live, silence(10), 1600)
    assert transcriber.heard_s == before > 0
    fed(live, tones("bac ab"), 1600)
    assert live.end().text == "abba cab bac ab"


def test_settling_ends_what_was_said_and_repeats_nothing(tones_heard: Heard, tones: Any) -> None:
    live = Live(tones_heard(), PACE, clock=lambda: 0.0)
    first = fed(live, tones("abba cab"), 1600)[-1][1]
    update = live.settle()
    assert [w.text for w in [*first, *update.settled]] == ["abba", "cab"] and update.tail == ()
    assert live.settle().settled == ()
    fed(live, tones("acca ba"), 1600)
    assert live.end().text == "abba cab acca ba"


def test_settling_amid_a_word_cuts_it_and_says_nothing_twice(tones_heard: Heard, tones: Any) -> None:
    sound = tones("abba cab acca")
    for cut in range(RATE // 2, len(sound), 3_733):
        live = Live(tones_heard(), PACE, clock=lambda: 0.0)
        updates = live.feed(sound[:cut]), live.settle(), live.feed(sound[cut:]), live.settle(last=True)
        said = "".join(word.text for update in updates for word in update.settled)
        assert said in ("abbacabacca", "abbaacabacca", "abbacaabacca"), cut
        assert live.end().text == "abba cab acca", "heard again, it is whole"


def test_turns_are_heard_again_one_by_one(tones_heard: Heard, tones: Any) -> None:
    """Each says what `transcribe` says of its sound alone, at the times of the whole; and all make the end."""
    parts = [tones("abba cab"), silence(3), tones("acca " * 25), silence(0.2), tones("bac")]
    live, turns, begin_s = Live(tones_heard(), PACE, clock=lambda: 0.0), [], 0.0
    for part in parts[:-1]:
        fed(live, part, 1600)
        live.settle()
        turns.append(live.turn())
        alone = tones_heard().transcribe(part)
        assert (turns[-1].text, turns[-1].duration_s) == (alone.text, alone.duration_s)
        starts = [word.start_s + begin_s for word in alone.words]
        assert [word.start_s for word in turns[-1].words] == pytest.approx(starts)
        begin_s += alone.duration_s
    assert live.turn().words == (), "nothing was said since"
    fed(live, parts[-1], 1600)
    found = live.end()
    assert found.words[:-1] == tuple(word for turn in turns for word in turn.words)
    assert found.text == "abba cab " + "acca " * 25 + "bac" and found.duration_s == live.duration_s


def test_hearing_again_waits_until_nobody_speaks_but_not_for_long(tones_heard: Heard, tones: Any) -> None:
    live, late = Live(tones_heard(), PACE, clock=lambda: 0.0), list[float]()
    for samples_T in np.array_split(tones("ab " * 120), 60):
        tail = live.feed(samples_T).tail
        late.append(live._again.waits_s)
        assert not tail or late[-1] < PATIENCE_S
    assert max(late) > 2.0, "it waits"
    live = Live(tones_heard(), PACE, clock=lambda: 0.0)
    fed(live, np.concatenate([tones("ab " * 30), silence(4)]), 1600)
    assert live._again.waits_s < 0, "in a pause it is heard at once"


def test_what_is_no_sound(tones_heard: Heard) -> None:
    live = Live(tones_heard())
    with pytest.raises(AudioError, match="NaN or infinity"):
        live.feed(np.array([0.0, np.nan], np.float32))
    with pytest.raises(AudioError, match="mono"):
        live.feed(np.zeros((10, 2), np.float32))
    with pytest.raises(AudioError, match="no samples"):
        live.end()


def test_making_ready_hears_once(tones_heard: Heard) -> None:
    transcriber = tones_heard()
    make_ready(transcriber)
    assert isinstance(transcriber, Transcriber) and transcriber.heard_s > 0
