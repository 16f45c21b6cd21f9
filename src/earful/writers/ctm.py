"""A transcript as CTM and STM, which NIST's sclite reads: hypotheses word by word, and references by stretches."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from earful.transcript import Transcript, Word
from earful.writers.phrases import Source, by_speaker, in_milliseconds, phrases


def ctm(transcript: Transcript, source: Source) -> str:
    """A line per word: recording, channel, start and duration in seconds, word, confidence; by channel and time.

    A speaker's channel is the number at the end of the name. Names cannot have spaces: comments (`;;`) list changed
    names.
    """
    lines, name = list(_comments(transcript, source)), in_one_word(PurePath(source.audio).stem)
    for channel, _, words in _channels(transcript):
        for word in in_milliseconds(words, transcript.duration_s):
            lasts_s = word.end_s - word.start_s
            lines.append(f"{name} {channel} {word.start_s:.3f} {lasts_s:.3f} {word.text} {word.confidence:.3f}")
    return "".join(f"{line}\n" for line in lines)


def stm(transcript: Transcript, source: Source) -> str:
    """A line per phrase: recording, channel, speaker, start and end in seconds, text; by channel and time."""
    lines, name = list(_comments(transcript, source)), in_one_word(PurePath(source.audio).stem)
    for channel, speaker, words in _channels(transcript):
        said_by = in_one_word(speaker or "unknown")
        for phrase in phrases(in_milliseconds(words, transcript.duration_s)):
            times = f"{phrase.words[0].start_s:.3f} {phrase.words[-1].end_s:.3f}"
            lines.append(f"{name} {channel} {said_by} {times} {' '.join(word.text for word in phrase.words)}")
    return "".join(f"{line}\n" for line in lines)


def in_one_word(name: str) -> str:
    """A name as a field between spaces; none begins a comment.

    >>> in_one_word("my talk"), in_one_word(";;odd"), in_one_word("")
    ('my_talk', '_;;odd', '_')
    """
    joined = "_".join(name.split()) or "_"
    return f"_{joined}" if joined.startswith(";;") else joined


def _channels(transcript: Transcript) -> list[tuple[int, str | None, list[Word]]]:
    """Channel, speaker and words: by the numbers at the end of speakers' names, else in order of their beginnings."""
    spoken = by_speaker(transcript.words)
    numbers = [int(found[0]) for name in spoken if name and (found := re.search(r"[0-9]+$", name))]
    named = len(set(numbers)) == len(spoken)
    channels = numbers if named else range(1, len(spoken) + 1)
    return sorted(
        ((channel, name, words) for channel, (name, words) in zip(channels, spoken.items(), strict=True)),
        key=lambda each: each[0],
    )


def _comments(transcript: Transcript, source: Source) -> Iterator[str]:
    """Comments on changed names, and on a recording without words."""
    for name in (PurePath(source.audio).stem, *filter(None, by_speaker(transcript.words))):
        if in_one_word(name) != name:
            yield f";; {in_one_word(name)} stands for {' '.join(name.split())}"
    if not transcript.words:
        yield f";; nothing is said in {in_one_word(PurePath(source.audio).stem)}"
