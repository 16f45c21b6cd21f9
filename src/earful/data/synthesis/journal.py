"""What has been spoken so far, one JSON line a sentence, so that an interrupted run goes on where it was."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from earful.errors import SynthesisError
from earful.reading import read_whole
from earful.writing import replacing

NAME = "journal.jsonl"


class Journal:
    """Outcomes by clip id, kept in OUT/journal.jsonl as they come. The first line holds the settings.

    Raises SynthesisError if the folder was made with other settings, or cannot be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.outcomes = self._read(settings)
            self._file = self._path.open("a", encoding="utf-8", newline="\n")
            if self._path.stat().st_size == 0:
                self._append({"settings": settings})
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def note(self, id: str, outcome: dict[str, Any]) -> None:
        """Keep one outcome; a second one for the same id replaces the first."""
        if self.outcomes.get(id) == outcome:
            return
        self.outcomes[id] = outcome
        try:
            self._append({"id": id} | outcome)
        except OSError as error:
            raise self._unwritable(error) from error

    def _append(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()

    def _read(self, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
        rows = self._rows()
        if rows and rows[0].get("settings") != settings:
            raise SynthesisError(
                f"{self._path.parent}: holds clips that were spoken with other settings; "
                "choose another folder or delete that one"
            )
        return {str(row.pop("id")): row for row in rows[1:] if "id" in row}

    def _rows(self) -> list[dict[str, Any]]:
        """The lines, without the one that an interruption may have cut."""
        if not self._path.exists():
            return []
        lines = read_whole(self._path).split(b"\n")
        if lines[-1]:  # cut: it must not merge with what is appended
            with replacing(self._path) as beside:
                beside.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
        return [self._row(number, line) for number, line in enumerate(lines[:-1], 1)]

    def _row(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SynthesisError(
                f"{self._path}:{number}: damaged ({error}); delete the folder and speak again"
            ) from error
        if not isinstance(row, dict):
            raise SynthesisError(f"{self._path}:{number}: damaged (no object); delete the folder and speak again")
        return row

    def _unwritable(self, error: OSError) -> SynthesisError:
        return SynthesisError(f"{self._path}: cannot write: {error.strerror}; free some space or choose another folder")
