"""A transcript as subtitles: SRT and WebVTT."""

import html

from earful.transcript import Transcript
from earful.writers.phrases import Cue, Source, cues, milliseconds


def srt(transcript: Transcript, source: Source) -> str:
    """SubRip: numbered cues; the speaker's name begins what he says."""
    blocks = (
        "\n".join((str(number), f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}", *_said(cue), ""))
        for number, cue in enumerate(cues(transcript.words), 1)
    )
    return "\n".join(blocks)


def vtt(transcript: Transcript, source: Source) -> str:
    """WebVTT: a speaker is marked as a voice."""
    blocks = (
        "\n".join((f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}", *_voiced(cue), ""))
        for cue in cues(transcript.words)
    )
    return "\n".join(("WEBVTT\n", *blocks))


def _said(cue: Cue) -> tuple[str, ...]:
    """The lines of a cue, after the speaker where one is known."""
    return cue.lines if cue.speaker is None else (f"{cue.speaker}: {cue.lines[0]}", *cue.lines[1:])


def _voiced(cue: Cue) -> tuple[str, ...]:
    """The same for WebVTT, which has a mark for voices."""
    lines = tuple(map(_escaped, cue.lines))
    return lines if cue.speaker is None else (f"<v {_escaped(cue.speaker)}>{lines[0]}", *lines[1:])


def _escaped(line: str) -> str:
    return html.escape(line, quote=False)


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(milliseconds(seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"
