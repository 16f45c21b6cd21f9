"""Checks of transcripts: empty, too long for their sound, of another clip, with letters seen once."""

import math
import re
import statistics
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from earful.data.finding import Finding, Severity, listed
from earful.data.utterance import Utterance
from earful.text.languages import canonical
from earful.text.script import script

_FEWEST_TO_COMPARE = 10  # clips, before one is called an outlier among them
_OUTLIER_Z = 3.5  # Iglewicz and Hoaglin 1993, "How to detect and handle outliers", modified z-score
_OUTLIER_FACTOR = 1.6  # and at least so many times longer or shorter than expected
_MINOR_SHARE = 0.05  # a script with less of a language's letters than this is foreign to it
_LOOK_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
_GLOTTALS = "'ʼʻꞌ"  # signs for a glottal stop, as normalising leaves them
_OPENS, _CLOSES = re.compile(r"(?<!\w)['’‘`´](?=\w)"), re.compile(r"(?<=\w)['’‘`´](?!\w)")


@dataclass(frozen=True)
class Spoken:
    """One clip for the transcript checks: its normalised text, and its real length."""

    utterance: Utterance
    text: str
    duration_s: float | None

    @property
    def rate(self) -> float | None:
        """Characters per second; None if there is no text or no sound."""
        return len(self.text) / self.duration_s if self.text and self.duration_s else None


def check_texts(clips: Sequence[Spoken], frame_s: float) -> Iterator[Finding]:
    """List the problems of the transcripts, clip by clip and together; `frame_s` is the recogniser's output frame."""
    for clip in clips:
        yield from _empty(clip)
        yield from _too_long(clip, frame_s)
        yield from _mixed_words(clip)
    yield from _odd_rates(clips)
    yield from _shifted(clips)
    yield from _foreign_scripts(clips)
    yield from _alike(clips)
    yield from _seen_once(clips)
    yield from _digits(clips)
    yield from _repeated(clips)


def frames_needed(text: str) -> int:
    """The frames that CTC needs for a text: one per label, and a blank between equal labels (Graves et al. 2006)."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def _empty(clip: Spoken) -> Iterator[Finding]:
    if clip.text:
        return
    written = (clip.utterance.text or "").strip()
    if written:
        message = f"the transcript {_short(written)!r} has no letters, only punctuation and symbols"
        yield _of(clip, "error", "empty transcript", message, "write what is said in letters, or leave the clip out")
    else:
        message = "has no transcript" if clip.utterance.text is None else "the transcript is empty"
        yield _of(clip, "error", "no transcript", message, "write what is said, or leave the clip out")


def _too_long(clip: Spoken, frame_s: float) -> Iterator[Finding]:
    needed = frames_needed(clip.text)
    if clip.duration_s is None or needed <= math.ceil(clip.duration_s / frame_s - 1e-6):
        return
    message = (
        f"the transcript needs {needed} frames of {frame_s * 1000:g} ms, the sound of {clip.duration_s:.2f} s has "
        f"{math.ceil(clip.duration_s / frame_s - 1e-6)}: {_short(clip.text)!r}"
    )
    yield _of(clip, "error", "transcript too long", message, "check that the transcript belongs to this clip")


def _mixed_words(clip: Spoken) -> Iterator[Finding]:
    for word in clip.text.split():
        letters = defaultdict(list)
        for letter in word:
            if found := script(letter):
                letters[found].append(letter)
        if len(letters) > 1 and letters.keys() <= _LOOK_ALIKE:
            rare = min(letters, key=lambda name: len(letters[name]))
            message = f"the word {word!r} mixes scripts: {', '.join(map(_named, dict.fromkeys(letters[rare])))}"
            yield _of(clip, "warning", "mixed scripts", message, "type the letters again that only look alike")


def _odd_rates(clips: Sequence[Spoken]) -> Iterator[Finding]:
    """Clips that are far longer or shorter than their transcripts suggest (Iglewicz and Hoaglin 1993, on a log scale).

    The expected length is a line through all clips, not a rate: the pauses around the words are as long in short clips
    as in long ones, and a rate would suspect every short word.
    """
    timed = [(clip, len(clip.text), clip.duration_s) for clip in clips if clip.text and clip.duration_s]
    if len(timed) < _FEWEST_TO_COMPARE:
        return
    pause_s, character_s = _line([(count, duration_s) for _, count, duration_s in timed])
    expected = [pause_s + character_s * count for _, count, _ in timed]
    ratios = [math.log(duration_s / s) for (_, _, duration_s), s in zip(timed, expected, strict=True)]
    median = statistics.median(ratios)
    spread = statistics.median(abs(ratio - median) for ratio in ratios)
    bound = max(math.log(_OUTLIER_FACTOR), _OUTLIER_Z * spread / 0.6745)
    for (clip, _, duration_s), ratio, expected_s in zip(timed, ratios, expected, strict=True):
        if abs(ratio - median) > bound:
            message = (
                f"lasts {duration_s:.1f} s, where the other clips suggest {expected_s:.1f} s: {_short(clip.text)!r}"
            )
            remedy = "listen to it: the transcript may belong to the clip before or after, or be incomplete"
            yield _of(clip, "warning", "speaking rate", message, remedy)


def _line(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Fit intercept and slope by medians over pairs half the points apart (Theil 1950, incomplete method)."""
    points = sorted(points)
    half = len(points) // 2
    pairs = zip(points[:half], points[-half:], strict=True)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs if x2 > x1]
    slope = statistics.median(slopes) if slopes else 0.0
    intercept = statistics.median(y - slope * x for x, y in points)
    if slope > 0 and intercept >= 0:
        return intercept, slope
    return 0.0, statistics.median(y / x for x, y in points)


def _shifted(clips: Sequence[Spoken]) -> Iterator[Finding]:
    """Whether the list is shifted by a line: then long transcripts go with the neighbours of long clips."""
    rated = [(len(clip.text), clip.duration_s) for clip in clips if clip.text and clip.duration_s]
    if len(rated) < _FEWEST_TO_COMPARE:
        return
    lengths, durations = ([math.log(value) for value in column] for column in zip(*rated, strict=True))
    here = _correlation(lengths, durations)
    before, after = _correlation(lengths[1:], durations[:-1]), _correlation(lengths[:-1], durations[1:])
    if max(before, after) > max(0.7, here + 0.4):
        side = "before" if before > after else "after"
        message = f"the lengths of the transcripts fit the clips {side} them better than their own"
        yield Finding(
            "warning", "shifted", None, "all clips", message, "check that the list is not shifted by one line"
        )


def _foreign_scripts(clips: Sequence[Spoken]) -> Iterator[Finding]:
    for language, group in _by_language(clips).items():
        letters: dict[str, Counter[str]] = defaultdict(Counter)
        for letter, count in Counter("".join(clip.text for clip in group)).items():
            if found := script(letter):
                letters[found][letter] += count
        total, of = sum(counts.total() for counts in letters.values()), f" in {language!r}" if language else ""
        shares = {name: counts.total() / total for name, counts in letters.items()}
        for name in (name for name in letters if shares[name] < _MINOR_SHARE):
            described = listed([_named(letter) for letter, _ in letters[name].most_common()])
            message = f"letters of another script{of}: {described}"
            where = _with_any(group, letters[name])
            yield _together(
                "warning", "foreign letters", where, message, "write these words in the language's own script"
            )
        many = sorted((name for name in letters if shares[name] >= _MINOR_SHARE), key=shares.__getitem__, reverse=True)
        if len(many) > 1:
            described = ", ".join(f"{name.capitalize()} {shares[name]:.0%}" for name in many)
            yield _together(
                "warning",
                "several scripts",
                _with_any(group, letters[many[-1]]),
                f"letters of {len(many)} scripts{of}: {described}",
                "unless the language is written so, keep to one script, or adapt a recogniser for each",
            )


def _with_any(clips: Sequence[Spoken], letters: Container[str]) -> list[str]:
    return [clip.utterance.id for clip in clips if any(letter in letters for letter in clip.text)]


def _alike(clips: Sequence[Spoken]) -> Iterator[Finding]:
    """Apostrophes of several kinds: most likely one letter, typed on several keyboards."""
    for group in _by_language(clips).values():
        counts = Counter(sign for clip in group for sign in clip.text if sign in _GLOTTALS)
        if len(counts) > 1:
            rare = counts.most_common()[-1][0]
            where = [clip.utterance.id for clip in group if rare in clip.text]
            signs = ", ".join(f"{_named(sign)} {count}" for sign, count in counts.most_common())
            message = f"signs that look alike are learned as different letters: {signs}"
            remedy = "none, if they are different letters; else type one of them everywhere"
            yield _together("warning", "look alike", where, message, remedy)


def _seen_once(clips: Sequence[Spoken]) -> Iterator[Finding]:
    counts = Counter("".join(clip.text for clip in clips))
    once = sorted(symbol for symbol, count in counts.items() if count == 1)
    if once:
        where = [clip.utterance.id for clip in clips if set(clip.text) & set(once)]
        are = "is" if len(once) == 1 else "are"
        message = f"{len(once)} of {len(counts)} symbols {are} seen once: {listed(once, most=20)}"
        yield _together("warning", "seen once", where, message, "check for typing errors, or add clips that hold them")


def _digits(clips: Sequence[Spoken]) -> Iterator[Finding]:
    where = [clip.utterance.id for clip in clips if any(character.isdigit() for character in clip.text)]
    if where:
        hold = "1 transcript holds" if len(where) == 1 else f"{len(where)} transcripts hold"
        message = f"{hold} digits, which do not say how a number is pronounced"
        yield _together("warning", "digits", where, message, "write numbers as the words that are spoken")


def _repeated(clips: Sequence[Spoken]) -> Iterator[Finding]:
    counts = Counter(clip.text for clip in clips if clip.text)
    where = [clip.utterance.id for clip in clips if counts[clip.text] > 1]
    if where:
        repeated = sum(count > 1 for count in counts.values())
        come = "1 transcript comes" if repeated == 1 else f"{repeated} transcripts come"
        message = f"{come} more than once, in {len(where)} of {len(clips)} clips"
        remedy = "none, if people did say the same; other words teach more"
        yield _together("note", "repeated transcripts", where, message, remedy)


def edge_apostrophes(clips: Sequence[Spoken]) -> Iterator[Finding]:
    """Unpaired apostrophes at the edges of words, which normalising drops as quotation marks."""
    texts = [(clip.utterance.id, clip.utterance.text or "") for clip in clips]
    edges = [(id, len(_OPENS.findall(text)), len(_CLOSES.findall(text))) for id, text in texts]
    odd = {id: opens + closes for id, opens, closes in edges if opens != closes}
    if odd:
        message = f"apostrophes at the edges of words are dropped as quotation marks: {sum(odd.values())}"
        remedy = "none, if nobody says them; where one is a letter, write ʼ (U+02BC)"
        yield _together("note", "edge apostrophes", list(odd), message, remedy)


def _by_language(clips: Sequence[Spoken]) -> dict[str, list[Spoken]]:
    groups: dict[str, list[Spoken]] = defaultdict(list)
    for clip in clips:
        groups[canonical(clip.utterance.language or "")].append(clip)
    return groups


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    try:
        return statistics.correlation(first, second)
    except statistics.StatisticsError:  # one of them is constant
        return 0.0


def _of(clip: Spoken, severity: Severity, kind: str, message: str, remedy: str) -> Finding:
    return Finding(severity, kind, clip.utterance.id, str(clip.utterance.audio), message, remedy)


def _together(severity: Severity, kind: str, ids: Sequence[str], message: str, remedy: str) -> Finding:
    return Finding(severity, kind, None, listed(ids), message, remedy)


def _named(letter: str) -> str:
    return f"{letter} ({unicodedata.name(letter, 'unnamed').lower()})"


def _short(text: str) -> str:
    return text if len(text) <= 50 else text[:49] + "…"
