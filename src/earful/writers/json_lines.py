"""A transcript as JSON: an object a line."""

import json
from dataclasses import asdict

from earful.transcript import Transcript
from earful.writers.phrases import Source


def json_lines(transcript: Transcript, source: Source) -> str:
    """One line: the recording, its text, and its words with times and confidences."""
    words = [{k: v for k, v in asdict(word).items() if v is not None} for word in transcript.words]
    times = [w | {k: round(w[k], 3) for k in ("start_s", "end_s", "confidence")} for w in words]
    row = {
        "audio": source.audio,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 3),
        **({"guesses": list(transcript.guesses)} if transcript.guesses else {}),
        "duration_s": round(transcript.duration_s, 3),
        "words": times,
    }
    line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    # lone surrogates stand for bytes of a file name that are not UTF-8: only the escaped form carries them
    return (line if line.isascii() or _is_utf8(line) else json.dumps(row)) + "\n"


def _is_utf8(line: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in line)
