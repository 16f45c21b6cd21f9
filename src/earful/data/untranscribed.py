"""Untranscribed recordings of any length, cut into clips of speech for self-supervised training."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from earful.audio.activity import ActivitySettings, Stretch, load_detector, speech
from earful.audio.files import SAMPLE_RATE_HZ, Samples, blocks, probe, read
from earful.data.manifest import Manifest, read_manifest
from earful.data.readers.sound import MEDIA, SUFFIXES, is_sound, locate, one_a_name
from earful.data.utterance import Utterance, unique_ids
from earful.errors import AudioError, ConfigError, ManifestError, not_there

EXPECTED = (
    f"a folder with sound files of any length in it or in its folders ({', '.join(SUFFIXES)}; with PyAV "
    f"{', '.join(MEDIA[:6])} …), one sound file, or a JSONL manifest, which needs no texts"
)
_BLOCK_S = 60.0  # held in memory at a time
_TOUCH_S = 1e-6  # times are added and subtracted: what is nearer than this is the same

Hear = Callable[[Iterable[Samples]], Sequence[Stretch]]
Phrase = list[Stretch]  # stretches of speech with the pauses between them


@dataclass(frozen=True)
class CutSettings:
    """How clips are cut from detected speech.

    A pause of up to `pause_s` stays inside a clip; a longer one is left out. A clip lasts at most `longest_s`: a longer
    one is cut at its longest pause, or into equal parts if no pause leaves `shortest_s` on both sides. A clip shorter
    than `shortest_s` is joined with the nearer neighbour that is at most `near_s` away, and dropped if there is none.
    Raises ConfigError if the times do not fit each other.
    """

    longest_s: float = 15.0
    shortest_s: float = 1.0
    pause_s: float = 0.5
    near_s: float = 1.0
    activity: ActivitySettings = field(default_factory=ActivitySettings)

    def __post_init__(self) -> None:
        if not 0.01 <= self.shortest_s <= self.longest_s / 2 < float("inf"):
            raise ConfigError(
                f"shortest_s is {self.shortest_s} and longest_s {self.longest_s}; the shortest clip must last at least "
                "0.01 s and at most half as long as the longest, so that what is too long can be cut"
            )
        if not 0 <= self.pause_s <= self.near_s < float("inf"):
            raise ConfigError(f"expected 0 <= pause_s <= near_s, got {self.pause_s} and {self.near_s} s")


@dataclass(frozen=True)
class Skipped:
    """A recording without clips: its file, and the reason in a sentence."""

    path: Path
    reason: str


def read_recordings(path: str | Path) -> Manifest:
    """List the recordings of a folder (sorted by path, hidden files left out), of a manifest, or the one file.

    In a folder the id is the path inside it without the suffix; a `manifest.jsonl` in it is read instead of the files.
    Only the manifest is opened; `cut` reports problems of recordings.
    Raises ManifestError, which says what is expected.

    >>> len(read_recordings("radio"))  # doctest: +SKIP
    10000
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "manifest.jsonl").is_file():
            return _files(path)
        path /= "manifest.jsonl"
    if not path.exists():
        raise ManifestError(f"{path}: {not_there(path)}")
    if is_sound(path):
        return Manifest((Utterance(path.stem, path),))
    if path.suffix.lower() in (".jsonl", ".json"):
        return Manifest(tuple(replace(u, audio=locate(Path(), u.audio)) for u in read_manifest(path)))
    raise ManifestError(f"{path}: found a file of another kind ({path.suffix or 'no suffix'}); expected {EXPECTED}")


def read_beside(folder: str | Path, clips: Iterable[Utterance]) -> Manifest:
    """List the sound files in a folder of clips that no transcript names, sorted by path, hidden ones left out.

    >>> len(read_beside("my recordings", read_clips("my recordings")))  # doctest: +SKIP
    3
    """
    named = {u.audio.resolve() for u in clips if (u.text or "").strip()}
    try:
        found = _files(Path(folder))
    except ManifestError:
        return Manifest(())
    return found.filter(lambda u: u.audio.resolve() not in named)


def speech_of(recordings: Manifest, tell: Callable[[int, int], None]) -> tuple[Manifest, tuple[Skipped, ...]]:
    """The clips of speech in the recordings, cut as `cut` does; and the recordings that gave none.

    `tell(done, skipped)` is called before each recording, with the numbers of heard recordings and of those without
    clips. Raises AudioError if the optional package of the detector is missing.
    """
    skipped: list[Skipped] = []

    def told() -> Iterator[Utterance]:
        for number, recording in enumerate(recordings):
            tell(number, len(skipped))
            yield recording

    clips = Manifest(tuple(cut(told(), skip=skipped.append)))
    return clips, tuple(skipped)


def cut(
    recordings: Iterable[Utterance],
    settings: CutSettings = CutSettings(),
    *,
    skip: Callable[[Skipped], object],
    hear: Hear | None = None,
) -> Iterator[Utterance]:
    """Yield clips that hold speech, recording by recording, in order of time, with `extra["recording"]`, its id.

    A clip keeps its recording's language, speaker and `extra`, but not its text; its id is the recording's id and its
    start in milliseconds. A recording that cannot be read to its end, or has no speech of sufficient length, is no
    error: `skip` gets it (for example `skipped.append`), and it gives no clips. `hear` finds the speech in blocks of
    samples; the default is `earful.audio.activity.speech`. Raises AudioError at the first clip if the optional package
    of the detector is missing.

    >>> skipped: list[Skipped] = []
    >>> clips = Manifest(tuple(cut(read_recordings("radio"), skip=skipped.append)))  # doctest: +SKIP
    """
    if hear is None:
        load_detector()  # if it is missing, that is not the recordings' fault
        hear = partial(speech, settings=settings.activity)
    for recording in recordings:
        try:
            found = pieces(hear(_sound(recording)), settings)
        except (AudioError, OSError) as error:
            skip(Skipped(recording.audio, str(error).removeprefix(f"{recording.audio}: ")))
            continue
        if not found:
            skip(Skipped(recording.audio, f"no speech of {settings.shortest_s} s or more was found in it"))
        yield from (_clip(recording, piece, settings.longest_s) for piece in found)


def pieces(found: Sequence[Stretch], settings: CutSettings = CutSettings()) -> list[Stretch]:
    """Join and cut stretches of speech (start_s, end_s), in order and without overlap, into pieces of the right length.

    Every piece begins and ends with speech. What is dropped is shorter than `shortest_s` and stands alone.
    """
    parts = [part for phrase in _phrases(found, settings.pause_s) for part in _shortened(phrase, settings)]
    joined = _joined([_ends(part) for part in parts], settings)
    return [piece for piece in joined if _length_s(piece) >= settings.shortest_s - _TOUCH_S]


def _phrases(found: Sequence[Stretch], pause_s: float) -> Iterator[Phrase]:
    """Group stretches with only short pauses between them."""
    phrase: Phrase = []
    for stretch in found:
        if phrase and stretch[0] - phrase[-1][1] > pause_s + _TOUCH_S:
            yield phrase
            phrase = []
        phrase.append(stretch)
    if phrase:
        yield phrase


def _shortened(phrase: Phrase, settings: CutSettings) -> Iterator[Phrase]:
    """Cut a phrase until no part is too long; the parts come in order."""
    waiting = [phrase]  # a stack, not a recursion: a lecture may have a thousand parts
    while waiting:
        part = waiting.pop()
        if _length_s(_ends(part)) <= settings.longest_s + _TOUCH_S:
            yield part
            continue
        place = _longest_pause(part, settings.shortest_s)
        halves = [part[:place], part[place:]] if place else _equal_parts(part, settings.longest_s)
        waiting += reversed(halves)


def _longest_pause(phrase: Phrase, shortest_s: float) -> int:
    """The stretch after the longest pause that leaves `shortest_s` on both sides; 0 if there is none.

    Of equally long pauses it is the one nearest the middle.
    """
    start_s, end_s = _ends(phrase)
    ranked = [
        (right[0] - left[1], -abs(left[1] + right[0] - start_s - end_s), place)
        for place, (left, right) in enumerate(pairwise(phrase), start=1)
        if left[1] - start_s >= shortest_s and end_s - right[0] >= shortest_s
    ]
    return max(ranked)[2] if ranked else 0


def _equal_parts(phrase: Phrase, longest_s: float) -> list[Phrase]:
    """Cut into as few equal parts as possible, through speech if necessary."""
    start_s, end_s = _ends(phrase)
    edges_s = np.linspace(start_s, end_s, int(np.ceil((end_s - start_s) / longest_s)) + 1).tolist()
    inside = (
        [(max(left, low), min(right, high)) for left, right in phrase if min(right, high) - max(left, low) > _TOUCH_S]
        for low, high in pairwise(edges_s)
    )
    return [part for part in inside if part]


def _joined(spans: list[Stretch], settings: CutSettings) -> list[Stretch]:
    """Join each span that is too short with the nearer of its neighbours, if that is near and both together fit."""
    spans, place = list(spans), 0
    while place < len(spans):
        lefts = [left for left in (place - 1, place) if 0 <= left < len(spans) - 1]
        fit = [left for left in lefts if _length_s(_ends(spans[left : left + 2])) <= settings.longest_s + _TOUCH_S]
        gaps = [(spans[left + 1][0] - spans[left][1], left) for left in fit]
        if _length_s(spans[place]) >= settings.shortest_s or not gaps or min(gaps)[0] > settings.near_s + _TOUCH_S:
            place += 1
            continue
        place = min(gaps)[1]
        spans[place : place + 2] = [_ends(spans[place : place + 2])]
    return spans


def _ends(phrase: Phrase) -> Stretch:
    return phrase[0][0], phrase[-1][1]


def _length_s(span: Stretch) -> float:
    return span[1] - span[0]


def _clip(recording: Utterance, piece: Stretch, longest_s: float) -> Utterance:
    start_s, end_s = (round(recording.start_s + time_s, 3) for time_s in piece)
    return replace(
        recording,
        id=f"{recording.id}-{round(start_s * 1000):08d}",
        start_s=start_s,
        duration_s=min(round(end_s - start_s, 3), longest_s),  # rounding may add a millisecond
        text=None,
        extra={**recording.extra, "recording": recording.id},
    )


def _sound(recording: Utterance) -> Iterator[Samples]:
    """The samples of a recording, or of its part that is meant, in blocks."""
    start_s, wanted_s = recording.start_s, recording.duration_s
    if start_s == 0:
        yield from _first(blocks(recording.audio, _BLOCK_S, recording.channel), wanted_s)
        return
    if wanted_s is None:
        rest_s = probe(recording.audio).duration_s - start_s
        wanted_s = rest_s if rest_s > 0 else 1.0  # `read` says that it begins beyond the end
    edges_s = np.linspace(start_s, start_s + wanted_s, int(np.ceil(wanted_s / _BLOCK_S)) + 1).tolist()
    for begin_s, end_s in pairwise(edges_s):
        yield read(recording.audio, begin_s, end_s - begin_s, recording.channel)


def _first(sound: Iterator[Samples], wanted_s: float | None) -> Iterator[Samples]:
    """Pass on blocks up to a length: manifests give the length of a file, and seeking costs more."""
    left = sys.maxsize if wanted_s is None else round(wanted_s * SAMPLE_RATE_HZ)
    for block_T in sound:
        yield block_T[:left]
        left -= len(block_T)
        if left <= 0:
            return


def _files(folder: Path) -> Manifest:
    found = [Path(inside, name) for inside, _, names in os.walk(folder) for name in names if is_sound(Path(name))]
    shown = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    paths = sorted(one_a_name(shown))
    if not paths:
        raise ManifestError(f"{folder}: no sound files in this folder; expected {EXPECTED}")
    ids = unique_ids(path.relative_to(folder).with_suffix("").as_posix() for path in paths)
    return Manifest(tuple(Utterance(id, path) for id, path in zip(ids, paths, strict=True)))
