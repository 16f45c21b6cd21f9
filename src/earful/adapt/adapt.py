"""Adaptation from end to end: base and clips in, the adapted checkpoint and an honest report out."""

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from earful.adapt.finetune import Plan, Point, Tuned, cer_of, finetune
from earful.adapt.rows import carry_rows, sources
from earful.adapt.select import plan_for, split_folds
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint
from earful.config import to_mapping
from earful.ctc.loss import frames_needed
from earful.data.batch import Example
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import AdaptationError
from earful.model import AcousticModel, Params
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules, normalize

Progress = Callable[[str, int, int], None]
Measured = Literal["held-out", "cross-validated", "own clips"]


@dataclass(frozen=True)
class AdaptReport:
    """What adaptation did. `measured` says on which clips both rates were taken; `improved` is false where the base was kept."""

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

    Returns the adapted checkpoint, which on the clips that measure is never worse than the base, and the report.

    Raises:
        AdaptationError: no clip can be used.
    """
    began = time.monotonic()
    tell = progress or (lambda stage, done, total: None)
    rules = rules or base.config.rules
    texts = [normalize(u.text or "", rules) for u in clips]
    plan = plan or plan_for(len(clips), sum(u.duration_s or 0.0 for u in clips))
    alphabet = _alphabet_of(texts)
    state = state / _fingerprint(base, clips, texts, plan, seed) if state else None
    plain, copies = _examples(base, clips, texts, alphabet, plan, augmentation or ADAPTATION, seed, tell)
    config = replace(base.config, alphabet=alphabet, rules=rules)
    start = carry_rows(base.params, base.config.alphabet, alphabet, torch.Generator().manual_seed(seed))
    run = _Runs(AcousticModel(config), start, plain, copies, alphabet, plan, seed, state, tell)
    before, tuned, measured = run.all()
    improved = tuned.best.step > 0
    report = AdaptReport(
        before,
        tuned.best.cer,
        measured,
        improved,
        len(clips),
        sum(u.duration_s or 0.0 for u in clips),
        time.monotonic() - began,
        tuned.curve,
        tuple(_warnings(base, alphabet, texts, measured, improved, tuned)),
    )
    about = {"base": dict(base.about), "adapted": to_mapping(replace(report, elapsed_s=round(report.elapsed_s, 1)))}
    return Checkpoint(config, dict(tuned.params), about), report


ADAPTATION = Augmentation()
"""Augmentation of the copies that adaptation learns from."""


def _alphabet_of(texts: Sequence[str]) -> Alphabet:
    if not any(texts):
        raise AdaptationError("none of the clips has a transcript; `earful check CLIPS` says what is wrong")
    return Alphabet.learn(texts)


def _fingerprint(base: Checkpoint, clips: Manifest, texts: Sequence[str], plan: Plan, seed: int) -> str:
    """Names the state of this very run: other clips, another base or another plan do not meet it."""
    weights = [float(value.double().sum()) for value in base.params.values()]
    what = [weights, [[str(u.audio), u.start_s, u.duration_s] for u in clips], list(texts), to_mapping(plan), seed]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _examples(
    base: Checkpoint,
    clips: Manifest,
    texts: Sequence[str],
    alphabet: Alphabet,
    plan: Plan,
    augmentation: Augmentation,
    seed: int,
    tell: Progress,
) -> tuple[list[Example], list[list[Example]]]:
    """Each clip as it is, and with its augmented copies."""
    labels = [tuple(alphabet.encode(text)) for text in texts]
    utterances: list[Utterance] = [u for _ in range(plan.copies) for u in clips]
    total = len(clips) * (1 + plan.copies)
    made: list[Example] = []
    for seed_offset, wanted, change in ((0, list(clips), None), (1, utterances, augmentation)):
        for clip in compute_clips(wanted, base.config.features, augmentation=change, seed=seed + seed_offset):
            made.append(Example(clip.frames_FM, labels[len(made) % len(clips)]))
            tell("listening", len(made), total)
    count = len(clips)
    return made[:count], [[made[i + c * count] for c in range(plan.copies + 1)] for i in range(count)]


@dataclass(frozen=True)
class _Runs:
    """The fine-tunings of one adaptation: one for each fold, and the one whose result is kept."""

    model: AcousticModel
    start: Params
    plain: Sequence[Example]
    copies: Sequence[Sequence[Example]]
    alphabet: Alphabet
    plan: Plan
    seed: int
    state: Path | None
    tell: Progress

    def all(self) -> tuple[float, Tuned, Measured]:
        """CER before, the kept fine-tuning (its `best` holds the CER after), and how both were measured."""
        folds = split_folds(len(self.plain), self.plan, torch.Generator().manual_seed(self.seed))
        everything = list(range(len(self.plain)))
        if len(folds) == 1:
            tuned = self.one("adapting", *folds[0])
            return tuned.curve[0].cer, tuned, "held-out"
        before = self.cer(self.start, everything)
        crossed = [self.one(f"measuring, part {i} of {len(folds)}", *fold) for i, fold in enumerate(folds, 1)]
        tuned = self.one("adapting", everything, [])
        if not folds:
            return before, self.keep(tuned, before, self.cer(tuned.params, everything)), "own clips"
        after = self.cer_of_folds(crossed, [held for _, held in folds])
        return before, self.keep(tuned, before, after), "cross-validated"

    def one(self, stage: str, learn: Sequence[int], held: Sequence[int]) -> Tuned:
        """Fine-tune on the clips `learn`, measuring on `held`."""
        return finetune(
            self.model,
            self.start,
            [self.copies[i] for i in learn],
            [self.plain[i] for i in held],
            self.alphabet,
            self.plan,
            seed=self.seed,
            state=self.state and self.state / f"{stage.replace(' ', '-').replace(',', '')}.safetensors",
            report=lambda done, total: self.tell(stage, done, total),
        )

    def cer(self, params: Params, indexes: Sequence[int]) -> float:
        return cer_of(self.model, params, [self.plain[i] for i in indexes], self.alphabet)

    def cer_of_folds(self, tuned: Sequence[Tuned], held: Sequence[Sequence[int]]) -> float:
        """Every clip is scored by the fine-tuning that has not met it, at its end (its best would flatter)."""
        weights = [sum(len(self.plain[i].labels) for i in part) for part in held]
        return sum(w * t.curve[-1].cer for w, t in zip(weights, tuned, strict=True)) / max(1, sum(weights))

    def keep(self, tuned: Tuned, before: float, after: float) -> Tuned:
        """The last parameters, or the start where those would be worse."""
        if after <= before:
            return replace(tuned, best=tuned.curve[-1]._replace(cer=after))
        return replace(tuned, params=self.start, best=tuned.curve[0]._replace(cer=before))


def _warnings(
    base: Checkpoint, alphabet: Alphabet, texts: Sequence[str], measured: Measured, improved: bool, tuned: Tuned
) -> list[str]:
    """What the user should know about this result, each with what to do."""
    counts = Counter("".join(texts))
    once = [c for c in alphabet.symbols if counts[c] == 1]
    new = [s for s, source in sources(base.config.alphabet, alphabet).items() if source is None]
    found = []
    if measured == "own clips":
        found.append("too few clips to hold some out: both rates are of the clips it learned from; record at least 4")
    if measured == "cross-validated":
        found.append("few clips: the rates are cross-validated, and rough; with 30 or more a part is held out")
    if once:
        found.append(
            f"seen only once, hardly learnable: {_show(once)}; record clips with them, or correct the transcripts"
        )
    if new:
        found.append(f"like no letter that the base knows, learned from nothing: {_show(new)}")
    if tuned.skipped:
        found.append(f"{tuned.skipped} steps had no finite gradient and were skipped; look for damaged recordings")
    if not improved:
        found.append("adaptation did not improve on the base, which was kept; check the transcripts, or record more")
    elif tuned.best.cer > 0.95:
        found.append("the recogniser writes (almost) nothing that is right; `earful check CLIPS` looks for the cause")
    return found


def _show(letters: Sequence[str]) -> str:
    return " ".join("␣" if c == " " else c for c in letters[:20]) + (" …" if len(letters) > 20 else "")


def too_long_for_audio(text_ids: Sequence[int], seconds: float, output_hop_s: float) -> bool:
    """Whether a transcript has more labels than its clip has output frames."""
    return frames_needed(list(text_ids)) > math.floor(seconds / output_hop_s)
