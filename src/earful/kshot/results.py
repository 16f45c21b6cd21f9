"""results.json: every cell of a benchmark, its settings, and the machine; written after each cell."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from earful.checkpoint import Checkpoint
from earful.config import finite, from_mapping, to_mapping
from earful.data.manifest import Manifest
from earful.errors import ConfigError
from earful.kshot.machine import machine
from earful.kshot.protocol import Protocol, Steps, Task
from earful.reading import read_whole
from earful.writing import replacing

FORMAT = 1
GROWING = ("bases", "steps", "seeds", "weights")
"""Settings of which a file may hold more values than one run has; each row has its own value, independent of others."""


class Cell(NamedTuple):
    """The identity of a row; `steps` as they were asked for."""

    entrant: str
    task: str
    seed: int
    shots: int
    steps: Steps


@dataclass(frozen=True)
class Row:
    """The result of one adaptation on the task's test, by the best path: `errors` of `characters`, and rates.

    `taken` are its steps. `cpu_s` are processor seconds, of all cores, up to the finished recogniser: computing frames
    of the clips and of their augmented copies, the rows of its letters, and the steps. `speech_s` is the length of its
    clips.
    """

    entrant: str
    task: str
    seed: int
    shots: int
    steps: Steps
    taken: int
    speech_s: float
    cpu_s: float
    cer: float
    wer: float
    errors: int
    characters: int

    @property
    def cell(self) -> Cell:
        return Cell(self.entrant, self.task, self.seed, self.shots, self.steps)


def settings_of(protocol: Protocol, clips: Manifest, bases: Mapping[str, Checkpoint]) -> dict[str, Any]:
    """The settings that rows of one file share: the protocol, and fingerprints of clips and weights."""
    rows = [[u.id, u.start_s, u.duration_s, u.text, u.language, u.speaker, u.extra.get("condition")] for u in clips]
    weights = {name: _digest(_sums(checkpoint)) for name, checkpoint in bases.items()}
    return dict(to_mapping(protocol)) | {"clips": _digest(rows), "weights": weights}


class Known(NamedTuple):
    """Existing rows, the machines that made them, and the merged settings of these and of the new run."""

    rows: list[Row]
    machines: list[dict[str, Any]]
    settings: dict[str, Any]


def read_results(path: Path, settings: Mapping[str, Any]) -> Known:
    """The rows of earlier runs to which a run with `settings` can add its own; none if there is no file.

    That run may have other bases, steps and seeds: the file then holds those of all.

    Raises ConfigError for a file that is damaged, or of other settings; the message names the first difference.
    """
    if not path.exists():
        return Known([], [], dict(settings))
    try:
        found = json.loads(read_whole(path).decode("utf-8"))
        before, rows, machines = dict(found["settings"]), list(found["rows"]), list(found["machines"])
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}, this version reads {FORMAT}")
        both = {name: _both(before[name], settings[name]) for name in GROWING}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{path}: no results that a run can continue ({error}); remove it, or overwrite it") from None
    weights = before["weights"]
    changed = [name for name, value in settings.items() if name not in GROWING and before.get(name) != value]
    changed += ["weights" for base, own in settings["weights"].items() if weights.get(base, own) != own]
    if changed:
        what = _differ(changed[0], before.get(changed[0]), settings[changed[0]])
        raise ConfigError(f"{path}: made with other settings: {what}; name another folder, or overwrite it")
    rows = [from_mapping(Row, row, f"{path}: row {number}") for number, row in enumerate(rows, 1)]
    return Known(rows, machines, dict(settings) | both)


def _both(before: Any, now: Any) -> Any:
    """The union of two settings: members of lists, entries of mappings, the larger of numbers."""
    if isinstance(now, int):
        return max(before, now)
    return before | now if isinstance(now, Mapping) else [*before, *(each for each in now if each not in before)]


def write_results(
    path: Path,
    settings: Mapping[str, Any],
    machines: Sequence[dict[str, Any]],
    tasks: Sequence[Task],
    rows: Sequence[Row],
) -> None:
    """Write the file, first beside its place, then renamed. `machines` made earlier rows; this one is added.

    Raises ConfigError if that fails.
    """
    here = machine()
    machines = [*machines, *([here] if here not in machines else [])]
    found = {"format": FORMAT, "machines": machines, "settings": dict(settings), "tasks": _sizes(tasks)}
    head = json.dumps(finite(to_mapping(found)), ensure_ascii=False, indent=1, allow_nan=False)
    lines = ",\n".join("  " + json.dumps(finite(to_mapping(row)), ensure_ascii=False) for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_text(
                f'{head.removesuffix("}").rstrip()},\n "rows": [\n{lines}\n ]\n}}\n', "utf-8", newline="\n"
            )
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error}); free some space, or name another folder") from error


def _sizes(tasks: Sequence[Task]) -> dict[str, Any]:
    return {
        task.name: {
            "test_clips": len(task.test),
            "test_s": round(task.test.duration_s, 1),
            "pool_clips": len(task.pool),
            "test": [u.id for u in task.test],
        }
        for task in tasks
    }


def _sums(checkpoint: Checkpoint) -> list[float]:
    learned = checkpoint.inner.learned if checkpoint.inner else {}
    return [float(value.double().sum()) for value in (*checkpoint.params.values(), *learned.values())]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _differ(name: str, before: object, now: object) -> str:
    """The setting that differs, in words."""
    if name == "clips":
        return "it is of other clips, or of other transcripts"
    if name == "weights":
        return "the weights of a base have changed"
    shown = (f"{json.dumps(value, ensure_ascii=False)}" for value in (before, now))
    return f"{name} were {{}} and are now {{}}".format(*shown)
