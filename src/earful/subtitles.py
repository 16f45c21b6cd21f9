"""A transcript as text, JSON, subtitles (SRT, WebVTT) or a table of words (TSV)."""

import html
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from earful.errors import ConfigError
from earful.text.pinyin import closed_up
from earful.transcript import PAUSE_S, Transcript, Word

LONGEST_CUE_S = 6.0
LINE_CHARACTERS, CUE_LINES = 42, 2
SHORTEST_CUE_S = 0.5


@dataclass(frozen=True)
class Cue:
    """A subtitle: one or two lines, and when they are shown."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None


def render(transcript: Transcript, format: str, audio: str = "") -> str:
    """The transcript in one of `FORMATS`, with a line end at the end; `audio` names the recording in JSON.

    Raises ConfigError for another format.

    >>> render(Transcript("hi", (Word("hi", 0.5, 0.75, 0.9),), 0.9, 1.0), "tsv").splitlines()[1]
    '0.500\\t0.750\\t0.900\\thi'
    """
    if format not in FORMATS:
        raise ConfigError(f"format is {format!r}, must be one of {', '.join(FORMATS)}")
    return FORMATS[format](transcript, audio)


def cues(words: Sequence[Word]) -> Iterator[Cue]:
    """Group words into subtitles: a new one at a pause, after six seconds, or when two lines of 42 are full.

    Each speaker has cues of his own.
    """
    speakers = dict.fromkeys(word.speaker for word in words)
    each = [cue for name in speakers for cue in _cues_of([word for word in words if word.speaker == name])]
    yield from sorted(each, key=lambda cue: cue.start_s)


def _cues_of(words: Sequence[Word]) -> Iterator[Cue]:
    groups: list[list[Word]] = []
    for word in words:
        if groups and _fits(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
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


def _text(transcript: Transcript, audio: str) -> str:
    return transcript.text + "\n"


def _json(transcript: Transcript, audio: str) -> str:
    words = [{k: v for k, v in asdict(word).items() if v is not None} for word in transcript.words]
    times = [w | {k: round(w[k], 3) for k in ("start_s", "end_s", "confidence")} for w in words]
    row = {
        "audio": audio,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 3),
        **({"guesses": list(transcript.guesses)} if transcript.guesses else {}),
        "duration_s": round(transcript.duration_s, 3),
        "words": times,
    }
    line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    # lone surrogates stand for bytes of a file name that are not UTF-8: only the escaped form carries them
    return (line if line.isascii() or _is_utf8(line) else json.dumps(row)) + "\n"


def _is_utf8(line: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in line)


def _srt(transcript: Transcript, audio: str) -> str:
    blocks = (
        "\n".join((str(number), f"{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}", *_said(cue), ""))
        for number, cue in enumerate(cues(transcript.words), 1)
    )
    return "\n".join(blocks)


def _vtt(transcript: Transcript, audio: str) -> str:
    blocks = (
        "\n".join((f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}", *_voiced(cue), ""))
        for cue in cues(transcript.words)
    )
    return "\n".join(("WEBVTT\n", *blocks))


def _tsv(transcript: Transcript, audio: str) -> str:
    rows = (f"{w.start_s:.3f}\t{w.end_s:.3f}\t{w.confidence:.3f}\t{w.text}" for w in transcript.words)
    if not any(word.speaker for word in transcript.words):
        return "\n".join(("start_s\tend_s\tconfidence\tword", *rows, ""))
    named = (f"{row}\t{word.speaker}" for row, word in zip(rows, transcript.words, strict=True))
    return "\n".join(("start_s\tend_s\tconfidence\tword\tspeaker", *named, ""))


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
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{milliseconds:03}"


FORMATS: dict[str, Callable[[Transcript, str], str]] = {
    "text": _text,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
}
