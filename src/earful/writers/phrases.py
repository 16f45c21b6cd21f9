"""Words by speaker and by phrase, and phrases as subtitles: common parts of the formats of transcripts."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from earful.text.pinyin import closed_up
from earful.transcript import PAUSE_S, Word

LONGEST_CUE_S = 6.0
LINE_CHARACTERS, CUE_LINES = 42, 2
SHORTEST_CUE_S = 0.5


class Source(NamedTuple):
    """The source and destination of a transcript, which formats mention beside the words.

    `audio` is the recording as given; `place` is the written file (None: stdout), for links relative to it; `language`
    is a tag such as "is", "" if unknown.
    """

    audio: str = ""
    place: Path | None = None
    language: str = ""


class Phrase(NamedTuple):
    """What one speaker says between two pauses: at least one word."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The words as one text."""
        return closed_up(" ".join(word.text for word in self.words))

    @property
    def speaker(self) -> str | None:
        """The speaker, if known."""
        return self.words[0].speaker


@dataclass(frozen=True)
class Cue:
    """A subtitle: one or two lines, and when they are shown."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None


def cues(words: Sequence[Word]) -> Iterator[Cue]:
    """Group words into subtitles: a new one at a pause, after six seconds, or when two lines of 42 are full.

    Each speaker has separate cues.
    """
    each = [cue for mine in by_speaker(words).values() for cue in _cues_of(phrases(mine))]
    yield from sorted(each, key=lambda cue: cue.start_s)


def by_speaker(words: Sequence[Word]) -> dict[str | None, list[Word]]:
    """The words of each speaker, in the order of their beginnings."""
    return {name: [w for w in words if w.speaker == name] for name in dict.fromkeys(word.speaker for word in words)}


def phrases(words: Sequence[Word]) -> list[Phrase]:
    """The words of a speaker, cut where a subtitle ends: at a pause, after six seconds, or when two lines are full."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and _fits(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    return [Phrase(tuple(group)) for group in groups]


def in_milliseconds(words: Sequence[Word], duration_s: float) -> list[Word]:
    """Words of one speaker, in order, with times of whole milliseconds: none overlap, each lasts 1 ms or more.

    Rounding alone would make words of no length and words that overlap; annotations must be neither. None ends after
    the recording, unless it holds fewer milliseconds than words.

    >>> [(w.start_s, w.end_s) for w in in_milliseconds([Word("a", 0.1004, 0.1, 1.0), Word("b", 0.1, 0.4, 1.0)], 0.4)]
    [(0.1, 0.101), (0.101, 0.4)]
    """
    spans: list[list[int]] = []
    for word, after in itertools.zip_longest(words, words[1:]):
        start = max(round(word.start_s * 1000), spans[-1][1] if spans else 0)
        end = round(word.end_s * 1000 if after is None else min(word.end_s, after.start_s) * 1000)
        spans.append([start, max(end, start + 1)])
    latest = max(round(duration_s * 1000), len(spans))
    for place in range(len(spans) - 1, -1, -1):
        end = min(spans[place][1], latest)
        latest = min(spans[place][0], end - 1)
        spans[place] = [latest, end]
    return [replace(w, start_s=a / 1000, end_s=b / 1000) for w, (a, b) in zip(words, spans, strict=True)]


def milliseconds(seconds: float) -> int:
    """Seconds in whole milliseconds."""
    return round(seconds * 1000)


def _cues_of(spoken: Sequence[Phrase]) -> Iterator[Cue]:
    groups = [phrase.words for phrase in spoken]
    for group, after in itertools.zip_longest(groups, groups[1:]):
        latest_s = after[0].start_s if after else group[-1].end_s + SHORTEST_CUE_S
        end_s = max(group[-1].end_s, min(group[0].start_s + SHORTEST_CUE_S, latest_s))
        yield Cue(group[0].start_s, end_s, tuple(_lines([word.text for word in group])), group[0].speaker)


def _fits(group: Sequence[Word], word: Word) -> bool:
    near = word.start_s - group[-1].end_s < PAUSE_S and word.end_s - group[0].start_s <= LONGEST_CUE_S
    return near and len(_lines([*(w.text for w in group), word.text])) <= CUE_LINES


def _lines(words: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = closed_up(f"{lines[-1]} {word}") if lines else ""
        if lines and len(longer) <= LINE_CHARACTERS:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
