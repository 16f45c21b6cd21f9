"""The exception tree. Every error that earful raises on purpose is an EarfulError.

    EarfulError
    ├── AudioError        a recording that cannot be read, written or used
    ├── ManifestError     a manifest, table or folder of clips that is not what it should be
    ├── TextError         a transcript or an alphabet that cannot be used
    ├── ConfigError       a recipe, an option or a configuration key
    ├── CheckpointError   a model folder that is missing, foreign, damaged or of another version
    ├── SynthesisError    the speech synthesiser
    ├── TrainingError     a training that cannot go on
    ├── AdaptationError   adaptation that cannot start or has failed
    └── ExportError       a model that a target cannot take, or that gives other results there

A message is one line that says what was expected, what came, where, and what to do:
`train.jsonl:17: duration is -0.2 s, must be > 0; correct or remove the line`.
The command line prints that line and exits with status 2.
"""

import shlex
import subprocess
import sys
from pathlib import Path


def install(extra: str) -> str:
    """The command in messages that installs an optional part, in a clone of the repository.

    >>> install("speak")
    'pip install ".[speak]"'
    """
    return f'pip install ".[{extra}]"'


def quoted(word: object) -> str:
    """A path or other word, quoted for a shell, for commands in messages.

    >>> quoted("my clips"), quoted("clips")
    ("'my clips'", 'clips')
    """
    if sys.platform == "win32":  # its shells know only double quotes
        return subprocess.list2cmdline([str(word)])
    return shlex.quote(str(word))


def not_there(path: Path) -> str:
    """What to say of a path at which nothing is: the most similar name beside it, or where to look."""
    from difflib import get_close_matches

    try:
        beside = [each.name for each in path.parent.iterdir()]
    except (OSError, ValueError):
        beside = []
    folded = {name.casefold(): name for name in beside}
    near = get_close_matches(path.name.casefold(), folded, n=1, cutoff=0.75)
    if near:
        return f"no such file or folder; did you mean {quoted(path.parent / folded[near[0]])}?"
    return "no such file or folder; check its spelling, and the folder that you are in"


class EarfulError(Exception):
    """The root: catch this to catch everything that earful raises on purpose."""


class AudioError(EarfulError):
    """A recording that cannot be read, written or used."""


class ManifestError(EarfulError):
    """A manifest, table or folder of clips that is not what it should be."""


class TextError(EarfulError):
    """A transcript or an alphabet that cannot be used."""


class ConfigError(EarfulError):
    """A recipe, an option or a configuration key."""


class CheckpointError(EarfulError):
    """A model folder that is missing, foreign, damaged or of another version."""


class SynthesisError(EarfulError):
    """The speech synthesiser."""


class TrainingError(EarfulError):
    """A training that cannot go on."""


class AdaptationError(EarfulError):
    """Adaptation that cannot start or has failed."""


class ExportError(EarfulError):
    """A model that a target cannot take, or that gives other results there."""
