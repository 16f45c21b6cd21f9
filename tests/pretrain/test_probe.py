"""The probe tells what is linearly there, and nothing where there is nothing."""

import pytest
import torch

from earful.encoder.encoder import EncoderConfig
from earful.model import AcousticModel, ModelConfig
from earful.pretrain.dataset import UNKNOWN, Dataset
from earful.pretrain.probe import fit_probe, labelled_frames, phone_accuracy


def clusters(count: int, spread: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    phones = torch.randint(4, (count,), generator=generator)
    means = 5 * torch.randn(4, 6, generator=torch.Generator().manual_seed(9)) + 100  # far from zero, of any scale
    return means[phones] + spread * torch.randn(count, 6, generator=generator), phones


@pytest.mark.parametrize(("spread", "least", "most"), [(0.1, 1.0, 1.0), (1000.0, 0.15, 0.35)])
def test_it_tells_what_is_there(spread: float, least: float, most: float) -> None:
    probe = fit_probe(*clusters(400, spread, 0), 4)
    rows, phones = clusters(400, spread, 1)
    assert least <= float((probe.logits(rows).argmax(1) == phones).float().mean()) <= most


def test_it_is_the_minimum_of_the_penalised_loss() -> None:
    rows, phones = clusters(300, 3.0, 0)
    probe = fit_probe(rows, phones, 4, penalty=1e-2)
    weight = probe.weight_PD.clone().requires_grad_()
    x = (rows - probe.mean_D) * probe.scale_D
    loss = torch.nn.functional.cross_entropy(x @ weight.T + probe.bias_P, phones) + 1e-2 * weight.square().sum()
    (slope,) = torch.autograd.grad(loss, weight)
    assert float(slope.abs().max()) < 1e-3


def test_frames_of_clips_and_their_phones(dataset: Dataset) -> None:
    encoder = EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7, dropout=0.5)
    config = ModelConfig(dataset.alphabet, dataset.inventory, encoder=encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AcousticModel(config)
    rows, phones = labelled_frames(model, dataset, [0, 1, 2])
    _, labels = dataset.batch([0, 1, 2], config)
    assert len(rows) == len(phones) == int((labels.frames_BF != UNKNOWN).sum()) and not rows.requires_grad
    assert torch.equal(phones, labels.frames_BF[labels.frames_BF != UNKNOWN])
    again, _ = labelled_frames(model.train(), dataset, [0, 1, 2])
    assert torch.equal(rows, again)  # no dropout
    share = float((phones == phones.mode().values).float().mean())
    assert phone_accuracy(model, dataset, range(12), range(12)) > share  # better than always the same phone
