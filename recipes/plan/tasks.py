"""Tasks on which a plan of fine-tuning is learned: few clips of a language or a voice, and others that measure.

A task is heard once, as `earful adapt` hears it, and kept in memory. Real voices: Dutch, which the base must not have
heard. Synthetic ones: languages that the base has not heard, by espeak-ng. Never Czech.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from earful.adapt.adapt import Prepared, prepare, with_dropout
from earful.adapt.finetune import Plan, cer_of, finetune
from earful.adapt.select import plan_for
from earful.adapt.start import is_recognizer, start_from
from earful.checkpoint import Checkpoint
from earful.data.batch import Example
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.errors import ConfigError
from earful.model import AcousticModel, ModelConfig, Params
from earful.text.normalize import normalize
from earful.trees import mean

SHORTEST_S, LONGEST_S = 1.0, 12.0


class Task(NamedTuple):
    """What is adapted, to what, and what measures it; `source` is the corpus, `seed` the draw."""

    source: str
    clips: int
    seed: int
    ready: Prepared
    start: Params
    query: tuple[Example, ...]


def drawn(manifest: Manifest, count: int, seed: int) -> Manifest:
    """So many clips of a usual length, by chance."""
    fit = manifest.filter(lambda u: SHORTEST_S <= (u.duration_s or 0) <= LONGEST_S)
    order = torch.randperm(len(fit), generator=torch.Generator().manual_seed(seed)).tolist()[:count]
    return Manifest(tuple(fit[i] for i in sorted(order)))


def task(base: Checkpoint, source: str, support: Manifest, query: Manifest, seed: int) -> Task:
    """The task of adapting `base` to `support`, measured on `query`. Raises ConfigError for Czech."""
    if any(u.language in ("cs", "ces", "cze") for u in (*support, *query)):
        raise ConfigError(f"{source}: Czech is held out; learn a plan from another language")
    plan = plan_for(len(support), support.duration_s or 0.0, further=is_recognizer(base))
    ready = prepare(
        base, support, rules=None, plan=replace(plan, folds=0, evaluations=1), seed=seed, tell=lambda *_: None
    )
    start = dict(ready.start(range(len(ready.copies))))
    hears = Checkpoint(ready.config, start).build().frames_of
    heard = zip(query, compute_clips(list(query), hears), strict=True)
    examples = [labelled(u.text or "", clip.frames_FM, ready.config) for u, clip in heard]
    return Task(source, len(support), seed, ready, start, tuple(each for each in examples if each.labels))


def of_corpus(base: str, corpus: Path, clips: int, seed: int, measured: int) -> Task:
    """The task of this draw from a corpus: a folder with train.jsonl and test.jsonl, or a manifest, whose last part
    measures. The rules of its language are asked as `earful adapt --language` asks them.
    """
    if (corpus / "train.jsonl").exists():
        train, test = (read_manifest(corpus / f"{part}.jsonl") for part in ("train", "test"))
    else:
        every = tuple(read_manifest(corpus / "manifest.jsonl"))
        train, test = Manifest(every[: -2 * measured]), Manifest(every[-2 * measured :])
    support = drawn(train, clips, seed)
    start = start_from(base, [u.text or "" for u in support], {"language": support[0].language or ""})
    return task(start, corpus.name, support, drawn(test, measured, seed), seed)


def labelled(text: str, frames_FM: Tensor, config: ModelConfig) -> Example:
    """The clip, with those letters of its transcript that the alphabet has."""
    written = normalize(text, config.rules)
    return Example(
        frames_FM, tuple(config.alphabet.encode("".join(c for c in written if c in config.alphabet.symbols)))
    )


def walked(each: Task, plan: Plan, seed: int, runs: int = 1) -> Params:
    """The parameters that a plan ends with on a task; of several runs, on all clips, the mean."""
    copies = [copies[: 1 + plan.copies] for copies in each.ready.copies]
    model = AcousticModel(with_dropout(each.ready.config, plan.dropout))
    tuned = [
        finetune(model, each.start, copies, [], each.ready.config.alphabet, plan, seed=seed + run)
        for run in range(runs)
    ]
    return mean([run.last or run.params for run in tuned])


def cer(each: Task, params: Params) -> float:
    """Character error rate on the clips that measure."""
    return cer_of(AcousticModel(each.ready.config), params, each.query, each.ready.config.alphabet)
