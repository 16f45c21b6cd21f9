"""The report of an adaptation, with the intervals of its rates."""

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
    """The result of an adaptation. `measured` says on which clips; if not `improved`, the base was kept.

    `cer_after` is that of greedy decoding; `cer_with_language` that of the search with the language model, None without
    one, or without held-out clips. Their 95 % intervals, None without held-out clips, are for other clips of the same
    kind: of `voices` that are new to the recogniser, known to it, or unknown, like those of the held-out clips. `steps`
    has the result of each step, if there were several (`adapt.effort`). `clips` and `speech_s` count the used clips;
    `warnings` name those left out.
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
        """CER of the search with the language model if there is one, else of greedy decoding."""
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
    """The report on an outcome. `errors` has wrong characters and length of the held-out clips, by number.

    `share` is the share of clips that the measured fine-tunings were trained on, if the recogniser was trained on all.
    The caller adds speech and time.
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
    """The interval of the recogniser from that of the measured fine-tunings: a different run, on more clips.

    Runs differ by `RUN`, and a recogniser trained on more clips may be better by as much as a steep learning curve
    says.
    """
    low, high = bounds
    return low * share**STEEP * exp(-2 * RUN), min(high * exp(2 * RUN), max(1.0, high))


def around(rate: float, of: float, bounds: Interval) -> Interval:
    """The interval of a rate from that of another rate on the same clips: of the same relative width."""
    return (bounds[0] * rate / of, bounds[1] * rate / of) if of and rate else bounds
