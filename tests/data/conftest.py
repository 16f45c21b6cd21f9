"""What the tests of data share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def put_sound() -> Callable[[Path, float], None]:
    """`put_sound(path, pitch_hz)` writes a tone of 0.2 s in the form that the name ends with."""

    def put_sound(path: Path, pitch_hz: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        times_T = np.arange(4410) / 22050
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch_hz * times_T), 22050)

    return put_sound
