"""Sound as it comes: pipes of any kind, and a microphone that is not there, or stands still, or goes."""

import io
import threading
import time
import wave
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from earful.audio import capture
from earful.audio.capture import HELD_S, Microphone, Piped, Stream, blocks_of, floats
from earful.errors import AudioError

SOUND = (0.3 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


class Trickle(io.BytesIO):
    """A pipe: it cannot seek."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def wav(width: int, channels: int, rate_hz: int, sound: np.ndarray = SOUND) -> bytes:
    values = np.rint(sound * ((1 << (8 * width - 1)) - 1)).astype("<i8")
    values = values + 128 if width == 1 else values
    frames = np.repeat(values[:, None], channels, 1)
    content = frames.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate_hz)
        out.writeframes(content)
    return file.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_of_any_width(width: int, channels: int) -> None:
    found = np.concatenate(list(blocks_of(Trickle(wav(width, channels, 16_000)), 8_000)))
    assert found.dtype == np.float32 and np.abs(found - SOUND).max() < 2.0 ** (2 - 8 * width) + 1e-6


def test_raw_samples() -> None:
    content = np.rint(SOUND * 32767).astype("<i2").tobytes()
    found = np.concatenate(list(blocks_of(Trickle(content + b"\x01"), 16_000)))  # and half a sample
    assert len(found) == 16_000 and np.abs(found - SOUND).max() < 1e-4


def test_another_rate_sounds_the_same() -> None:
    at_48 = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
    found = np.concatenate(list(blocks_of(Trickle(wav(2, 1, 48_000, at_48)), 16_000)))
    assert abs(len(found) - 16_000) <= 1
    assert np.abs(found[2_000:14_000] - SOUND[2_000:14_000]).max() < 2e-3


def test_a_stream_of_unknown_length() -> None:
    content = bytearray(wav(2, 1, 16_000))
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"  # as ffmpeg writes it into a pipe
    assert len(np.concatenate(list(blocks_of(Trickle(bytes(content)), 16_000)))) == 16_000


@pytest.mark.parametrize(
    ("content", "rate_hz", "message"),
    [
        (wav(2, 1, 16_000)[:20] + b"\x07\x00" + wav(2, 1, 16_000)[22:], 16_000, "none of plain PCM.*ffmpeg"),
        (wav(2, 1, 2_000), 16_000, "a rate of 2000 Hz cannot be of speech"),
        (b"abcdefgh", 1_000, "a rate of 1000 Hz cannot be of speech"),
    ],
)
def test_pipes_of_another_kind(content: bytes, rate_hz: int, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        list(blocks_of(Trickle(content), rate_hz))
    piped = Piped(Trickle(content), rate_hz)
    with pytest.raises(AudioError, match=message):
        while piped.take(5.0) is not None:
            pass


def test_half_a_frame_is_left_out() -> None:
    assert floats(b"\x00\x40\x00\x40\x00", 2, 2).tolist() == [0.5]
    assert len(floats(b"", 3, 1)) == 0


def test_a_pipe_gives_all_that_has_come_and_then_its_end() -> None:
    piped, taken = Piped(Trickle(wav(2, 1, 16_000)), 16_000), list[np.ndarray]()
    while (found := piped.take(5.0)) is not None:
        taken.append(found)
    assert np.abs(np.concatenate(taken) - SOUND).max() < 1e-4 and len(taken) <= 11


def test_a_pipe_that_nobody_listens_to_stands_still() -> None:
    class Endless:
        count = 0

        def read(self, size: int) -> bytes:
            self.count += 1
            return bytes(size)

    endless = Endless()
    piped = Piped(endless, 16_000)  # type: ignore[arg-type]
    time.sleep(0.5)
    before = endless.count
    time.sleep(0.3)
    assert before == endless.count <= HELD_S / capture.BLOCK_S + 3
    piped.close()


def test_nothing_yet_is_no_end() -> None:
    gate = threading.Event()

    class Late:
        def read(self, size: int) -> bytes:
            gate.wait(5)
            return b""

    piped = Piped(Late(), 16_000)  # type: ignore[arg-type]
    found = piped.take(0.01)
    assert found is not None and len(found) == 0
    gate.set()
    assert piped.take(5.0) is not None and piped.take(5.0) is None


def test_the_resampler_holds_nothing_back_at_the_end() -> None:
    stream = Stream(8_000)
    pieces = [stream.resampled(np.zeros(777, np.float32)) for _ in range(10)]
    last = stream.resampled(np.zeros(0, np.float32), last=True)
    assert abs(sum(map(len, pieces)) + len(last) - 2 * 7770) <= 1


class PortAudioError(Exception):
    pass


class Input:
    """What sounddevice opens: it plays when the test says so."""

    def __init__(self, rate_hz: int, _size: int, device: Any, channels: int, _kind: str, callback: Any) -> None:
        self.rate_hz, self.callback, self.active = rate_hz, callback, False

    def start(self) -> None:
        self.active = True

    def close(self) -> None:
        self.active = False

    def hear(self, seconds: float) -> None:
        count = round(seconds * self.rate_hz)
        self.callback(np.full((count, 1), 0.25, np.float32), count, None, None)


def library(rates_hz: tuple[int, ...] = (16_000, 48_000)) -> Any:
    """A sounddevice with one microphone."""
    row = {"name": "USB headset", "max_input_channels": 1, "default_samplerate": float(rates_hz[-1])}

    def query(device: Any = None, kind: str | None = None) -> Any:
        if kind is None:
            return [row, {"name": "speaker", "max_input_channels": 0}]
        if device not in (None, 0, "USB"):
            raise ValueError(f"No input device matching {device!r}")
        return row

    def check(device: Any, channels: int, kind: str, extra: Any, rate_hz: int) -> None:
        if rate_hz not in rates_hz:
            raise PortAudioError("Invalid sample rate")

    return SimpleNamespace(
        query_devices=query, check_input_settings=check, InputStream=Input, PortAudioError=PortAudioError
    )


@pytest.mark.parametrize("rates_hz", [(16_000,), (48_000,)])
def test_a_microphone_at_its_own_rate(monkeypatch: pytest.MonkeyPatch, rates_hz: tuple[int, ...]) -> None:
    monkeypatch.setattr(capture, "_library", lambda: library(rates_hz))
    microphone = Microphone("USB")
    stream: Any = microphone._input
    assert stream.rate_hz == rates_hz[0] and microphone.name == "USB headset"
    for _ in range(20):
        stream.hear(0.1)
    found = microphone.take(1.0)
    assert (
        found is not None and 1.9 * 16_000 < len(found) <= 2 * 16_000 and found[9_000] == pytest.approx(0.25, abs=1e-3)
    )
    stream.active = False  # it was pulled out
    with pytest.raises(AudioError, match="USB headset: the microphone is disconnected; plug it in again"):
        microphone.take(0.0)
    microphone.close()


def test_sound_that_nobody_takes_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_library", library)
    microphone = Microphone(None)
    stream: Any = microphone._input
    for _ in range(round(HELD_S / capture.BLOCK_S) + 5):
        stream.hear(0.1)
    assert microphone.lost_s == pytest.approx(0.5)


def test_another_microphone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_library", library)
    with pytest.raises(AudioError, match=r"No input device matching 'desk'; name another with --device: USB headset$"):
        Microphone("desk")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImportError("no"), r'needs an optional package: pip install "\.\[listen\]"; or pipe sound in'),
        (OSError("PortAudio library not found"), "needs PortAudio .*sudo apt install libportaudio2"),
    ],
)
def test_what_a_microphone_needs(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    def missing(_: str) -> Any:
        raise error

    monkeypatch.setattr(capture, "import_module", missing)
    with pytest.raises(AudioError, match=message):
        Microphone(None)
