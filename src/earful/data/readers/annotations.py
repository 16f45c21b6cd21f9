"""Files of annotations: which reader reads which, many of them together, and one for each recording."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from earful.data.finding import Finding, listed
from earful.data.manifest import Manifest
from earful.data.readers import elan, textgrid
from earful.data.spans import utterances_of
from earful.data.tiers import Annotated, Choice, Taken, take
from earful.errors import ManifestError

SUFFIXES = (".eaf", ".textgrid")  # of two files of one recording the one whose suffix comes first is read


def is_annotation(path: Path) -> bool:
    """Tell by the name whether a file holds annotations that are read."""
    return path.suffix.lower() in SUFFIXES


def files_in(folder: Path) -> Iterator[Path]:
    """The files of annotations in a folder and the folders in it, sorted, but for hidden ones."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_annotation(path) and not hidden and path.is_file():
            yield path


def of_other_recordings(files: Sequence[Path], recordings: Collection[Path]) -> list[Path]:
    """Those whose name is not that of one of the recordings."""
    known = {path.with_suffix("") for path in recordings}
    return [path for path in files if path.with_suffix("") not in known]


def read(
    paths: Sequence[Path], choice: Choice, folder: Path | None = None
) -> tuple[Manifest, tuple[Finding, ...], tuple[Path, ...]]:
    """The clips of files of annotations; what is to be said of them; and which files were read.

    In a `folder` a file without its recording is left out, and named; so is the second file of one recording.
    Raises ManifestError for a file that is not what its name says, a recording that is not there, and a tier that no
    file has; and where no clip is left.
    """
    files = [_reader(path)(path) for path in paths]
    files = list(_one_a_recording(files)) if folder else files
    found, findings = take(files, choice)
    there, absent = _with_recording(found)
    if absent and (not folder or not there):
        raise ManifestError(f"{absent[0].message}; {absent[0].remedy}")
    names = [_name(each.file.path, folder) for each in there]
    utterances, more = utterances_of(there, choice, names)
    findings = (*findings, *absent, *more)
    if not utterances:
        raise ManifestError(_nothing(paths, findings))
    return Manifest(utterances), findings, tuple(each.file.path for each in found)


def _reader(path: Path) -> Callable[[Path], Annotated]:
    return elan.read if path.suffix.lower() == ".eaf" else textgrid.read


def _one_a_recording(files: Sequence[Annotated]) -> Iterator[Annotated]:
    best: dict[str, int] = {}
    for file in files:
        rank = SUFFIXES.index(file.path.suffix.lower())
        best[_same(file)] = min(rank, best.get(_same(file), rank))
    return (file for file in files if SUFFIXES.index(file.path.suffix.lower()) == best[_same(file)])


def _same(file: Annotated) -> str:
    return os.path.realpath(file.recording)


def _with_recording(taken: Sequence[Taken]) -> tuple[list[Taken], list[Finding]]:
    there, absent = [], []
    for each in taken:
        if each.file.recording.is_file():
            there.append(each)
            continue
        tier = each.tiers[0]
        when = f", {tier.spans[0].start_s:.2f} s" if tier.spans else ""
        message = f"{each.file.path}: tier {tier.name!r}{when}: no such recording: {each.file.recording}"
        remedy = "put it beside the file"
        absent.append(Finding("warning", "no recording", None, str(each.file.path), message, remedy))
    return there, absent


def _name(path: Path, folder: Path | None) -> str:
    return path.stem if folder is None else path.relative_to(folder).with_suffix("").as_posix()


def _nothing(paths: Sequence[Path], findings: Sequence[Finding]) -> str:
    """What is to be said where no span can be used."""
    why = "; ".join(f"{finding.message} ({finding.where}); {finding.remedy}" for finding in findings[:4])
    return f"{listed([str(path) for path in paths], 3)}: no span can be used: {why or 'there is none'}"
