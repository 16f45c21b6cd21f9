"""CPC: the loss by a plain loop, no glance past a cut, and which of the encoder learns."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.contrast import others
from earful.pretrain.cpc import Cpc, CpcSettings
from earful.pretrain.objective import Views

WIDTH, BINS = 16, 20
SMALL = CpcSettings(steps=3, cuts=2, past=4, distractors=5)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def objective(settings: CpcSettings = SMALL) -> Cpc:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Cpc(settings, WIDTH)


def encoder(kind: str = "bigru", subsampling: int = 2) -> Encoder:
    config = EncoderConfig(
        kind, bins=BINS, width=WIDTH, layers=1, heads=2, kernel=3, dropout=0.0, subsampling=subsampling
    )
    return build_encoder(config, seeded(0))


def speech(counts: list[int], seed: int = 0) -> Views:
    return Views(torch.randn(len(counts), max(counts), BINS, generator=seeded(seed)), torch.tensor(counts))


def test_the_loss_is_that_of_a_plain_loop() -> None:
    """Clip by clip, cut by cut, step by step; the second clip is too short for all steps, the third for any."""
    model, net, heard = objective(), encoder(), speech([40, 12, 7])
    found = model(net, heard, seeded(9))

    generator = seeded(9)
    local_BFD, counts_B, _ = net.subsample(heard.frames_BFM, heard.frame_counts_B)
    assert counts_B.tolist() == [20, 6, 4]
    cuts_BC = model.cuts(counts_B, generator)
    told = [
        (clip, int(cut), k)
        for clip in range(2)
        for cut in cuts_BC[clip]
        for k in range(SMALL.steps)
        if cut + k < counts_B[clip]
    ]
    own_N = torch.tensor([cut + k for _, cut, k in told])
    drawn_NK = others(own_N, torch.tensor([int(counts_B[clip]) for clip, _, _ in told]), SMALL.distractors, generator)
    losses, right = [], 0
    for (clip, cut, k), row in zip(told, drawn_NK.tolist(), strict=True):
        hidden_BFD, _ = net(heard.frames_BFM[clip : clip + 1, : 2 * cut], torch.tensor([2 * cut]))
        summary_D = model.summary(hidden_BFD)[1][0, 0]
        step_DD = model.ahead.weight[k * WIDTH : (k + 1) * WIDTH]
        candidates_CD = functional.layer_norm(local_BFD[clip, [cut + k, *row]], (WIDTH,))
        scores_C = candidates_CD @ step_DD @ summary_D / math.sqrt(WIDTH)
        losses.append(functional.cross_entropy(scores_C[None], torch.tensor([0])))
        right += bool(scores_C[0] > scores_C[1:].max())
    assert len(told) == 2 * 3 + 2 * 2
    torch.testing.assert_close(found.losses["contrastive"], torch.stack(losses).mean(), rtol=1e-5, atol=1e-5)
    assert found.facts["accuracy"] == pytest.approx(right / len(told))


@pytest.mark.parametrize("kind", ["conformer", "bilstm"])
@pytest.mark.parametrize("subsampling", [2, 3, 4])
def test_no_prediction_sees_past_its_cut(kind: str, subsampling: int) -> None:
    model, net, heard = objective(), encoder(kind, subsampling), speech([60])
    cuts_BC = torch.tensor([[5, 8]])
    expected_BPD = model.predict(net, heard, cuts_BC)

    def predicted(changed: int) -> torch.Tensor:
        frames_BFM = heard.frames_BFM.clone()
        frames_BFM[:, changed] += 1 + torch.arange(BINS)
        return model.predict(net, heard._replace(frames_BFM=frames_BFM), cuts_BC)

    torch.testing.assert_close(predicted(8 * subsampling), expected_BPD)
    between_BPD = predicted(5 * subsampling)
    torch.testing.assert_close(between_BPD[:, : SMALL.steps], expected_BPD[:, : SMALL.steps])
    assert not torch.allclose(between_BPD[:, SMALL.steps :], expected_BPD[:, SMALL.steps :])
    assert not torch.allclose(predicted(5 * subsampling - 1)[:, : SMALL.steps], expected_BPD[:, : SMALL.steps])


class AsTheyAre(nn.Module):
    """In the place of mean subtraction, by which every frame touches every other."""

    def forward(self, frames_BFM: torch.Tensor, valid_BF: torch.Tensor) -> torch.Tensor:
        return frames_BFM


@pytest.mark.parametrize(("subsampling", "shared"), [(2, 3), (3, 4), (4, 3)])
def test_how_much_the_first_frame_after_a_cut_shares_with_the_past(subsampling: int, shared: int) -> None:
    """The docstring says: up to four input frames."""
    net = encoder(subsampling=subsampling)
    frames_BFM = torch.zeros(1, 60, BINS, requires_grad=True)
    net.subsample.normalise = AsTheyAre()
    local_BFD, _, _ = net.subsample(frames_BFM, torch.tensor([60]))
    (slope_BFM,) = torch.autograd.grad(local_BFD[0, 6].sum(), frames_BFM)
    assert int(slope_BFM[0].any(-1)[: 6 * subsampling].sum()) == shared


@pytest.mark.parametrize("kind", ["conformer", "transformer", "bigru", "bilstm"])
def test_all_of_the_encoder_learns(kind: str) -> None:
    net = encoder(kind)
    objective()(net, speech([80, 60]), seeded(0)).losses["contrastive"].backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


def test_by_chance_it_is_the_logarithm_of_the_candidates() -> None:
    model = objective()
    with torch.no_grad():
        model.ahead.weight.zero_()
    found = model(encoder(), speech([80, 60]), seeded(0))
    assert found.losses["contrastive"].item() == pytest.approx(math.log(1 + SMALL.distractors))
    assert found.facts == {"accuracy": 0.0}


def test_cuts_leave_a_past_and_a_future() -> None:
    model = objective(CpcSettings(steps=3, cuts=500, past=4))
    cuts_BC = model.cuts(torch.tensor([10, 6, 4, 1]), seeded(0))
    assert [sorted(set(row.tolist())) for row in cuts_BC] == [[4, 5, 6, 7], [4], [4], [1]]


def test_clips_no_longer_than_a_past_teach_nothing() -> None:
    found = objective()(encoder(), speech([8, 3]), seeded(0))
    assert found.losses["contrastive"].item() == 0 and found.losses["contrastive"].requires_grad and found.facts == {}


def test_the_same_seed_is_the_same_loss() -> None:
    model, net, heard = objective(), encoder(), speech([80, 60])
    first, again, other = (model(net, heard, seeded(seed)).losses["contrastive"] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("key", ["steps", "cuts", "past", "distractors"])
def test_settings_that_cannot_be(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} is 0, must be at least 1"):
        CpcSettings(**{key: 0})
