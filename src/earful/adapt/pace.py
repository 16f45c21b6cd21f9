"""How fast this machine is, by a short measure, and how long a fine-tuning will take by it."""

from dataclasses import replace
from time import monotonic
from typing import NamedTuple

from earful.adapt.adapt import Prepared, with_dropout
from earful.adapt.finetune import Plan, finetune, stages
from earful.model import AcousticModel

MEASURED_S = 15.0
"""Seconds of speech that a step of the measure learns from."""


class Pace(NamedTuple):
    """Seconds that a second of sound takes: to be heard by the frozen encoder, and to be learned from in one step."""

    hear: float
    move: float


def pace_of(ready: Prepared, hear: float, seed: int) -> Pace:
    """The pace of this machine: one step is made for it, after another that takes what is made but once.

    `hear` is what hearing the clips took a second. The step is one as any base takes it, not of a learned inner loop.
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
    """About how many seconds the fine-tunings of a plan take, those that measure too, on so much sound."""
    runs = plan.folds + 1 if plan.folds > 1 else 1 + (plan.folds == 1 and plan.again)
    return runs * sum(part.steps * min(part.batch_s, sound_s) for part in stages(plan)) * pace.move
