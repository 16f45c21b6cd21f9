"""Live transcription for clients: sound arrives in pieces of any size and rate, and is processed on the pool."""

from typing import final

import numpy as np

from earful.audio.capture import RATES_HZ, Stream, floats
from earful.live.live import Live, Update
from earful.server.problems import Problem
from earful.server.state import State
from earful.transcript import Transcript, Word

WAITING_S = 30.0
"""The most sound that may wait while the server is busy; a client that sends more gets an error."""
_RATE_HZ = 16_000
_MOST_CHANNELS = 16


@final
class Hearing:
    """The sound of one client: PCM of `width` bytes per sample, `channels` and `rate_hz`, little-endian.

    Raises Problem (400): unsupported PCM.
    """

    def __init__(self, state: State, live: Live, rate_hz: int, width: int = 2, channels: int = 1) -> None:
        if (
            not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]
            or width not in (1, 2, 3, 4)
            or not 1 <= channels <= _MOST_CHANNELS
        ):
            expected = f"1 to 4 bytes a sample, 1 to {_MOST_CHANNELS} channels and {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
            raise Problem(400, f"expected PCM of {expected}, got {width}, {channels} and {rate_hz} Hz", code="audio")
        self._state, self._live, self._width, self._channels = state, live, width, channels
        self._stream = Stream(rate_hz)
        self._waiting_T, self._odd = np.zeros(0, np.float32), b""
        self.tail: tuple[Word, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds of sound received."""
        return self._live.duration_s + len(self._waiting_T) / _RATE_HZ

    @property
    def heard_s(self) -> float:
        """The end of the processed sound, in seconds."""
        return self._live.heard_s

    async def feed(self, content: bytes) -> tuple[Word, ...]:
        """Hear what comes next; answers what has settled by it. Where the pool is full, it is heard the next time.

        Raises Problem: too much waits already (503), or the whole is too long (413).
        """
        content, frame = self._odd + content, self._width * self._channels
        whole = len(content) // frame * frame
        self._odd = content[whole:]
        samples_T = self._stream.resampled(floats(content[:whole], self._width, self._channels))
        if self.duration_s + len(samples_T) / _RATE_HZ > self._state.settings.longest_s:
            raise Problem(413, f"more than {self._state.settings.longest_s:g} s without an end", code="too_long")
        all_T = np.concatenate([self._waiting_T, samples_T])
        try:
            return self._taken(await self._state.pool.run(self._live.feed, all_T))
        except Problem as problem:
            if problem.status != 503 or len(all_T) > WAITING_S * _RATE_HZ:
                raise  # these samples are lost
            self._waiting_T = all_T
            return ()

    async def settle(self) -> tuple[Word, ...]:
        """Settle what was said: somebody has stopped speaking, and may go on."""
        return self._taken(await self._state.pool.run(self._live.settle))

    async def turn(self) -> Transcript:
        """What was said since the last turn, heard once more as a whole; another turn begins."""
        return await self._state.pool.run(self._live.turn)

    async def end(self) -> tuple[tuple[Word, ...], Transcript]:
        """What settles at the end; and all that was said, heard once more as a whole."""
        last_T = self._stream.resampled(np.zeros(0, np.float32), last=True)
        waiting_T, self._waiting_T = np.concatenate([self._waiting_T, last_T]), np.zeros(0, np.float32)
        return await self._state.pool.run(_ended, self._live, waiting_T)

    def _taken(self, update: Update) -> tuple[Word, ...]:
        self._waiting_T, self.tail = np.zeros(0, np.float32), update.tail
        return update.settled


async def hearing(state: State, model: str, rate_hz: int, width: int = 2, channels: int = 1) -> Hearing:
    """A client that begins to speak; the model is loaded, if it is not.

    Raises Problem (400, 404, 503); CheckpointError: the model is damaged.
    """
    transcriber = await state.pool.run(state.models.transcriber, model)
    return Hearing(state, Live(transcriber), rate_hz, width, channels)


def _ended(live: Live, samples_T: np.ndarray) -> tuple[tuple[Word, ...], Transcript]:
    settled = live.feed(samples_T).settled
    return settled + live.settle(last=True).settled, live.end()
