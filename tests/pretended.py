"""A pretended device, `FAR`: its tensors lie in ordinary memory, and refuse to meet those of the processor.

So what a GPU would refuse ("Expected all tensors to be on the same device") is found where there is none. Importing
this registers the device with torch, for the whole process and by a way that torch calls experimental; compute within
`pretended()`. Numbers are real, unlike those of torch's FakeTensorMode (which, besides, knows no backward pass for
CUDA in a torch that is built without it): branches that read a number are walked like all others. Recurrent layers take
the cells that CUDA has without cuDNN.
"""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

CPU = torch.device("cpu")
aten = torch.ops.aten
CROSSES = (aten._to_copy.default, aten.copy_.default)
INDEXES = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)
JOINS = (aten.cat.default, aten.stack.default)


class Module(ModuleType):
    """What torch asks the module of a device."""

    def is_available(self) -> bool:
        return True

    is_initialized = is_available

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Nothing is drawn there but by the processor's generator."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend("far", Module("far"))
FAR = torch.device("far", 0)


class Far(Tensor):
    """A tensor that says it is far, round one that is near."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "Far":
        made = Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=FAR,
        )
        made.near = near
        return made

    def tolist(self) -> Any:
        """torch has none for such tensors."""
        return self.near.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


class pretended(TorchDispatchMode):
    """The context in which tensors can be made on the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What an operator makes: far of what is far, near of what is near. RuntimeError where both meet."""
    tensors = tensors_in([*args, *kwargs.values()])
    far = {id(each.near): each for each in tensors if isinstance(each, Far)}
    device = kwargs.get("device")
    if not far and (device is None or device.type != FAR.type):
        return func(*args, **kwargs)
    refuse(func, args, tensors)
    if torch.Tag.inplace_view in func.tags:  # `transpose_` and the like change the shape of what is round, too
        with no_dispatch():
            func(*args, **kwargs)
    args, kwargs = mapped(Far, lambda each: each.near, args), mapped(Far, lambda each: each.near, kwargs)
    arrives = device is None or device.type == FAR.type
    found = INSTEAD.get(func, func)(*args, **({**kwargs, "device": CPU} if device and arrives else kwargs))
    if not arrives or (func is aten.copy_.default and id(args[0]) not in far):
        return found
    return mapped(Tensor, lambda each: far.get(id(each)) if id(each) in far else Far(each), found)


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """All tensors among values and in their lists, which is all that operators are given."""
    found = list[Tensor]()
    for each in values:
        if isinstance(each, Tensor):
            found.append(each)
        elif isinstance(each, tuple | list):
            found += tensors_in(each)
    return found


def mapped(kind: type, change: Callable[[Any], Any], tree: Any) -> Any:
    """The same with what is of this kind changed."""
    if isinstance(tree, kind):
        return change(tree)
    if type(tree) is dict:
        return {name: mapped(kind, change, each) for name, each in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)(mapped(kind, change, each) for each in tree)
    return tree_map_only(kind, change, tree) if isinstance(tree, tuple) else tree


def refuse(func: Any, args: Any, tensors: list[Tensor]) -> None:
    """Raise as CUDA would. There, single numbers and indexes may be near; but nothing near is written into."""
    near = [each for each in tensors if not isinstance(each, Far) and (each.dim() or func in JOINS)]
    if len(near) in (0, len(tensors)) or func in CROSSES:
        return
    if func in INDEXES and isinstance(args[0], Far) and not any(each.is_floating_point() for each in near):
        return
    raise RuntimeError(f"{func}: expected all tensors to be on one device; near are {[list(x.shape) for x in near]}")


def made_by_data(size: Any, stride: Any, **settings: Any) -> Tensor:
    """`torch.tensor(data, device=FAR)` makes this first, and copies the data into it."""
    return Far(torch.empty_strided(size, stride, dtype=settings.get("dtype")))


def lstm_cell(
    input_gates: Tensor, hidden_gates: Tensor, cell: Tensor, *biases: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """CUDA's fused cell: hidden state, cell state, and what its backward pass wants to know."""
    whole = input_gates + hidden_gates + sum(bias for bias in biases if bias is not None)
    i, f, g, o = (gate(part) for gate, part in zip(LSTM, whole.chunk(4, 1), strict=True))
    cell = f * cell + i * g
    return o * cell.tanh(), cell, torch.cat([i, f, g, o], 1)


def lstm_cell_backward(
    of_hidden: Tensor | None, of_cell: Tensor | None, before: Tensor, cell: Tensor, gates: Tensor, biased: bool
) -> tuple[Tensor, Tensor, Tensor]:
    i, f, g, o = gates.chunk(4, 1)
    through, of_hidden = cell.tanh(), torch.zeros_like(cell) if of_hidden is None else of_hidden
    down = of_hidden * o * (1 - through.square()) + (0 if of_cell is None else of_cell)
    of_gates = [down * g * i * (1 - i), down * before * f * (1 - f), down * i * (1 - g.square())]
    found = torch.cat([*of_gates, of_hidden * through * o * (1 - o)], 1)
    return found, down * f, found.sum(0) if biased else torch.empty(0)


def gru_cell(
    input_gates: Tensor, hidden_gates: Tensor, hidden: Tensor, *biases: Tensor | None
) -> tuple[Tensor, Tensor]:
    """CUDA's fused cell: hidden state, and what its backward pass wants to know."""
    first, second = biases or (None, None)
    ir, iz, new = (input_gates + (0 if first is None else first)).chunk(3, 1)
    hr, hz, held = (hidden_gates + (0 if second is None else second)).chunk(3, 1)
    r, z = (ir + hr).sigmoid(), (iz + hz).sigmoid()
    new = (new + r * held).tanh()
    return (hidden - new) * z + new, torch.cat([r, z, new, hidden, held], 1)


def gru_cell_backward(of_hidden: Tensor, known: Tensor, biased: bool) -> tuple[Tensor, ...]:
    r, z, new, hidden, held = known.chunk(5, 1)
    of_z, of_new = of_hidden * (hidden - new) * z * (1 - z), of_hidden * (1 - z) * (1 - new.square())
    of_r = of_new * held * r * (1 - r)
    found = torch.cat([of_r, of_z, of_new], 1), torch.cat([of_r, of_z, of_new * r], 1)
    return *found, of_hidden * z, *(each.sum(0) if biased else torch.empty(0) for each in found)


LSTM = (torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid)
INSTEAD: dict[Any, Callable[..., Any]] = {
    aten._efficientzerotensor.default: torch.zeros,  # has no memory, which those above it know
    aten._thnn_fused_lstm_cell.default: lstm_cell,
    aten._thnn_fused_lstm_cell_backward_impl.default: lstm_cell_backward,
    aten._thnn_fused_gru_cell.default: gru_cell,
    aten._thnn_fused_gru_cell_backward.default: gru_cell_backward,
}
_library = torch.library.Library("aten", "IMPL")  # lives as long as the process
_library.impl("empty_strided", made_by_data, "PrivateUse1")
_library.impl("_copy_from", lambda source, to, non_blocking=False: to.near.copy_(source), "PrivateUse1")
