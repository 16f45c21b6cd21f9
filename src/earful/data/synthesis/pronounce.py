"""How written words are said: espeak-ng's letter-to-sound rules, for transcripts of real recordings or single words."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from operator import attrgetter
from typing import Any

from earful.data.manifest import Manifest
from earful.data.synthesis.languages import find_language
from earful.data.synthesis.speech import SILENCE, Voice
from earful.data.synthesis.workers import Workers
from earful.data.utterance import Utterance
from earful.errors import SynthesisError

PHONES = "ipa"
_TOGETHER = 250
"""Words in one job: a job costs more than its words, and if a word kills the worker, so many are lost."""


def pronounce(
    manifest: Manifest,
    workers: int = 2,
    advance: Callable[[], None] | None = None,
    said: Callable[[Utterance], str | None] = attrgetter("text"),
) -> Manifest:
    """Add to each transcribed utterance of a known language its phones, without times, as `extra["ipa"]`.

    `said` gives what is pronounced, by default the text; a single letter is said by its name. What espeak-ng cannot
    say, or says partly in another language, stays without.

    Raises:
        SynthesisError: espeak-ng lacks a language, or cannot be started.
    """
    with Workers(workers) as pool:
        pairs = pool.in_order(lambda u: pool.ask(job) if (job := _job(u, said(u))) else None, list(manifest))
        return Manifest(tuple(_told(pairs, advance)))


def pronounce_words(words: Sequence[str], language: str) -> dict[str, tuple[str, ...]]:
    """The phones of each word, without stress; a word that espeak-ng cannot say in the language is left out.

    Raises SynthesisError if espeak-ng lacks the language, or cannot be started.

    >>> pronounce_words(["schip"], "nl")  # doctest: +SKIP
    {'schip': ('s', 'x', 'ɪ', 'p')}
    """
    find_language(language)  # no process is started in vain
    parts = [words[first : first + _TOGETHER] for first in range(0, len(words), _TOGETHER)]
    jobs = [{"words": part, "voice": asdict(Voice(language))} for part in parts]
    found = dict[str, tuple[str, ...]]()
    with Workers(1) as pool:
        for job, answer in pool.in_order(pool.ask, jobs):
            if answer and "error" in answer:
                raise SynthesisError(answer["error"])
            said = zip(job["words"], (answer or {}).get("phones", ()), strict=False)  # none, if the worker was killed
            found |= {word: tuple(phones) for word, phones in said if phones}
    return found


def _job(utterance: Utterance, text: str | None) -> dict[str, Any] | None:
    if not text or not utterance.language:
        return None
    return {"text": text, "voice": asdict(Voice(utterance.language)), "seed": 0, "path": None}


def _told(pairs: Iterable[tuple[Utterance, Any]], advance: Callable[[], None] | None) -> Iterator[Utterance]:
    for utterance, answer in pairs:
        if answer and "error" in answer:
            raise SynthesisError(answer["error"])
        phones = [symbol for symbol, _ in (answer or {}).get("phones", ()) if symbol != SILENCE]
        yield replace(utterance, extra={**utterance.extra, PHONES: phones}) if phones else utterance
        if advance:
            advance()
