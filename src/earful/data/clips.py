"""Reading of clips in any form: a manifest, a table, annotations, a folder. The form is detected."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from earful.data.finding import Finding
from earful.data.manifest import Manifest, read_manifest
from earful.data.readers import annotations, arrow, common_voice, folder, kaldi, lhotse, shards, spontaneous, table
from earful.data.readers.sound import is_sound, locate, timed
from earful.data.spans import marks_kept, without_marks
from earful.data.tiers import Choice
from earful.errors import ConfigError, ManifestError, not_there
from earful.reading import check_regular

FORMS = (
    "a JSONL manifest; a CSV or TSV table with a path and a text column; a folder of clips with a .txt of the same "
    "name beside each; annotations (.eaf, .TextGrid, .flextext, .trs, .srt, .vtt, .stm, .ctm, Audacity's labels) or "
    "a folder of them; a Common Voice folder; a Kaldi data folder; lhotse's cuts or supervisions; a folder with "
    "Hugging Face's metadata.csv or metadata.jsonl, or a data set in parquet or Arrow"
)
_METADATA = ("metadata.csv", "metadata.jsonl")
_MANIFESTS, _TABLES = (".jsonl", ".json"), (".csv", ".tsv")


class Clips(NamedTuple):
    """Clips; findings on how they were read; and the files of annotations, or of a data set, that gave them."""

    manifest: Manifest
    findings: tuple[Finding, ...] = ()
    files: tuple[Path, ...] = ()
    annotated: bool = False


def read_clips(path: str | Path, choice: Choice = Choice()) -> Manifest:  # noqa: B008 (frozen)
    """Read clips and their transcripts, and fill in missing durations.

    Accepted: a JSONL manifest; a table; a file of annotations; a data set of Hugging Face's; a folder with a manifest,
    with one table, of clips with text files, of recordings with annotations, of Common Voice, of Kaldi, or of parquet
    or Arrow. A missing or damaged sound file is no error here: `earful.data.check` lists them all. `choice` selects the
    tier of annotations.
    Raises ManifestError, which says what was found, or what is wrong with it and where; AudioError if the sound of a
    data set cannot be unpacked.

    >>> len(read_clips("my recordings"))  # doctest: +SKIP
    20
    """
    return read_with_findings(path, choice).manifest


def read_with_findings(
    path: str | Path,
    choice: Choice = Choice(),  # noqa: B008 (frozen)
    tell: arrow.Tell | None = None,
) -> Clips:
    """The same, with findings: which tier of annotations was taken, why, and what was left out.

    `tell` gets the progress of reading a data set, whose sound has to be unpacked.
    """
    path = Path(path)
    clips = _read_any(path, choice, tell)
    if choice.drop is None:
        clips = clips._replace(findings=(*clips.findings, *marks_kept(clips.manifest)))
    if clips.annotated:
        return clips
    if choice.tier is not None or choice.speaker_tier is not None:
        raise ConfigError(f"{path}: holds no annotations, so no tiers; leave --tier and --speaker-tier out")
    if not choice.drop:
        return clips
    manifest, findings = without_marks(clips.manifest, choice)
    return clips._replace(manifest=manifest, findings=(*clips.findings, *findings))


def _read_any(path: Path, choice: Choice, tell: arrow.Tell | None) -> Clips:
    if path.is_dir():
        return _read_folder(path, choice, tell)
    if not path.exists():
        raise ManifestError(f"{path}: {not_there(path)}")
    try:
        check_regular(path)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}; expected {FORMS}") from None
    if shards.is_shard(path):
        return Clips(*arrow.read(path, tell))
    if annotations.is_annotation(path):
        return Clips(*annotations.read([path], choice), annotated=True)
    if lhotse.is_read(path):
        return Clips(lhotse.read(path))
    if fnmatch(path.name, "ss-corpus-*.tsv"):
        return Clips(*spontaneous.read(path, choice))
    if path.suffix.lower() in _MANIFESTS or _starts_with_brace(path):
        return Clips(_read_manifest(path))
    if path.suffix.lower() in (*_TABLES, ".txt"):
        return Clips(table.read(path))
    kind = "one sound file" if is_sound(path) else f"a file of another kind ({path.suffix or 'no suffix'})"
    raise ManifestError(f"{path}: found {kind}; expected {FORMS}")


def _read_folder(path: Path, choice: Choice, tell: arrow.Tell | None) -> Clips:
    if (path / "manifest.jsonl").is_file():
        return Clips(_read_manifest(path / "manifest.jsonl"))
    if shards.is_saved(path):
        return Clips(*arrow.read(path, tell))
    if (path / "wav.scp").is_file():
        return Clips(kaldi.read(path))
    if (path / "clips").is_dir() and common_voice.splits(path):
        return Clips(common_voice.read(path))
    if spontaneous.is_there(path):
        return Clips(*spontaneous.read(path, choice))
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    described = _described(files)
    if len(described) == 1:
        return _read_any(described[0], choice, tell)
    if len(described) > 1:
        raise ManifestError(
            f"{path}: found {len(described)} tables ({_names(described)}); give the path of one of them"
        )
    split_up = sorted({file.parent for name in _METADATA for file in path.glob(f"*/{name}")})
    if split_up:
        return _read_split(path, [place.name for place in split_up], choice, tell)
    annotated = list(annotations.files_in(path))
    if annotated:
        return _read_annotated(path, annotated, choice)
    if shards.is_dataset(path) and not folder.has_texts(path):
        return Clips(*arrow.read(path, tell))
    if not any(is_sound(file) for file in path.rglob("*")):
        raise ManifestError(f"{path}: found {_names(files) or 'an empty folder'}, and no sound; expected {FORMS}")
    return Clips(folder.read(path))


def _read_split(path: Path, names: Sequence[str], choice: Choice, tell: arrow.Tell | None) -> Clips:
    """A folder of Hugging Face's AudioFolder with a folder for each split."""
    split = shards.preferred(names, path)
    clips = _read_folder(path / split, choice, tell)
    others = [name for name in names if name != split]
    return clips._replace(findings=(*shards.chosen(path, split, others), *clips.findings))


def _described(files: Sequence[Path]) -> list[Path]:
    """The tables of a folder; of lhotse's files the cuts, or else the supervisions."""
    ours = [file for file in files if file.suffix.lower() in (*_TABLES, ".jsonl") or lhotse.is_read(file)]
    for name in ("cuts", "supervisions"):
        named = [file for file in ours if name in file.name and lhotse.is_read(file)]
        if named:
            return named
    return ours


def _read_annotated(path: Path, files: Sequence[Path], choice: Choice) -> Clips:
    """A folder with files of annotations. If a clip has a text file, that is its transcript, unless a tier is named:
    aligners leave a TextGrid of single words beside each clip."""
    plain = folder.read(path) if choice.tier is None and folder.has_texts(path) else Manifest()
    spoken = plain.filter(lambda clip: clip.text is not None)
    texts = {clip.audio for clip in spoken}
    wanted = annotations.of_other_recordings(files, texts)
    if not wanted:
        return Clips(plain)
    manifest, findings, read = annotations.read(wanted, choice, path, needed=not spoken)
    return Clips(spoken + manifest, findings, read, annotated=True)


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
