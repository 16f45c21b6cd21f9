"""`earful train` and `earful pretrain` in two processes, which make the model of one; and under torchrun itself."""

from pathlib import Path
from typing import Any

import pytest
import torch

from earful.checkpoint import load_checkpoint

RECIPE = """
out = "{out}/base"
work = "{out}/work"
cache = "{out}/frames"
batch_s = 20
{more}
[[corpora]]
manifest = "{out}/train.jsonl"
[encoder]
width = 32
layers = 1
dropout = 0.0
[optimisation]
steps = 2
"""
NO_MASKS = "[masks]\nfrequency_masks = 0\ntime_masks = 0\n"


def write_recipe(folder: Path, more: str, end: str) -> Path:
    (folder / "tiny.toml").write_text(RECIPE.format(out=folder, more=more) + end, "utf-8")
    return folder / "tiny.toml"


@pytest.mark.parametrize(
    ("command", "more", "end", "same"),
    [
        ("train", "rarest_symbol = 1", NO_MASKS, True),
        ("pretrain", "[features]\n[objectives.simclr]", "", False),  # the others of a batch teach, and each sees half
    ],
)
def test_two_processes(
    command: str,
    more: str,
    end: str,
    same: bool,
    earful: Any,
    side_by_side: Any,
    list_clips: Any,
    clips: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        list_clips(clips, tmp_path / name / "train.jsonl")
    one, two = (write_recipe(tmp_path / name, more, end) for name in ("one", "two"))
    assert earful(command, one).status == 0
    log = tmp_path / "log"
    assert side_by_side(log, "-m", "earful", command, two, "--json") == [0, 0], log.read_text("utf-8")
    assert log.read_text("utf-8").count('"steps"') == 1, "the first one alone tells"
    assert len((two.parent / "work" / "log.jsonl").read_text("utf-8").splitlines()) == 2
    alone, together = (load_checkpoint(recipe.parent / "base").params for recipe in (one, two))
    for name, value in alone.items():
        assert torch.isfinite(together[name]).all()
        if same:
            torch.testing.assert_close(together[name], value, rtol=1e-2, atol=1e-3, msg=name)  # stored as float16


def test_torchrun_goes_on_from_a_finished_state(
    earful: Any, torchrun: Any, list_clips: Any, clips: Path, tmp_path: Path
) -> None:
    """Which the first one keeps: it is read by both, and there is nothing left to do but to write the model."""
    list_clips(clips, tmp_path / "train.jsonl")
    recipe, log = write_recipe(tmp_path, "rarest_symbol = 1", NO_MASKS), tmp_path / "log"
    assert earful("train", recipe).status == 0
    before = load_checkpoint(tmp_path / "base").params
    again = torchrun(log, "train", recipe, "--json", "--overwrite")
    assert again.wait(timeout=240) == 0, log.read_text("utf-8")
    after = load_checkpoint(tmp_path / "base").params
    assert all(torch.equal(after[name], value) for name, value in before.items())
