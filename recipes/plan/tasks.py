"""Tasks on which a plan of fine-tuning is learned: few clips of a language or a voice, and others that measure.

A task is heard once, as `earful adapt` hears it, and kept in memory. Real voices: Dutch, which the base must not have
heard. Synthetic ones: languages that the base has not heard, by espeak-ng. Never Czech.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from earful.adapt.adapt import Prepared, prepare
from earful.adapt.select import plan_for
from earful.checkpoint import Checkpoint
from earful.data.batch import Batch, Example, collate
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.errors import ConfigError
from earful.model import ModelConfig, Params
from earful.text.alphabet import Alphabet
from earful.text.normalize import normalize

SHORTEST_S, LONGEST_S = 1.0, 12.0


class Task(NamedTuple):
    """What is adapted, to what, and what measures it; `source` is the corpus, `seed` the draw."""

    source: str
    clips: int
    seed: int
    ready: Prepared
    start: Params
    query: tuple[Example, ...]

    @property
    def alphabet(self) -> Alphabet:
        """What the adapted model writes."""
        return self.ready.config.alphabet

    @property
    def query_batch(self) -> Batch:
        """All clips that measure, at once."""
        return collate(list(self.query))


def drawn(manifest: Manifest, count: int, seed: int) -> Manifest:
    """So many clips of a usual length, by chance."""
    fit = manifest.filter(lambda u: SHORTEST_S <= (u.duration_s or 0) <= LONGEST_S)
    order = torch.randperm(len(fit), generator=torch.Generator().manual_seed(seed)).tolist()[:count]
    return Manifest(tuple(fit[i] for i in sorted(order)))


def task(base: Checkpoint, corpus: Path, clips: int, seed: int, measured: int) -> Task:
    """The task of this draw: the clips of `train.jsonl` and `test.jsonl` in the folder of a corpus.

    Raises ConfigError for Czech, which is held out.
    """
    train, test = (read_manifest(corpus / f"{part}.jsonl") for part in ("train", "test"))
    if any(u.language in ("cs", "ces", "cze") for u in (*train, *test)):
        raise ConfigError(f"{corpus}: Czech is held out; learn a plan from another language")
    support, query = drawn(train, clips, seed), drawn(test, measured, seed)
    plan = replace(plan_for(clips, support.duration_s or 0.0), folds=0, evaluations=1)
    ready = prepare(base, support, rules=None, plan=plan, seed=seed, tell=lambda *_: None)
    start = dict(ready.start(range(len(ready.copies))))
    hears = Checkpoint(ready.config, start).build().frames_of
    heard = zip(query, compute_clips(list(query), hears), strict=True)
    examples = [labelled(u.text or "", clip.frames_FM, ready.config) for u, clip in heard]
    return Task(corpus.name, clips, seed, ready, start, tuple(each for each in examples if each.labels))


def labelled(text: str, frames_FM: Tensor, config: ModelConfig) -> Example:
    """The clip, with those letters of its transcript that the alphabet has."""
    written = normalize(text, config.rules)
    return Example(
        frames_FM, tuple(config.alphabet.encode("".join(c for c in written if c in config.alphabet.symbols)))
    )
