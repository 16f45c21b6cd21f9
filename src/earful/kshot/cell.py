"""One entrant and one support: adapt as `earful adapt` does, and test after each number of steps."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from earful.adapt.adapt import ADAPTATION, by_rules, plan_from, with_dropout
from earful.adapt.clips import Heard, vary
from earful.adapt.company import in_company
from earful.adapt.finetune import Plan, finetune_in_stages, stages
from earful.adapt.language import lexicon_for
from earful.adapt.spelling import spelled, words_of
from earful.adapt.start import start_from, starter
from earful.adapt.symbols import alphabet_for, of_language
from earful.checkpoint import Checkpoint
from earful.config import to_mapping
from earful.data.batch import Example
from earful.data.frames import Front, compute_clips
from earful.data.manifest import Manifest
from earful.device import CPU
from earful.kshot.protocol import USUAL, Steps, Task
from earful.kshot.results import Cell, Row
from earful.model import AcousticModel, ModelConfig, Params
from earful.recognizer import Recognizer
from earful.text.lexicon import Lexicon
from earful.text.normalize import TextRules, as_written, normalize
from earful.text.score import errors_of_each


class Entrant(NamedTuple):
    """An entrant of the comparison: a base, and a way to adapt it, that of its checkpoint."""

    name: str
    base: str
    checkpoint: Checkpoint


@dataclass
class Ear:
    """Frames of clips from one base, by id, each computed once, and the processor seconds that they took."""

    front: Front
    frames: dict[str, Tensor] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)

    def hear(self, clips: Manifest) -> list[Tensor]:
        """The frames `[F, M]` of each clip. Raises AudioError, which names the clip."""
        new = [u for u in clips if u.id not in self.frames]
        began = time.process_time()
        found = {u.id: clip.frames_FM for u, clip in zip(new, compute_clips(new, self.front), strict=True)}
        cpu_s, total = time.process_time() - began, sum(map(len, found.values()))
        # clips are read ahead, so that none has a time of its own: each has its share
        self.cpu_s |= {name: cpu_s * len(frames_FM) / max(1, total) for name, frames_FM in found.items()}
        self.frames |= found
        return [self.frames[u.id] for u in clips]


class Ready(NamedTuple):
    """The state before the first step; `cpu_s` is its cost, and `learned` the learned part of the inner loop.

    `lexicon` turns pinyin into characters, if the rules want these.
    """

    heard: Heard
    config: ModelConfig
    plan: Plan
    params: Params
    learned: Params | None
    lexicon: Lexicon | None
    cpu_s: float
    device: torch.device = CPU

    @property
    def speech_s(self) -> float:
        """Seconds of sound in the clips."""
        return self.heard.frame_count * self.config.features.hop_s


def rows_of(
    entrant: Entrant, task: Task, cells: Sequence[Cell], ear: Ear, report: Callable[[Cell, float], None]
) -> Iterator[Row]:
    """Adapt to the one support of some `cells`, which differ in their steps, and test after each number of them.

    `report(cell, share)` gets the progress of a cell. Processor time includes everything up to the finished recogniser.
    Augmented copies of the clips count for every cell that learns from them, though they are made only once.
    """
    if not cells:
        return
    _, _, seed, shots, _ = cells[0]
    support = task.support(seed, shots)
    entrant, ear = amid_support(entrant, support, ear)
    ready = ready_of(entrant, support, task.rules, seed, ear)
    made: dict[int, tuple[list[list[Example]], float]] = {}
    for cell in cells:
        params, taken, moving_s = ready.params, 0, 0.0
        if plan := plan_after(ready.plan, cell.steps):
            if plan.copies not in made:
                began = time.process_time()
                varied = _vary(ready.heard, ready.config, ear.front, plan.copies, seed)
                made[plan.copies] = varied, time.process_time() - began
            copies, varying_s = made[plan.copies]
            began = time.process_time()
            params, taken = moved(ready, copies, plan, cell, report)
            moving_s = varying_s + time.process_time() - began
        yield tested(cell, taken, ready, params, ready.cpu_s + moving_s, task, ear)


def amid_support(entrant: Entrant, support: Manifest, ear: Ear) -> tuple[Entrant, Ear]:
    """The entrant with the support as its bed, as in `adapt`, with its own frames."""
    device, at_rest = entrant.checkpoint.device, entrant.checkpoint.on(CPU)
    base = in_company(at_rest, support)
    if base is at_rest:
        return entrant, ear
    base = base.on(device)
    return entrant._replace(checkpoint=base), Ear(base.build().frames_of)


def ready_of(entrant: Entrant, support: Manifest, rules: TextRules, seed: int, ear: Ear) -> Ready:
    """Hear the clips, find their letters, choose the plan and the first rows: as `adapt.adapt.prepare` does."""
    frames, began = ear.hear(support), time.process_time()
    texts = tuple(normalize(u.text or "", rules) for u in support)
    base = start_of(entrant, texts, rules, seed).on(CPU)
    heard = Heard(support, texts, tuple(frames), {})
    plan = plan_from(base, len(support), heard.frame_count * base.config.features.hop_s)
    ruled, alphabet = by_rules(plan, base.config), alphabet_for(base, texts)
    alphabet = of_language(alphabet, base.config.rules, ()) if ruled else alphabet
    config = replace(base.config, alphabet=alphabet)
    plain = [each for (each,) in _vary(heard, config, ear.front, 0, seed)]
    spelling = spelled(words_of(texts, (), config), config) if ruled else None
    params = starter(base, alphabet, plain, plan.letters, seed, spelling)(range(len(plain)))
    lexicon = lexicon_for(config.rules, [u.text or "" for u in support], True, base.lexicon)
    cpu_s = time.process_time() - began + sum(ear.cpu_s[u.id] for u in support)
    return Ready(
        heard,
        config,
        plan,
        params,
        base.inner.learned if base.inner else None,
        lexicon,
        cpu_s,
        entrant.checkpoint.device,
    )


def start_of(entrant: Entrant, texts: Sequence[str], rules: TextRules, seed: int) -> Checkpoint:
    """The start of the entrant; an untrained one is another for each seed, made for the `texts`."""
    checkpoint = entrant.checkpoint
    if "untrained" in checkpoint.about:
        return start_from(entrant.base, texts, to_mapping(rules), seed)
    return replace(checkpoint, config=replace(checkpoint.config, rules=rules))


def plan_after(plan: Plan, steps: Steps) -> Plan | None:
    """The plan for so many steps, without measurements; None for no steps.

    For a meta-trained base these are only its learned steps; "usual" is the whole plan.
    """
    if steps == 0:
        return None
    if steps != USUAL:
        plan = replace(stages(plan)[0], steps=int(steps))
    return replace(plan, folds=0)


def moved(
    ready: Ready, copies: Sequence[Sequence[Example]], plan: Plan, cell: Cell, report: Callable[[Cell, float], None]
) -> tuple[Params, int]:
    """The parameters after the steps of the plan, and the number of steps with a finite gradient."""
    return finetune_in_stages(
        AcousticModel(with_dropout(ready.config, plan.dropout)).to(ready.device),
        ready.params,
        copies,
        ready.config.alphabet,
        plan,
        learned=ready.learned,
        seed=cell.seed,
        report=lambda done, total: report(cell, done / total),
    )


def tested(cell: Cell, taken: int, ready: Ready, params: Params, cpu_s: float, task: Task, ear: Ear) -> Row:
    """The errors on the test clips, by the best path. A letter that the support lacks is an error."""
    adapted = Checkpoint(ready.config, params, lexicon=ready.lexicon).on(ready.device)
    recognizer = Recognizer(adapted, greedy=True)
    references = [as_written(u.text or "", task.rules) for u in task.test]
    counts = errors_of_each(references, list(recognizer.transcribe_many(ear.hear(task.test))))
    errors, characters = (sum(getattr(each.characters, what) for each in counts) for what in ("errors", "length"))
    word_errors, words = (sum(getattr(each.words, what) for each in counts) for what in ("errors", "length"))
    return Row(
        *cell,
        taken=taken,
        speech_s=round(ready.speech_s, 2),
        cpu_s=round(cpu_s, 3),
        cer=errors / max(1, characters),
        wer=word_errors / max(1, words),
        errors=errors,
        characters=characters,
    )


def _vary(heard: Heard, config: ModelConfig, front: Front, copies: int, seed: int) -> list[list[Example]]:
    """Each clip unchanged, and so many augmented copies of it."""
    return vary(heard, config, front, copies=copies, augmentation=ADAPTATION, seed=seed, tell=lambda *told: None)
