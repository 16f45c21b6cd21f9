"""The speed of this machine, measured briefly, and the estimated time of a fine-tuning."""

from dataclasses import replace
from time import monotonic
from typing import NamedTuple

from earful.adapt.adapt import Prepared, with_dropout
from earful.adapt.finetune import Plan, finetune, stages
from earful.model import AcousticModel

MEASURED_S = 15.0
"""Seconds of speech in the step that is timed."""


class Pace(NamedTuple):
    """Seconds per second of sound: for the frozen encoder, and for one training step."""

    hear: float
    move: float


def pace_of(ready: Prepared, hear: float, seed: int) -> Pace:
    """The pace of this machine, from one training step after a step for warm-up.

    `hear` is the encoder's time per second of the clips. The step is a usual one, not of a learned inner loop.
    """
    plan = replace(stages(ready.plan)[-1], steps=1, evaluations=1, folds=0, inner=None, batch_s=MEASURED_S)
    clips = [each[:1] for each in ready.copies]
    model = AcousticModel(with_dropout(ready.config, plan.dropout)).to(ready.device)
    start = ready.start(range(len(clips)))
    for _ in range(2):
        began = monotonic()
        finetune(model, start, clips, [], ready.config.alphabet, plan, seed=seed)
        took_s = monotonic() - began
    return Pace(hear, took_s / min(MEASURED_S, ready.speech_s))


def moving_s(plan: Plan, sound_s: float, pace: Pace) -> float:
    """The estimated seconds of all fine-tunings of a plan, those for measuring included, on `sound_s` of sound."""
    runs = plan.folds + 1 if plan.folds > 1 else 1 + (plan.folds == 1 and plan.again)
    return runs * sum(part.steps * min(part.batch_s, sound_s) for part in stages(plan)) * pace.move
