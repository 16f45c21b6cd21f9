"""Sound that lies inside another file, laid out once as files of its own: what listens to clips wants to seek in them.

The files are in the hidden folder `.earful-sound` beside the file that holds the sound. A name tells the row, and the
content: what is there already is not written again. The folder may be removed at any time.
"""

import hashlib
from pathlib import Path

from earful.data.readers.sound import MEDIA, SUFFIXES
from earful.errors import AudioError
from earful.writing import replacing

FOLDER = ".earful-sound"
_MAGIC = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"\xff", ".mp3"))


class Unpacked:
    """The sound in one file: where its parts go, and how many bytes were written anew."""

    def __init__(self, container: Path) -> None:
        self.folder = container.parent / FOLDER / container.name
        self.written = 0

    def lay_out(self, content: bytes, row: int, name: str = "") -> Path:
        """The sound of a row as a file that is whole; `name` is what the row calls it.

        Raises AudioError where it cannot be written.
        """
        digest = hashlib.blake2b(content, digest_size=6).hexdigest()
        place = self.folder / f"{row}-{digest}{_suffix(content, name)}"
        if place.exists():
            return place
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(place) as beside:
                beside.write_bytes(content)
        except OSError as error:
            raise AudioError(
                f"{self.folder}: cannot lay out the sound here: {error.strerror}; free some space, or copy the data "
                "to a place that can be written"
            ) from error
        self.written += len(content)
        return place


def _suffix(content: bytes, name: str) -> str:
    """That of the name, if it is one of sound; else by the first bytes: a name helps who looks into the folder."""
    named = Path(name).suffix.lower()
    if named in (*SUFFIXES, *MEDIA):
        return named
    return next((suffix for magic, suffix in _MAGIC if content.startswith(magic)), "")
