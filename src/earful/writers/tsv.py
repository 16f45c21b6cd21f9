"""A transcript as a table: a line a word, parted by tabs."""

from earful.transcript import Transcript
from earful.writers.phrases import Source


def tsv(transcript: Transcript, source: Source) -> str:
    """Start and end in seconds, confidence and word; the speaker where one is known."""
    rows = (f"{w.start_s:.3f}\t{w.end_s:.3f}\t{w.confidence:.3f}\t{w.text}" for w in transcript.words)
    if not any(word.speaker for word in transcript.words):
        return "\n".join(("start_s\tend_s\tconfidence\tword", *rows, ""))
    named = (f"{row}\t{word.speaker}" for row, word in zip(rows, transcript.words, strict=True))
    return "\n".join(("start_s\tend_s\tconfidence\tword\tspeaker", *named, ""))
