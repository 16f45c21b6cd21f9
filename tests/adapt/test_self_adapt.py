"""Self-adaptation: its two losses, what moves and what does not, and windows that say nothing."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from earful.adapt.self_adapt import SelfAdaptation, class_confusion, entropy, fit_to, loss_of
from earful.encoder.encoder import KINDS, EncoderConfig
from earful.encoder.whisper import WhisperConfig
from earful.errors import ConfigError
from earful.model import AcousticModel, ModelConfig
from earful.text.alphabet import Alphabet

HOW = SelfAdaptation()
LETTERS, IPA = Alphabet(tuple("abc")), Alphabet(("a", "x"))


def built(config: ModelConfig) -> AcousticModel:
    """An untrained model, never much surer of the blank than of a letter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AcousticModel(config).eval()


def model_of(kind: str = "conformer") -> AcousticModel:
    return built(ModelConfig(LETTERS, IPA, encoder=EncoderConfig(kind, width=16, layers=2, heads=2, kernel=5)))


def on_backbone(frozen: int) -> AcousticModel:
    """A model on a pre-trained encoder of three layers, some of them frozen."""
    backbone = WhisperConfig("whisper", width=16, layers=3, heads=2, inner=24, positions=64, frozen=frozen, pool=2)
    encoder = EncoderConfig("conformer", bins=16, width=16, layers=1, heads=2, kernel=5, subsampling=1)
    return built(ModelConfig(LETTERS, features=backbone, encoder=encoder))


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return model_of()


def window(frames: int, seed: int = 0, bins: int = 80) -> Tensor:
    return 3 * torch.randn(frames, bins, generator=torch.Generator().manual_seed(seed))


def values(model: AcousticModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_entropy() -> None:
    p_FV = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 1e-12, 1e-12]])
    assert float(entropy(p_FV.log())) == pytest.approx((math.log(4) + math.log(2)) / 2)
    assert math.isnan(float(entropy(p_FV[:0].log())))


def confused(p: list[list[float]]) -> float:
    """The class confusion as it is defined, sum by sum (Jin et al. 2020, eqs. 4 to 8)."""
    symbols, entropies = range(len(p[0])), [-sum(x * math.log(x) for x in row) for row in p]
    weights = [1 + math.exp(-h) for h in entropies]
    weights = [w * len(p) / sum(weights) for w in weights]
    together = [[sum(w * row[i] * row[j] for w, row in zip(weights, p, strict=True)) for j in symbols] for i in symbols]
    others = sum(together[i][j] / sum(together[i]) for i, j in itertools.permutations(symbols, 2))
    return others / len(symbols)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_class_confusion_is_what_it_is_defined_as(frames: int) -> None:
    logp_FV = window(frames, bins=5).log_softmax(-1)
    assert float(class_confusion(logp_FV)) == pytest.approx(confused(logp_FV.exp().tolist()), rel=1e-5)


def test_class_confusion_of_the_sure_and_of_the_unsure() -> None:
    sure_FV = (1000 * torch.eye(4)).log_softmax(-1)
    assert float(class_confusion(sure_FV)) == pytest.approx(0.0)
    assert float(class_confusion(torch.zeros(9, 4).log_softmax(-1))) == pytest.approx(0.75)
    once_F = class_confusion(sure_FV[:2])
    assert bool(torch.isfinite(once_F)), "a symbol that no frame could be takes part in no division by zero"


def test_the_loss_mixes_both_and_is_of_frames_that_say_letters(model: AcousticModel) -> None:
    frames_FM, params = window(60), values(model)
    logp_FV = model(frames_FM[None], torch.tensor([60]))[0][0].detach()
    spoken_F = logp_FV.argmax(-1) != 0
    assert 0 < int(spoken_F.sum()) < len(spoken_F), "some say letters, some do not"
    flat_FV = (logp_FV / 2.0).log_softmax(-1)
    alone = {1.0: entropy(flat_FV[spoken_F]), 0.0: class_confusion(flat_FV)}
    for weight in (0.0, 0.4, 1.0):
        found = loss_of(model, replace(HOW, entropy=weight, temperature=2.0))(params, frames_FM)
        assert float(found) == pytest.approx(float(weight * alone[1.0] + (1 - weight) * alone[0.0]), rel=0.02)


def test_the_loss_falls_and_the_model_stays(model: AcousticModel) -> None:
    frames_FM, before, loss = window(60), values(model), loss_of(model, HOW)
    fitted = fit_to(model, frames_FM, HOW)
    assert float(loss(before | fitted, frames_FM)) < float(loss(before, frames_FM))
    assert same(before, values(model)) and all(value.grad is None for value in model.parameters())


def test_each_window_is_fitted_to_as_if_it_were_the_first(model: AcousticModel) -> None:
    alone = fit_to(model, window(60), HOW)
    other = fit_to(model, window(45, seed=1), HOW)
    assert same(fit_to(model, window(60), HOW), alone) and not same(other, alone)


def test_what_the_caller_switched_off_does_not_matter(model: AcousticModel) -> None:
    expected = fit_to(model, window(30), HOW)
    for switch in (torch.no_grad, torch.inference_mode):
        with switch():
            assert same(fit_to(model, window(30), HOW), expected)


def norms(model: AcousticModel) -> set[str]:
    """Scales and shifts of normalisation, as the encoders name them."""
    return {name for name in values(model) if "norm" in name or ".feed_in.0." in name or ".feed_out.0." in name}


def test_only_norms_move(model: AcousticModel) -> None:
    fitted = fit_to(model, window(60), HOW)
    assert fitted.keys() == norms(model) and len(fitted) > 10
    assert all(not torch.equal(value, dict(model.named_parameters())[name]) for name, value in fitted.items())


@pytest.mark.parametrize("frozen", [1, 3])
def test_frozen_layers_stay(frozen: int) -> None:
    model = on_backbone(frozen)
    moved = {name for name in fit_to(model, window(40, bins=16), HOW) if name.startswith("backbone.")}
    layers = {name.split(".")[2] for name in moved if name.startswith("backbone.layers.")}
    assert layers == {str(layer) for layer in range(frozen, 3)} and bool(moved) == (frozen < 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_hardly_any_frames(kind: str, frames: int) -> None:
    fitted = fit_to(model_of(kind), window(frames), HOW)
    assert all(bool(torch.isfinite(value).all()) for value in fitted.values())


def silenced(model: AcousticModel) -> None:
    """Every frame is a blank."""
    with torch.no_grad():
        model.heads["text"].bias[0] += 100


def deafened(model: AcousticModel) -> None:
    """What leaves the encoder is not finite."""
    with torch.no_grad():
        model.upsample.expand.bias[0] = math.inf


@pytest.mark.parametrize("spoil", [silenced, deafened])
def test_without_a_letter_or_a_finite_step_nothing_moves(spoil: Callable[[AcousticModel], None]) -> None:
    model = model_of()
    assert fit_to(model, window(30), HOW)
    spoil(model)
    assert fit_to(model, window(30), HOW) == {}


def test_a_walk_that_becomes_infinite_is_forgotten(model: AcousticModel) -> None:
    assert fit_to(model, window(30), replace(HOW, steps=1, rate=1e30))
    assert fit_to(model, window(30), replace(HOW, steps=3, rate=1e30)) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps of self-adaptation are 0, must be at least 1"),
        ({"rate": 0.0}, "rate of self-adaptation is 0.0, must be > 0"),
        ({"entropy": 1.5}, "from 0 to 1, got 1.5"),
        ({"temperature": -1.0}, "temperature of self-adaptation is -1.0, must be > 0"),
    ],
)
def test_settings_that_make_no_sense(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(HOW, **change)  # type: ignore[arg-type]
