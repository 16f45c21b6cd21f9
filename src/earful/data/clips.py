"""Clips in whatever form they come: a manifest, a table, a folder; the form is told from what is there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from earful.data.manifest import Manifest, read_manifest
from earful.data.readers import common_voice, folder, kaldi, table
from earful.data.readers.sound import is_sound, locate, timed
from earful.errors import ManifestError

FORMS = (
    "a JSONL manifest; a CSV or TSV table with a path and a text column; a folder of clips with a .txt of the same "
    "name beside each; a Common Voice folder; a Kaldi data folder"
)
_MANIFESTS, _TABLES = (".jsonl", ".json"), (".csv", ".tsv")


def read_clips(path: str | Path) -> Manifest:
    """Read clips and their transcripts, and fill in durations that are not given.

    Accepted: a JSONL manifest; a table; a folder with a manifest, with one table, of clips with text files, of Common
    Voice, or of Kaldi. A sound file that is missing or damaged is no error here: `earful.data.check` lists them all.
    Raises ManifestError that says what was found, or what is wrong with it and where.

    >>> len(read_clips("my recordings"))  # doctest: +SKIP
    20
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise ManifestError(f"{path}: no such file or folder; expected {FORMS}")
    if path.suffix.lower() in _MANIFESTS or _starts_with_brace(path):
        return _read_manifest(path)
    if path.suffix.lower() in (*_TABLES, ".txt"):
        return table.read(path)
    kind = "one sound file" if is_sound(path) else f"a file of another kind ({path.suffix or 'no suffix'})"
    raise ManifestError(f"{path}: found {kind}; expected {FORMS}")


def _read_folder(path: Path) -> Manifest:
    if (path / "manifest.jsonl").is_file():
        return _read_manifest(path / "manifest.jsonl")
    if (path / "wav.scp").is_file():
        return kaldi.read(path)
    if (path / "clips").is_dir() and common_voice.splits(path):
        return common_voice.read(path)
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    described = [file for file in files if file.suffix.lower() in (*_TABLES, ".jsonl")]
    if len(described) == 1:
        return read_clips(described[0])
    if len(described) > 1:
        raise ManifestError(
            f"{path}: found {len(described)} tables ({_names(described)}); give the path of one of them"
        )
    if not any(is_sound(file) for file in path.rglob("*")):
        raise ManifestError(f"{path}: found {_names(files) or 'an empty folder'}, and no sound; expected {FORMS}")
    return folder.read(path)


def _read_manifest(path: Path) -> Manifest:
    manifest = read_manifest(path)
    return timed(replace(u, audio=locate(Path(), u.audio)) for u in manifest)


def _starts_with_brace(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    except OSError as error:
        raise ManifestError(f"{path}: cannot read: {error.strerror}; expected {FORMS}") from error


def _names(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 5} more" if len(files) > 5 else ""
    return ", ".join(file.name for file in files[:5]) + more
