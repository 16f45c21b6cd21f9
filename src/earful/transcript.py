"""A transcript: words with their times and speakers."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from earful.text.pinyin import closed_up

PAUSE_S = 0.7
"""A pause of this length begins a new subtitle or turn."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its times, and the probability that it is right (0 to 1, calibrated: `ctc.confidence`).

    `speaker` is known if each channel of a recording was transcribed separately.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    speaker: str | None = None


@dataclass(frozen=True)
class Transcript:
    """The transcript of a recording; `confidence` is the mean over its words.

    `guesses` are the likeliest texts, the best first, if more than one was asked for.
    """

    text: str
    words: tuple[Word, ...]
    confidence: float
    duration_s: float
    guesses: tuple[str, ...] = ()


def together(transcripts: Mapping[str, Transcript]) -> Transcript:
    """The transcripts of a recording's channels, by speaker, merged into one: the words in order of time."""
    words = [replace(word, speaker=name) for name, each in transcripts.items() for word in each.words]
    words.sort(key=lambda word: word.start_s)
    confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
    text = "\n".join(f"{name}: {closed_up(' '.join(w.text for w in turn))}" for name, turn in turns(words))
    return Transcript(
        text, tuple(words), confidence, max((each.duration_s for each in transcripts.values()), default=0.0)
    )


def turns(words: Sequence[Word]) -> Iterator[tuple[str | None, list[Word]]]:
    """The turns of the speakers. A word of another speaker within a turn does not end it; only a pause does."""
    groups: list[tuple[str | None, list[Word]]] = []
    last: dict[str | None, list[Word]] = {}
    for word in words:
        mine = last.get(word.speaker)
        if mine is None or word.start_s - mine[-1].end_s >= PAUSE_S:
            mine = last[word.speaker] = []
            groups.append((word.speaker, mine))
        mine.append(word)
    for speaker, group in itertools.groupby(groups, key=lambda group: group[0]):
        yield speaker, [word for _, turn in group for word in turn]
