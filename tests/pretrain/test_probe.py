"""The probe tells what is linearly there, and nothing where there is nothing; it leaves no trace on the model."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.data.manifest import read_manifest, write_manifest
from earful.encoder.build import build_encoder
from earful.encoder.encoder import EncoderConfig
from earful.errors import ManifestError
from earful.model import AcousticModel, ModelConfig
from earful.pretrain import probe
from earful.pretrain.dataset import UNKNOWN, Dataset
from earful.pretrain.probe import fit_probe, labelled_frames, open_probe, phone_accuracy, spread
from earful.text.alphabet import Alphabet

NO_LETTERS = Alphabet((" ",))


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


@pytest.fixture
def model() -> AcousticModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ModelConfig(NO_LETTERS, encoder=EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7))
        return AcousticModel(config)


def test_a_probe_of_a_manifest(
    spoken: Path, model: AcousticModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_probe(spoken, model, tmp_path)
    assert sorted([*made.learn, *made.test]) == list(range(12)) and len(made.learn) == 6
    rows, phones = labelled_frames(model, made.dataset, made.test)
    share = float((phones == phones.mode().values).float().mean())
    assert made.accuracy(model) > share and len(rows) > 100
    heard = list[int]()
    again = open_probe(spoken, model, tmp_path, lambda done, total: heard.append(done))
    assert again.accuracy(model) == made.accuracy(model) and not heard  # the features were there
    monkeypatch.setattr(probe, "PROBED", 4)
    few = open_probe(spoken, model, tmp_path)
    assert [u.id for u in few.dataset.utterances] == [u.id for u in made.dataset.utterances[:4]]


def test_a_manifest_that_is_no_probe(spoken: Path, model: AcousticModel, tmp_path: Path) -> None:
    untimed = [replace(u, extra={}) for u in read_manifest(spoken)]
    write_manifest(tmp_path / "untimed.jsonl", [*untimed[1:], read_manifest(spoken)[0]])
    with pytest.raises(ManifestError, match=r"1 clips have the times of their phones.*earful corpus speak"):
        open_probe(tmp_path / "untimed.jsonl", model, tmp_path)


def test_a_look_changes_nothing(spoken: Path, model: AcousticModel, tmp_path: Path) -> None:
    made = open_probe(spoken, model, tmp_path)
    model.train()
    model.heads.eval()  # whatever mode a module is in
    modes, before = [m.training for m in model.modules()], {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    made.accuracy(model)
    spread(model.encoder, torch.randn(2, 40, 80, generator=torch.Generator().manual_seed(0)), torch.tensor([40, 30]))
    assert [m.training for m in model.modules()] == modes and torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(("kind", "least"), [("conformer", 0.05), ("transformer", 1e-5), ("bigru", 0.5)])
def test_hidden_frames_differ_unless_they_have_collapsed(kind: str, least: float) -> None:
    """Of equal local frames a convolution still hears where the clip ends, a recurrent encoder how it began."""
    encoder = build_encoder(EncoderConfig(kind, 20, 16, 1, 2, 3), torch.Generator().manual_seed(0))
    frames = torch.randn(3, 40, 20, generator=torch.Generator().manual_seed(1))
    counts = torch.tensor([40, 40, 24])
    alive = spread(encoder, frames, counts)
    assert alive is not None and alive > 0.6
    dirty = torch.where((torch.arange(40) < counts[:, None])[..., None], frames, 1e3)
    assert spread(encoder, dirty, counts) == pytest.approx(alive, rel=1e-3)
    with torch.no_grad():
        for parameter in encoder.subsample.parameters():
            parameter.zero_()  # all local frames are the same
    dead = spread(encoder, frames, counts)
    assert dead is not None and dead < least


def test_what_says_nothing_of_hidden_frames() -> None:
    encoder = build_encoder(EncoderConfig("conformer", 20, 16, 1, 2, 3), torch.Generator().manual_seed(0))
    noise, silence = torch.randn(40, 20, generator=torch.Generator().manual_seed(2)), torch.zeros(40, 20)
    assert spread(encoder, silence[None], torch.tensor([40])) is None
    assert spread(encoder, noise[None], torch.tensor([1])) is None
    both = spread(encoder, torch.stack([silence, noise]), torch.tensor([40, 40]))
    assert both == pytest.approx(spread(encoder, noise[None], torch.tensor([40])), rel=1e-2)
