"""Decoding by libsndfile, of a file or of one stream in it, chunk by chunk and checked.

`audio.files` and `audio.channels` build on it.
"""

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from earful.audio.container import Contents, Spliced, examine
from earful.audio.hush import hushed
from earful.audio.media import MediaSound, open_media
from earful.audio.promise import odd_header, shortage
from earful.audio.source import Held, Source, opened, size_of
from earful.audio.stream import Span, Stream, truncated
from earful.errors import AudioError

UNKNOWN = 1 << 62  # libsndfile's frame count of a stream is 2^63 - 1
UNSEEKABLE = (
    "GSM610",
    "G721_32",
    "G723_24",
    "G723_40",
    "NMS_ADPCM_16",
    "NMS_ADPCM_24",
    "NMS_ADPCM_32",
    "DPCM_8",
    "DPCM_16",
)
_CHUNK = 1 << 17  # source frames decoded at a time, of one or two channels
_LOUDEST = 1 << 32  # 32-bit integers stored as floats are still sound; beyond that the numbers are damage
_SLACK_S = 0.1  # MP3 encoders pad the end

Chunk = NDArray[np.float32]


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that is read sequentially.

    After every read soundfile seeks, in a file that can, to the place where it is anyway. The decoder of MP3 begins
    anew after every seek, and spoils the sound that follows. `seek` still works.
    """

    def seekable(self) -> bool:
        return False


def contents_of(source: Source) -> Contents:
    """The content of a file, which must exist and not be empty."""
    _check_file(source)
    return examine(source)


def streams_of(contents: Contents) -> Iterator[Stream | None]:
    """The streams of a file; one None for a file that the decoder takes as it is."""
    yield from contents.streams or (None,)


@contextmanager
def open_stream(source: Source, stream: Stream | None) -> Iterator[soundfile.SoundFile | MediaSound]:
    """Open a sound file, or one stream of it, that libsndfile or PyAV reads and that is not truncated."""
    if stream is not None and stream.container:
        with open_media(source, stream.container) as media:
            if odd := odd_header(media):
                raise truncated(source, odd)
            yield media
        return
    spans: tuple[Span, ...] = stream.spans if stream else ((0, size_of(source)),)
    spliced = Spliced(source, spans) if stream or isinstance(source, Held) else None
    try:
        with hushed():
            sound = _sound_of(source, spliced)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        reason = getattr(error, "error_string", "it has no header").strip().rstrip(".")
        raise AudioError(
            f"{source}: not a readable sound file ({reason}); expected WAV, FLAC, OGG, MP3 or the like"
        ) from error
    with sound, spliced or nullcontext():
        if sound.format == "RAW":  # libsndfile goes by the name
            raise AudioError(
                f"{source}: has no header, so its format is unknown; convert it, naming the format, as with: "
                "sox -t gsm -r 8000 IN OUT.wav"
            )
        _check_whole(sound, source, stream is None)
        yield sound


def _sound_of(source: Source, spliced: Spliced | None) -> soundfile.SoundFile:
    """Open a file, or what is in no file of its own.

    Before libsndfile recognises an MP3 it looks for a resource fork, which a Mac leaves beside each file on a memory
    stick: `._NAME`, or `._` where there is no name. If it finds one, it takes the MP3 for damaged. A copy has none.
    """
    try:
        return _SoundFile(spliced or name_for_libsndfile(str(source)))
    except soundfile.LibsndfileError:
        with Spliced(source, ((0, size_of(source)),)) if spliced is None else nullcontext(spliced) as whole:
            whole.seek(0)
            head = whole.read(3)
            if head != b"ID3" and not (head[:1] == b"\xff" and head[1:2] >= b"\xe0"):
                raise
            whole.seek(0)
            with tempfile.TemporaryDirectory(prefix="earful-", ignore_cleanup_errors=True) as folder:  # still open
                with (Path(folder) / "copy.mp3").open("wb") as copy:
                    shutil.copyfileobj(whole, copy)
                return _SoundFile(name_for_libsndfile(copy.name))


def name_for_libsndfile(path: str, system: str = sys.platform) -> str | bytes:
    """A file name as soundfile passes it on whole: bytes, which may be no text; on Windows text, for bytes are ANSI."""
    return path if system == "win32" else os.fsencode(path)


class _Kept(threading.local):
    """The MP3 that a thread has read a part of last, still open, and what file it was then."""

    file: tuple[object, ...] = ()
    sound: soundfile.SoundFile | None = None
    opened: ExitStack | None = None


_kept = _Kept()


@contextmanager
def open_kept(source: Source, stream: Stream | None) -> Iterator[soundfile.SoundFile | MediaSound]:
    """The same for a caller who seeks at once: an MP3 stays open for its next part.

    To seek, its decoder reads all frames before the place, but each only once.
    """
    if isinstance(source, Held):
        with open_stream(source, stream) as sound:
            yield sound
        return
    found = source.stat()
    file = (source, found.st_mtime_ns, found.st_size, stream)
    if _kept.file == file and _kept.sound is not None and _kept.opened is not None:
        kept, sound = _kept.opened, _kept.sound
    else:
        kept = ExitStack()
        sound = kept.enter_context(open_stream(source, stream))
    _kept.file = ()  # a part that cannot be read is no beginning for the next
    try:
        yield sound
    except BaseException:
        kept.close()
        raise
    if sound.format != "MP3":
        kept.close()
        return
    if _kept.opened is not None and _kept.opened is not kept:
        _kept.opened.close()
    _kept.file, _kept.sound, _kept.opened = file, sound, kept


def _check_file(source: Source) -> None:
    if isinstance(source, Path) and not source.exists():
        raise AudioError(f"{source}: no such file; check the path")
    if isinstance(source, Path) and not source.is_file():
        raise AudioError(f"{source}: expected a sound file, got a {'folder' if source.is_dir() else 'special file'}")
    try:
        with opened(source) as file:
            if not file.read(1):
                raise AudioError(f"{source}: the file is empty (0 bytes); record or copy it again")
    except OSError as error:
        raise AudioError(f"{source}: cannot read: {error.strerror}") from error


def _check_whole(sound: soundfile.SoundFile, source: Source, as_it_is: bool) -> None:
    """Raise AudioError if the file's own header promises more than the file holds, or something impossible."""
    if odd := odd_header(sound):
        raise truncated(source, odd)
    if as_it_is and (missing := shortage(sound, source)):
        raise truncated(source, missing)
    if sound.format == "OGG" and _ogg_page_is_cut(source):
        raise truncated(source, "its last Ogg page is incomplete")


def _ogg_page_is_cut(source: Source) -> bool:
    """Tell whether the file ends inside its last page; a page is at most 65 307 bytes (RFC 3533, section 6)."""
    with opened(source) as file:
        file.seek(max(0, size_of(source) - 65_307))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) < 27 or len(lacing) < page[26] or len(page) < 27 + len(lacing) + sum(lacing)


def seek(sound: soundfile.SoundFile, source: Source, frame: int) -> None:
    """Seek to a frame. Raises AudioError if that fails."""
    if frame == 0:
        return
    try:
        with hushed():
            sound.seek(frame)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{source}: cannot seek to {frame / sound.samplerate:.2f} s; the file is damaged") from error


def decode(
    sound: soundfile.SoundFile, source: Source, begin: int, frame_count: int | None, *, checked: bool = True
) -> Iterator[Chunk]:
    """Yield chunks [T, C] at the file's rate: `frame_count` frames, or all, from `begin` on, where the file stands.

    Every sample is checked, unless that is not wanted. Raises AudioError if the sound is damaged or ends early.
    """
    position, most = begin, max(1, _CHUNK // max(1, sound.channels // 2))
    end = sound.frames if frame_count is None else min(sound.frames, begin + frame_count)
    while position < end:
        try:
            with hushed():
                chunk_TC = sound.read(min(most, end - position), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise truncated(source, f"decoding fails after {position / sound.samplerate:.2f} s") from error
        if len(chunk_TC) == 0:
            break
        if checked:
            _check_finite(chunk_TC, source, position, sound.samplerate)
        position += len(chunk_TC)
        yield chunk_TC
    missing = end - position
    if end < UNKNOWN and missing > max(0.01 * sound.frames, _SLACK_S * sound.samplerate):
        raise truncated(source, f"the sound ends {missing / sound.samplerate:.2f} s early")


def _check_finite(chunk_TC: Chunk, source: Source, position: int, rate_hz: int) -> None:
    good_T = (np.abs(chunk_TC) <= _LOUDEST).all(axis=1)  # False for NaN as well
    if not good_T.all():
        at_s = (position + int(np.argmin(good_T))) / rate_hz
        raise AudioError(
            f"{source}: the sample at {at_s:.4f} s is NaN, infinite or absurd; write the file again, in 16-bit PCM"
        )
