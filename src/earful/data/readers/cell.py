"""The sound in one cell of a data set: bytes of a file, samples with their rate, or a path.

Format: Hugging Face, "Datasets: Features, Audio": a struct of `bytes` and `path`; decoded, of `array`, `path` and
`sampling_rate`.
"""

from typing import Any, NamedTuple

from earful.audio.source import from_samples
from earful.errors import AudioError


class Sound(NamedTuple):
    """The bytes of a sound file, or where there are none its path; with bytes the path is no more than a name."""

    content: bytes
    path: str


class NoSound(Exception):
    """Why the sound of a cell cannot be had."""


def sound_of(cell: Any, rate_hz: object = None) -> Sound:
    """The sound in a scalar of pyarrow's; `rate_hz` is what the row says of samples that do not say it themselves.

    Raises NoSound.
    """
    import pyarrow as pa

    if not cell.is_valid:
        raise NoSound("its sound is null")
    if not pa.types.is_struct(cell.type):
        return _plain(cell, rate_hz)
    fields = {cell.type.field(place).name: cell[place] for place in range(cell.type.num_fields)}
    path = _text(fields["path"]) if "path" in fields else ""
    content = fields["bytes"].as_py() if "bytes" in fields else None
    if isinstance(content, bytes) and content:
        return Sound(content, path)
    if "array" in fields and fields["array"].is_valid:
        rate = fields["sampling_rate"].as_py() if "sampling_rate" in fields else rate_hz
        return Sound(_samples(fields["array"], rate), path)
    if not path:
        raise NoSound("its sound has neither bytes nor a path")
    return Sound(b"", path)


def _plain(cell: Any, rate_hz: object) -> Sound:
    """The sound in a cell that is no struct."""
    if hasattr(cell, "values"):
        return Sound(_samples(cell, rate_hz), "")
    value = cell.as_py()
    if not value:
        raise NoSound("its sound is empty")
    return Sound(value, "") if isinstance(value, bytes) else Sound(b"", _text(cell))


def _text(cell: Any) -> str:
    try:
        value = cell.as_py()
    except ValueError:
        raise NoSound("the path of its sound is not UTF-8") from None
    return value if isinstance(value, str) else ""


def _samples(cell: Any, rate_hz: object) -> bytes:
    """Samples, of one channel, as the bytes of a WAV file."""
    import pyarrow as pa

    if not isinstance(rate_hz, int):
        raise NoSound("its samples come without a sampling_rate")
    try:
        return from_samples(cell.values.to_numpy(zero_copy_only=False), rate_hz).content
    except (AudioError, pa.ArrowException) as error:
        raise NoSound(f"its samples are no sound ({error})") from None
