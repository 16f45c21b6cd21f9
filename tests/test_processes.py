"""What several processes share, with a second one that is only pretended; tests of the commands start real ones."""

import pytest
import torch
from torch import Tensor, nn

from earful.errors import TrainingError
from earful.processes import share, sums, world
from earful.train import Optimisation, fit


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the second of two; the other one has the same numbers."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.mul_(2))


def test_alone() -> None:
    tensors = [torch.ones(2), torch.zeros((), dtype=torch.float64)]
    assert world() == (1, 0) and share([1, 2, 3]) == [1, 2, 3]
    assert all(a is b for a, b in zip(sums(tensors), tensors, strict=True))


@pytest.mark.usefixtures("second")
def test_of_two() -> None:
    assert world() == (2, 1) and share([1, 2, 3]) == [2]
    assert share([1]) == [1], "fewer than processes: all of it"
    total, number = sums([torch.ones(2, 3), torch.tensor(3, dtype=torch.int64)])
    assert total.tolist() == [[2.0] * 3] * 2 and total.dtype == torch.float32
    assert int(number) == 6 and number.dtype == torch.int64


@pytest.mark.usefixtures("second")
def test_one_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(flat: Tensor) -> None:
        raise RuntimeError("Connection closed by peer\nmore")

    monkeypatch.setattr(torch.distributed, "all_reduce", gone)
    with pytest.raises(TrainingError, match=r"has ended \(Connection closed by peer\); start the same command again"):
        sums([torch.ones(1)])


@pytest.mark.usefixtures("second")
def test_only_the_first_reports_and_saves(tmp_path: pytest.TempPathFactory) -> None:
    """What has no gradient in any process keeps none; the mean over equal processes is the gradient of one."""
    model, told = nn.ModuleDict({"used": nn.Linear(2, 1, bias=False), "unused": nn.Linear(2, 1)}), list[object]()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def losses_of(step: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"square": model["used"](torch.ones(1, 2)).square().sum()}

    state = tmp_path / "state"  # type: ignore[operator]
    assert fit(model, losses_of, Optimisation(3), seed=0, state=state, save_every=1, report=told.append) == 0
    assert not told and not state.exists()
    assert torch.equal(model["unused"].weight, before["unused.weight"])
    assert model["used"].weight.grad is not None and model["unused"].weight.grad is None
    assert not torch.equal(model["used"].weight, before["used.weight"])
