"""What would help a recogniser most: estimated from what its own adaptation measured, and from what measurements show.

The tables hold ratios of CER that real Dutch gave, by number of clips; each names its file. An estimate is
worth no more than that: another language, other voices, another room give other ratios.
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
"""Clips, and CER after adaptation to so many: `bench/adapt_steps.json`, "as chosen", medians."""
STEPS = ((10, 1.0), (50, 0.960), (200, 0.963))
"""By what more and faster steps multiply CER, where `best` makes them: `bench/adapt_steps.json`."""
SPOKEN, RECORDINGS, BOTH = 0.921, 0.961, 0.919
"""By what sentences of a synthesiser, recordings and both multiply CER with the n-gram of ten clips:
`bench/beside_dutch.json`. What they do beside more clips is not measured on Dutch: their effect is taken to be gone at
AGAINST clips."""
AGAINST = 50
TEXT = ((10, 0.964), (50, 0.863))
"""By what an n-gram of transcripts and word list multiplies the CER of the best path: `bench/beside_dutch.json` and
`bench/kshot_dutch.json`. Text of one's own stands in for the list."""
VOICES = 0.984
"""By what fifty clips of another speaker multiply the CER of that speaker: `bench/conditions.json`, mean of both."""
NOISY_DB = 15.0
"""Below, a clip counts as noisy: by hand. What that costs is what the run itself measured."""

Kind = Literal["clips", "text", "voices", "sound", "best"]


class Facts(NamedTuple):
    """What else is known of a run: whether it read text, could have its language spoken, what it learned from.

    `speakers` are those that the clips name, `flagged` the clips whose sound a check found fault with, by id, and
    `recordings` whether some without transcripts are at hand. `named` is whether the language is known by name.
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
    """What would help, from which CER to which, about; and all that in a sentence."""

    kind: Kind
    rate: float
    expected: float
    says: str

    @property
    def gain(self) -> float:
        """By how much CER would fall."""
        return self.rate - self.expected


def advise(found: Adapted, facts: Facts) -> Advice | None:
    """What would lower CER most, by estimate; None where nothing was measured, or nothing is expected to help."""
    every = sorted(candidates(found, facts), key=lambda each: -each.gain)
    return every[0] if every and every[0].gain > 0 else None


def candidates(found: Adapted, facts: Facts) -> Iterator[Advice]:
    """All that could help."""
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
            f"clips of other speakers, if it is to write them down: theirs from {rate:.1%} to about {expected:.1%}",
        )
    yield from _sound(found, facts)


def slope(clips: int) -> float:
    """The exponent by which CER falls with the amount of speech, near so many clips."""
    place = min(max(bisect([count for count, _ in CURVE], clips), 1), len(CURVE) - 1)
    (fewer, high), (more, low) = CURVE[place - 1 : place + 1]
    return log(high / low) / log(more / fewer)


def between(table: Sequence[tuple[int, float]], clips: int) -> float:
    """The ratio at so many clips: between those of the table by the logarithm of the number, and no farther."""
    counts, ratios = zip(*table, strict=True)
    return float(np.interp(log(max(clips, 1)), np.log(counts), ratios))


def by_effort(facts: Facts, clips: int) -> float:
    """By what the best effort is expected to multiply CER."""
    if facts.beside:
        return between(STEPS, clips)
    beside = {(True, True): BOTH, (True, False): SPOKEN, (False, True): RECORDINGS}.get(
        (facts.speaks, facts.recordings), 1.0
    )
    return min(between(((10, beside), (AGAINST, 1.0)), clips), between(STEPS, clips))


def _means(facts: Facts, clips: int) -> Iterator[str]:
    """What the best effort has that the run had not."""
    if facts.speaks and not facts.beside:
        yield "with sentences that espeak-ng says"
    if facts.recordings and not facts.beside:
        yield "with the recordings that have no transcripts"
    if clips > CURVE[0][0] or not (facts.speaks or facts.recordings) or facts.beside:
        yield "with more steps"


def _further(rate: float, clips: int, minutes: float) -> str:
    """How many more minutes a CER lower by a quarter takes, where that is no more than sixteen times the speech."""
    times = exp(log(4 / 3) / slope(clips))
    return f", {minutes * (times - 1):.0f} more to about {0.75 * rate:.1%}" if times <= 16 else ""


def _sound(found: Adapted, facts: Facts) -> Iterator[Advice]:
    """What clips of bad sound cost, by the errors of those that measured: the others' CER is expected for all."""
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
    """Whether the pauses of a clip, a twentieth of it, are less than `NOISY_DB` below its loudest twentieth."""
    size = SAMPLE_RATE_HZ // 40
    frames_FS = samples_T[: len(samples_T) // size * size].reshape(-1, size)
    if len(frames_FS) < 20:
        return False
    quiet, loud = np.quantile(np.square(frames_FS).mean(1), (0.05, 0.95))
    return bool(loud > 0 and 10 * np.log10(loud / max(quiet, 1e-12)) < NOISY_DB)
