"""What would help a recogniser most: an estimate from its own adaptation and from measurements on Dutch.

The tables hold ratios of CER on real Dutch, by number of clips; each names its file. Another language, other voices or
another room have other ratios.
"""

from bisect import bisect
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal, NamedTuple

import numpy as np

from earful.adapt.adapt import Adapted
from earful.audio.files import SAMPLE_RATE_HZ, Samples, read

CURVE = ((10, 0.497), (50, 0.422), (200, 0.342))
"""Numbers of clips, and CER after adaptation to them: `bench/adapt_steps.json`, "as chosen", medians."""
STEPS = ((10, 1.0), (50, 0.960), (200, 0.963))
"""The ratio of CER with more and faster steps, if `best` takes them: `bench/adapt_steps.json`."""
SPOKEN, RECORDINGS, BOTH = 0.921, 0.961, 0.919
"""By what sentences of a synthesiser, recordings and both multiply CER with the n-gram of ten clips:
`bench/beside_dutch.json`. What they do beside more clips is not measured on Dutch: their effect is taken to be gone at
AGAINST clips."""
AGAINST = 50
TEXT = ((10, 0.964), (50, 0.863))
"""The ratio of CER with an n-gram of transcripts and word list to that of greedy decoding: `bench/beside_dutch.json`
and `bench/kshot_dutch.json`. The user's own text replaces the list."""
VOICES = 0.984
"""The ratio of a new speaker's CER after adding fifty clips of that speaker: `bench/conditions.json`, mean of both."""
NOISY_DB = 15.0
"""A clip with a smaller range of levels, in dB, is noisy (chosen by hand). The run itself measures the cost of
noise."""

Kind = Literal["clips", "text", "voices", "sound", "best"]


class Facts(NamedTuple):
    """Facts about a run: whether it used text, whether espeak-ng speaks its language, and its data.

    `speakers` are named by the clips, `flagged` are the ids of clips with bad sound, and `recordings` says whether
    there are recordings without transcripts. `named` says whether the language is known by name.
    """

    text: bool
    speaks: bool
    recordings: bool
    best: bool
    beside: bool
    speakers: Collection[str] = ()
    flagged: Collection[str] = ()
    named: bool = False


@dataclass(frozen=True)
class Advice:
    """One improvement: its kind, CER now, the estimated CER with it, and a sentence about it."""

    kind: Kind
    rate: float
    expected: float
    says: str

    @property
    def gain(self) -> float:
        """The estimated decrease of CER."""
        return self.rate - self.expected


def advise(found: Adapted, facts: Facts) -> Advice | None:
    """The advice with the largest estimated gain; None if nothing was measured, or nothing is expected to help."""
    every = sorted(candidates(found, facts), key=lambda each: -each.gain)
    return every[0] if every and every[0].gain > 0 else None


def candidates(found: Adapted, facts: Facts) -> Iterator[Advice]:
    """Yield all possible advice."""
    report = found.report
    if report.measured == "own clips" or not report.rate > 0:
        return
    rate, minutes = report.rate, report.speech_s / 60
    expected = rate * 2 ** -slope(report.clips)
    yield Advice(
        "clips",
        rate,
        expected,
        f"more clips: {minutes:.1f} more minutes like these, as many again, would bring CER from {rate:.1%} to about "
        f"{expected:.1%}{_further(rate, report.clips, minutes)}",
    )
    if not facts.text:
        expected = report.cer_after * between(TEXT, report.clips)
        how = "--text FILE" if facts.named else "--text FILE, or --language CODE where there is a word list"
        what = f"text of the language, for a language model ({how})"
        yield Advice("text", rate, expected, f"{what}: CER from {rate:.1%} to about {expected:.1%}")
    if not facts.best:
        expected = rate * by_effort(facts, report.clips)
        what = " and ".join(_means(facts, report.clips))
        yield Advice("best", rate, expected, f"--effort best, {what}: CER from {rate:.1%} to about {expected:.1%}")
    if len(facts.speakers) == 1:
        expected = rate * VOICES
        yield Advice(
            "voices",
            rate,
            expected,
            f"clips of other speakers, if you will transcribe them: their CER from {rate:.1%} to about {expected:.1%}",
        )
    yield from _sound(found, facts)


def slope(clips: int) -> float:
    """The exponent with which CER falls with the amount of speech, near this number of clips."""
    place = min(max(bisect([count for count, _ in CURVE], clips), 1), len(CURVE) - 1)
    (fewer, high), (more, low) = CURVE[place - 1 : place + 1]
    return log(high / low) / log(more / fewer)


def between(table: Sequence[tuple[int, float]], clips: int) -> float:
    """The ratio at this number of clips: interpolated in the table by the logarithm of the number, not extrapolated."""
    counts, ratios = zip(*table, strict=True)
    return float(np.interp(log(max(clips, 1)), np.log(counts), ratios))


def by_effort(facts: Facts, clips: int) -> float:
    """The expected ratio of CER with the best effort."""
    if facts.beside:
        return between(STEPS, clips)
    beside = {(True, True): BOTH, (True, False): SPOKEN, (False, True): RECORDINGS}.get(
        (facts.speaks, facts.recordings), 1.0
    )
    return min(between(((10, beside), (AGAINST, 1.0)), clips), between(STEPS, clips))


def _means(facts: Facts, clips: int) -> Iterator[str]:
    """The data that the best effort uses and this run did not."""
    if facts.speaks and not facts.beside:
        yield "with sentences spoken by espeak-ng"
    if facts.recordings and not facts.beside:
        yield "with the recordings without transcripts"
    if clips > CURVE[0][0] or not (facts.speaks or facts.recordings) or facts.beside:
        yield "with more steps"


def _further(rate: float, clips: int, minutes: float) -> str:
    """The minutes of speech that lower CER by a quarter; empty if more than sixteen times the speech is needed."""
    times = exp(log(4 / 3) / slope(clips))
    return f", {minutes * (times - 1):.0f} more to about {0.75 * rate:.1%}" if times <= 16 else ""


def _sound(found: Adapted, facts: Facts) -> Iterator[Advice]:
    """The cost of bad sound, by errors on held-out clips: with good sound all clips would have the others' CER."""
    errors = {found.ready.heard.clips[i].id: each for i, each in found.errors.items()}
    noisy = {
        u.id for u in found.ready.heard.clips if u.id in errors and is_noisy(read(u.audio, u.start_s, u.duration_s))
    }
    bad = (noisy | set(facts.flagged)) & errors.keys()
    good = errors.keys() - bad
    if len(bad) < 2 or len(good) < 2:
        return
    all_cer, bad_cer, good_cer = (cer_over(errors, names) for names in (errors.keys(), bad, good))
    rate = found.report.rate
    expected = rate * min(1.0, good_cer / all_cer) if all_cer else rate
    yield Advice(
        "sound",
        rate,
        expected,
        f"better sound: {len(bad)} of {len(errors)} clips are noisy or clipped, with CER {bad_cer:.1%} in place of "
        f"{good_cer:.1%}; all like the others: from {rate:.1%} to about {expected:.1%}",
    )


def cer_over(errors: Mapping[str, tuple[float, int]], names: Collection[str]) -> float:
    """CER of some clips together."""
    return sum(errors[name][0] for name in names) / max(1, sum(errors[name][1] for name in names))


def is_noisy(samples_T: Samples) -> bool:
    """Whether the quietest twentieth of a clip is less than `NOISY_DB` below its loudest twentieth."""
    size = SAMPLE_RATE_HZ // 40
    frames_FS = samples_T[: len(samples_T) // size * size].reshape(-1, size)
    if len(frames_FS) < 20:
        return False
    quiet, loud = np.quantile(np.square(frames_FS).mean(1), (0.05, 0.95))
    return bool(loud > 0 and 10 * np.log10(loud / max(quiet, 1e-12)) < NOISY_DB)
