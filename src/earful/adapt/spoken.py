"""Sentences of the language that a synthesiser says: more to learn from where espeak-ng speaks it."""

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
"""As many as `bench/beside.py` measures with."""


def spoken(
    start: Checkpoint, count: int, texts: Sequence[str], clips: Manifest, *, folder: Path, seed: int, tell: Progress
) -> Manifest:
    """So many sentences of the language, said by espeak-ng: of `texts`, or else random words of its word list.

    What the clips say is not said: those that measure are not to be met in another voice. Nor are sentences with
    figures, which are said otherwise than they are written.

    Raises:
        ConfigError: the language is not known.
        SynthesisError: espeak-ng does not speak it, or is not there; or there are neither texts nor a word list.
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
        folder / name,  # an interrupted run goes on with what was said; one with other clips or texts begins anew
        clips=count,
        text=sayable or None,
        invented=0.0,
        exclude=never,
        seed=seed,
        progress=lambda done, total: tell("speaking", round(done), round(total)),
    )
    return manifest


def can_speak(language: str) -> bool:
    """Whether espeak-ng is there and speaks the language."""
    try:
        return bool(language and find_language(language))
    except SynthesisError:
        return False


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """In an order of the seed's own, so that the first ones are of all the text."""
    order: list[int] = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    return [texts[i] for i in order]
