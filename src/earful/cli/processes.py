"""The processes of a training under torchrun: the first one shows progress and saves, all of them train."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from earful.cli.progress import Tell, progress

if TYPE_CHECKING:
    import torch


Turn = Callable[[], AbstractContextManager[None]]
"""A context that the first process enters and leaves before the others."""


def progress_of(rank: int) -> AbstractContextManager[Tell]:
    """The progress of the first process; the others show nothing."""
    return progress() if rank == 0 else nullcontext(_silent)


def _silent(stage: str, done: float, total: float, note: str = "") -> None:
    """Show nothing."""


@contextmanager
def processes(device: "torch.device") -> Iterator[tuple[int, Turn]]:
    """The rank of this process under torchrun (0 without it), and a context that the first process enters first.

    Tensors on GPUs are summed by NCCL, others by gloo.
    """
    import datetime

    from torch import cuda, distributed

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0, nullcontext
        return
    on_gpu = device.type == "cuda"
    if on_gpu:
        cuda.set_device(device)
    backend, own = ("nccl", device) if on_gpu else ("gloo", None)
    distributed.init_process_group(backend, timeout=datetime.timedelta(hours=6), device_id=own)
    rank = distributed.get_rank()

    @contextmanager
    def in_turn() -> Iterator[None]:
        if rank:
            distributed.barrier()
        yield
        if not rank:
            distributed.barrier()

    try:
        yield rank, in_turn
        distributed.barrier()  # no process exits while another still sums
    finally:
        distributed.destroy_process_group()


def only(rank: int, work: Path) -> AbstractContextManager[None]:
    """Lock the recipe's work folder, in the first process only. Raises ConfigError if another run has it."""
    from earful.alone import alone
    from earful.train import check_work

    if rank:
        return nullcontext()
    check_work(work)
    return alone(work, "give the recipe another `work`")
