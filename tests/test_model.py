"""The acoustic model and its loss as a pure function."""

import itertools

import pytest
import torch
from torch import Tensor

from earful.ctc.loss import ctc_loss
from earful.data.batch import Example, collate
from earful.encoder.encoder import EncoderConfig
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.model import PHONE_FRAMES, PHONES, TEXT, AcousticModel, ModelConfig, fast_arithmetic, loss_of, parameters_of
from earful.text.alphabet import Alphabet

LETTERS, IPA = Alphabet(tuple("abc")), Alphabet(("a", "b", "tʃ", "x"))


def config_of(subsampling: int = 4, upsampling: int = 2) -> ModelConfig:
    encoder = EncoderConfig("conformer", width=16, layers=1, heads=2, kernel=5, dropout=0.0, subsampling=subsampling)
    return ModelConfig(LETTERS, IPA, encoder=encoder, upsampling=upsampling)


@pytest.fixture
def model() -> AcousticModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AcousticModel(config_of())


def batch_of(*lengths: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return collate([Example(torch.randn(n, 80, generator=generator), (1, 2, 1)) for n in lengths])


@pytest.mark.parametrize(("subsampling", "upsampling"), list(itertools.product((2, 3, 4), (1, 2, 3))))
def test_output_frames(subsampling: int, upsampling: int) -> None:
    config = config_of(subsampling, upsampling)
    model = AcousticModel(config).eval()
    counts = [0, 1, 2, 3, 4, 5, 11, 12, 13, 50]
    output_BFV, counts_B = model(torch.randn(len(counts), 50, 80), torch.tensor(counts))
    assert counts_B.tolist() == [config.output_count(count) for count in counts]
    assert output_BFV.shape == (len(counts), config.output_count(50), LETTERS.size)
    assert config.output_hop_s == pytest.approx(0.01 * subsampling / upsampling)


def test_heads(model: AcousticModel) -> None:
    frames, counts, *_ = batch_of(30)
    for head, size in ((TEXT, LETTERS.size), (PHONES, IPA.size), (PHONE_FRAMES, IPA.size)):
        logp_BFV, _ = model(frames, counts, head)
        assert logp_BFV.shape[-1] == size
        torch.testing.assert_close(logp_BFV.exp().sum(-1), torch.ones(logp_BFV.shape[:2]))
    assert set(AcousticModel(ModelConfig(LETTERS, encoder=config_of().encoder)).heads) == {TEXT}


def test_the_loss_is_a_function_of_its_parameters(model: AcousticModel) -> None:
    loss, params, batch = loss_of(model), parameters_of(model), batch_of(40, 25)
    before = parameters_of(model)
    value = loss(params, batch)
    assert torch.equal(value, loss(params, batch))
    louder = {name: 1.5 * tensor for name, tensor in params.items()}
    assert not torch.equal(loss(louder, batch), value)
    assert torch.equal(loss(params, batch), value)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.named_parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_loss_is_ctc_of_the_text_head(model: AcousticModel) -> None:
    batch = batch_of(40, 25)
    logp_BFV, counts_B = model(batch[0], batch[1])
    expected = ctc_loss(logp_BFV.transpose(0, 1), batch[2], counts_B, batch[3])
    torch.testing.assert_close(loss_of(model)(parameters_of(model), batch), expected)


def test_symbols_that_do_not_compete_stay(model: AcousticModel) -> None:
    batch = collate([Example(torch.randn(40, 80), (2, 1)), Example(torch.randn(32, 80), (2,))])
    logp_BFV, counts_B = model(batch[0], batch[1])
    without = logp_BFV[..., :3].log_softmax(-1)
    expected = ctc_loss(without.transpose(0, 1), batch[2], counts_B, batch[3])
    leaves = {name: tensor.requires_grad_() for name, tensor in parameters_of(model).items()}
    value = loss_of(model, among=[2, 1])(leaves, batch)
    torch.testing.assert_close(value, expected)
    (grad_VD,) = torch.autograd.grad(value, [leaves["heads.text.weight"]])
    assert grad_VD[:3].any(1).all() and not grad_VD[3:].any()
    other = collate([Example(torch.randn(40, 80), (3, 1))])
    (grad_VD,) = torch.autograd.grad(loss_of(model, among=[3, 1])(leaves, other), [leaves["heads.text.weight"]])
    assert grad_VD.any(1).tolist() == [place in (0, 1, 3) for place in range(len(grad_VD))]


@pytest.mark.parametrize(("head", "idle"), [(TEXT, "heads.phone"), (PHONES, "heads.text")])
def test_the_gradient_reaches_all_that_takes_part(model: AcousticModel, head: str, idle: str) -> None:
    leaves = {name: tensor.requires_grad_() for name, tensor in parameters_of(model).items()}
    value = loss_of(model, head)(leaves, batch_of(40, 25))
    grads = dict(zip(leaves, torch.autograd.grad(value, list(leaves.values()), allow_unused=True), strict=True))
    for name, grad in grads.items():
        other = name.startswith("heads.") and not name.startswith(f"heads.{head}.")
        assert (grad is None) == other, name
        assert grad is None or bool(torch.isfinite(grad).all())
    reached = [name for name, grad in grads.items() if grad is not None and grad.any()]
    assert {"encoder.subsample.first.weight", "upsample.expand.weight", f"heads.{head}.weight"} <= set(reached)
    assert not any(name.startswith(idle) for name in reached)


def test_a_transcript_that_the_clip_cannot_carry_counts_nothing(model: AcousticModel) -> None:
    short = collate([Example(torch.randn(4, 80), (1, 2, 1, 2, 1, 2))])
    assert loss_of(model)(parameters_of(model), short) == 0.0


def test_parameters_are_copies(model: AcousticModel) -> None:
    params = parameters_of(model)
    params["upsample.expand.bias"] += 1
    assert not torch.equal(params["upsample.expand.bias"], model.upsample.expand.bias)
    assert not any(tensor.requires_grad for tensor in params.values())


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bfloat16_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch, has: bool, dtype: torch.dtype) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    with fast_arithmetic():
        assert (torch.ones(4, 4) @ torch.ones(4, 4)).dtype == dtype


def test_configurations_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="upsampling is 5"):
        ModelConfig(LETTERS, upsampling=5)
    with pytest.raises(ConfigError, match="takes 80 bins, the features give 40"):
        ModelConfig(LETTERS, features=FbankConfig(bins=40))
