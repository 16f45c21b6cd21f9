"""What TensorBoard would read of the files that are written for it, and manifests of clips to train on."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

Points = dict[str, list[tuple[int, float]]]


def read(folder: Path) -> Points:
    """All points in the event files of a folder: records of a length, its checksum, an event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = Points()
    for path in folder.iterdir():
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + size])
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
            data = data[16 + size :]
    return found


@pytest.fixture
def points() -> Callable[[Path], Points]:
    """`points(folder)` are the curves in it by name: pairs of step and value."""
    return read


@pytest.fixture
def list_clips() -> Callable[[Path, Path], None]:
    """Write the manifest of a folder of clips with transcripts beside them."""

    def write(clips: Path, manifest: Path) -> None:
        rows = [
            {"audio_filepath": str(p), "text": p.with_suffix(".txt").read_text().strip(), "duration": 2.0}
            for p in sorted(clips.glob("*.wav"))
        ]
        manifest.write_text("\n".join(map(json.dumps, rows)), "utf-8")

    return write


@pytest.fixture(autouse=True)
def no_progress_on_a_slow_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test reads on stderr does not hang on how busy the machine is; the progress has tests of its own."""
    if "progress" not in request.path.name:
        monkeypatch.setattr("earful.cli.progress.FIRST_LINE_S", 1e9)
