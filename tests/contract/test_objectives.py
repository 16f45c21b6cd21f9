"""Every self-supervised objective through the same checks; `OBJECTIVES` makes a small one of each by its name."""

from collections.abc import Callable

import pytest
import torch

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.pretrain.best_rq import BestRq, BestRqSettings
from earful.pretrain.cpc import Cpc, CpcSettings
from earful.pretrain.denoise import Denoise, DenoiseSettings
from earful.pretrain.hubert import Hubert, HubertSettings
from earful.pretrain.objective import Found, Objective, Views
from earful.pretrain.prototypical import Prototypical, PrototypicalSettings
from earful.pretrain.siamese import Siamese, SiameseSettings
from earful.pretrain.simclr import SimCLR, SimCLRSettings
from earful.pretrain.triplet import Triplet, TripletSettings
from earful.pretrain.wav2vec2 import Wav2Vec2, Wav2Vec2Settings

BINS, WIDTH, SUBSAMPLING = 20, 16, 2

OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "wav2vec2": lambda: Wav2Vec2(Wav2Vec2Settings(entries=8, code_width=16), WIDTH),
    "cpc": lambda: Cpc(CpcSettings(), WIDTH),
    "simclr": lambda: SimCLR(SimCLRSettings(hidden=16, size=8), WIDTH),
    "siamese": lambda: Siamese(SiameseSettings(hidden=16, size=8, segment_frames=4), WIDTH),
    "siamese by class": lambda: Siamese(SiameseSettings(hidden=16, size=8, positives="class"), WIDTH),
    "triplet": lambda: Triplet(TripletSettings(hidden=16, size=8), WIDTH),
    "prototypical": lambda: Prototypical(PrototypicalSettings(hidden=16, size=8), WIDTH),
    "hubert": lambda: Hubert(HubertSettings(units=8, code_width=16), WIDTH),
    "best_rq": lambda: BestRq(BestRqSettings(codes=16), BINS, WIDTH, SUBSAMPLING),
    "denoise": lambda: Denoise(DenoiseSettings(), BINS, WIDTH, SUBSAMPLING),
}
"""name → maker, for WIDTH-wide encoders on BINS bins at SUBSAMPLING."""


def encoder() -> Encoder:
    config = EncoderConfig(
        "conformer", bins=BINS, width=WIDTH, layers=1, heads=2, kernel=3, dropout=0.0, subsampling=SUBSAMPLING
    )
    return build_encoder(config, torch.Generator().manual_seed(0))


def made(name: str) -> Objective:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return OBJECTIVES[name]()


def batch(counts: list[int], padding: int = 0, seed: int = 0) -> Views:
    """Noise in the place of speech: as many clips as counts; two speakers, one language."""
    generator = torch.Generator().manual_seed(seed)
    size, clips = max(counts) + padding, len(counts)
    counts_B = torch.tensor(counts)
    valid_BF1 = (torch.arange(size) < counts_B[:, None])[..., None]

    def frames() -> torch.Tensor:  # the same numbers under any padding
        rows = [torch.randn(count, BINS, generator=generator) for count in counts]
        return torch.nn.functional.pad(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), (0, 0, 0, padding))

    units = torch.full((clips, -(-size // SUBSAMPLING)), -1)
    for row, count in zip(units, counts, strict=True):
        hidden = -(-count // SUBSAMPLING)
        row[:hidden] = torch.randint(8, (hidden,), generator=generator)
    classes_BC = torch.stack(
        [torch.arange(clips), torch.arange(clips) % 2, torch.zeros(clips).long(), torch.full((clips,), -1)], 1
    )
    return Views(
        frames() * valid_BF1, counts_B, frames() * valid_BF1, counts_B, frames() * valid_BF1, classes_BC, units
    )


def found(objective: Objective, model: Encoder, heard: Views, seed: int = 0) -> Found:
    return objective(model, heard, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_are_finite_scalars_and_the_seeds(name: str) -> None:
    objective, model, heard = made(name), encoder(), batch([60, 45, 52, 60])
    first, again, other = (found(objective, model, heard, seed) for seed in (0, 0, 1))
    assert first.losses and all(value.shape == () and bool(value.isfinite()) for value in first.losses.values())
    assert all(torch.equal(value, again.losses[key]) for key, value in first.losses.items())
    assert other.losses.keys() == first.losses.keys()
    assert all(isinstance(fact, float) for fact in first.facts.values())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_padding_is_not_read(name: str) -> None:
    objective, model = made(name), encoder()
    tight, loose = batch([60, 45, 52]), batch([60, 45, 52], padding=14)
    dirty = loose._replace(
        **{
            key: torch.where((torch.arange(74) < loose.frame_counts_B[:, None])[..., None], getattr(loose, key), 1e3)
            for key in ("frames_BFM", "other_BFM", "clean_BFM")
        }
    )
    expected = found(objective, model, tight).losses
    for heard in (loose, dirty):
        for key, value in found(objective, model, heard).losses.items():
            torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("counts", [[60], [1], [1, 2, 1], [3, 60]])
def test_what_teaches_nothing_does_no_harm(name: str, counts: list[int]) -> None:
    objective, model = made(name), encoder()
    for heard in (batch(counts), batch(counts)._replace(frames_BFM=torch.zeros(len(counts), max(counts), BINS))):
        losses = found(objective, model, heard).losses
        assert all(bool(value.isfinite()) for value in losses.values())
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        grads = [p.grad for module in (objective, model) for p in module.parameters() if p.grad is not None]
        assert all(bool(grad.isfinite().all()) for grad in grads)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_weight_can_learn_and_no_buffer_moves(name: str) -> None:
    objective, model = made(name), encoder()
    before = {key: value.clone() for key, value in objective.named_buffers()}
    for seed in range(3):
        losses = found(objective, model, batch([60, 45, 52, 60, 38, 41], seed=seed), seed).losses
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
    still = [key for key, p in objective.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert not still, f"no gradient: {still}"
    assert sum(bool(p.grad is not None and p.grad.any()) for p in model.parameters()) > 10
    assert all(torch.equal(value, before[key]) for key, value in objective.named_buffers())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_it_learns_something_and_does_not_collapse(name: str) -> None:
    """On a few fixed clips the losses fall, and hidden frames stay apart."""
    objective, model, heard = made(name), encoder(), batch([60, 45, 52, 60])
    optimiser = torch.optim.Adam([*objective.parameters(), *model.parameters()], lr=6e-3)

    def total(seed: int) -> torch.Tensor:
        return torch.stack(list(found(objective, model, heard, seed).losses.values())).sum()

    with torch.no_grad():
        before = sum(float(total(seed)) for seed in range(1000, 1010))
    for step in range(75):
        optimiser.zero_grad()
        torch.autograd.backward(total(step))
        optimiser.step()
        objective.after_step(step + 1, 75)
    with torch.no_grad():
        after = sum(float(total(seed)) for seed in range(1000, 1010))
        hidden_BFD, _ = model(heard.frames_BFM, heard.frame_counts_B)
    assert after < before
    assert float(hidden_BFD[0].std(0).mean()) > 0.05, "all frames came out alike"
