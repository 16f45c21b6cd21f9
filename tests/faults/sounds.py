"""Spoilt sound: what is accepted must be the sound that is there, or a warning says what is missing."""

import contextlib
import io
import os
import random
import select
from functools import cache
from pathlib import Path

import numpy as np

from faults.judge import Case
from faults.mutate import spoil

SPEECHLESS = (".ircam", ".paf", ".pvf", ".xi")  # their headers do not say how long the sound is
CHECKED = (".flac", ".ogg")  # every piece has a checksum
CHAINED = ("adpcm", "dpcm", "gsm", "g72", "alac")  # a changed byte changes all that follow, and nothing tells
ALIKE = 0.95  # the correlation from which on two sounds are the same
LAG = 2400  # samples by which decoders may differ at the beginning


def make(random_: random.Random, place: Path, material: Path) -> Case:
    """A spoilt file, probed, read whole, in part and in blocks; or `earful check` on a folder with it."""
    original = random_.choice(sorted((material / "sounds").iterdir()))
    content, how = spoil(random_, original.read_bytes(), head=random_.choice((64, 200, 1000)))
    suffix = random_.choice((original.suffix, original.suffix, ".wav", ".mp3", ".gsm", ".au", ""))
    file = place / f"a{suffix}"
    file.write_bytes(content)
    what = f"{original.name} {how}"
    if random_.random() < 0.25:
        (place / "a.txt").write_text("abba cab\n", "utf-8")
        return Case(what, ["check", str(place), "--json"])
    found = dict[str, object]()
    return Case(
        what,
        act=lambda: hear(file, found),
        oracle=lambda status, _: amiss(found, original, file, how) if status == 0 else None,
        named=file.name,
    )


def hear(file: Path, found: dict[str, object]) -> None:
    """All ways of reading, which have to agree."""
    from earful.audio.files import blocks, probe, read

    info = probe(file)
    samples_T = read(file)
    found |= {"info": info, "samples": samples_T}
    if len(samples_T) > 32_000:
        found["part"] = read(file, 0.5, 1.0)
    found["blocks"] = sum(len(block) for block in blocks(file, 0.7))


@cache
def _expected(original: Path) -> tuple[np.ndarray, int]:
    from earful.audio.files import probe, read

    return read(original), probe(original).rate_hz


def amiss(found: dict[str, object], original: Path, file: Path, how: str) -> str | None:
    """What is wrong with what was read of a spoilt file; None if nothing is."""
    samples_T, info = found["samples"], found["info"]
    assert isinstance(samples_T, np.ndarray)
    if not np.isfinite(samples_T).all() or samples_T.dtype != np.float32:
        return "samples that are no numbers"
    if found["blocks"] != len(samples_T):
        return f"{found['blocks']} samples in blocks, {len(samples_T)} at once"
    if abs(info.duration_s * 16_000 - len(samples_T)) > max(1600, 0.02 * len(samples_T)):  # type: ignore[attr-defined]
        return f"probe says {info.duration_s:.2f} s, {len(samples_T) / 16_000:.2f} s are read"  # type: ignore[attr-defined]
    if info.warnings:  # type: ignore[attr-defined]
        return None
    expected_T, rate_hz = _expected(original)
    return differs(samples_T, expected_T, original, file, how, same_rate=info.rate_hz == rate_hz)  # type: ignore[attr-defined]


def differs(
    samples_T: np.ndarray, expected_T: np.ndarray, original: Path, file: Path, how: str, *, same_rate: bool
) -> str | None:
    """What is wrong with samples read without a warning: they must be the original's, or what another decoder reads."""
    short = len(expected_T) - len(samples_T) > max(1920, 0.03 * len(expected_T))
    like = likeness(samples_T, expected_T)
    if like > ALIKE and (not short or original.suffix in SPEECHLESS):
        return None
    if original.suffix in CHECKED:
        return f"sound with checksums that is not the original's ({like:.2f} like it), without a word"
    if how == "cut" and original.suffix not in SPEECHLESS:
        return f"{len(samples_T)} of {len(expected_T)} samples of a cut file ({like:.2f} like it), without a word"
    other_T = second_opinion(file)
    if len(other_T) < 0.9 * len(samples_T):  # it reads no such file, or gives up
        lost = short and same_rate and original.suffix not in SPEECHLESS
        return f"{len(samples_T)} of {len(expected_T)} samples without a word" if lost else None
    if any(name in original.name for name in CHAINED) or likeness(samples_T, other_T) > ALIKE:
        return None
    return f"{like:.2f} like the original, {likeness(samples_T, other_T):.2f} like what another decoder reads"


def likeness(a_T: np.ndarray, b_T: np.ndarray) -> float:
    """The highest correlation of the stretch that both have, from -1 to 1, where one may begin somewhat later."""
    count = min(len(a_T), len(b_T))
    a_T, b_T = a_T[:count].astype(np.float64), b_T[:count].astype(np.float64)
    power = float(np.sqrt(np.square(a_T).sum() * np.square(b_T).sum()))
    if count == 0 or power == 0:
        return float(count > 0 and not a_T.any() and not b_T.any())
    size = 1 << (2 * count).bit_length()
    correlation_L = np.fft.irfft(np.fft.rfft(a_T, size) * np.fft.rfft(b_T, size).conj(), size)
    return float(max(correlation_L[:LAG].max(), correlation_L[-LAG:].max())) / power


def second_opinion(file: Path, patience_s: float = 10.0) -> np.ndarray:
    """What FFmpeg's libraries decode, mono at 16 kHz, in a child process that may die; nothing where they fail."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writer, "wb") as answer:
            answer.write(_decoded(file).tobytes())
        os._exit(0)
    os.close(writer)
    said = bytearray()
    while select.select([reader], [], [], patience_s)[0] and (part := os.read(reader, 1 << 16)):
        said += part
    os.close(reader)
    with contextlib.suppress(OSError):
        os.kill(child, 9)
    os.waitpid(child, 0)
    return np.frombuffer(said[: len(said) // 4 * 4], np.float32)


def _decoded(file: Path) -> np.ndarray:
    import av

    content = io.BytesIO(file.read_bytes())  # without a name, by which a format would be guessed
    parts = [np.zeros(0, np.float32)]
    resampler = av.AudioResampler("flt", "mono", 16_000)
    with av.open(content) as container, contextlib.suppress(av.FFmpegError, ValueError):
        for frame in container.decode(audio=0):
            parts += [each.to_ndarray()[0] for each in resampler.resample(frame)]
    with contextlib.suppress(av.FFmpegError, ValueError):
        parts += [each.to_ndarray()[0] for each in resampler.resample(None)]
    return np.concatenate(parts)
