"""The device of tensors: the CPU or a GPU.

A training chooses a device once. From then on a module tells its device, and batches are moved to it. Random numbers
are drawn on the CPU and then moved, so that a seed means the same everywhere. Dropout is an exception: it is drawn on
the device.
"""

import os
import re
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from earful.errors import ConfigError

T = TypeVar("T")
CPU = torch.device("cpu")


def device_of(choice: str = "auto") -> torch.device:
    """The device of that name: "cpu", "cuda", "cuda:N", or "auto", which is a GPU if torch finds one.

    Under torchrun each process of a machine takes the GPU with its own number.

    Raises:
        ConfigError: there is no such device here, or several processes would share one GPU.

    >>> device_of("cpu")
    device(type='cpu')
    """
    named = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", choice)
    if named is None:
        raise ConfigError(f"device is {choice!r}, must be auto, cpu, cuda or cuda:N, N the number of a GPU from 0")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if choice == "cpu" or (choice == "auto" and not gpus):
        return CPU
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if not gpus:
        raise ConfigError(
            f"device is {choice}, but torch {torch.__version__} finds no GPU; say cpu, or install the GPU's driver and "
            "a torch that is built for it"
        )
    if processes > gpus or (processes > 1 and named[1]):
        raise ConfigError(
            f"device is {choice}, for {processes} processes on {gpus} GPUs, of which each takes one; start at most "
            f"{gpus}, with cuda or auto, or say cpu"
        )
    number = int(named[1] or os.environ.get("LOCAL_RANK", "0"))
    if number >= gpus:
        raise ConfigError(
            f"device is {choice}, but there are {gpus} GPUs here, numbered from 0; say one of them, or cpu"
        )
    return torch.device("cuda", number)


def moved(tree: T, device: torch.device) -> T:
    """The same tree (a batch, an episode, parameters by name) with its tensors on the device.

    Tensors that are already there are not copied.
    """
    return tree_map_only(Tensor, lambda tensor: tensor.to(device), tree)  # type: ignore[no-any-return]


def home_of(module: nn.Module) -> torch.device:
    """The device of a module's parameters; the CPU if it has none."""
    return next((parameter.device for parameter in module.parameters()), CPU)


def even(count: int) -> int:
    """The next of few lengths, four to an octave, so that batches have few shapes.

    oneDNN generates a kernel for each shape of a matrix product, which can take longer than the products of a small
    model, and keeps many kernels.

    >>> [even(count) for count in (7, 100, 113, 375)]
    [7, 112, 128, 384]
    """
    step = 1 << max(0, count.bit_length() - 3)
    return -(-count // step) * step
