"""One utterance: a stretch of a recording, and its text, language, speaker and other values."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from earful.audio.channels import Channel, channel_named
from earful.errors import ConfigError, ManifestError

Json = Any  # str, int, float, bool, None, and lists and dicts of them


@dataclass(frozen=True)
class Utterance:
    """A stretch of the recording `audio` with its words, language and speaker, if known.

    `start_s` and `duration_s` are in seconds; a duration of None lasts to the end of the recording. `extra` holds any
    other JSON values, read-only; equality covers it, the hash does not.
    Raises ManifestError if a time is out of range.

    >>> Utterance("hello", Path("hello.wav"), text="hello there").duration_s is None
    True
    """

    id: str
    audio: Path
    start_s: float = 0.0
    duration_s: float | None = None
    text: str | None = None
    language: str | None = None
    speaker: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict, hash=False)

    @property
    def channel(self) -> Channel:
        """Its channel of the recording: the value of "channel" in `extra`, or the channels that hold speech."""
        given = self.extra.get("channel")
        try:
            named = channel_named(str(given)) if isinstance(given, str | int) else "auto"
        except ConfigError:  # people mean other things by that word, too
            return "auto"
        return "auto" if named == "each" else named

    def __post_init__(self) -> None:
        if not self.id:
            raise ManifestError("id is empty, must be a text that names the clip; correct or remove it")
        if not (math.isfinite(self.start_s) and self.start_s >= 0):
            raise ManifestError(f"offset is {self.start_s} s, must be 0 or more; correct it")
        if self.duration_s is not None and not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise ManifestError(f"duration is {self.duration_s} s, must be > 0; correct it or remove the clip")
        object.__setattr__(self, "extra", MappingProxyType(dict(self.extra)))

    def __reduce__(self) -> tuple[type["Utterance"], tuple[Any, ...]]:
        # a mapping proxy cannot be copied or sent to a worker process; a dict can
        known = (self.id, self.audio, self.start_s, self.duration_s, self.text, self.language, self.speaker)
        return Utterance, (*known, dict(self.extra))


def unique_ids(wanted: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Make names distinct from each other and from `taken`: repeated names get the suffix #2, #3, …

    >>> unique_ids(["a", "b", "a"], taken=["b"])
    ['a', 'b#2', 'a#2']
    """
    used = set(taken)
    last: dict[str, int] = {}
    ids = []
    for name in wanted:
        name = name or "clip"
        unique, number = name, last.get(name, 1)
        while unique in used:
            number += 1
            unique = f"{name}#{number}"
        last[name] = number
        used.add(unique)
        ids.append(unique)
    return ids
