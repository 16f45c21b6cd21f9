"""What an adaptation did, and how sure its rates are."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

from earful.adapt.brought import Brought
from earful.adapt.curve import RUN
from earful.adapt.finetune import Point
from earful.adapt.language import Gain
from earful.adapt.measure import Measured, Outcome
from earful.data.apart import Apart, Voices
from earful.text.interval import Interval, interval_of

STEEP = 0.5
"""The exponent by which CER may fall with the clips: 0.45 for few sentences of a synthesiser, 0.1 to 0.2 for Dutch."""


@dataclass(frozen=True)
class AdaptReport:
    """What adaptation did. `measured` says on which clips all rates were taken; without `improved` the base was kept.

    `cer_after` is that of the best path; `cer_with_language` that of the search with the language model, None where
    there is none, or no clip to measure it on. Their intervals, None where nothing was held out, hold the rate of other
    such clips nineteen times in twenty: of `voices` that are new to the recogniser, met, or not known, as those that
    measured are. `steps` says what each step brought, where there were several (`adapt.effort`). `clips` and `speech_s`
    are of what was used; clips that were left out are named in `warnings`.
    """

    cer_before: float
    cer_after: float
    cer_with_language: float | None
    measured: Measured
    improved: bool
    clips: int
    speech_s: float
    elapsed_s: float
    curve: tuple[Point, ...]
    warnings: tuple[str, ...]
    steps: tuple[Brought, ...] = ()
    interval_95: Interval | None = None
    language_interval_95: Interval | None = None
    voices: Voices = "unknown"

    @property
    def rate(self) -> float:
        """What a user of the recogniser meets: CER of the search with the language model, where there is one."""
        return self.cer_after if self.cer_with_language is None else self.cer_with_language

    @property
    def rate_interval_95(self) -> Interval | None:
        """The interval of `rate`."""
        return self.interval_95 if self.cer_with_language is None else self.language_interval_95


def report_of(
    outcome: Outcome,
    gain: Gain | None,
    errors: Mapping[int, tuple[float, int]],
    apart: Apart,
    share: float,
    warnings: tuple[str, ...],
) -> AdaptReport:
    """The report on an outcome. `errors` has wrong characters and length of the clips that measured, by number.

    `share` of the clips was learned from by what measured, where the recogniser has learned from all. What it took, in
    speech and time, is the caller's to say.
    """
    rate = outcome.tuned.best.cer
    wrong, lengths = ([each[column] for each in errors.values()] for column in (0, 1))
    bounds = interval_of(wrong, lengths, [apart.groups[i] for i in errors]) if errors else None
    return AdaptReport(
        cer_before=outcome.before,
        cer_after=rate,
        cer_with_language=gain.cer if gain else None,
        measured=outcome.measured,
        improved=outcome.tuned.best.step > 0,
        clips=len(apart.groups),
        speech_s=0.0,
        elapsed_s=0.0,
        curve=outcome.tuned.curve,
        warnings=warnings,
        interval_95=bounds and widened(around(rate, sum(wrong) / max(sum(lengths), 1), bounds), share),
        language_interval_95=gain.interval_95 and widened(gain.interval_95, share) if gain else None,
        voices=apart.voices,
    )


def widened(bounds: Interval, share: float) -> Interval:
    """The interval of the recogniser, where that of what measured it is known: another run, and of more clips.

    Runs differ by `RUN`, and a recogniser of more clips may be so much better as a steep learning curve has it.
    """
    low, high = bounds
    return low * share**STEEP * exp(-2 * RUN), min(high * exp(2 * RUN), max(1.0, high))


def around(rate: float, of: float, bounds: Interval) -> Interval:
    """The interval of a rate that the same clips gave at another point of the training: as wide, in proportion."""
    return (bounds[0] * rate / of, bounds[1] * rate / of) if of and rate else bounds
