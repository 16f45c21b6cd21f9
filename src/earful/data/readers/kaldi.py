"""A Kaldi data folder: `wav.scp` and `text`, and where they exist `segments`, `utt2spk` and `utt2lang`.

Format: Povey et al. 2011, "The Kaldi speech recognition toolkit"; kaldi-asr.org, "Data preparation".
"""

from pathlib import Path
from typing import NamedTuple

from earful.data.lines import Problem, raise_first, read_text
from earful.data.manifest import Manifest
from earful.data.readers.sound import is_there, locate, timed
from earful.data.utterance import Utterance
from earful.errors import ManifestError


class _Entry(NamedTuple):
    line: int
    value: str


class _Part(NamedTuple):
    audio: Path
    start_s: float
    duration_s: float | None
    channel: int | None = None  # from 1 on


def read(path: str | Path) -> Manifest:
    """Read a Kaldi data folder, in the order of `segments`, or else of `wav.scp`.

    Paths in wav.scp are relative to the folder or to the working directory. An utterance that `text` leaves out has
    the text None. Raises ManifestError, naming file and line, also for commands and archives in wav.scp.
    """
    folder = Path(path)
    recordings = _recordings(folder)
    parts = _segments(folder / "segments", recordings) if (folder / "segments").exists() else recordings
    known = {name: _known(folder / name, parts) for name in ("text", "utt2spk", "utt2lang")}
    if not known["text"]:
        raise ManifestError(f"{folder}: holds wav.scp but no transcripts; expected the file 'text' in it")
    return timed(
        Utterance(
            id=id,
            audio=part.audio,
            start_s=part.start_s,
            duration_s=part.duration_s,
            text=known["text"].get(id),
            speaker=known["utt2spk"].get(id) or None,
            language=known["utt2lang"].get(id) or None,
            extra={} if part.channel is None else {"channel": part.channel},
        )
        for id, part in parts.items()
    )


def _entries(path: Path) -> dict[str, _Entry]:
    """Read `key value` lines; a key that comes again is an error."""
    entries: dict[str, _Entry] = {}
    problems: list[Problem] = []
    for number, line in enumerate(read_text(path, "a file of a Kaldi data folder").split("\n"), start=1):
        key, *rest = line.strip().split(maxsplit=1)[:2] or [""]
        if key in entries:
            problems.append((number, f"{key!r} is also on line {entries[key].line}; remove one of them"))
        elif key:
            entries[key] = _Entry(number, rest[0] if rest else "")
    raise_first(path, problems)
    return entries


def _recordings(folder: Path) -> dict[str, _Part]:
    path = folder / "wav.scp"
    entries = _entries(path)
    if not entries:
        raise ManifestError(f"{path}: the file is empty; expected lines such as: recording1 clips/1.wav")
    raise_first(path, [(entry.line, problem) for entry in entries.values() if (problem := _unusable(entry.value))])
    return {key: _Part(_locate(folder, entry.value), 0.0, None) for key, entry in entries.items()}


def _unusable(value: str) -> str | None:
    if not value:
        return "the path of the sound file is missing; write it after the name"
    if value.endswith("|"):
        return "a command, which earful does not run; let it write a .wav file, and put the path of that file here"
    if value.rpartition(":")[2].isdigit() and ".ark:" in value:
        return "a place in a Kaldi archive, which earful does not read; copy it to .wav files with Kaldi's wav-copy"
    return None


def _locate(folder: Path, value: str) -> Path:
    inside = locate(folder, value)
    elsewhere = locate(Path(), value)
    return elsewhere if is_there(elsewhere) and not is_there(inside) else inside


def _segments(path: Path, recordings: dict[str, _Part]) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    problems: list[Problem] = []
    for id, entry in _entries(path).items():
        try:
            parts[id] = _segment(entry.value, recordings)
        except ManifestError as error:
            problems.append((entry.line, str(error)))
    raise_first(path, problems)
    if not parts:
        raise ManifestError(
            f"{path}: the file is empty; remove it, or write lines such as: utterance1 recording1 0 2.5"
        )
    return parts


def _segment(value: str, recordings: dict[str, _Part]) -> _Part:
    """Parse `recording start end [channel]`; an end of −1 is that of the recording; channels are 0, 1 … or A, B."""
    try:
        recording, start, end, *rest = value.split()
        start_s, end_s = float(start), float(end)
        (channel,) = map(_channel, rest or ["-1"])
    except (ValueError, KeyError):
        raise ManifestError(
            "expected utterance, recording, start and end in seconds, and perhaps a channel (0, 1, A, B), "
            f"got {value!r} after the first; correct the line"
        ) from None
    if recording not in recordings:
        raise ManifestError(f"the recording {recording!r} is not in wav.scp; add it there or remove the line")
    to_end = end_s == -1
    if not (start_s >= 0 and (to_end or end_s > start_s)):
        raise ManifestError(f"the segment goes from {start_s} s to {end_s} s, must end after it starts; correct it")
    return _Part(recordings[recording].audio, start_s, None if to_end else end_s - start_s, channel)


def _channel(name: str) -> int | None:
    """A channel from 1 on; None for −1, which is Kaldi's for a recording of one channel."""
    number = {"A": 0, "B": 1}[name] if name.isalpha() else int(name)
    if number < -1:
        raise ValueError(name)
    return number + 1 if number >= 0 else None


def _known(path: Path, parts: dict[str, _Part]) -> dict[str, str]:
    """Read what a file says of the utterances; empty if there is no such file."""
    entries = _entries(path) if path.exists() else {}
    unknown = [(e.line, f"the utterance {id!r} has no sound; add it to segments or wav.scp, or remove the line")
               for id, e in entries.items() if id not in parts]  # fmt: skip
    raise_first(path, unknown)
    return {id: entry.value for id, entry in entries.items()}
