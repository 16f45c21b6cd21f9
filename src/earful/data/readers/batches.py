"""Parquet and Arrow files (streams, as `datasets` keeps them, and files), opened by pyarrow, a batch of rows at a time.

Format: Apache, "Parquet" and "Arrow columnar format: IPC".
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from earful.errors import ManifestError, install

_ROWS = 8  # of parquet that are in memory at once, beside the page, or group of rows, that they are in
_LFS, _ARROW_FILE = b"version https://git-lfs", b"ARROW1"
_REMEDY = "fetch or save it again"


class Table(NamedTuple):
    """What is in a file: the schema, how many rows, and their batches, of the columns that are named."""

    schema: Any
    rows: int
    batches: Callable[[list[str]], Iterator[Any]]


@contextmanager
def opened(file: Path) -> Iterator[Table]:
    """Open a file by its suffix, .parquet or else Arrow.

    Raises ManifestError, here and amid the batches, for what is none, or damaged, and where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise ManifestError(
            f"{file}: is read by pyarrow, which is not installed; install it, as with: {install('parquet')}"
        ) from None
    try:
        with file.open("rb") as plain:
            head = plain.read(len(_LFS))
        if head == _LFS:
            raise ManifestError(f"{file}: stands for a file that was not fetched; fetch it with: git lfs pull")
        if not head:
            raise ManifestError(f"{file}: the file is empty; {_REMEDY}")
        with _parquet(file) if file.suffix.lower() == ".parquet" else _arrow(file, head) as table:
            yield table
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split()).rstrip(".")[:120]
        raise ManifestError(f"{file}: cannot be read ({said or type(error).__name__}); {_REMEDY}") from None


@contextmanager
def _parquet(file: Path) -> Iterator[Table]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, pre_buffer=False) as found:
        yield Table(found.schema_arrow, found.metadata.num_rows, lambda names: found.iter_batches(_ROWS, columns=names))


@contextmanager
def _arrow(file: Path, head: bytes) -> Iterator[Table]:
    """An IPC stream, or file, mapped into memory: a batch that is not compressed is not copied."""
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:

        def batches() -> Iterator[Any]:
            source.seek(0)
            if head.startswith(_ARROW_FILE):
                found = pa.ipc.open_file(source)
                yield from (found.get_batch(place) for place in range(found.num_record_batches))
            else:
                yield from pa.ipc.open_stream(source)

        kind = pa.ipc.open_file if head.startswith(_ARROW_FILE) else pa.ipc.open_stream
        schema = kind(source).schema
        rows = sum(batch.num_rows for batch in batches())
        yield Table(schema, rows, lambda names: (batch.select(names) for batch in batches()))
