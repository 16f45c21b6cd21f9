"""Checks of clips and transcripts before training: every clip is heard once, every transcript read once."""

import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from earful.data.check_sound import Sound, listen
from earful.data.check_text import Spoken, check_texts, edge_apostrophes
from earful.data.finding import SEVERITIES, Finding, listed
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.text.languages import canonical
from earful.text.normalize import TextRules, normalize, signs

_ENOUGH_S = 60.0


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect`: findings, the worst first, and a summary over all clips that can be read.

    `alphabet` maps each symbol, including the space, to its count after normalisation (most frequent first); `kept` and
    `dropped` map the signs that stay in the transcripts, and the characters that go (`text.normalize.signs`).
    `characters_per_s` is the median over the clips; None if no clip has both sound and text.
    """

    findings: tuple[Finding, ...]
    clips: int
    usable_clips: int
    hours: float
    characters: int
    alphabet: Mapping[str, int]
    kept: Mapping[str, int]
    dropped: Mapping[str, int]
    speakers: tuple[str, ...]
    languages: tuple[str, ...]
    characters_per_s: float | None

    def count(self, severity: str) -> int:
        """The number of findings of this severity."""
        return sum(finding.severity == severity for finding in self.findings)


def inspect(
    manifest: Manifest,
    rules: TextRules = TextRules(),  # noqa: B008 (frozen)
    frame_s: float = 0.04,
    decode: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Inspect clips and transcripts. Bad data raises no error, but becomes a finding.

    `frame_s`: seconds of one output frame of the recogniser. `decode=False` reads only headers, and so does not find
    silence, clipping, damage inside a file and equal sound. `progress(1)` is called after each clip.

    >>> inspect(read_clips("clips")).count("error")  # doctest: +SKIP
    0
    """
    heard = _listen_to_all(manifest, frame_s, decode, progress)
    sounds = [sound for sound, _ in heard]
    clips = [
        Spoken(u, normalize(u.text or "", rules), sound.duration_s) for u, sound in zip(manifest, sounds, strict=True)
    ]
    findings = [finding for _, found in heard for finding in found]
    findings += check_texts(clips, frame_s)
    findings += edge_apostrophes(clips) if rules.punctuation == "remove" else ()
    findings += _equal_sound(clips, sounds)
    findings += _equal_names(manifest)
    findings += _narrow_band(clips, sounds)
    findings += _too_little(clips)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))  # stable: the order of the clips stays
    return _summary(manifest, clips, findings, rules)


def usable(manifest: Manifest, findings: Iterable[Finding]) -> Manifest:
    """Leave out the clips that have errors."""
    bad = {finding.utterance_id for finding in findings if finding.severity == "error"}
    return manifest.filter(lambda utterance: utterance.id not in bad)


def _listen_to_all(
    manifest: Manifest, frame_s: float, decode: bool, progress: Callable[[int], None] | None
) -> list[tuple[Sound, tuple[Finding, ...]]]:
    def one(utterance: Utterance) -> tuple[Sound, tuple[Finding, ...]]:
        return listen(utterance, decode, frame_s)

    heard = []
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))  # libsndfile and NumPy work without the interpreter's lock
    try:
        for result in pool.map(one, manifest):
            heard.append(result)
            if progress:
                progress(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return heard


def _equal_sound(clips: Sequence[Spoken], sounds: Sequence[Sound]) -> Iterator[Finding]:
    groups: dict[str, list[Spoken]] = defaultdict(list)
    for clip, sound in zip(clips, sounds, strict=True):
        if sound.digest is not None and sound.peak:
            groups[sound.digest].append(clip)
    for group in groups.values():
        first = group[0]
        for clip in group[1:]:
            same = clip.text == first.text
            message = f"the same sound as clip {first.utterance.id!r}" + ("" if same else ", with another transcript")
            remedy = "keep one of them" if same else "listen to it, and keep the one whose transcript is right"
            kind = "equal sound" if same else "equal sound, other text"
            yield Finding("warning", kind, clip.utterance.id, str(clip.utterance.audio), message, remedy)


def _equal_names(manifest: Manifest) -> Iterator[Finding]:
    """Recordings that differ only in their suffix: probably one recording in two formats, with one text."""
    first: dict[Path, Utterance] = {}
    for clip in manifest:
        known = first.setdefault(clip.audio.with_suffix(""), clip)
        if known.audio != clip.audio:
            message = f"has the name of {known.audio.name}, which is clip {known.id!r}: the same in another format?"
            remedy = "keep one of them, or give the other a name of its own"
            yield Finding("warning", "equal name", clip.id, str(clip.audio), message, remedy)


def _narrow_band(clips: Sequence[Spoken], sounds: Sequence[Sound]) -> Iterator[Finding]:
    where = [clip.utterance.id for clip, sound in zip(clips, sounds, strict=True) if sound.narrow_band]
    if where:
        message = f"{len(where)} of {len(clips)} clips hold nothing above 4 kHz, as from a telephone or an 8 kHz file"
        remedy = "use the original recordings if there are any; for telephone speech it is as it should be"
        yield Finding("note", "narrow band", None, listed(where), message, remedy)


def _too_little(clips: Sequence[Spoken]) -> Iterator[Finding]:
    total_s = sum(clip.duration_s or 0.0 for clip in clips if clip.text)
    if total_s < _ENOUGH_S:
        message = f"{total_s:.0f} s of transcribed speech; below {_ENOUGH_S:.0f} s adaptation gains little"
        yield Finding("warning", "too little data", None, "all clips", message, "record more")


def _summary(manifest: Manifest, clips: Sequence[Spoken], findings: Sequence[Finding], rules: TextRules) -> Inspection:
    symbols = Counter("".join(clip.text for clip in clips))
    kept, dropped = signs("\n".join(u.text or "" for u in manifest), rules)
    rates = [rate for clip in clips if (rate := clip.rate)]
    return Inspection(
        findings=tuple(findings),
        clips=len(clips),
        usable_clips=len(usable(manifest, findings)),
        hours=sum(clip.duration_s or 0.0 for clip in clips) / 3600,
        characters=symbols.total(),
        alphabet=MappingProxyType(dict(symbols.most_common())),
        kept=MappingProxyType(dict(kept.most_common())),
        dropped=MappingProxyType(dict(dropped.most_common())),
        speakers=tuple(sorted({u.speaker for u in manifest if u.speaker})),
        languages=tuple(sorted({canonical(u.language) for u in manifest if u.language})),
        characters_per_s=statistics.median(rates) if rates else None,
    )
