"""A folder of clips with a text file of the same name beside each: `hello.wav` and `hello.txt`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from earful.data.finding import listed
from earful.data.lines import read_text
from earful.data.manifest import Manifest
from earful.data.readers.audacity import is_labels
from earful.data.readers.sound import is_sound, one_a_name, timed
from earful.data.utterance import Utterance, unique_ids
from earful.errors import ManifestError


def read(path: str | Path) -> Manifest:
    """Read every clip in the folder and the folders in it, sorted by path; hidden files are left out.

    The id is the path inside the folder without the suffix. The text is None where there is no text file.
    Raises ManifestError if there are no clips, no clip has a text file, or one is not UTF-8.

    >>> [u.id for u in read("clips")]  # doctest: +SKIP
    ['eva/hello', 'eva/bye']
    """
    folder = Path(path)
    files = list(_files(folder))
    clips, texts = one_a_name(file for file in files if is_sound(file)), _texts(files)
    if not clips:
        raise ManifestError(f"{folder}: no sound files in this folder; expected clips such as 1.wav with 1.txt beside")
    if not any(clip.with_suffix("") in texts for clip in clips):
        raise ManifestError(
            f"{folder}: none of its {len(clips)} clips has a text file beside it; "
            f"write what is said in {clips[0].name} into {clips[0].stem}.txt, and so on"
        )
    ids = unique_ids(clip.relative_to(folder).with_suffix("").as_posix() for clip in clips)
    stems = [clip.with_suffix("") for clip in clips]
    said = _said({stem: texts[stem] for stem in stems if stem in texts})
    return timed(Utterance(id, clip, text=said.get(stem)) for id, clip, stem in zip(ids, clips, stems, strict=True))


def has_texts(path: str | Path) -> bool:
    """Whether any clip in the folder has a text file beside it."""
    files = list(_files(Path(path)))
    return bool({file.with_suffix("") for file in files if is_sound(file)} & set(_texts(files)))


def texts_without_clip(path: str | Path) -> tuple[Path, ...]:
    """List the text files in a folder of clips that stand beside no clip of their name."""
    files = list(_files(Path(path)))
    clips = {file.with_suffix("") for file in files if is_sound(file)}
    return tuple(text for stem, text in _texts(files).items() if stem not in clips)


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and (is_sound(file) or _is_text(file)) and file.is_file():
            yield file


def _is_text(file: Path) -> bool:
    return file.suffix.lower() == ".txt" and not is_labels(file)


def _texts(files: list[Path]) -> dict[Path, Path]:
    return {file.with_suffix(""): file for file in files if not is_sound(file)}


def _said(texts: Mapping[Path, Path]) -> dict[Path, str]:
    """Read every text. Raises ManifestError for the first that cannot be read, which also names the others."""
    said, wrong = dict[Path, str](), dict[Path, ManifestError]()
    for stem, path in texts.items():
        try:
            said[stem] = " ".join(read_text(path, "a transcript").split())
        except ManifestError as error:
            wrong[path] = error
    if wrong:
        first, *others = wrong
        more = f" (and so with {len(others)} more: {listed([path.name for path in others])})" if others else ""
        raise ManifestError(f"{wrong[first]}{more}")
    return said
