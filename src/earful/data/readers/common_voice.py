"""A Common Voice folder: `clips/` with the sound, and tables such as `train.tsv` and `validated.tsv` beside it."""

from pathlib import Path

from earful.data.manifest import Manifest
from earful.data.readers import table
from earful.errors import ManifestError

_PREFERRED = ("train", "validated")
_NOT_CLIPS = ("clip_durations", "reported", "validated_sentences", "unvalidated_sentences", "times", "word_counts")


def read(path: str | Path, split: str | None = None) -> Manifest:
    """Read one table of a Common Voice folder: `split`, or else train.tsv, else validated.tsv, else the only one.

    The speaker is `client_id`, the language `locale`; votes, age, accents and the like go to `extra`.
    Raises ManifestError if the table is not there, cannot be told, or is not one.
    """
    folder = Path(path)
    return table.read(_table(folder, split), audio_folder=folder / "clips")


def splits(path: str | Path) -> tuple[str, ...]:
    """List the tables of clips in a folder, by name without the suffix."""
    return tuple(sorted(file.stem for file in Path(path).glob("*.tsv") if file.stem not in _NOT_CLIPS))


def _table(folder: Path, split: str | None) -> Path:
    found = splits(folder)
    if not (folder / "clips").is_dir() or not found:
        raise ManifestError(f"{folder}: not a Common Voice folder; expected clips/ and a table such as train.tsv in it")
    wanted = split if split is not None else next((name for name in _PREFERRED if name in found), None)
    if wanted is None and len(found) == 1:
        wanted = found[0]
    if wanted not in found:
        problem = "cannot tell which table to read" if wanted is None else f"no table {wanted}.tsv"
        raise ManifestError(f"{folder}: {problem}; name one of {', '.join(f'{name}.tsv' for name in found)}")
    return folder / f"{wanted}.tsv"
