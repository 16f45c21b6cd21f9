"""A folder that appears whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from earful.errors import ExportError
from earful.writing import replacing_folder

ABOUT = "earful-export.json"
"""The file that marks a folder as an export, and describes its proof."""


def check_place(out: Path, *, overwrite: bool) -> None:
    """Refuse a place where nothing can be exported, before any work is done. Raises ExportError."""
    if out.exists() or out.is_symlink():
        if not overwrite:
            raise ExportError(f"{out}: exists already; name another folder, or replace it with --overwrite")
        if not out.is_dir() or not (out / ABOUT).is_file():
            raise ExportError(f"{out}: is no export of earful, so it is not replaced; name another folder")
    parent = next(place for place in out.absolute().parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ExportError(f"{out}: nothing can be written in {parent}; name another folder")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into, which takes its place in the end. After a failure `out` is as it was.

    Raises ExportError if it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(out) as beside:
            yield beside
            for path in [beside, *beside.rglob("*")]:  # some writers make files for the owner alone
                path.chmod(0o755 if path.is_dir() else 0o644)
    except OSError as error:
        raise ExportError(f"{out}: cannot be written ({error}); free some space or name another folder") from error


def write_text(path: Path, text: str) -> None:
    """A text file of an export."""
    path.write_text(text, "utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """A JSON file of an export."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
