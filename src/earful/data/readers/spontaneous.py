"""Common Voice's spontaneous speech: `ss-corpus-LANGUAGE.tsv`, and the sound in `audios/` beside it."""

from pathlib import Path

from earful.data.finding import Finding
from earful.data.manifest import Manifest
from earful.data.readers import table
from earful.data.spans import without_marks
from earful.data.tiers import Choice
from earful.errors import ManifestError

_TABLES = "ss-corpus-*.tsv"


def is_there(folder: Path) -> bool:
    """Whether a folder holds such a table."""
    return any(folder.glob(_TABLES))


def read(path: str | Path, choice: Choice) -> tuple[Manifest, tuple[Finding, ...]]:
    """Read the table of a folder, or the table itself; marks such as [disfluency] are taken out and counted.

    Raises ManifestError where there are several tables, or one is wrong.
    """
    path = Path(path)
    found = sorted(path.glob(_TABLES)) if path.is_dir() else [path]
    if len(found) > 1:
        raise ManifestError(f"{path}: holds {', '.join(file.name for file in found)}; give the path of one of them")
    audios = found[0].parent / "audios"
    clips = table.read(found[0], audio_folder=audios if audios.is_dir() else None)
    return without_marks(clips, choice)
