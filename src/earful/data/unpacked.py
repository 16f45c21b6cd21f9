"""Sound inside another file, unpacked once into files of its own, so that readers of clips can seek in it.

The files are in the hidden folder `.earful-sound` beside the file that holds the sound. Names contain the row and a
digest of the content, so existing files are not written again. The folder may be removed at any time.
"""

import hashlib
from pathlib import Path

from earful.data.readers.sound import MEDIA, SUFFIXES
from earful.errors import AudioError
from earful.writing import replacing

FOLDER = ".earful-sound"
_MAGIC = ((b"RIFF", ".wav"), (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"\xff", ".mp3"))


class Unpacked:
    """The sound in one file: the place of its parts, and the number of newly written bytes."""

    def __init__(self, container: Path) -> None:
        self.folder = container.parent / FOLDER / container.name
        self.written = 0

    def lay_out(self, content: bytes, row: int, name: str = "") -> Path:
        """The sound of a row as a complete file; `name` is its name in the row.

        Raises AudioError if it cannot be written.
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
                f"{self.folder}: cannot unpack the sound here: {error.strerror}; free some space, or copy the data "
                "to a place that can be written"
            ) from error
        self.written += len(content)
        return place


def _suffix(content: bytes, name: str) -> str:
    """The suffix of the name, if it is one of sound, else by the first bytes; it is for people who open the folder."""
    named = Path(name).suffix.lower()
    if named in (*SUFFIXES, *MEDIA):
        return named
    return next((suffix for magic, suffix in _MAGIC if content.startswith(magic)), "")
