"""Live sound, from a microphone (the optional package `sounddevice`) or a pipe. float32, mono, 16 kHz."""

import queue
import threading
import wave
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO, Protocol, cast, final

import numpy as np
import soxr
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.errors import AudioError, install

BLOCK_S = 0.1
"""The sound that is read at once. Waiting for more would delay it."""
HELD_S = 60.0
"""The sound that may wait to be heard. Beyond it a pipe is stopped, and a microphone's newest sound is lost."""
RATES_HZ = (4_000, 384_000)

Samples = NDArray[np.float32]


class Capture(Protocol):
    """A source of live sound."""

    lost_s: float
    """The seconds that were lost because earlier sound was processed too slowly."""

    def take(self, wait_s: float) -> Samples | None:
        """All samples `[T]` since the last call; none if nothing came in that time; None at the end.

        Raises AudioError: the source failed before its end.
        """

    def close(self) -> None:
        """Take no more."""


class Stream:
    """Samples of any rate, piece by piece, as 16 kHz.

    >>> len(Stream(8_000).resampled(np.zeros(4_000, np.float32))) > 0
    True
    """

    def __init__(self, rate_hz: int) -> None:
        same = rate_hz == SAMPLE_RATE_HZ
        self._stream = None if same else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")

    def resampled(self, samples_T: Samples, *, last: bool = False) -> Samples:
        """The output for these samples; with `last` also the samples that were held back."""
        return samples_T if self._stream is None else self._stream.resample_chunk(samples_T, last=last)


def floats(content: bytes, width: int, channels: int) -> Samples:
    """Little-endian PCM, so many bytes per sample, as floats: the mean of its channels, without an incomplete frame."""
    whole = np.frombuffer(content, np.uint8)[: len(content) // (width * channels) * width * channels]
    if width == 1:  # the only one without a sign
        values = whole.astype(np.float32) - np.float32(128)
    elif width == 3:
        wide = np.zeros((len(whole) // 3, 4), np.uint8)
        wide[:, 1:] = whole.reshape(-1, 3)
        values = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(256)
    else:
        values = whole.view(f"<i{width}").astype(np.float32)
    mono_T: Samples = (values.reshape(-1, channels) / np.float32(1 << (8 * width - 1))).mean(1, dtype=np.float32)
    return mono_T


@final
class Piped:
    """A pipe: WAV if it begins like WAV, else raw PCM of 16 bits, mono, at `rate_hz`."""

    lost_s = 0.0

    def __init__(self, file: BinaryIO, rate_hz: int) -> None:
        self._blocks: queue.Queue[Samples | AudioError | None] = queue.Queue(round(HELD_S / BLOCK_S))
        self._closed = threading.Event()
        threading.Thread(target=self._read, args=(file, rate_hz), daemon=True).start()

    def take(self, wait_s: float) -> Samples | None:
        """See Capture."""
        return _taken(self._blocks, wait_s)

    def close(self) -> None:
        """See Capture."""
        self._closed.set()

    def _read(self, file: BinaryIO, rate_hz: int) -> None:
        try:
            for block_T in blocks_of(file, rate_hz):
                self._put(block_T)
                if self._closed.is_set():
                    return
            self._put(None)
        except AudioError as error:
            self._put(error)
        except (OSError, ValueError) as error:
            self._put(AudioError(f"the pipe cannot be read: {error}"))

    def _put(self, block: Samples | AudioError | None) -> None:
        while not self._closed.is_set():
            try:
                self._blocks.put(block, timeout=0.2)
            except queue.Full:
                continue
            return


def blocks_of(file: BinaryIO, rate_hz: int) -> Iterator[Samples]:
    """The samples of a pipe, in blocks of BLOCK_S or less. Raises AudioError: a WAV stream of another kind than PCM."""
    first = _Begun(file, b"").read(4)
    width, channels, read = 2, 1, _Begun(file, first).read
    if first == b"RIFF":
        try:
            sound = wave.open(cast(Any, _Begun(file, first)), "rb")  # noqa: SIM115  whoever gave the pipe closes it
        except (wave.Error, EOFError, RuntimeError) as error:
            raise AudioError(
                f"the WAV stream is none of plain PCM ({error}); convert it, as with ffmpeg -i … -f s16le -ar 16000 "
                "-ac 1 -"
            ) from error
        rate_hz, width, channels = sound.getframerate(), sound.getsampwidth(), sound.getnchannels()
        read = lambda size: sound.readframes(size // (width * channels))  # noqa: E731
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise AudioError(f"a rate of {rate_hz} Hz cannot be of speech, expected {RATES_HZ[0]} to {RATES_HZ[1]} Hz")
    stream, size = Stream(rate_hz), max(round(BLOCK_S * rate_hz), 1) * width * channels
    while content := read(size):
        yield stream.resampled(floats(content, width, channels))
    yield stream.resampled(np.zeros(0, np.float32), last=True)


@final
class _Begun:
    """A file of which some bytes have already been read."""

    def __init__(self, file: BinaryIO, begun: bytes) -> None:
        self._file, self._begun = file, begun

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end, although a pipe returns what it has."""
        begun, self._begun = self._begun[:size], self._begun[size:]
        while len(begun) < size and (more := self._file.read(size - len(begun))):
            begun += more
        return begun


@final
class Microphone:
    """A microphone by its name, a part of it, or its number; None is the system's own.

    Raises AudioError: `sounddevice` or PortAudio is missing, or there is no such microphone, or it cannot be opened.
    """

    def __init__(self, device: str | None) -> None:
        self.lost_s = 0.0
        self._library = _library()
        self._blocks: queue.Queue[Samples | AudioError | None] = queue.Queue(round(HELD_S / BLOCK_S))
        chosen = int(device) if device is not None and device.isdigit() else device
        try:
            self.name, rate_hz = self._found(chosen)
            self._stream = Stream(rate_hz)
            self._input = self._library.InputStream(
                rate_hz, round(BLOCK_S * rate_hz), chosen, 1, "float32", callback=self._heard
            )
            self._input.start()
        except (ValueError, self._library.PortAudioError) as error:
            raise AudioError(f"{' '.join(str(error).split())}; name another with --device: {self._names()}") from error

    def take(self, wait_s: float) -> Samples | None:
        """See Capture."""
        if not self._input.active and self._blocks.empty():
            raise AudioError(f"{self.name}: the microphone is disconnected; plug it in again")
        return _taken(self._blocks, wait_s)

    def close(self) -> None:
        """See Capture."""
        self._input.close()

    def _heard(self, samples_TC: NDArray[np.float32], count: int, _time: Any, _status: Any) -> None:
        try:
            self._blocks.put_nowait(self._stream.resampled(samples_TC[:, 0].copy()))
        except queue.Full:
            self.lost_s += BLOCK_S

    def _found(self, device: str | int | None) -> tuple[str, int]:
        """Its name and its rate: 16 kHz if it has that."""
        about = self._library.query_devices(device, "input")
        try:
            self._library.check_input_settings(device, 1, "float32", None, SAMPLE_RATE_HZ)
        except self._library.PortAudioError:
            return str(about["name"]), int(about["default_samplerate"])
        return str(about["name"]), SAMPLE_RATE_HZ

    def _names(self) -> str:
        devices = self._library.query_devices()
        return "; ".join(str(each["name"]) for each in devices if each["max_input_channels"]) or "there is none"


def _taken(blocks: "queue.Queue[Samples | AudioError | None]", wait_s: float) -> Samples | None:
    """All that is in the queue. The end, or an error, only if nothing is left before it."""
    taken: list[Samples] = []
    try:
        while True:
            block = blocks.get(timeout=wait_s) if not taken else blocks.get_nowait()
            if isinstance(block, np.ndarray):
                taken.append(block)
                continue
            if taken:  # for the next time
                blocks.put_nowait(block)
                break
            if block is None:
                return None
            raise block
    except queue.Empty:
        pass
    return np.concatenate([np.zeros(0, np.float32), *taken])


def _library() -> Any:
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise AudioError(
            f"a microphone needs an optional package: {install('listen')}; or pipe sound in, as with "
            "arecord -f S16_LE -r 16000 | earful listen MODEL -"
        ) from error
    except OSError as error:
        raise AudioError(
            f"a microphone needs PortAudio ({error}); on Debian and Ubuntu: sudo apt install libportaudio2"
        ) from error
