"""Fine-tuning: gradient descent on the clips; the best parameters on the held-out part are kept."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from earful.adapt.descend import Loss, Rule, State, adamw_in_place, descend
from earful.adapt.inner import Inner, Moves, everything, rule_of
from earful.ctc.greedy import greedy_ids
from earful.ctc.lattice import frames_needed
from earful.data.batch import Batch, Example, bucket, collate
from earful.device import CPU, even, home_of, moved
from earful.encoder.encoder import noise_of
from earful.errors import AdaptationError, CheckpointError, ConfigError
from earful.features.mask import SpecAugment, spec_augment
from earful.features.stretch import stretched
from earful.model import TEXT, AcousticModel, ModelConfig, Params, fast_arithmetic, loss_of, moving
from earful.text.alphabet import Alphabet
from earful.text.score import errors_of_each
from earful.train import load_state, save_state, schedule

HEAD = "heads."
Letters = Literal["rules", "heard", "phones", "like", "random", "prototypes"]
Selection = Literal["all", "head", "body", "biases"]
SELECTIONS: Mapping[Selection, Moves] = {
    "all": everything,
    "head": lambda name: name.startswith(HEAD),
    "body": lambda name: not name.startswith(HEAD),
    "biases": lambda name: name.startswith(HEAD) or name.endswith(".bias"),
}
"""The parameters that are trained; frozen ones never are, whatever the selection."""


@dataclass(frozen=True)
class Plan:
    """How to fine-tune. `rate` is the encoder's peak learning rate, `rate * head_factor` the output layer's.

    `factors` multiply the rates of groups of weights (`group_of`). In the first `rows_first` (a share) of the steps
    only the output layer is trained (Kumar et al. 2022, "Fine-tuning can distort pretrained features"). At the end the
    weights are interpolated by the share `back` towards the start ("WiSE-FT": Wortsman et al. 2022, eq. 1). `decay`
    pulls each weight `towards` its start, or zero; `dropout` replaces the base's, if given. `letters` says how the
    output rows of new letters are initialised: from the sounds that they align with and the rules of the language, if
    espeak-ng has them; from those sounds alone (by the phone and the letter head, or by the phone head); from the most
    similar known letters; at random; or as the mean of the frames that they align with. `copies` is the number of
    augmented copies of each clip, beside the clip itself. In each step the frames of a clip are resampled in time at
    random by up to the share `stretch`. `own` is the least share of speech that the clips have if there is other speech
    beside them. `folds` says how CER is measured: 1 holds out `holdout` of the clips and, with `again`, trains on all
    of them afterwards; more folds cross-validate; 0 measures on the training clips. With `averaged` the weights are the
    mean of all these fine-tunings, if the last was trained on all clips.

    With `inner`, a meta-trained inner loop, this loop trains the parameters of `moves` without dropout and noise, and
    ignores rate, head_factor, decay, warmup and clip_norm. `first` is a plan to follow before this one, such as the own
    steps of a meta-trained base.
    """

    steps: int
    rate: float = 5e-4
    head_factor: float = 4.0
    factors: Mapping[str, float] = field(default_factory=dict, hash=False)
    rows_first: float = 0.0
    back: float = 0.0
    decay: float = 0.01
    towards: Literal["start", "zero"] = "start"
    dropout: float | None = None
    batch_s: float = 60.0
    copies: int = 4
    stretch: float = 0.0
    own: float = 0.5
    warmup: float = 0.1
    clip_norm: float = 1.0
    evaluations: int = 5
    folds: int = 1
    again: bool = False
    averaged: bool = True
    holdout: float = 0.1
    letters: Letters = "rules"
    masks: SpecAugment = field(default_factory=SpecAugment)
    inner: Inner | None = None
    moves: Selection = "all"
    first: "Plan | None" = None

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("evaluations", 1), ("copies", 0), ("folds", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}, must be at least {least}")
        shares = {name: getattr(self, name) for name in ("holdout", "own", "warmup", "rows_first", "back", "stretch")}
        if not (shares["holdout"] > 0 and shares["own"] > 0 and all(0 <= share < 1 for share in shares.values())):
            raise ConfigError(f"{', '.join(shares)} are shares, below 1, got {', '.join(map(str, shares.values()))}")


def stages(plan: Plan) -> tuple[Plan, ...]:
    """The plans to follow one after another; all measure like the last one."""
    if plan.first is None:
        return (plan,)
    measuring = {name: getattr(plan, name) for name in ("folds", "holdout", "again", "evaluations")}
    return (*stages(replace(plan.first, **measuring)), replace(plan, first=None))


def steps_of(plan: Plan) -> int:
    """The steps of all stages of a plan."""
    return sum(part.steps for part in stages(plan))


class Point(NamedTuple):
    """CER on the held-out part after `step` steps, and the mean training loss since the point before."""

    step: int
    cer: float
    loss: float


@dataclass(frozen=True)
class Tuned:
    """The best parameters, their point on the curve, and the whole curve; `skipped` counts steps that were not finite.

    `last` are the parameters after the last step, which are not selected by the held-out clips.
    """

    params: Params
    best: Point
    curve: tuple[Point, ...]
    skipped: int = 0
    last: Params | None = None


def rate_factor(step: int, plan: Plan) -> float:
    """The schedule: a linear rise, then a cosine fall to zero."""
    return schedule(step, plan.steps, plan.warmup)


def finetune(
    model: AcousticModel,
    params: Params,
    clips: Sequence[Sequence[Example]],
    held: Sequence[Example],
    alphabet: Alphabet,
    plan: Plan,
    *,
    learned: Params | None = None,
    seed: int = 0,
    state: Path | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Fine-tune `params` on `clips`, each a clip with its augmented copies; keep the best parameters on `held`.

    This is one stage: `finetune_in_stages` takes the stage that comes `first`. `learned` are the learned tensors of the
    plan's inner loop. Without `held` the last parameters are kept. With the file `state` an interrupted run continues.
    `report(done, total)` is called after every step.

    Symbols that no clip has are left out of the loss: their rows stay as they are, and can still be written. Training
    runs on the model's device; parameters are passed and returned on the CPU.

    Raises:
        AdaptationError: there is no clip to learn from.
        CheckpointError: `state` is damaged, of another run, or cannot be written.
    """
    if not clips:
        raise AdaptationError("there is no clip to learn from; give some, or hold out fewer")
    among = {label for copies in clips for label in copies[0].labels}
    device, params = home_of(model), moved(params, home_of(model))
    run = (_resume(state, params) if state else None) or _begin(model, params, held, alphabet)
    tuned, last, losses = run.tuned, _gone_back(run.params, params, plan.back), list[float]()
    steps = descend(
        _quiet_loss(model, among) if plan.inner else _noisy_loss(model, seed, among),
        run.params,
        moved_to(device, _batches(clips, plan, model.config, seed, run.step)),
        rule_of(plan.inner, moved(learned or {}, device), params) if plan.inner else _usual_rule(plan, params),
        moves=lambda name: moves(model.config, name) and SELECTIONS[plan.moves](name),
        clip_norm=plan.inner.clip_norm if plan.inner else plan.clip_norm,
        state=run.rule,
        first=run.step,
    )
    for step, at in enumerate(steps, run.step + 1):
        losses.append(float(at.loss))
        tuned = replace(tuned, skipped=tuned.skipped + (not at.taken))
        if step in _stops(plan):
            last = _gone_back(at.params, params, plan.back)
            point = Point(step, cer_of(model, last, held, alphabet), sum(losses) / len(losses))
            tuned, losses = _keep_better(tuned, last, point), []
            if state:
                _save(state, _Run(tuned, at.params, at.state, step), params)
        if report:
            report(step, plan.steps)
    return replace(tuned, params=moved(tuned.params, CPU), last=moved(last, CPU))


def finetune_in_stages(
    model: AcousticModel,
    params: Params,
    clips: Sequence[Sequence[Example]],
    alphabet: Alphabet,
    plan: Plan,
    *,
    learned: Params | None,
    seed: int,
    report: Callable[[int, int], None],
) -> tuple[Params, int]:
    """The parameters after all stages of a plan, without held-out clips, and the number of steps taken.

    `report(done, total)` counts the steps of all stages. Raises AdaptationError: there is no clip to learn from.
    """
    done = skipped = 0

    def tell(step: int, of: int) -> None:
        report(done + step, steps_of(plan))

    for part in stages(replace(plan, evaluations=1)):
        copies = [each[: 1 + part.copies] for each in clips]
        tuned = finetune(model, params, copies, [], alphabet, part, learned=learned, seed=seed, report=tell)
        params, done, skipped = tuned.params, done + part.steps, skipped + tuned.skipped
    return params, done - skipped


def group_of(name: str, value: Tensor) -> str:
    """The group of a parameter: its layer, and whether it is a matrix or a vector (bias, norm).

    >>> group_of("encoder.layers.2.attention.project_in.bias", torch.zeros(624))
    'encoder.layers.2 vectors'
    """
    layer = re.match(r"encoder\.layers\.\d+|encoder|upsample|heads|backbone", name)
    return f"{layer[0] if layer else name} {'matrices' if value.dim() > 1 else 'vectors'}"


def _usual_rule(plan: Plan, start: Params) -> Rule:
    """AdamW with the plan's schedule, and with learning rates for the output layer and for groups of weights."""
    factors = {name: plan.factors.get(group_of(name, value), 1.0) for name, value in start.items()}
    alone = round(plan.rows_first * plan.steps)

    def rate(name: str, step: int) -> float:
        rows = name.startswith(HEAD)
        if step < alone and not rows:
            return 0.0
        return rate_factor(step, plan) * plan.rate * factors[name] * (plan.head_factor if rows else 1.0)

    return adamw_in_place(rate, decay=plan.decay, anchor=start if plan.towards == "start" else None)


def cer_of(model: AcousticModel, params: Params, examples: Sequence[Example], alphabet: Alphabet) -> float:
    """Character error rate over `examples`, by greedy decoding, without dropout; NaN without examples."""
    if not examples:
        return math.nan
    references, hypotheses = zip(*_decoded(model, params, examples, alphabet), strict=True)
    counts = [errors.characters for errors in errors_of_each(references, hypotheses)]
    return sum(c.errors for c in counts) / max(1, sum(c.length for c in counts))


def _decoded(
    model: AcousticModel, params: Params, examples: Sequence[Example], alphabet: Alphabet, batch_frames: int = 6000
) -> list[tuple[str, str]]:
    """`(reference, hypothesis)` of every example, in no particular order."""
    pairs = []
    model.eval()
    device = home_of(model)
    params = moved(dict(params), device)
    with torch.no_grad(), fast_arithmetic(device):
        for indexes in bucket([len(e.frames_FM) for e in examples], batch_frames, torch.Generator(), jitter=0.0):
            longest = max(len(examples[i].frames_FM) for i in indexes)
            batch = moved(collate([examples[i] for i in indexes], even(longest)), device)
            output = functional_call(model, params, (batch.frames_BFM, batch.frame_counts_B))
            for i, ids in zip(indexes, greedy_ids(*moved(output, CPU)), strict=True):
                pairs.append((alphabet.decode(examples[i].labels), alphabet.decode(ids)))
    return pairs


def moves(config: ModelConfig, name: str) -> bool:
    """Whether a parameter is trained: all but frozen ones and the phone heads, which adaptation does not use."""
    used = not name.startswith(HEAD) or name.startswith(f"{HEAD}{TEXT}.")
    return used and moving(config, name)


def _quiet_loss(model: AcousticModel, among: Collection[int]) -> Loss:
    """The CTC loss of meta-training: in float32, without dropout."""
    plain = loss_of(model, among=among)

    def loss(params: Mapping[str, Tensor], item: tuple[int, Batch]) -> Tensor:
        model.eval()
        return plain(params, item[1])

    return loss


def _noisy_loss(model: AcousticModel, seed: int, among: Collection[int]) -> Loss:
    """The CTC loss with dropout and bf16; each step has its own seed, so a resumed run gives the same result."""
    plain, device = loss_of(model, among=among), home_of(model)

    def loss(params: Mapping[str, Tensor], item: tuple[int, Batch]) -> Tensor:
        step, batch = item
        model.train()
        with noise_of(seed * 1_000_003 + step, device), fast_arithmetic(device):
            return plain(params, batch)

    return loss


def _batches(
    clips: Sequence[Sequence[Example]], plan: Plan, config: ModelConfig, seed: int, first: int
) -> Iterator[tuple[int, Batch]]:
    """Yield `(step, batch)` from step `first` to the last: epochs of shuffled buckets, a random copy of each clip."""
    budget, step, epoch = round(plan.batch_s / config.features.hop_s), 0, 0
    while step < plan.steps:
        generator = torch.Generator().manual_seed(seed * 7919 + epoch)
        drawn = [copies[int(torch.randint(len(copies), (), generator=generator))] for copies in clips]
        if plan.stretch:
            drawn = [_at_another_pace(each, plan.stretch, config, generator) for each in drawn]
        counts = [even(len(each.frames_FM)) for each in drawn]
        for indexes in bucket(counts, budget, generator):
            if first <= step < plan.steps:
                batch = collate([drawn[i] for i in indexes], max(counts[i] for i in indexes))
                masks = torch.Generator().manual_seed(seed * 1_000_003 + step)
                masked = spec_augment(batch.frames_BFM, batch.frame_counts_B, plan.masks, masks)
                yield step, batch._replace(frames_BFM=masked)
            step += 1
        epoch += 1


def _at_another_pace(clip: Example, most: float, config: ModelConfig, generator: torch.Generator) -> Example:
    """The clip at a random pace; unchanged if it would have too few frames for its labels."""
    share = most * (2 * float(torch.rand((), generator=generator)) - 1)
    count = max(1, round(len(clip.frames_FM) * (1 + share)))
    fits = config.output_count(count) >= frames_needed(clip.labels)
    return replace(clip, frames_FM=stretched(clip.frames_FM, count)) if fits else clip


def moved_to(device: torch.device, batches: Iterable[tuple[int, Batch]]) -> Iterator[tuple[int, Batch]]:
    """The batches, each moved to the device when it is needed."""
    return (moved(each, device) for each in batches)


def _gone_back(end: Params, start: Params, share: float) -> Params:
    """Interpolate `end` by `share` towards `start`, in a copy; unchanged tensors are not copied."""
    return {n: v if v is start[n] else v.lerp(start[n], share) for n, v in end.items()}


def _stops(plan: Plan) -> set[int]:
    return {math.ceil(plan.steps * (i + 1) / plan.evaluations) for i in range(plan.evaluations)}


def _keep_better(tuned: Tuned, params: Params, point: Point) -> Tuned:
    """Add `point` to the curve; its parameters become the best unless its CER is higher."""
    tuned = replace(tuned, curve=(*tuned.curve, point))
    return tuned if point.cer > tuned.best.cer else replace(tuned, params=params, best=point)


class _Run(NamedTuple):
    """The state of a fine-tuning: the best parameters so far, the current ones, and the optimiser's state."""

    tuned: Tuned
    params: Params
    rule: State | None
    step: int


def _begin(model: AcousticModel, params: Params, held: Sequence[Example], alphabet: Alphabet) -> _Run:
    start = Point(0, cer_of(model, params, held, alphabet), math.nan)
    return _Run(Tuned(params, start, (start,)), params, None, 0)


def _save(path: Path, run: _Run, start: Params) -> None:
    """Save the trained parameters and the state; the frozen encoder, most of a model, is not saved."""
    parts = {"now": run.params, "rule": run.rule or {}, "best": run.tuned.params}
    header = {"step": run.step, "best": run.tuned.best, "curve": run.tuned.curve, "skipped": run.tuned.skipped}
    kept = {
        f"{part}.{name}": value.to(CPU)
        for part, tensors in parts.items()
        for name, value in tensors.items()
        if value is not start.get(name)
    }
    save_state(path, kept, header)


def _resume(path: Path, params: Params) -> _Run | None:
    """Load a saved run, in the order of `params`: the order of summing gradient norms changes their last bits."""
    found = load_state(path)
    if found is None:
        return None
    device = next(iter(params.values())).device
    tensors, header = {name: value.to(device) for name, value in found[0].items()}, found[1]
    found_at = {f"{part}.{name}": value for part in ("now", "best") for name, value in params.items()}
    parts = {place: value for place, value in tensors.items() if not place.startswith("rule.")}
    if not all(place in found_at and found_at[place].shape == value.shape for place, value in parts.items()):
        raise CheckpointError(f"{path}: the saved state is of another run; delete it to start again")
    try:
        curve = tuple(Point(*point) for point in header["curve"])
        best, step, skipped = Point(*header["best"]), int(header["step"]), int(header["skipped"])
    except (LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: the saved state is damaged ({error}); delete it to start again") from error
    now, kept = ({n: tensors.get(f"{part}.{n}", value) for n, value in params.items()} for part in ("now", "best"))
    rule = {name.removeprefix("rule."): value for name, value in tensors.items() if name.startswith("rule.")}
    return _Run(Tuned(kept, best, curve, skipped), now, rule, step)
