"""Adaptation from end to end: base and clips in, the adapted checkpoint and an honest report out."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from earful.adapt.clips import Heard, Progress, listen, vary
from earful.adapt.finetune import Plan, Point, Tuned, cer_of, finetune
from earful.adapt.rows import carry_rows, sources
from earful.adapt.select import plan_for, split_folds
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint
from earful.config import to_mapping
from earful.data.batch import Example
from earful.data.manifest import Manifest
from earful.model import AcousticModel, Params
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules

Measured = Literal["held-out", "cross-validated", "own clips"]
Tune = Callable[[str, Sequence[int], Sequence[int]], Tuned]

ADAPTATION = Augmentation()
"""Augmentation of the copies that adaptation learns from."""


@dataclass(frozen=True)
class AdaptReport:
    """What adaptation did. `measured` says on which clips both rates were taken; without `improved` the base was kept.

    `clips` and `speech_s` are of what was used; clips that were left out are named in `warnings`.
    """

    cer_before: float
    cer_after: float
    measured: Measured
    improved: bool
    clips: int
    speech_s: float
    elapsed_s: float
    curve: tuple[Point, ...]
    warnings: tuple[str, ...]


def adapt(
    base: Checkpoint,
    clips: Manifest,
    *,
    rules: TextRules | None = None,
    plan: Plan | None = None,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    state: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Checkpoint, AdaptReport]:
    """Adapt `base` to `clips`, each with audio and transcript. With the folder `state` an interrupted run goes on.

    Without `plan`, `plan_for` chooses it; `progress(stage, done, total)` is called along the way. Clips without a
    transcript, with one that their sound cannot carry, or longer than a minute are left out.
    Returns the adapted checkpoint, which on the clips that measure is never worse than the base, and the report.

    Raises:
        AdaptationError: no clip can be used.
        AudioError: a recording cannot be read.
        CheckpointError: `state` is damaged or cannot be written.
    """
    began = time.monotonic()
    tell = progress or (lambda stage, done, total: None)
    augmentation = augmentation or ADAPTATION
    config = replace(base.config, rules=rules or base.config.rules)
    heard = listen(clips, config, tell)
    config = replace(config, alphabet=Alphabet.learn(heard.texts))
    speech_s = heard.frame_count * config.features.hop_s
    plan = plan or plan_for(len(heard.clips), speech_s)
    copies = vary(heard, config, copies=plan.copies, augmentation=augmentation, seed=seed, tell=tell)
    start = carry_rows(base.params, base.config.alphabet, config.alphabet, torch.Generator().manual_seed(seed))
    state = state / _fingerprint(base, heard, plan, augmentation, seed) if state else None
    before, tuned, measured = _run(AcousticModel(config), start, copies, plan, seed, state, tell)
    report = AdaptReport(
        cer_before=before,
        cer_after=tuned.best.cer,
        measured=measured,
        improved=tuned.best.step > 0,
        clips=len(heard.clips),
        speech_s=speech_s,
        elapsed_s=time.monotonic() - began,
        curve=tuned.curve,
        warnings=(*_material_warnings(base, heard, config.alphabet), *_result_warnings(measured, tuned)),
    )
    about = {"base": dict(base.about), "adapted": to_mapping(replace(report, elapsed_s=round(report.elapsed_s, 1)))}
    return Checkpoint(config, dict(tuned.params), about), report


def _fingerprint(base: Checkpoint, heard: Heard, plan: Plan, augmentation: Augmentation, seed: int) -> str:
    """Names the state of this very run: other clips, another base or another plan do not meet it."""
    weights = [float(value.double().sum()) for value in base.params.values()]
    clips = [[str(u.audio), u.start_s, u.duration_s] for u in heard.clips]
    what = [weights, to_mapping(base.config), clips, heard.texts, to_mapping(plan), to_mapping(augmentation), seed]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _run(
    model: AcousticModel,
    start: Params,
    copies: Sequence[Sequence[Example]],
    plan: Plan,
    seed: int,
    state: Path | None,
    tell: Progress,
) -> tuple[float, Tuned, Measured]:
    """CER before, the fine-tuning that is kept (its `best` holds the CER after), and how both were measured."""
    plain, everything = [each[0] for each in copies], range(len(copies))
    folds = split_folds(len(copies), plan, torch.Generator().manual_seed(seed))
    tune = _tuner(model, start, copies, plan, seed, state, tell)
    if len(folds) == 1:
        tuned = tune("adapting", *folds[0])
        return tuned.curve[0].cer, tuned, "held-out"
    before = cer_of(model, start, plain, model.config.alphabet)
    crossed = [tune(f"measuring, part {i} of {len(folds)}", *fold) for i, fold in enumerate(folds, 1)]
    tuned = tune("adapting", everything, [])
    if not folds:
        after = cer_of(model, tuned.params, plain, model.config.alphabet)
        return before, _kept(tuned, start, before, after), "own clips"
    after = _crossed_cer(crossed, [sum(len(plain[i].labels) for i in held) for _, held in folds])
    return before, _kept(tuned, start, before, after), "cross-validated"


def _tuner(
    model: AcousticModel,
    start: Params,
    copies: Sequence[Sequence[Example]],
    plan: Plan,
    seed: int,
    state: Path | None,
    tell: Progress,
) -> Tune:
    """Fine-tuning on some clips while measuring on others, by their numbers; a stage's state is named after it."""

    def tune(stage: str, learn: Sequence[int], held: Sequence[int]) -> Tuned:
        return finetune(
            model,
            start,
            [copies[i] for i in learn],
            [copies[i][0] for i in held],
            model.config.alphabet,
            plan,
            seed=seed,
            state=state / f"{stage.replace(' ', '-').replace(',', '')}.safetensors" if state else None,
            report=lambda done, total: tell(stage, done, total),
        )

    return tune


def _crossed_cer(crossed: Sequence[Tuned], lengths: Sequence[int]) -> float:
    """Every clip is scored by the fine-tuning that has not met it, at its end: its best would flatter."""
    return sum(n * tuned.curve[-1].cer for n, tuned in zip(lengths, crossed, strict=True)) / sum(lengths)


def _kept(tuned: Tuned, start: Params, before: float, after: float) -> Tuned:
    """The last parameters, or the start where those would be worse."""
    if after <= before:
        return replace(tuned, best=tuned.curve[-1]._replace(cer=after))
    return replace(tuned, params=start, best=tuned.curve[0]._replace(cer=before))


def _material_warnings(base: Checkpoint, heard: Heard, alphabet: Alphabet) -> Iterator[str]:
    """What the user should know about the clips, each with what to do."""
    for reason, ids in heard.left_out.items():
        yield f"left out, {reason}: {_show(ids)}; `earful check CLIPS` says more"
    counts = Counter("".join(heard.texts))
    if once := [c for c in alphabet.symbols if counts[c] == 1]:
        yield f"seen only once, hardly learnable: {_show(once)}; record clips with them, or correct the transcripts"
    if new := [s for s, source in sources(base.config.alphabet, alphabet).items() if source is None]:
        yield f"like no letter that the base knows, learned from nothing: {_show(new)}; record clips rich in them"


def _result_warnings(measured: Measured, tuned: Tuned) -> Iterator[str]:
    """What the user should know about the result, each with what to do."""
    if measured == "own clips":
        yield "both rates are of the clips it learned from, and flatter; give at least 4 clips to hold some out"
    if measured == "cross-validated":
        yield "few clips: the rates are cross-validated, and rough; with 30 or more a part is held out"
    if tuned.skipped:
        yield f"{tuned.skipped} steps had no finite gradient and were skipped; look for damaged recordings"
    if not tuned.best.step:
        yield "adaptation did not improve on the base, which was kept; check the transcripts, or record more"
    elif tuned.best.cer > 0.95:
        yield "the recogniser writes (almost) nothing that is right; `earful check CLIPS` looks for the cause"


def _show(names: Sequence[str]) -> str:
    return " ".join("␣" if name == " " else name for name in names[:20]) + (" …" if len(names) > 20 else "")
