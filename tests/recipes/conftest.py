"""What the tests of recipes share."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from recipes.corpora.__main__ import main


@pytest.fixture
def corpora(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimpleNamespace]:
    """Run `python -m recipes.corpora ARGUMENTS` in this process: its status, out (stdout) and err (stderr)."""
    monkeypatch.setattr("earful.cli.progress.FIRST_LINE_S", 1e9)  # stderr does not hang on how busy the machine is

    def run(*arguments: object) -> SimpleNamespace:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(status=status, out=out, err=err)

    return run


@pytest.fixture(scope="session")
def put_sound() -> Callable[[Path, float], None]:
    """`put_sound(path, pitch_hz)` writes a tone of 0.2 s in the form that the name ends with."""

    def put_sound(path: Path, pitch_hz: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        times_T = np.arange(4410) / 22050
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch_hz * times_T), 22050)

    return put_sound
