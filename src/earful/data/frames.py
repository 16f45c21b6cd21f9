"""Frames computed once: the features of many clips in one memory-mapped float16 file, or in memory."""

import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from earful.audio.augment import Augmentation, augment
from earful.audio.files import read
from earful.data.utterance import Utterance
from earful.errors import AudioError, ConfigError
from earful.identity import digest, digest_of_arrays
from earful.writing import replacing

ROWS, INDEX = "frames.f16", "index.json"
T = TypeVar("T")

Front = Callable[[Tensor], Tensor]
"""A function from samples `[T]` to frames `[F, M]`: a filterbank, or the frozen part of a model."""


class Clip(NamedTuple):
    """Features of one clip, and the speed factor of its augmentation (label times shrink by it)."""

    frames_FM: Tensor
    speed: float


def frames_of(utterance: Utterance, front: Front) -> Tensor:
    """Read one utterance and compute its frames `[F, M]`. Raises AudioError, which names the clip."""
    return front(_heard(utterance, None, None)[0])


def compute_clips(
    utterances: Sequence[Utterance],
    front: Front | Sequence[Front],
    *,
    augmentation: Augmentation | Sequence[Augmentation | None] | None = None,
    seed: int = 0,
    threads: int | None = None,
    skip: Callable[[Utterance, AudioError], None] | None = None,
) -> Iterator[Clip]:
    """Frames of many utterances, in order. The random numbers of each are independent of the others.

    `front` and `augmentation` are one for all, or a sequence with one for each utterance (None: no augmentation).
    Clips are read, augmented and put through `front` ahead, as many at once as torch has threads, or `threads`, each on
    one thread: several threads call `front`. With one, the caller's does, while the next clips are read. With `skip`,
    an unreadable recording gives no clip, and `skip` gets the reason.

    Raises (with the first clip, as all this is lazy):
        AudioError: a recording cannot be read, and there is no `skip`; the message names the clip.
        ValueError: there are more or fewer augmentations, or fronts, than utterances.
    """
    each = [augmentation] * len(utterances) if isinstance(augmentation, Augmentation | None) else augmentation
    fronts = front if isinstance(front, Sequence) else [front] * len(utterances)
    if len(each) != len(utterances):
        raise ValueError(f"expected an augmentation (or None) for each of {len(utterances)} clips, got {len(each)}")
    if len(fronts) != len(utterances):
        raise ValueError(f"expected a front for each of {len(utterances)} clips, got {len(fronts)}")

    workers = threads or torch.get_num_threads()

    def one(index: int, utterance: Utterance) -> Callable[[], Clip]:
        samples_T, speed = _heard(utterance, each[index], torch.Generator().manual_seed(seed * 1_000_003 + index))
        through = partial(_through, fronts[index], samples_T, speed)
        if workers == 1:
            return through
        clip = through()
        return lambda: clip

    with closing(_ahead(one, utterances, workers)) as clips:
        for utterance, clip in zip(utterances, clips, strict=True):
            try:
                found = clip.result()()
            except AudioError as error:
                if skip is None:
                    raise
                skip(utterance, error)
            else:
                yield found


def _through(front: Front, samples_T: Tensor, speed: float) -> Clip:
    return Clip(front(samples_T), speed)


def _ahead(
    function: Callable[[int, Utterance], T], utterances: Sequence[Utterance], workers: int
) -> Generator[Future[T]]:
    """`function(index, utterance)` of each, in order, as futures; up to eight calls per worker run ahead.

    Close the generator: calls that have not begun are then cancelled, also after an error or Ctrl-C.
    """
    shared = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))  # of each of its threads
    pending: deque[Future[T]] = deque()
    try:
        for index, utterance in enumerate(utterances):
            pending.append(pool.submit(function, index, utterance))
            if len(pending) >= 8 * workers:
                yield pending.popleft()
        while pending:
            yield pending.popleft()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(shared)  # threads that are still to come ask what was set last


def _heard(
    utterance: Utterance, augmentation: Augmentation | None, generator: torch.Generator | None
) -> tuple[Tensor, float]:
    """The samples `[T]` of one utterance, augmented if asked for, and the speed factor."""
    try:
        samples_T = read(utterance.audio, utterance.start_s, utterance.duration_s, utterance.channel)
    except AudioError as error:
        raise AudioError(f"clip {utterance.id!r}: {error}") from error
    speed = 1.0
    if augmentation is not None and generator is not None:
        samples_T, speed = augment(samples_T, augmentation, generator)
    return torch.from_numpy(samples_T), speed


class FrameStore:
    """Clips on disk, read through the page cache. A store may be larger than memory; a smaller one is as fast.

    One or more folders, each with `frames.f16` (raw float16, one row per frame) and `index.json` (counts and speeds).
    The index is written last: a folder without one is an interrupted build.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.counts: list[int] = []
        self.speeds: list[float] = []
        self._rows: list[np.ndarray[Any, np.dtype[np.float16]]] = []
        for folder in folders:
            index = _index_of(folder)
            shape = (sum(index["counts"]), index["bins"])
            rows = np.memmap(folder / ROWS, np.float16, "r", shape=shape)
            self._rows.extend(np.split(rows, np.cumsum(index["counts"])[:-1]))
            self.counts.extend(index["counts"])
            self.speeds.extend(index["speeds"])

    def only(self, indexes: Sequence[int]) -> "FrameStore":
        """Some of the clips, in the order asked for; nothing is copied."""
        part = FrameStore([])
        part.counts = [self.counts[i] for i in indexes]
        part.speeds = [self.speeds[i] for i in indexes]
        part._rows = [self._rows[i] for i in indexes]
        return part

    def digest(self) -> str:
        """The digest of all frames, their division into clips, and the speeds."""
        return digest([digest_of_arrays(self._rows), self.speeds])

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self._rows[index].astype(np.float32))


def is_built(folder: Path) -> bool:
    """Whether `folder` holds a whole, undamaged store."""
    try:
        index = _index_of(folder)
        return (folder / ROWS).stat().st_size == 2 * int(sum(index["counts"]) * index["bins"])
    except (OSError, ConfigError):
        return False


def _index_of(folder: Path) -> dict[str, Any]:
    """The content of the index. Raises OSError if there is none, ConfigError if it is damaged."""
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        counts, speeds, bins = index["counts"], index["speeds"], index["bins"]
        whole = all(isinstance(count, int) and count >= 0 for count in [*counts, bins])
        if not (whole and len(counts) == len(speeds) and all(isinstance(speed, float) for speed in speeds)):
            raise ValueError("counts and speeds do not fit together")
    except (ValueError, LookupError, TypeError) as error:
        raise ConfigError(f"{folder}: the features kept there are damaged ({error}); delete the folder") from error
    return {"counts": counts, "speeds": speeds, "bins": bins}


def build_store(folder: Path, clips: Iterable[Clip], advance: Callable[[], None] | None = None) -> None:
    """Write clips into a new store; `advance()` is called after each. An interrupted build leaves no store.

    Raises:
        ConfigError: the folder cannot be written, for example on a full disk.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        index = json.dumps(_write_rows(folder / ROWS, clips, advance))
        with replacing(folder / INDEX) as beside:
            beside.write_text(index, "utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{folder}: features cannot be kept there ({error}); free some space") from error


def _write_rows(path: Path, clips: Iterable[Clip], advance: Callable[[], None] | None) -> dict[str, Any]:
    """Write the frames of all clips; returns the index."""
    counts, speeds, bins = [], [], 0
    with path.open("wb") as file:
        for clip in clips:
            rows = clip.frames_FM.half().numpy()
            file.write(rows.tobytes())
            counts.append(len(rows))
            speeds.append(clip.speed)
            bins = rows.shape[1]
            if advance:
                advance()
    return {"counts": counts, "speeds": speeds, "bins": bins}
