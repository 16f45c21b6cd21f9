"""From live sound to log-probabilities: most are final, those of the newest sound may still change.

The network needs context on both sides. So the newest sound is encoded again and again, each time with more right
context and with the sound before it as left context. A frame is final once it had enough right context.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.silence import GRID_S, spoken
from earful.ctc.greedy import Numbers
from earful.ctc.stretches import silent_frames
from earful.errors import ConfigError
from earful.transcriber import Samples, Transcriber

GRID = round(GRID_S * SAMPLE_RATE_HZ)
HELD_S = 15.0
"""The most sound that is held, silences left out: a window of `transcribe`."""
MOST_S = 6.0
"""More new sound than this is encoded in pieces, since one input must fit into a window."""


Until = Literal["what is sure", "now", "the end"]


@dataclass(frozen=True)
class Pace:
    """The timing of live encoding; measured in bench/live.py.

    Sound is encoded every `hop_s`, or less often, so that encoding takes at most the `share` of the time. The input is
    the new sound, the last `ahead_s` before it, whose frames may still change, and `behind_s` of left context. No frame
    is final before `first_s` of the recording.

    Raises ConfigError for an invalid time or share, or if the times do not fit into a window.
    """

    hop_s: float = 0.4
    share: float = 0.5
    behind_s: float = 4.0
    ahead_s: float = 1.5
    first_s: float = 4.0

    def __post_init__(self) -> None:
        for name in ("hop_s", "behind_s", "ahead_s", "first_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)} s, must be 0 or more")
        if not 0 < self.share <= 1:
            raise ConfigError(f"share is {self.share}, must be above 0 and at most 1: of the time spent hearing")
        if max(self.behind_s + self.ahead_s, self.first_s) + MOST_S > HELD_S:
            raise ConfigError(
                f"behind_s {self.behind_s:g}, ahead_s {self.ahead_s:g} and first_s {self.first_s:g} do not fit into a "
                f"window of {HELD_S:g} s with {MOST_S:g} s of new sound; lower them"
            )


USUAL = Pace()


class Frames(NamedTuple):
    """Log-probabilities `[F, V]` after the frames that are final already, and whether each may hold speech, `[F]`.

    The first `staying` frames are final now.
    """

    logp_FV: Numbers
    heard_F: NDArray[np.bool_]
    staying: int


@final
class Ear:
    """The live encoder; it holds the last seconds of sound. Positions count GRID samples from the recording's start."""

    def __init__(self, transcriber: Transcriber, pace: Pace) -> None:
        self._transcriber, self._pace = transcriber, pace
        self._held_T = np.zeros(0, np.float32)
        self._first = self._stays = 0
        self._grid_frames = round(GRID_S / transcriber.writing.hop_s)

    @property
    def samples(self) -> int:
        """The number of samples received so far."""
        return self._first * GRID + len(self._held_T)

    def add(self, samples_T: Samples) -> None:
        """Append samples without encoding them yet."""
        self._held_T = np.concatenate([self._held_T, samples_T])

    def hear(self, until: Until = "what is sure") -> Frames:
        """Encode the new sound and the frames that may still change; `until` says which frames become final."""
        spoken_G, last = spoken(self._held_T), until == "the end"
        whole = len(spoken_G) if last else len(self._held_T) // GRID
        staying = self._staying() if until == "what is sure" else whole
        new = self._stays - self._first
        if spoken_G[new:].any():
            begin = self._begin(spoken_G, new)
            logp_FV, heard_F = self._transcriber.hear(self._held_T[begin * GRID :], spoken_G[begin:])
            skipped = (new - begin) * self._grid_frames
            logp_FV, heard_F = logp_FV[skipped:], heard_F[skipped:]
        else:
            begin = new
            count = (len(spoken_G) - new) * self._grid_frames
            logp_FV = silent_frames(count, self._transcriber.writing.alphabet.size)
            heard_F = np.zeros(count, np.bool_)
        frames = len(logp_FV) if last else min((staying - new) * self._grid_frames, len(logp_FV))
        self._stays = self._first + staying
        self._forget(spoken_G)
        return Frames(logp_FV, heard_F, frames)

    def _staying(self) -> int:
        """The end of the final frames, in GRID units of the held sound."""
        if self.samples < self._pace.first_s * SAMPLE_RATE_HZ:
            return self._stays - self._first
        ahead = len(self._held_T) - round(self._pace.ahead_s * SAMPLE_RATE_HZ)
        return max(ahead // GRID, self._stays - self._first)

    def _begin(self, spoken_G: NDArray[np.bool_], new: int) -> int:
        """Where to begin encoding, so that `behind_s` of speech are left context, in GRID units of the held sound."""
        before = np.cumsum(spoken_G[:new][::-1])
        return new - min(int(np.searchsorted(before, self._pace.behind_s / GRID_S)) + 1, new)

    def _forget(self, spoken_G: NDArray[np.bool_]) -> None:
        """Drop the sound that is not needed as context any more."""
        new = self._stays - self._first
        begin = max(self._begin(spoken_G, new), len(spoken_G) - round(HELD_S / GRID_S))
        begin = min(begin, new)
        self._held_T = self._held_T[begin * GRID :].copy()
        self._first += begin
