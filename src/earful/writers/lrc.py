"""A transcript as LRC: lines with the time at which each begins, which music players show beside the sound.

Format: no standard; the “core” form that players agree on: `[minutes:seconds.hundredths]text`.
"""

import itertools
from collections.abc import Iterator

from earful.text.pinyin import closed_up
from earful.transcript import PAUSE_S, Transcript
from earful.writers.phrases import Source, cues


def lrc(transcript: Transcript, source: Source) -> str:
    """A line for each phrase, after its speaker where one is known; at a pause an empty line clears the screen."""
    return "\n".join((f"[length:{_clock(transcript.duration_s)}]", *_lines(transcript), ""))


def _lines(transcript: Transcript) -> Iterator[str]:
    found, end_s = list(cues(transcript.words)), 0.0
    for cue, after in itertools.zip_longest(found, found[1:]):
        said = closed_up(" ".join(cue.lines))
        yield f"[{_clock(cue.start_s)}]{said if cue.speaker is None else f'{cue.speaker}: {said}'}"
        end_s = max(end_s, cue.end_s)  # of several speakers, one may go on after the other
        if after is None or after.start_s - end_s >= PAUSE_S:
            yield f"[{_clock(end_s)}]"


def _clock(seconds: float) -> str:
    """Minutes, which have no upper bound here, seconds and hundredths."""
    whole, hundredths = divmod(round(seconds * 100), 100)
    return f"{whole // 60:02}:{whole % 60:02}.{hundredths:02}"
