import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from earful.encoder.encoder import EncoderConfig
from earful.encoder.recurrent import RecurrentLayer, mirror, reversal


def test_reversal_turns_an_item_within_its_length() -> None:
    index_BF = reversal(torch.tensor([3, 5, 0]), 5)
    assert index_BF.tolist() == [[2, 1, 0, 3, 4], [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]]


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_mirror_twice_changes_nothing(counts: list[int]) -> None:
    hidden_BFD, index_BF = torch.randn(len(counts), 9, 2), reversal(torch.tensor(counts), 9)
    assert torch.equal(mirror(mirror(hidden_BFD, index_BF), index_BF), hidden_BFD)


@pytest.mark.parametrize(("kind", "cell"), [("bigru", nn.GRU), ("bilstm", nn.LSTM)])
def test_both_directions_are_those_of_a_packed_bidirectional_layer(
    kind: str, cell: type[nn.GRU] | type[nn.LSTM]
) -> None:
    torch.manual_seed(0)
    layer = RecurrentLayer(EncoderConfig(kind=kind, width=4)).eval()
    reference = cell(4, 4, batch_first=True, bidirectional=True)
    weights: dict[str, Tensor] = dict(layer.onward.state_dict())
    weights |= {f"{name}_reverse": value for name, value in layer.backward_in_time.state_dict().items()}
    reference.load_state_dict(weights)

    hidden_BFD, counts_B = torch.randn(3, 7, 4), torch.tensor([7, 4, 1])
    packed = pack_padded_sequence(layer.norm(hidden_BFD), counts_B, batch_first=True)
    both_BFD, _ = pad_packed_sequence(reference(packed)[0], batch_first=True)
    expected_BFD = hidden_BFD + layer.project(both_BFD)
    mixed_BFD = layer(hidden_BFD, reversal(counts_B, 7))
    for item, count in enumerate(counts_B.tolist()):
        torch.testing.assert_close(mixed_BFD[item, :count], expected_BFD[item, :count])
