import pytest
import torch
import torch.nn.functional as F
from torch import nn

from earful.encoder.build import build_encoder
from earful.encoder.conformer import Conformer
from earful.encoder.encoder import KINDS, Encoder, EncoderConfig
from earful.encoder.recurrent import Recurrent
from earful.encoder.transformer import Transformer


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("conformer", Conformer), ("transformer", Transformer), ("bigru", Recurrent), ("bilstm", Recurrent)],
)
def test_each_kind_builds_its_encoder(kind: str, expected: type[Encoder]) -> None:
    encoder = build_encoder(EncoderConfig(kind=kind, layers=1))
    assert type(encoder) is expected
    assert encoder.width == EncoderConfig().width


@pytest.mark.parametrize("kind", KINDS)
def test_weights_come_from_the_generator(kind: str) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        return build_encoder(EncoderConfig(kind=kind, layers=1), torch.Generator().manual_seed(seed)).state_dict()

    one, same, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert all(not torch.equal(one[name], other[name]) for name in one if one[name].dim() >= 2)


@pytest.mark.parametrize("kind", KINDS)
def test_signal_keeps_its_size_through_a_new_encoder(kind: str) -> None:
    encoder = build_encoder(EncoderConfig(kind=kind), torch.Generator().manual_seed(0)).eval()
    frames_BFM = 3 * torch.randn(1, 80, 80, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        subsampled_BFD, _, _ = encoder.get_submodule("subsample")(frames_BFM, torch.tensor([80]))
        hidden_BFD, _ = encoder(frames_BFM, torch.tensor([80]))
    assert 0.1 < float(subsampled_BFD.std()) < 3
    assert 0.5 < float(hidden_BFD.std()) < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_learns_which_bin_is_loud(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    config = EncoderConfig(kind=kind, bins=8, width=16, layers=2, heads=2, kernel=5, dropout=0.0)
    encoder, head = build_encoder(config, generator), nn.Linear(16, 4)
    optimiser = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=5e-3)
    losses = []
    for _ in range(40):
        class_BF = torch.randint(4, (8, 6), generator=generator)
        frames_BFM = torch.randn(8, 24, 8, generator=generator)
        frames_BFM += 4 * F.one_hot(2 * class_BF, 8).repeat_interleave(4, dim=1)
        hidden_BFD, _ = encoder(frames_BFM, torch.full((8,), 24))
        loss = F.cross_entropy(head(hidden_BFD).transpose(1, 2), class_BF)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
