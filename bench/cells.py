"""Measurements that are made cell by cell: what their scripts share. An interrupted run goes on where it stopped.

A cell is one value of each axis, such as a seed and a number of clips. Its row is written to the JSON file as soon as
it is measured, and a cell that has a row is not measured again.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from earful.kshot.machine import machine
from earful.writing import replacing


class Cells:
    """The rows of a JSON file, beside facts about all of them; the machine is one of the facts.

    >>> cells = Cells(Path("found.json"), corpus="nl")  # doctest: +SKIP
    >>> for seed, clips in cells.missing(seed=[0, 1], clips=[5, 10]):  # doctest: +SKIP
    ...     cells.add({"clips": clips, "seed": seed, "cer": measured(seed, clips)})
    """

    def __init__(self, path: Path, **facts: Any) -> None:
        self.path = path
        self.found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"rows": []}
        self.found |= {"machine": machine(), **facts}

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.found["rows"]

    def missing(self, **axes: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """The cells without a row; the first axis changes slowest. An axis has the name of its key in the rows."""
        for cell in itertools.product(*axes.values()):
            if not any(tuple(row[name] for name in axes) == cell for row in self.rows):
                yield cell

    def add(self, row: dict[str, Any]) -> None:
        """Append a row, print it to stderr, and write the whole file."""
        self.rows.append(row)
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr, flush=True)
        with replacing(self.path) as beside:
            beside.write_text(json.dumps(self.found, indent=1, ensure_ascii=False) + "\n", "utf-8")


def arguments(
    about: str, *, clips: Sequence[int], seeds: Sequence[int] | None = None, test_clips: int | None = None
) -> argparse.ArgumentParser:
    """The options of all such scripts, with these defaults: seeds without one must be named."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--clips", type=int, nargs="+", default=clips, help="numbers of clips to adapt to")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, required=seeds is None)
    if test_clips is not None:
        parser.add_argument("--test-clips", type=int, default=test_clips)
    parser.add_argument("--out", type=Path, required=True, help="JSON file; the rows of an earlier run are kept")
    return parser
