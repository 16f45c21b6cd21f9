"""What a recogniser believes of recordings without transcripts."""

from dataclasses import replace
from pathlib import Path

import pytest

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.unlabelled import LEAST_LETTERS, believed
from earful.checkpoint import Checkpoint, Language, load_checkpoint
from earful.ctc.ngram import learn
from earful.ctc.words import Words, listed_words
from earful.data.manifest import Manifest
from earful.recognizer import Recognizer


@pytest.fixture(scope="module")
def recogniser(tiny_base: Path, manifest: Manifest) -> Checkpoint:
    """It has learned the tones, well enough to write some of each clip."""
    plan = Plan(steps=150, rate=3e-3, copies=1, folds=0, batch_s=8.0)
    found, _ = adapt(load_checkpoint(tiny_base), manifest, plan=plan, greedy=True)
    ngram = learn([u.text or "" for u in manifest], found.config.alphabet)
    known = Words((listed_words({"bab": 0.9, "aab": 0.1}),), (0.001, 0.999), 0.5)
    return replace(found, language=Language(ngram, 2.0, 1.0, known))


def quiet(stage: str, done: int, total: int) -> None:
    """Nobody is told."""


@pytest.mark.parametrize("greedy", [False, True])
def test_it_believes_what_it_would_transcribe(recogniser: Checkpoint, manifest: Manifest, greedy: bool) -> None:
    recogniser = replace(recogniser, language=None) if greedy else recogniser
    blank = Manifest(tuple(replace(u, text=None) for u in manifest))
    found = believed(recogniser, blank, least=0.0, tell=quiet)
    heard = {u.id: Recognizer(recogniser).transcribe(str(u.audio)) for u in manifest}
    assert len(found) and {u.id: u.text for u in found} == {
        id: said.text for id, said in heard.items() if len(said.text) >= LEAST_LETTERS
    }
    assert all(0 < u.extra["confidence"] < 1 for u in found)


def test_only_what_is_sure(recogniser: Checkpoint, manifest: Manifest) -> None:
    every = believed(recogniser, manifest, least=0.0, tell=quiet)
    sure = sorted(float(u.extra["confidence"]) for u in every)
    line = (sure[len(sure) // 2 - 1] + sure[len(sure) // 2]) / 2
    some = believed(recogniser, manifest, least=line, tell=quiet)
    assert {u.id for u in some} == {u.id for u in every if u.extra["confidence"] >= line}
    assert 0 < len(some) < len(every) and not len(believed(recogniser, manifest, least=1.01, tell=quiet))


def test_its_progress_is_told(recogniser: Checkpoint, manifest: Manifest) -> None:
    told = list[tuple[str, int, int]]()
    believed(recogniser, manifest, tell=lambda *each: told.append(each))
    assert told == [("writing down", n, len(manifest)) for n in range(1, len(manifest) + 1)]
