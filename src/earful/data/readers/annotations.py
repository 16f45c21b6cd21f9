"""Files of annotations: which reader reads which, many of them together, and one for each recording."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from earful.data.finding import Finding, listed
from earful.data.manifest import Manifest
from earful.data.readers import audacity, elan, flex, nist, subtitles, textgrid, transcriber
from earful.data.spans import utterances_of
from earful.data.tiers import Annotated, Choice, Taken, take
from earful.errors import ManifestError

# of two files of one recording the one whose suffix comes first is read; a .txt only where it holds labels
SUFFIXES = (".eaf", ".textgrid", ".flextext", ".trs", ".vtt", ".srt", ".stm", ".ctm", ".txt")


def is_annotation(path: Path) -> bool:
    """Tell by the name, of a .txt by its first line, whether a file holds annotations that are read."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES and (suffix != ".txt" or audacity.is_labels(path))


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
    files = [file for path in paths for file in _reader(path)(path)]
    files = list(_one_a_recording(files)) if folder else files
    found, findings = take(files, choice)
    there, absent = _with_recording(found)
    if absent and (not folder or not there):
        raise ManifestError(f"{absent[0].message}; {absent[0].remedy}")
    names = _names(there, folder)
    utterances, more = utterances_of(there, choice, names)
    findings = (*findings, *absent, *more)
    if not utterances:
        raise ManifestError(_nothing(paths, findings))
    return Manifest(utterances), findings, tuple(dict.fromkeys(each.file.path for each in found))


def _reader(path: Path) -> Callable[[Path], tuple[Annotated, ...]]:
    match path.suffix.lower():
        case ".eaf":
            return elan.read
        case ".textgrid":
            return textgrid.read
        case ".flextext":
            return flex.read
        case ".trs":
            return transcriber.read
        case ".stm":
            return nist.read_segments
        case ".ctm":
            return nist.read_words
        case ".txt":
            return audacity.read
    return subtitles.read


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


def _names(taken: Sequence[Taken], folder: Path | None) -> list[str]:
    """What clips are named by: their file, and their recording where the file is of several."""
    several = {path for path, count in Counter(each.file.path for each in taken).items() if count > 1}
    return [
        f"{_name(each.file.path, folder)}-{each.file.recording.stem}"
        if each.file.path in several
        else _name(each.file.path, folder)
        for each in taken
    ]


def _name(path: Path, folder: Path | None) -> str:
    return path.stem if folder is None else path.relative_to(folder).with_suffix("").as_posix()


def _nothing(paths: Sequence[Path], findings: Sequence[Finding]) -> str:
    """What is to be said where no span can be used."""
    why = "; ".join(f"{finding.message} ({finding.where}); {finding.remedy}" for finding in findings[:4])
    return f"{listed([str(path) for path in paths], 3)}: no span can be used: {why or 'there is none'}"
