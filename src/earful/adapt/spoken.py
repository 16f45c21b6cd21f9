"""Synthetic speech as additional training data, if espeak-ng speaks the language."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from earful.adapt.clips import Progress
from earful.adapt.resources import of_script
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest
from earful.data.synthesis.languages import find_language
from earful.data.synthesis.speak import speak_corpus
from earful.errors import ConfigError, SynthesisError

SENTENCES = 400
"""The default number of sentences, that of `bench/beside.py`."""


def spoken(
    start: Checkpoint, count: int, texts: Sequence[str], clips: Manifest, *, folder: Path, seed: int, tell: Progress
) -> Manifest:
    """`count` sentences spoken by espeak-ng: of `texts`, or random words of the word list without texts.

    Sentences of the clips are left out, so that held-out sentences are not training data in another voice. Sentences
    with digits are left out too, since they are spoken differently from their spelling.

    Raises:
        ConfigError: the language is unknown. SynthesisError: espeak-ng does not speak it or is not installed, or there
        are neither texts nor a word list.
    """
    language = start.config.rules.language
    if not language:
        raise ConfigError("--speak needs to know the language: give --language CODE")
    texts, _ = of_script(texts, clips, start.config.rules)  # `adapt` says so
    sayable = shuffled([text for text in texts if not any(c.isdigit() for c in text)], seed)[:count]
    never = sorted({u.text or "" for u in clips})
    name = hashlib.sha256(json.dumps([sayable, never, seed]).encode()).hexdigest()[:16]
    manifest, _ = speak_corpus(
        [language],
        folder / name,  # an interrupted run continues with its sentences; a run with other clips or texts begins again
        clips=count,
        text=sayable or None,
        invented=0.0,
        exclude=never,
        seed=seed,
        progress=lambda done, total: tell("speaking", round(done), round(total)),
    )
    return manifest


def can_speak(language: str) -> bool:
    """Whether espeak-ng is installed and speaks the language."""
    try:
        return bool(language and find_language(language))
    except SynthesisError:
        return False


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """The texts in random order, so that the first ones are a sample of all."""
    order: list[int] = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    return [texts[i] for i in order]
