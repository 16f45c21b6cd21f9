"""The K-shot benchmark: bases, and ways to adapt them, on the same clips, tested on the same other clips."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch

from earful.adapt.adapt import plan_from
from earful.adapt.finetune import steps_of
from earful.adapt.select import learned_by
from earful.adapt.start import start_from
from earful.config import to_mapping
from earful.data.manifest import Manifest
from earful.device import CPU
from earful.kshot.cell import Ear, Entrant, plan_after, rows_of
from earful.kshot.protocol import USUAL, Protocol, Task, tasks_of
from earful.kshot.results import Cell, Known, Row, read_results, settings_of, write_results

Tell = Callable[[str, float, float, str], None]
"""`tell(stage, done, total, note)`: the progress."""
STAGE = "benchmarking"
BUSY_CLIPS, STEP = 20, 3
"""For the estimate of the time left: a step uses at most a batch of a minute, for any number of clips, and has a fixed
cost of testing some clips."""


def benchmark(
    protocol: Protocol,
    clips: Manifest,
    *,
    results: Path | None = None,
    tell: Tell | None = None,
    device: torch.device = CPU,
) -> list[Row]:
    """Run the protocol: a row for each entrant, task, seed, number of clips and of steps.

    Each row is a separate adaptation, from the same clips for all entrants, as by `earful adapt --steps`, with two
    differences: it does not return to the base if that is better, and it is tested by the best path. The file `results`
    is written after every row, and existing rows are not computed again: more bases, steps or seeds may be added later.
    It computes on the `device`. Clips are used unchecked: `earful.data.check` finds unusable ones.

    Raises:
    ManifestError: clips that do not make such tasks; before anything is run.
        CheckpointError: a base that cannot be read.
        ConfigError: `results` are of other settings, or cannot be written.
        AudioError: a recording cannot be read.

    >>> benchmark(Protocol(("earful-tiny", "none"), shots=(5,)), read_clips("clips"))  # doctest: +SKIP
    """
    tasks, _ = tasks_of(clips, protocol)
    at_rest = entrants_of(protocol, clips)
    entrants = [each._replace(checkpoint=each.checkpoint.on(device)) for each in at_rest]
    settings = settings_of(protocol, clips, {each.base: each.checkpoint for each in at_rest})
    found, machines, settings = read_results(results, settings) if results else Known([], [], settings)
    rows = {row.cell: row for row in found}
    fronts = {each.base: each.checkpoint.build().frames_of for each in entrants}
    if results:
        write_results(results, settings, machines, tasks, found)  # where that is not possible, now is the time
    course = Course(works_of(protocol, tasks, entrants, rows), tell)
    for task in tasks:
        ears = {base: Ear(front) for base, front in fronts.items()}  # what one task heard is of no use to the next
        for seed, shots, entrant in product(range(protocol.seeds), protocol.shots, entrants):
            cells = [cell for cell in cells_of(protocol, task, seed, shots, entrant) if cell not in rows]
            for row in rows_of(entrant, task, cells, ears[entrant.base], course.within):
                rows[row.cell] = row
                course.passed(row.cell)
                if results:
                    write_results(results, settings, machines, tasks, list(rows.values()))
    return [rows[cell] for cell in every_cell(protocol, tasks, entrants)]


def entrants_of(protocol: Protocol, clips: Manifest) -> list[Entrant]:
    """The bases; a meta-trained base is entered twice. Raises CheckpointError, ConfigError."""
    texts, entrants = [u.text or "" for u in clips], list[Entrant]()
    for base in protocol.bases:
        checkpoint = start_from(base, texts, to_mapping(protocol.rules))
        entrants.append(Entrant(base, base, checkpoint))
        if learned_by(checkpoint) and protocol.usual:
            entrants.append(Entrant(f"{base} ({USUAL})", base, replace(checkpoint, inner=None)))
    return entrants


def cells_of(protocol: Protocol, task: Task, seed: int, shots: int, entrant: Entrant) -> list[Cell]:
    """The cells of one support and entrant."""
    return [Cell(entrant.name, task.name, seed, shots, steps) for steps in protocol.steps]


def every_cell(protocol: Protocol, tasks: Sequence[Task], entrants: Sequence[Entrant]) -> list[Cell]:
    """All cells, in their order: entrants take turns, so that a busy hour of the machine does not affect only one."""
    groups = product(tasks, range(protocol.seeds), protocol.shots, entrants)
    return [cell for group in groups for cell in cells_of(protocol, *group)]


def works_of(
    protocol: Protocol, tasks: Sequence[Task], entrants: Sequence[Entrant], known: Collection[Cell]
) -> dict[Cell, float]:
    """The approximate work of each cell that is not `known`: tested clips, and clips times steps."""
    plans = {(e.name, shots): plan_from(e.checkpoint, shots, 0.0) for e in entrants for shots in protocol.shots}
    tests, works = {task.name: len(task.test) for task in tasks}, {}
    for cell in every_cell(protocol, tasks, entrants):
        plan = plan_after(plans[cell.entrant, cell.shots], cell.steps)
        if cell not in known:
            works[cell] = tests[cell.task] + (steps_of(plan) * (STEP + min(cell.shots, BUSY_CLIPS)) if plan else 0.0)
    return works


@dataclass
class Course:
    """The progress of a benchmark, as a share of the work at its beginning."""

    works: dict[Cell, float]
    tell: Tell | None
    done: float = 0.0

    def within(self, cell: Cell, share: float) -> None:
        """A cell has taken this share of its steps; the test is still to come."""
        self._say(cell, 0.9 * share * self.works[cell])

    def passed(self, cell: Cell) -> None:
        """A cell is done."""
        self.done += self.works[cell]
        self._say(cell, 0.0)

    def _say(self, cell: Cell, more: float) -> None:
        if self.tell:
            clips = f"{cell.shots} clip{'s' * (cell.shots != 1)}"
            note = f"{cell.task}, seed {cell.seed}, {clips}, {cell.steps} steps, {cell.entrant}"
            self.tell(STAGE, self.done + more, sum(self.works.values()), note)
