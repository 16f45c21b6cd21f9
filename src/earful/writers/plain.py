"""A transcript as text: what is said, and nothing else."""

from earful.transcript import Transcript
from earful.writers.phrases import Source


def plain(transcript: Transcript, source: Source) -> str:
    """The text, a line; of several speakers a line each turn."""
    return transcript.text + "\n"
