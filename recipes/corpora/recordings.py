"""From recordings to a corpus: copied into its folder, their length measured, the manifest written last."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from earful.audio.files import probe
from earful.data.manifest import Manifest, write_manifest
from earful.data.utterance import Utterance
from earful.errors import AudioError
from earful.writing import replacing
from recipes.corpora.errors import CorpusError

TWO_TRANSCRIPTS = "two different transcripts"
DUPLICATE = "the same recording as another clip"
UNREADABLE = "empty or damaged sound"

LeftOut = dict[str, tuple[str, ...]]
Progress = Callable[[int, int], None]
Draft = tuple[Path, Utterance]  # where a recording is, and what it will be in the corpus


def gather(
    out: Path, drafts: Sequence[Draft], left_out: dict[str, list[str]], progress: Progress | None = None
) -> Manifest:
    """Copy each recording to its utterance's `audio` and write OUT/manifest.jsonl; damaged ones go to `left_out`.

    Raises CorpusError where a file cannot be written.
    """
    utterances: list[Utterance] = []
    for done, (source, utterance) in enumerate(drafts, start=1):
        try:
            utterances.append(replace(utterance, duration_s=probe(source).duration_s))
            copy(source, utterance.audio)
        except AudioError:
            left_out.setdefault(UNREADABLE, []).append(utterance.id)
        if progress:
            progress(done, len(drafts))
    with suppress(OSError):  # where no clip could be used; what cannot be made, write_manifest names
        out.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(tuple(utterances))
    write_manifest(out / "manifest.jsonl", manifest)
    return manifest


def copy(source: Path, target: Path) -> None:
    """Copy a file; it appears whole or not at all. Raises CorpusError where it cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as beside:
            shutil.copyfile(source, beside)
    except OSError as error:
        raise CorpusError(
            f"{target}: cannot write: {error.strerror}; free some space or choose another folder"
        ) from error
