"""Frames of sound that were computed once: several adaptations to the same clips hear them, and their copies, once."""

import hashlib
from collections.abc import Callable
from time import monotonic

from torch import Tensor

from earful.audio.files import SAMPLE_RATE_HZ
from earful.data.frames import Front

Hearing = Callable[[Front], Front]
"""What makes of a front another one, which gives the same frames."""


def itself(front: Front) -> Front:
    """The front as it is: nothing is remembered."""
    return front


class Memory:
    """Hearing that remembers: the frames of all sound that was heard by the same frozen encoder, amid the same bed.

    `seconds` is how long hearing took, without what was remembered, and `sound_s` of how much sound that was. Frames
    are shared, not copied; whoever gets some must not change them.
    """

    def __init__(self) -> None:
        self.seconds, self.sound_s = 0.0, 0.0
        self._known: dict[bytes, Tensor] = {}

    def __call__(self, front: Front) -> Front:
        def remembered(samples_T: Tensor) -> Tensor:
            name = hashlib.blake2b(samples_T.numpy().tobytes(), digest_size=16).digest()
            if name not in self._known:
                began = monotonic()
                self._known[name] = front(samples_T)
                self.seconds += monotonic() - began
                self.sound_s += len(samples_T) / SAMPLE_RATE_HZ
            return self._known[name]

        return remembered

    @property
    def pace(self) -> float:
        """Seconds that a second of sound takes to be heard; 0 before any was."""
        return self.seconds / self.sound_s if self.sound_s else 0.0
