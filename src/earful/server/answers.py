"""Transcripts in the response formats of OpenAI's API."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from earful.server.events import packed
from earful.transcript import Transcript, Word
from earful.writers.phrases import Phrase, phrases

_LEAST = 1e-6  # a confidence of zero has no logarithm


def plain_json(transcript: Transcript, warnings: Sequence[str], *, logprobs: bool) -> dict[str, Any]:
    """The format `json`: the text, warnings about the file, and the log-probability of each word if requested."""
    found: dict[str, Any] = {"text": transcript.text, "usage": usage(transcript), **warned(warnings)}
    return found | {"logprobs": logprobs_of(transcript.words)} if logprobs else found


def verbose_json(
    transcript: Transcript, warnings: Sequence[str], language: str, *, segments: bool, words: bool
) -> dict[str, Any]:
    """The format `verbose_json`, with segments or words or both."""
    found: dict[str, Any] = {
        "task": "transcribe",
        "language": language,
        "duration": seconds(transcript.duration_s),
        "text": transcript.text,
    }
    if segments:
        spoken = phrases(transcript.words)
        found["segments"] = [segment(number, each, transcript) for number, each in enumerate(spoken)]
    if words:
        found["words"] = [
            {"word": each.text, "start": seconds(each.start_s), "end": seconds(each.end_s)} for each in transcript.words
        ]
    return found | {"usage": usage(transcript), **warned(warnings)}


def segment(number: int, phrase: Phrase, transcript: Transcript) -> dict[str, Any]:
    """A phrase as a segment. It has no tokens; `no_speech_prob` is one minus the confidence of its words."""
    mean = sum(math.log(max(word.confidence, _LEAST)) for word in phrase.words) / len(phrase.words)
    sure = sum(word.confidence for word in phrase.words) / len(phrase.words)
    return {
        "id": number,
        "seek": 0,
        "start": seconds(phrase.words[0].start_s),
        "end": seconds(min(phrase.words[-1].end_s, transcript.duration_s)),
        "text": phrase.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(mean, 4),
        "compression_ratio": 1.0,
        "no_speech_prob": round(1 - sure, 4),
    }


def delta(text: str) -> str:
    """An event of `stream=true`: the next part of the text."""
    return packed({"type": "transcript.text.delta", "delta": text})


def done(transcript: Transcript, warnings: Sequence[str], sent: str, *, logprobs: bool) -> Iterator[str]:
    """The last events of `stream=true`: the rest after the `sent` text, then the whole text.

    The joined deltas are the text, since it begins with the sent part.
    """
    if rest := transcript.text[len(sent) :]:
        yield delta(rest)
    done: dict[str, Any] = {"type": "transcript.text.done", "text": transcript.text, "usage": usage(transcript)}
    done |= warned(warnings)
    yield packed(done | {"logprobs": logprobs_of(transcript.words)} if logprobs else done)


def logprobs_of(words: tuple[Word, ...]) -> list[dict[str, Any]]:
    """Log-probabilities, with words as tokens."""
    return [
        {
            "token": word.text,
            "logprob": round(math.log(max(word.confidence, _LEAST)), 4),
            "bytes": list(word.text.encode()),
        }
        for word in words
    ]


def warned(warnings: Sequence[str]) -> dict[str, list[str]]:
    """Warnings about a file that was read despite faults; OpenAI's API has no field for them."""
    return {"warnings": list(warnings)} if warnings else {}


def usage(transcript: Transcript) -> dict[str, Any]:
    """The duration of the sound, as usage."""
    return {"type": "duration", "seconds": seconds(transcript.duration_s)}


def seconds(time_s: float) -> float:
    """Round to milliseconds."""
    return round(time_s, 3)
