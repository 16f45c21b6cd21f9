"""Every learner with every encoder, first and second order, through the command: a few steps each."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.encoder.encoder import KINDS, EncoderConfig
from earful.metatrain import LEARNERS
from earful.metatrain.speech.learning import BELONGS, LEARNS_NO_RATES
from earful.model import AcousticModel
from earful.pretrain.dataset import Dataset

RECIPE = """
out = "{out}/model"
work = "{out}/work"
cache = "{cache}"
start = "{base}"
rarest_symbol = 1
[[corpora]]
manifest = "{manifest}"
[augmentation]
speed_probability = 0
room_probability = 0
noise_probability = 0
telephone_probability = 0
gain_probability = 0
[tasks]
shots = {{ clips = 2, query = 1 }}
[learning]
learner = "{learner}"
inner = {{ rate = 0.05, steps = 2{inner} }}
{more}
[outer]
tasks = 1
optimisation = {{ steps = 2, rate = 1e-2, weight_decay = 0.0 }}
"""
ORDERS = [
    (learner, order)
    for learner in LEARNERS
    for order in (1, 2)
    if order == 2 or learner in BELONGS["first_order_until"]
]


@pytest.fixture(scope="session")
def bases(base: Checkpoint, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained base of every kind of encoder."""
    folder = tmp_path_factory.mktemp("bases")
    for kind in KINDS:
        encoder = EncoderConfig(kind, width=16, layers=2, heads=2, kernel=5, expansion=2)
        config = replace(base.config, encoder=encoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            save_checkpoint(folder / kind, Checkpoint(config, dict(AcousticModel(config).state_dict())))
    return folder


@pytest.fixture
def run(earful: Any, bases: Path, spoken: Path, tmp_path: Path) -> Callable[..., Any]:
    def run(learner: str, kind: str, inner: str = "", more: str = "") -> Any:
        names = {"out": tmp_path, "cache": bases / "frames", "base": bases / kind, "manifest": spoken}
        text = RECIPE.format(learner=learner, inner=inner, more=more, **names)
        (tmp_path / "recipe.toml").write_text(text, "utf-8")
        return earful("metatrain", tmp_path / "recipe.toml", "--json")

    return run


def holds(learner: str, kind: str, order: int, run: Callable[..., Any], bases: Path) -> None:
    """It trains, skips nothing, moves the start (but for scratch), and keeps what it learned of its rates."""
    rates = learner not in (*LEARNS_NO_RATES, "imaml")
    inner = ', learned = "scalar", momentum = 0.1, learn_momentum = true' if rates else ""
    done = run(learner, kind, inner, "first_order_until = 1.0" if order == 1 else "")
    assert done.status == 0, done.err
    row = json.loads(done.out)
    assert row["skipped_tasks"] == 0 and row["query_loss"] > 0
    model = load_checkpoint(row["model"])
    before = load_checkpoint(bases / kind).params
    moved = any(not torch.equal(model.params[name], each.half().float()) for name, each in before.items())
    assert moved == (learner != "scratch") and model.inner is not None
    assert ("momentum" in model.inner.learned) == rates
    assert not rates or float(model.inner.learned["momentum"]) != pytest.approx(0.1, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("learner", "order"), ORDERS)
def test_every_learner_with_every_encoder(
    learner: str, order: int, kind: str, run: Callable[..., Any], bases: Path
) -> None:
    holds(learner, kind, order, run, bases)


@pytest.mark.parametrize("learner", ["imaml", "cavia"])
def test_the_default_encoder(learner: str, run: Callable[..., Any], bases: Path) -> None:
    """oneDNN's LSTM has no forward-mode derivative: the implicit gradient has to do without."""
    holds(learner, EncoderConfig().kind, 2, run, bases)
