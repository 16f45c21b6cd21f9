"""How written words are said: espeak-ng's letter-to-sound rules for transcripts of real recordings."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from earful.data.manifest import Manifest
from earful.data.synthesis.speech import SILENCE, Voice
from earful.data.synthesis.workers import Workers
from earful.data.utterance import Utterance
from earful.errors import SynthesisError

PHONES = "ipa"


def pronounce(manifest: Manifest, workers: int = 2, advance: Callable[[], None] | None = None) -> Manifest:
    """Add to each transcribed utterance of a known language its phones, without times, as `extra["ipa"]`.

    A transcript that espeak-ng cannot say, or says partly in another language, stays without.

    Raises:
        SynthesisError: espeak-ng lacks a language, or cannot be started.
    """
    with Workers(workers) as pool:
        pairs = pool.in_order(lambda u: pool.ask(_job(u)) if u.text and u.language else None, list(manifest))
        return Manifest(tuple(_told(pairs, advance)))


def _job(utterance: Utterance) -> dict[str, Any]:
    return {"text": utterance.text, "voice": asdict(Voice(utterance.language or "")), "seed": 0, "path": None}


def _told(pairs: Iterable[tuple[Utterance, Any]], advance: Callable[[], None] | None) -> Iterator[Utterance]:
    for utterance, answer in pairs:
        if answer and "error" in answer:
            raise SynthesisError(answer["error"])
        phones = [symbol for symbol, _ in (answer or {}).get("phones", ()) if symbol != SILENCE]
        yield replace(utterance, extra={**utterance.extra, PHONES: phones}) if phones else utterance
        if advance:
            advance()
