"""Adaptation from end to end: base and clips in, the adapted checkpoint and an honest report out."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from earful.adapt.beside import COPIES, plan_beside, written_in
from earful.adapt.clips import Heard, Progress, listen, vary
from earful.adapt.company import in_company
from earful.adapt.finetune import Plan, Point
from earful.adapt.language import MANDARIN, Gain, kept, learn_language, lexicon_for, listed
from earful.adapt.measure import Measured, Outcome, Task, run
from earful.adapt.resources import resources
from earful.adapt.rows import sources
from earful.adapt.select import learned_by, plan_after, plan_for
from earful.adapt.spelling import spelled, words_of
from earful.adapt.start import MOST_HEARD, is_recognizer, starter
from earful.adapt.symbols import alphabet_for, of_language, widened
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint, Language
from earful.config import to_mapping
from earful.data.batch import Example
from earful.data.frames import Front
from earful.data.manifest import Manifest
from earful.errors import AdaptationError
from earful.model import AcousticModel, ModelConfig, Params
from earful.text.lexicon import Lexicon
from earful.text.normalize import TextRules, normalize
from earful.text.pinyin import REMEDY, TONES, has_characters

ADAPTATION = Augmentation()
"""Augmentation of the copies that adaptation learns from."""
FEW_WORDS = 5000
"""With fewer words in characters much stays pinyin."""


@dataclass(frozen=True)
class AdaptReport:
    """What adaptation did. `measured` says on which clips all rates were taken; without `improved` the base was kept.

    `cer_after` is that of the best path; `cer_with_language` that of the search with the language model, None where
    there is none, or no clip to measure it on. `clips` and `speech_s` are of what was used; clips that were left out
    are named in `warnings`.
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
    """Adapt `base` to `clips`, each with audio and transcript. With the folder `state` an interrupted run goes on.

    Without `plan` it is that of `plan_for`, after the base's own where that was meta-trained; the clips that measure
    say whether it does better than the base's own alone. `progress(stage, done, total)` is called along the way. Clips
    without a transcript, with one that their sound cannot carry, or longer than a minute are left out. `texts`, other
    sentences of the language, join the transcripts in a language model for the beam search (none with `greedy`), in the
    lexicon of characters and, without a word list, for the rules of spelling. With `words` it also learns from the word
    list of the rules' language, where there is one (package wordfreq). `beside` are clips of lesser authority, spoken
    by a synthesiser or a recogniser's: learned from with the others, as `Plan.own` says, never measured on, no part of
    the language model. With `keep_sound` the model hears all amid some seconds of the clips (`adapt.company`). Returns
    the checkpoint, on the clips that measure never worse than the base, and a report.

    Raises:
        AdaptationError: no clip can be used, or the plan is an inner loop alone, which knows none `beside` them.
        AudioError: a recording cannot be read.
        CheckpointError: `state` is damaged or cannot be written.
    """
    began, tell = time.monotonic(), progress or (lambda stage, done, total: None)
    texts, lacking = resources(texts, clips, rules or base.config.rules, words and not greedy)
    ready = prepare(
        base,
        clips,
        rules=rules,
        plan=plan,
        texts=texts,
        beside=beside,
        keep_sound=keep_sound,
        augmentation=augmentation,
        seed=seed,
        tell=tell,
    )
    heard, config, plan = ready.heard, ready.config, ready.plan
    state = state / fingerprint(base, heard, plan, augmentation, seed, beside, ready.words) if state else None
    model, learned = AcousticModel(with_dropout(config, plan.dropout)), base.inner.learned if base.inner else None
    task = Task(model, ready.start, ready.copies, plan, seed, state, tell, learned, ready.beside)
    outcome = run(task)
    before = kept(base.language, config.alphabet) if is_recognizer(base) and not greedy else None
    gain = None if greedy else _language(task, outcome, texts, words, before)
    lexicon = lexicon_for(config.rules, [*(u.text or "" for u in heard.clips), *texts], words, base.lexicon)
    warnings = (*lacking, *_material_warnings(base, ready, lexicon), *_result_warnings(outcome, gain))
    report = _report(ready, outcome, gain, time.monotonic() - began, warnings)
    about = {"base": dict(base.about), "adapted": to_mapping(replace(report, elapsed_s=round(report.elapsed_s, 1)))}
    params, language = dict(outcome.tuned.params), gain.language if gain else before
    return Checkpoint(config, params, about, language, lexicon=lexicon), report


class Prepared(NamedTuple):
    """What is there before the first step: the clips as they were heard, and varied; what starts, and how it moves.

    `words` are those that the rules of the language were asked about, for the letters to start from.
    """

    heard: Heard
    config: ModelConfig
    plan: Plan
    copies: Sequence[Sequence[Example]]
    start: Callable[[Sequence[int]], Params]
    beside: Sequence[Sequence[Example]] = ()
    words: Sequence[str] = ()

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
    keep_sound: bool = True,
    augmentation: Augmentation = ADAPTATION,
    seed: int,
    tell: Progress,
) -> Prepared:
    """Hear the clips, learn their alphabet, choose a plan where none is given, augment, and find the first rows.

    `texts` hold more words of the language, for its rules of spelling. With `keep_sound` the base hears amid the clips.
    """
    base = in_company(base, clips) if keep_sound else base
    config = replace(base.config, rules=rules or base.config.rules)
    front = base.build().frames_of
    heard = listen(clips, config, front, tell)
    alphabet = alphabet_for(base, heard.texts)
    chosen = plan_from(base, len(heard.clips), heard.frame_count * config.features.hop_s)
    plan = plan or (plan_beside(chosen) if beside else chosen)
    others = _others(beside, plan, config, front, tell)
    alphabet = widened(alphabet, others.texts) if others else alphabet
    alphabet = of_language(alphabet, config.rules, texts) if by_rules(plan, config) else alphabet
    config = replace(config, alphabet=alphabet)
    copied = partial(vary, config=config, front=front, augmentation=augmentation, tell=tell)
    copies = copied(heard, copies=plan.copies, seed=seed)
    beside_them = copied(written_in(alphabet, others), copies=COPIES, seed=seed + 1) if others else []
    first = [each[0] for each in (*copies, *beside_them[:MOST_HEARD])]
    written = [*heard.texts, *(others.texts if others else ())]
    words = words_of(written, texts, config) if by_rules(plan, config) else ()
    begin = starter(base, alphabet, first, plan.letters, seed, spelled(words, config))

    def start(learn: Sequence[int]) -> Params:
        return begin([*learn, *range(len(copies), len(first))])

    return Prepared(heard, config, plan, copies, start, beside_them, words)


def _others(beside: Manifest | None, plan: Plan, config: ModelConfig, front: Front, tell: Progress) -> Heard | None:
    """What lies beside the clips, heard; None where nothing does. Raises AdaptationError for a plan that knows none."""
    if not beside:
        return None
    if plan.inner:
        raise AdaptationError(
            "a base was meta-trained to move on the clips alone, so other speech has no place in its own steps; "
            "let more steps follow them, adapt as usual (--usual), or leave the other speech out"
        )
    return listen(beside, config, front, tell)


def plan_from(base: Checkpoint, clips: int, seconds: float) -> Plan:
    """The plan for so many clips; where the base was meta-trained, its own comes first."""
    learned = learned_by(base)
    return plan_after(learned, clips, seconds) if learned else plan_for(clips, seconds, further=is_recognizer(base))


def by_rules(plan: Plan, config: ModelConfig) -> bool:
    """Whether letters start from the rules of the language too: the base needs phones for it."""
    return plan.letters == "rules" and config.phones is not None


def _report(
    ready: Prepared, outcome: Outcome, gain: Gain | None, elapsed_s: float, warnings: tuple[str, ...]
) -> AdaptReport:
    return AdaptReport(
        cer_before=outcome.before,
        cer_after=outcome.tuned.best.cer,
        cer_with_language=gain.cer if gain else None,
        measured=outcome.measured,
        improved=outcome.tuned.best.step > 0,
        clips=len(ready.heard.clips),
        speech_s=ready.speech_s,
        elapsed_s=elapsed_s,
        curve=outcome.tuned.curve,
        warnings=warnings,
    )


def with_dropout(config: ModelConfig, dropout: float | None) -> ModelConfig:
    """The configuration with another dropout in the encoder; as it is for None."""
    return config if dropout is None else replace(config, encoder=replace(config.encoder, dropout=dropout))


def _language(task: Task, outcome: Outcome, texts: Sequence[str], words: bool, before: Language | None) -> Gain | None:
    """The language model, where it can be measured, and helps; beside the base where that is kept."""
    unmet = outcome.unmet
    if not outcome.tuned.best.step:
        unmet = tuple(part._replace(params=task.start(part.learned)) for part in unmet)
    task.tell("learning the language", 0, 1)
    rules = task.model.config.rules
    language = rules.language or (MANDARIN if rules.writing != "given" else "")
    others = [[normalize(text, rules) for text in texts]]
    known = listed(language, rules) if words else None
    gain = learn_language(task.model, [each[0] for each in task.copies], unmet, others, before, known)
    task.tell("learning the language", 1, 1)
    return gain


def fingerprint(
    base: Checkpoint,
    heard: Heard,
    plan: Plan,
    augmentation: Augmentation,
    seed: int,
    beside: Manifest | None = None,
    words: Sequence[str] = (),
) -> str:
    """Names the state of this very run: other clips, another base or another plan do not meet it."""
    weights = [float(value.double().sum()) for value in base.params.values()]
    clips = [[str(u.audio), u.start_s, u.duration_s] for u in heard.clips]
    others = [[str(u.audio), u.start_s, u.duration_s, u.text] for u in beside or ()]
    what = [
        weights,
        to_mapping(base.config),
        clips,
        heard.texts,
        to_mapping(plan),
        to_mapping(augmentation),
        seed,
        others,
        list(words),
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _material_warnings(base: Checkpoint, ready: Prepared, lexicon: Lexicon | None) -> Iterator[str]:
    """What the user should know about the clips, each with what to do."""
    alphabet = ready.config.alphabet
    for reason, ids in ready.heard.left_out.items():
        yield f"left out, {reason}: {_show(ids)}; `earful check CLIPS` says more"
    counts = Counter("".join(ready.heard.texts))
    if once := [c for c in alphabet.symbols if counts[c] == 1]:
        yield f"seen only once, hardly learnable: {_show(once)}; record clips with them, or correct the transcripts"
    like = sources(base.config.alphabet, alphabet)
    unlike = [s for s, source in like.items() if source is None and counts[s]]
    if new := [s for s in unlike if s not in TONES]:  # those are in every syllable
        yield f"like no letter that the base knows, learned from nothing: {_show(new)}; record clips rich in them"
    met = {alphabet.symbols[label - 1] for copies in (*ready.copies, *ready.beside) for label in copies[0].labels}
    known = met.union(base.config.alphabet.symbols if is_recognizer(base) else ())
    if lent := [s for s in alphabet.symbols if s not in known]:
        how = "the rules of the language" if ready.config.rules.language else "letters that look like them"
        yield f"in no clip, known by {how} alone: {_show(lent)}; record clips with them"
    yield from _character_warnings(ready.config, lexicon)


def _character_warnings(config: ModelConfig, lexicon: Lexicon | None) -> Iterator[str]:
    """Characters that are learned one by one, or that there are few words for."""
    characters = sum(map(has_characters, config.alphabet.symbols))
    if config.rules.writing == "given" and characters > config.alphabet.size / 2:
        yield (
            f"{characters} Chinese characters are learned one by one, each from a few sounds; for Mandarin say "
            f"--language zh, which learns pinyin and writes characters (it needs {REMEDY})"
        )
    if lexicon is not None and len(lexicon.entries) < FEW_WORDS:
        yield (
            f"only {len(lexicon.entries)} words are known to be written in characters, those of your texts; "
            f"{REMEDY} brings a word list, --text FILE more of your words"
        )


def _result_warnings(outcome: Outcome, gain: Gain | None) -> Iterator[str]:
    """What the user should know about the result, each with what to do."""
    measured, tuned = outcome.measured, outcome.tuned
    if measured == "own clips":
        more = ", and to weigh the language model on" if gain else ""
        yield f"both rates are of the clips it learned from, and flatter; give at least 4 clips to hold some out{more}"
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
