"""Files of annotations: which reader reads which, many of them together, and one for each recording."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from earful.data.finding import BROKEN, Finding, left_out, listed
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


class Read(NamedTuple):
    """The clips of files of annotations; what is to be said of them; and the files that were looked at."""

    manifest: Manifest
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def read(paths: Sequence[Path], choice: Choice, folder: Path | None = None, *, needed: bool = True) -> Read:
    """Read files of annotations.

    In a `folder` a file that is broken, or without its recording, is left out, and named; so is the second file of one
    recording. Raises ManifestError for a file that is not what its name says, a recording that is not there, and a tier
    that no file has; and where no clip is left, unless none is `needed`.
    """
    files, broken = _read_each(paths, spare=folder is not None)
    files = list(_one_a_recording(files)) if folder else files
    taken, findings = take(files, choice, spare=folder is not None) if files else ((), ())
    there, absent = _with_recording(taken)
    if absent and not folder:
        raise ManifestError(f"{absent[0].message}; {absent[0].remedy}")
    utterances, more = utterances_of(there, choice, _names(there, folder)) if there else ((), ())
    findings = (*broken.values(), *findings, *absent, *more)
    if needed and not utterances:
        raise ManifestError(_nothing(paths, findings))
    refused = [path for path in paths if any(_is_of(each, path) for each in findings)]
    looked_at = dict.fromkeys((*broken, *refused, *(each.file.path for each in taken)))
    return Read(Manifest(utterances), findings, tuple(looked_at))


def _read_each(paths: Sequence[Path], *, spare: bool) -> tuple[list[Annotated], dict[Path, Finding]]:
    """What is in the files; and of those that are broken, to `spare` the others, what is to be said."""
    files: list[Annotated] = []
    broken: dict[Path, Finding] = {}
    for path in paths:
        try:
            files += _reader(path)(path)
        except ManifestError as error:
            if not spare:
                raise
            broken[path] = left_out(path, error)
    return files, broken


def _is_of(finding: Finding, path: Path) -> bool:
    return finding.kind == BROKEN and finding.where == str(path)


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
