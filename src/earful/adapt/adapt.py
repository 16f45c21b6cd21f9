"""Adaptation from end to end: from a base and clips to the adapted checkpoint and its report."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from earful.adapt.beside import COPIES, Copies, in_all, labelled, plan_beside, said_by, written_in
from earful.adapt.cautions import material_warnings, refused_text, result_warnings
from earful.adapt.clips import Heard, Progress, listen, vary
from earful.adapt.company import in_company, in_its_own
from earful.adapt.finetune import Plan
from earful.adapt.fingerprint import fingerprint
from earful.adapt.language import MANDARIN, Gain, kept, learn_language, lexicon_for, listed, path_shift
from earful.adapt.measure import Outcome, Task, Unmet, clip_errors, run, share_of
from earful.adapt.remember import Hearing, itself
from earful.adapt.report import AdaptReport, report_of
from earful.adapt.resources import of_script, resources
from earful.adapt.select import learned_by, measured_by, plan_after, plan_for, voices_wanted
from earful.adapt.spelling import spelled, words_of
from earful.adapt.start import MOST_HEARD, is_recognizer, starter
from earful.adapt.symbols import alphabet_for, of_language, widened
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint, Language
from earful.config import to_mapping
from earful.data.apart import Apart, apart
from earful.data.batch import Example
from earful.data.frames import Front
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.device import CPU
from earful.errors import AdaptationError
from earful.model import AcousticModel, ModelConfig, Params, ears_of
from earful.text.normalize import TextRules, normalize

ADAPTATION = Augmentation()
"""Augmentation of the copies that adaptation learns from."""


class Reading(NamedTuple):
    """The other text, whether to use the word list, and whether to train a language model (not if `greedy`)."""

    texts: Sequence[str] = ()
    words: bool = True
    greedy: bool = False


class Adapted(NamedTuple):
    """An adaptation with everything that a further one needs: the result, its data and its fine-tunings.

    `errors` maps the number of each held-out clip to its wrong characters and its length; `reading` is the other text
    that was used.
    """

    checkpoint: Checkpoint
    report: AdaptReport
    ready: "Prepared"
    task: Task
    outcome: Outcome
    errors: Mapping[int, tuple[float, int]]
    reading: Reading


def adapt(
    base: Checkpoint,
    clips: Manifest,
    *,
    rules: TextRules | None = None,
    plan: Plan | None = None,
    augmentation: Augmentation = ADAPTATION,
    texts: Sequence[str] = (),
    words: bool = True,
    greedy: bool = False,
    beside: Manifest | None = None,
    keep_sound: bool = True,
    seed: int = 0,
    state: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Checkpoint, AdaptReport]:
    """Adapt `base` to `clips`, each with audio and transcript. The folder `state` lets an interrupted run continue.

    The default `plan` is that of `plan_for`; a meta-trained base takes its own steps first, and the held-out clips
    decide whether the further ones are kept. `progress(stage, done, total)` is called along the way. Clips without a
    transcript, with one too long for their sound, or longer than a minute are left out. `texts`, other sentences of the
    language, are training data for the language model of the beam search (none with `greedy`), for the lexicon of
    characters and, without a word list, for the rules of spelling. With `words` the language model also uses the word
    list of the rules' language, if there is one (package wordfreq). `beside` are synthetic or automatically transcribed
    clips: training data, weighted by `Plan.own`, never used for measuring or for the language model. With `keep_sound`
    the model keeps some seconds of the clips as context for its encoder (`adapt.company`). Returns the checkpoint,
    which on the held-out clips is never worse than the base, and a report.

    Raises:
        AdaptationError: no clip is usable, or the plan is only an inner loop and there are clips `beside`. AudioError:
        a recording cannot be read. CheckpointError: `state` is damaged or cannot be written.
    """
    found = adapted(
        base,
        clips,
        Reading(texts, words, greedy),
        rules=rules,
        plan=plan,
        augmentation=augmentation,
        beside=beside,
        keep_sound=keep_sound,
        seed=seed,
        state=state,
        progress=progress,
    )
    return found.checkpoint, found.report


def adapted(
    base: Checkpoint,
    clips: Manifest,
    reading: Reading = Reading(),  # noqa: B008 (immutable)
    *,
    rules: TextRules | None = None,
    plan: Plan | None = None,
    augmentation: Augmentation | None = None,
    beside: Manifest | None = None,
    unmet_beside: Sequence[Manifest] = (),
    keep_sound: bool = True,
    seed: int = 0,
    state: Path | None = None,
    progress: Progress | None = None,
    hearing: Hearing = itself,
) -> Adapted:
    """Adapt as `adapt` does, and return everything that a further adaptation needs.

    `unmet_beside` replaces `beside` while a part is held out: one set per part, transcribed by a recogniser that was
    not trained on that part. `hearing` wraps the function that computes frames (`adapt.remember`). Raises as `adapt`.
    """
    began, augmentation = time.monotonic(), augmentation or ADAPTATION
    tell = progress or (lambda stage, done, total: None)
    ready = prepare(
        base,
        clips,
        rules=rules,
        plan=plan,
        texts=reading.texts,
        beside=beside,
        unmet_beside=unmet_beside,
        keep_sound=keep_sound,
        augmentation=augmentation,
        seed=seed,
        tell=tell,
        hearing=hearing,
    )
    return completed(base, ready, reading, augmentation, (beside or (), *unmet_beside), seed, state, tell, began)


def completed(
    base: Checkpoint,
    ready: "Prepared",
    reading: Reading,
    augmentation: Augmentation,
    others: Iterable[Iterable[Utterance]],
    seed: int,
    state: Path | None,
    tell: Progress,
    began: float,
) -> Adapted:
    """Fine-tune on the prepared clips, with `others` beside them, and conclude; `began` as in `concluded`."""
    every = [u for each in others for u in each]
    name = fingerprint(base, ready.heard, ready.plan, augmentation, seed, every, ready.words) if state else None
    task = task_of(base, ready, seed, state / name if state and name else None, tell)
    return concluded(base, ready, task, run(task), reading, began)


def task_of(base: Checkpoint, ready: "Prepared", seed: int, state: Path | None, tell: Progress) -> Task:
    """The fine-tuning task for the prepared clips."""
    with torch.device("meta"):  # only its shape is used: parameters are arguments
        model = AcousticModel(with_dropout(ready.config, ready.plan.dropout))
    model = model.to_empty(device=ready.device)
    learned = base.inner.learned if base.inner else None
    return Task(
        model,
        ready.start,
        ready.copies,
        ready.plan,
        seed,
        state,
        tell,
        learned,
        ready.beside,
        ready.unmet_beside,
        groups=ready.apart.groups,
    )


def concluded(
    base: Checkpoint, ready: "Prepared", task: Task, outcome: Outcome, reading: Reading, began: float
) -> Adapted:
    """The recogniser with its language model, and the report; `began` is the start on the monotonic clock."""
    heard, config = ready.heard, ready.config
    wanted = reading.words and not reading.greedy
    used, lacking = resources(reading.texts, heard.clips, config.rules, wanted)
    reading = reading._replace(texts=used)
    before = kept(base.language, config.alphabet) if is_recognizer(base) and not reading.greedy else None
    refused = list[str]()
    gain = None if reading.greedy else language_of(task, outcome, reading, before, refused.append)
    reading = reading._replace(texts=()) if refused else reading
    texts = [*(u.text or "" for u in heard.clips), *reading.texts]
    lexicon = lexicon_for(config.rules, texts, reading.words, base.lexicon)
    written = (*ready.copies, *ready.beside)
    material = material_warnings(base, config, heard, written, lexicon)
    warnings = (*lacking, *refused, *material, *result_warnings(outcome, gain, ready.apart))
    unmet = unmet_of(task, outcome)
    errors = clip_errors(task, unmet)
    report = report_of(outcome, gain, errors, ready.apart, share_of(task, outcome), warnings)
    report = replace(report, speech_s=ready.speech_s, elapsed_s=time.monotonic() - began)
    params, language = dict(outcome.tuned.params), gain.language if gain else before
    if not outcome.tuned.best.step and is_recognizer(base):  # the base is kept, and so is its context
        config, params = in_its_own(config, params, base)
    shift = path_shift(task.model, [each[0] for each in task.copies], unmet)
    checkpoint = Checkpoint(config, params, about_of(base, report), language, lexicon=lexicon, shift=shift)
    return Adapted(checkpoint, report, ready, task, outcome, errors, reading)


def about_of(base: Checkpoint, report: AdaptReport) -> dict[str, Any]:
    """The entries of the recogniser's card about its adaptation."""
    row = to_mapping(replace(report, elapsed_s=round(report.elapsed_s, 1)))
    if not report.steps:
        del row["steps"]
    return {"base": dict(base.about), "adapted": row}


class Prepared(NamedTuple):
    """Everything before the first step: frames of the clips and of their copies, initial parameters, and the plan.

    `apart` groups clips that must be on the same side of a split. `words` are those whose pronunciation initialises the
    letters. Training runs on `device`, that of the base's weights; stored tensors are on the CPU.
    """

    heard: Heard
    config: ModelConfig
    plan: Plan
    copies: Sequence[Sequence[Example]]
    start: Callable[[Sequence[int]], Params]
    apart: Apart
    beside: Sequence[Copies] = ()
    words: Sequence[str] = ()
    unmet_beside: Sequence[Sequence[Copies]] = ()
    device: torch.device = CPU

    @property
    def speech_s(self) -> float:
        """Seconds of sound in the clips."""
        return self.heard.frame_count * self.config.features.hop_s


def prepare(
    base: Checkpoint,
    clips: Manifest,
    *,
    rules: TextRules | None,
    plan: Plan | None,
    texts: Sequence[str] = (),
    beside: Manifest | None = None,
    unmet_beside: Sequence[Manifest] = (),
    keep_sound: bool = True,
    augmentation: Augmentation = ADAPTATION,
    seed: int,
    tell: Progress,
    hearing: Hearing = itself,
) -> Prepared:
    """Compute frames, learn the alphabet, choose a plan if none is given, augment, and initialise the output rows.

    `texts` are more words of the language, for its rules of spelling. With `keep_sound` the clips are the encoder's
    context. Frames of `beside` and of each of `unmet_beside` are computed once; the rows are initialised from the clips
    that all of them share.
    """
    device, base = base.device, base.on(CPU)
    base = in_company(base, clips) if keep_sound else base
    config = replace(base.config, rules=rules or base.config.rules)
    front = hearing(ears_of(base.on(device).build()))
    heard = listen(clips, config, front, tell)
    texts, _ = of_script(texts, heard.clips, config.rules)  # `concluded` says so
    alphabet = alphabet_for(base, heard.texts)
    chosen = plan_from(base, len(heard.clips), heard.frame_count * config.features.hop_s)
    together = apart(heard.clips, heard.texts, heard.frames, least=voices_wanted(len(heard.clips)))
    plan = measured_by(plan or (plan_beside(chosen) if beside else chosen), together.groups)
    others = _others(labelled((beside or Manifest(()), *unmet_beside)), plan, config, front, tell)
    alphabet = widened(alphabet, others.texts) if others else alphabet
    alphabet = of_language(alphabet, config.rules, texts) if by_rules(plan, config) else alphabet
    config = replace(config, alphabet=alphabet)
    copied = partial(vary, config=config, front=front, augmentation=augmentation, tell=tell)
    copies = copied(heard, copies=plan.copies, seed=seed)
    writable = written_in(alphabet, others) if others else None
    beside_them: list[Copies] = list(copied(writable, copies=COPIES, seed=seed + 1)) if writable else []
    unmet_beside_them: list[list[Copies]] = []
    common = beside_them
    if unmet_beside and writable:
        known = dict(zip((u.id for u in writable.clips), beside_them, strict=True))
        beside_them, *unmet_beside_them = (said_by(each, known, config) for each in (beside or (), *unmet_beside))
        common = said_by(in_all(beside or (), unmet_beside), known, config)
    first = [each[0] for each in (*copies, *common[:MOST_HEARD])]
    written = [*heard.texts, *(others.texts if others else ())]
    words = words_of(written, texts, config) if by_rules(plan, config) else ()
    begin = starter(base, alphabet, first, plan.letters, seed, spelled(words, config))

    def start(learn: Sequence[int]) -> Params:
        return begin([*learn, *range(len(copies), len(first))])

    return Prepared(heard, config, plan, copies, start, together, beside_them, words, unmet_beside_them, device)


def _others(beside: Manifest, plan: Plan, config: ModelConfig, front: Front, tell: Progress) -> Heard | None:
    """Frames of the clips beside; None if there are none. Raises AdaptationError if the plan cannot use any."""
    if not beside:
        return None
    if plan.inner:
        raise AdaptationError(
            "the own steps of a meta-trained base learn from the clips alone, not from other speech; "
            "take more steps after them (--steps), ignore them (--usual), or leave out the other speech"
        )
    return listen(beside, config, front, tell)


def plan_from(base: Checkpoint, clips: int, seconds: float) -> Plan:
    """The plan for this number of clips and `seconds` of speech; a meta-trained base takes its own steps first."""
    learned = learned_by(base)
    return plan_after(learned, clips, seconds) if learned else plan_for(clips, seconds, further=is_recognizer(base))


def by_rules(plan: Plan, config: ModelConfig) -> bool:
    """Whether letters are also initialised from the rules of the language, which needs a base with phones."""
    return plan.letters == "rules" and config.phones is not None


def with_dropout(config: ModelConfig, dropout: float | None) -> ModelConfig:
    """The configuration with another dropout in the encoder; unchanged for None."""
    return config if dropout is None else replace(config, encoder=replace(config.encoder, dropout=dropout))


def language_of(
    task: Task, outcome: Outcome, reading: Reading, before: Language | None, warn: Callable[[str], None] | None = None
) -> Gain | None:
    """The language model, if it can be measured and helps; measured with the base if the base is kept.

    Other text that makes it worse is left out, with a call of `warn`.
    """

    def refuse(with_it: float, without: float) -> None:
        if warn:
            warn(refused_text(with_it, without))

    task.tell("learning the language", 0, 1)
    rules = task.model.config.rules
    language = rules.language or (MANDARIN if rules.writing != "given" else "")
    others = [[normalize(text, rules) for text in reading.texts]]
    known = listed(language, rules) if reading.words else None
    plain, unmet = [each[0] for each in task.copies], unmet_of(task, outcome)
    gain = learn_language(task.model, plain, unmet, others, before, known, task.groups, refuse)
    task.tell("learning the language", 1, 1)
    return gain


def unmet_of(task: Task, outcome: Outcome) -> tuple[Unmet, ...]:
    """The fine-tunings with their held-out clips; with the initial parameters if the base is kept."""
    if outcome.tuned.best.step:
        return outcome.unmet
    return tuple(part._replace(params=task.start(part.learned), last=None) for part in outcome.unmet)
