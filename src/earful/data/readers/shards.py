"""The files of a Hugging Face data set on disk: as `save_to_disk` writes it, as the hub keeps it, or in its cache.

Format: Hugging Face, "Datasets: Save and export", "Structure your repository"; the names of shards are those of
`datasets`: `SPLIT-00000-of-00002.parquet`, `data-00000-of-00001.arrow`.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from earful.data.finding import Finding, listed
from earful.errors import ManifestError

SUFFIXES = (".parquet", ".arrow")
_PREFERRED = ("train", "validated", "validation", "test")  # of several splits the first that is there
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?")
_SPLITS = "dataset_dict.json"
_STATE = "state.json"


class Shards(NamedTuple):
    """The files of one split, in order; its name, and those of the other splits, where they are told apart."""

    files: tuple[Path, ...]
    split: str = ""
    others: tuple[str, ...] = ()


def is_shard(path: Path) -> bool:
    """Tell by the name whether a file is one of a data set."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "cache-"))


def is_dataset(folder: Path) -> bool:
    """Whether a folder, or a folder in it, holds files of a data set."""
    return any(_is_listed(path) for pattern in ("*", "*/*") for path in folder.glob(pattern))


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote the folder: it describes what is in it."""
    return any((folder / name).is_file() for name in (_SPLITS, _STATE))


def shards_of(path: Path) -> Shards:
    """The files to read of a file or a folder.

    Raises ManifestError where a file that is described is not there, or several data sets are in a folder.
    """
    if path.is_file():
        return Shards((path,))
    if (path / _SPLITS).is_file():
        names = [str(name) for name in _described(path / _SPLITS, "splits")]
        split = preferred(names, path)
        return Shards(_saved(path / split), split, tuple(name for name in names if name != split))
    if (path / _STATE).is_file():
        return Shards(_saved(path))
    return _found(path)


def chosen(path: Path, split: str, others: Sequence[str]) -> tuple[Finding, ...]:
    """What is to be said of the choice of a split; nothing where there was none."""
    if not others:
        return ()
    message = f"reads the split {split!r}; the others are {listed(others, 8)}"
    return (Finding("note", "split", None, str(path), message, "to read another, give the path of its files"),)


def _saved(folder: Path) -> tuple[Path, ...]:
    """The files of one split that `save_to_disk` wrote."""
    described = _described(folder / _STATE, "_data_files")
    names = [str(each.get("filename")) for each in described if isinstance(each, dict)]
    if not names:
        raise ManifestError(f"{folder / _STATE}: names no files in _data_files; save the data set again")
    files = tuple(folder / Path(name).name for name in names)
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise ManifestError(f"{listed(absent, 1)}: no such file, but {_STATE} names it; copy the whole folder")
    return files


def _described(path: Path, key: str) -> list[object]:
    try:
        value = json.loads(path.read_bytes())[key]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(
            f"{path}: not as `datasets` writes it ({type(error).__name__}: {error}); save the data set again"
        ) from None
    if not isinstance(value, list):
        raise ManifestError(f"{path}: expected a list under {key!r}, got {value!r:.40}; save the data set again")
    return value


def _found(folder: Path) -> Shards:
    """The files of a folder; of several folders in it that hold some, such as those of languages, one must be named."""
    files = sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern) if _is_listed(path))
    homes = list(dict.fromkeys(path.parent for path in files))
    if len(homes) > 1:
        names = listed([home.relative_to(folder).as_posix() for home in homes], 8)
        raise ManifestError(f"{folder}: holds several data sets ({names}); give the path of one of them")
    splits: dict[str, list[Path]] = {}
    for file in files:
        splits.setdefault(_split(file), []).append(file)
    split = preferred(list(splits), folder)
    return Shards(tuple(splits[split]), split, tuple(name for name in splits if name != split))


def _is_listed(path: Path) -> bool:
    hidden = path.parent.name.startswith(".")
    return is_shard(path) and not hidden and path.is_file()


def _split(file: Path) -> str:
    named = _SHARD.fullmatch(file.stem)
    return named["split"] if named else file.stem


def preferred(names: Iterable[str], where: Path) -> str:
    """Which of several splits is read. Raises ManifestError where that cannot be told."""
    names = list(names)
    known = [name for wanted in _PREFERRED for name in names if name == wanted or name.endswith(f"-{wanted}")]
    if known or len(names) == 1:
        return (known or names)[0]
    raise ManifestError(f"{where}: cannot tell which to read of {_some(names)}; give the path of one of them")


def _some(names: Sequence[str]) -> str:
    return listed(names, 8) or "nothing"
