"""Spoilt sound: what is accepted must be the sound that is there, or a warning says what is missing."""

import contextlib
import os
import random
import select
from functools import cache
from pathlib import Path

import numpy as np

from faults.judge import Case
from faults.mutate import spoil

SPEECHLESS = (".ircam", ".paf", ".pvf", ".xi")  # their headers do not say how long the sound is
DAMAGE = ("cut", "drop", "blank", "noise")


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
    expected_T, rate_hz = _expected(original)
    short = len(expected_T) - len(samples_T) > max(1920, 0.03 * len(expected_T))
    if not short or info.warnings or original.suffix in SPEECHLESS:  # type: ignore[attr-defined]
        return None
    if info.rate_hz != rate_hz:  # type: ignore[attr-defined]
        return None  # a rate that is as good as another
    other_s = second_opinion(file)
    if other_s is not None and abs(other_s - info.duration_s) < 0.05 * other_s + 0.05:  # type: ignore[attr-defined]
        return None  # another decoder hears as much: the file says no more
    return f"{len(samples_T)} of {len(expected_T)} samples without a word, another decoder: {other_s} s"


def second_opinion(file: Path, patience_s: float = 10.0) -> float | None:
    """The seconds that FFmpeg's libraries decode, in a child process that may die; None where they decode nothing."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(writer, str(_decoded_s(file)).encode())
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], patience_s)
    said = os.read(reader, 100).decode() if ready else ""
    os.close(reader)
    with contextlib.suppress(OSError):
        os.kill(child, 9)
    os.waitpid(child, 0)
    return float(said) if said and float(said) > 0 else None


def _decoded_s(file: Path) -> float:
    import av

    seconds = 0.0
    with av.open(str(file)) as container, contextlib.suppress(av.FFmpegError):
        for frame in container.decode(audio=0):
            seconds += frame.samples / frame.sample_rate
    return seconds
