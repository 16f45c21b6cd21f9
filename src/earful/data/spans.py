"""From the chosen tiers to clips: spans without speech, and unusable spans, are left out and counted."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from earful.audio.files import probe
from earful.data.finding import Finding, Severity, listed
from earful.data.manifest import Manifest
from earful.data.tiers import Annotated, Choice, Span, Taken, Tier, no_tier, speaker_tier
from earful.data.utterance import Utterance, unique_ids
from earful.errors import AudioError, ConfigError, quoted

# What linguists write amid words for what is none. ELAN, Common Voice: [laughs]; GAT, HIAT: ((coughs)); subtitles,
# corpora of speech: <unk>, <i>; CHAT (MacWhinney 2000): &=laughs, xxx, yyy, www, word@s; laughter: @@@.
USUAL = (
    r"\[[^\[\]]*\]",
    r"\(\([^()]*\)\)",
    r"</?\w+/?>",
    r"(?<!\S)&=\S+",
    r"(?<!\w)(?:xxx|yyy|www)(?!\w)",
    r"(?<!\S)@+(?!\S)",
    r"(?<=\w)@[a-z]+(?::\w+)?(?!\w|\.\w)",
)
MARKS = "|".join(USUAL)
_TOUCH_S = 0.1  # neighbours may reach into each other by so much: people align by hand
_OVERHANG_S = 0.25  # and past the end by so much: containers of sound, and copies, differ in where it is
_SHOWN = 8


class Reason(NamedTuple):
    """A reason to leave out spans."""

    severity: Severity
    said: str
    remedy: str


REASONS = {
    "untimed": Reason("warning", "without times", "align them in the program that wrote the file"),
    "dangling": Reason("warning", "that refer to an annotation that is not there", "attach them again, or remove them"),
    "draft": Reason("note", "that earful wrote and nobody touched", "correct them, then adapt again"),
    "empty": Reason("warning", "that end where they begin, or before", "correct their times"),
    "textless": Reason("note", "without text", "write there what is said, if anything is"),
    "marks": Reason("note", "that hold nothing but marks", "read marks as words with --drop ''"),
    "overlap": Reason("warning", "in which two speak at once", "read the tier of one speaker alone, with --tier"),
    "channel": Reason("warning", "on a channel that the recording does not have", "see whether it is the right one"),
    "beyond": Reason("warning", "beyond the end of the recording", "see whether the recording is the right one, whole"),
}


@dataclass
class _Count:
    """The count and the first place of each reason and each mark."""

    reasons: dict[str, list[str]] = field(default_factory=dict)
    marks: Counter[str] = field(default_factory=Counter)

    def leave(self, reason: str, file: Annotated, tier: Tier, at_s: float | None) -> None:
        when = "" if at_s is None else f", {at_s:.2f} s"
        self.reasons.setdefault(reason, []).append(f"{file.path}, tier {tier.name!r}{when}")


class _Said(NamedTuple):
    """A span of a tier that may become a clip; times are those of the recording."""

    start_s: float
    end_s: float
    text: str
    tier: Tier
    channel: int | None


def utterances_of(
    taken: Sequence[Taken], choice: Choice, names: Sequence[str]
) -> tuple[tuple[Utterance, ...], tuple[Finding, ...]]:
    """The clips in the chosen tiers, file by file in the order of their times, and what was left out.

    `names` are those of the files; the id of a clip is that name and its second.
    Raises ConfigError if `choice.drop` is no regular expression, ManifestError if no file has the tier of speakers.
    """
    marks = _pattern(MARKS if choice.drop is None else choice.drop)
    count = _Count()
    speakers = _speakers([each.file for each in taken], choice.speaker_tier)
    found: list[Utterance] = []
    for each, name, who in zip(taken, names, speakers, strict=True):
        spans = sorted(_kept(each, marks, count), key=itemgetter(0, 1))
        for channel in dict.fromkeys(span.channel for span in spans):
            heard = [span for span in spans if span.channel == channel]
            found += (_utterance(each.file, span, name, who) for span in _apart(each.file, heard, count))
    ids = unique_ids(utterance.id for utterance in found)
    clips = (_renamed(utterance, id) for utterance, id in zip(found, ids, strict=True))
    return tuple(clips), tuple(_findings(count, choice))


def end_in(end_s: float, lasts_s: float) -> float:
    """The end of a span in a recording: the recording's end, if the span is only a little longer.

    >>> end_in(9.5, 10.0), end_in(10.1, 10.0), end_in(12.0, 10.0)
    (9.5, 10.0, 12.0)
    """
    return lasts_s if lasts_s < end_s <= lasts_s + _OVERHANG_S else end_s


def without_marks(clips: Manifest, choice: Choice) -> tuple[Manifest, tuple[Finding, ...]]:
    """The clips without marks in their texts, and the number of marks. Raises ConfigError as `utterances_of`."""
    marks, count = _pattern(MARKS if choice.drop is None else choice.drop), _Count()
    if marks is None:
        return clips, ()
    for clip in clips:
        count.marks.update(found[0] for found in marks.finditer(clip.text or "") if found[0])
    kept = (u if u.text is None else replace(u, text=" ".join(marks.sub(" ", u.text).split())) for u in clips)
    return Manifest(tuple(kept)), tuple(_findings(count, choice))


def marks_kept(clips: Manifest) -> Iterator[Finding]:
    """A finding on likely marks in transcripts that were written for earful, where nothing is removed unasked.

    The remedy is an option, quoted for a shell, that removes them.
    """
    found: dict[str, Counter[str]] = {}
    for pattern in USUAL:
        marks = Counter(mark[0] for clip in clips for mark in re.finditer(pattern, clip.text or ""))
        if marks:
            found[pattern] = marks
    if found:
        most = [f"{mark} {number}" for mark, number in sum(found.values(), Counter()).most_common()]
        message = f"texts hold what looks like marks, and is read as words: {listed(most, _SHOWN)}"
        remedy = f"take them out with --drop {quoted('|'.join(found))}, or say that they are words with --drop ''"
        yield Finding("warning", "marks kept", None, "all texts", message, remedy)


def _pattern(drop: str) -> re.Pattern[str] | None:
    try:
        return re.compile(drop) if drop else None
    except re.error as error:
        raise ConfigError(
            f"--drop is {drop!r}, no regular expression ({error}); put a backslash before brackets that are meant"
        ) from None


def _speakers(files: Sequence[Annotated], name: str | None) -> list[Tier | None]:
    if name is None:
        return [None] * len(files)
    tiers = [speaker_tier(file, name) for file in files]
    if files and not any(tiers):
        raise no_tier(files, name)
    return tiers


def _kept(taken: Taken, marks: re.Pattern[str] | None, count: _Count) -> Iterator[_Said]:
    """The spans that have times, text, and a place in the recording."""
    file, tiers = taken
    end_s, channels = _facts(file.recording)
    for tier in tiers:
        channel = tier.channel if channels is None or channels > 1 else None
        for lost in tier.lost:
            count.leave(lost.reason, file, tier, None)
        for span in tier.spans:
            start_s, stop_s = span.start_s + file.origin_s, span.end_s + file.origin_s
            text = " ".join(span.text.split())
            words = " ".join(marks.sub(" ", text).split()) if marks else text
            reason = _wrong(span, text, words, start_s, stop_s, end_s)
            if reason is None and channel and channels and channel > channels:
                reason = "channel"
            if reason:
                count.leave(reason, file, tier, span.start_s)
                continue
            if marks and words != text:
                count.marks.update(found[0] for found in marks.finditer(text) if found[0])
            yield _Said(start_s, stop_s if end_s is None else end_in(stop_s, end_s), words, tier, channel)


def _wrong(span: Span, text: str, words: str, start_s: float, stop_s: float, end_s: float | None) -> str | None:
    if not text:
        return "textless"
    if not words:
        return "marks"
    if span.end_s <= span.start_s:
        return "empty"
    outside = start_s < 0 or (end_s is not None and (end_in(stop_s, end_s) > end_s or start_s >= end_s))
    return "beyond" if outside else None


def _facts(recording: Path) -> tuple[float | None, int | None]:
    """Seconds and channels by the header; None for an unreadable recording (`earful.data.check` says why)."""
    try:
        info = probe(recording)
    except (AudioError, OSError):
        return None, None
    return info.duration_s, info.channels


def _apart(file: Annotated, spans: Sequence[_Said], count: _Count) -> Iterator[_Said]:
    """The spans, in order, in which nobody else speaks."""
    together: set[int] = set()
    latest = 0
    for place in range(1, len(spans)):
        if spans[place].start_s < spans[latest].end_s - _TOUCH_S:
            together |= {place, latest}
        if spans[place].end_s >= spans[latest].end_s:
            latest = place
    for place, span in enumerate(spans):
        if place in together:
            count.leave("overlap", file, span.tier, span.start_s - file.origin_s)
        else:
            yield span


def _utterance(file: Annotated, span: _Said, name: str, speakers: Tier | None) -> Utterance:
    start_s = round(span.start_s, 6)
    return Utterance(
        id=f"{name}-{span.start_s:.2f}",
        audio=file.recording,
        start_s=start_s,
        duration_s=round(span.end_s - start_s, 6),
        text=span.text,
        speaker=_spoken_by(span, speakers, file.origin_s) or span.tier.speaker,
        extra={"tier": span.tier.name} | ({"channel": span.channel} if span.channel else {}),
    )


def _spoken_by(span: _Said, speakers: Tier | None, origin_s: float) -> str | None:
    """The text of the tier of speakers with the longest overlap with the span."""
    if speakers is None or not speakers.spans:
        return None
    start_s, end_s = span.start_s - origin_s, span.end_s - origin_s
    named = sorted(each for each in speakers.spans if each.text.strip())
    first = bisect_left(named, start_s, key=lambda each: each.end_s)
    last = bisect_right(named, end_s, key=lambda each: each.start_s)
    shared = [(min(end_s, each.end_s) - max(start_s, each.start_s), each.text) for each in named[first:last]]
    longest = max(shared, default=(0.0, ""), key=itemgetter(0))
    return longest[1].strip() if longest[0] > 0 else None


def _renamed(utterance: Utterance, id: str) -> Utterance:
    return utterance if utterance.id == id else replace(utterance, id=id)


def _findings(count: _Count, choice: Choice) -> Iterator[Finding]:
    for reason, (severity, said, remedy) in REASONS.items():
        places = count.reasons.get(reason)
        if places:
            what = f"{len(places)} span{'s' * (len(places) > 1)} left out, {said}"
            yield Finding(severity, f"spans {reason}", None, listed(places, 1), what, remedy)
    if count.marks:
        most = [f"{mark} {number}" for mark, number in count.marks.most_common()]
        why = "that stand for no word by the usual conventions" if choice.drop is None else "by --drop"
        some = f"{count.marks.total()} mark{'s' * (count.marks.total() > 1)}"
        what = f"took {some} out of the texts {why}: {listed(most, _SHOWN)}"
        yield Finding("note", "marks", None, "all texts", what, "say with --drop what else, or '' for nothing")
