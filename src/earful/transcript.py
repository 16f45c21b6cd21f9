"""What a recording says: its words, when they are said, and by whom."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from earful.text.pinyin import closed_up

PAUSE_S = 0.7
"""After so long a pause something new begins: a subtitle, or what one says after another."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, when it is said, and how likely it is right (0 to 1, calibrated: `ctc.confidence`).

    `speaker` is known where each channel of a recording was transcribed by itself.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float
    speaker: str | None = None


@dataclass(frozen=True)
class Transcript:
    """What a recording says; `confidence` is the mean of its words'.

    `guesses` are the likeliest texts, the best first, where more than one was asked for.
    """

    text: str
    words: tuple[Word, ...]
    confidence: float
    duration_s: float
    guesses: tuple[str, ...] = ()


def together(transcripts: Mapping[str, Transcript]) -> Transcript:
    """The transcripts of the channels of one recording, by speaker, as one: the words in order of time."""
    words = [replace(word, speaker=name) for name, each in transcripts.items() for word in each.words]
    words.sort(key=lambda word: word.start_s)
    confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
    text = "\n".join(f"{name}: {closed_up(' '.join(w.text for w in turn))}" for name, turn in turns(words))
    return Transcript(
        text, tuple(words), confidence, max((each.duration_s for each in transcripts.values()), default=0.0)
    )


def turns(words: Sequence[Word]) -> Iterator[tuple[str | None, list[Word]]]:
    """What one says before another does; words that fall into a pause of the other's, but not between two of his."""
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
