import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.encoder.attention import SelfAttention, layout, rotate, rotation


def all_valid(frames: int, batch: int = 1) -> torch.Tensor:
    return torch.ones(batch, frames, dtype=torch.bool)


def test_agrees_with_scaled_dot_product_attention() -> None:
    torch.manual_seed(0)
    attention, hidden_BFD = SelfAttention(12, 3), torch.randn(2, 7, 12)
    valid_BF = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    batch_layout = layout(valid_BF, 4, torch.float32)
    query, key, value = attention.project_in(hidden_BFD).view(2, 7, 3, 3, 4).permute(2, 0, 3, 1, 4)
    cosine, sine = batch_layout.cosine_F1E.squeeze(1), batch_layout.sine_F1E.squeeze(1)
    mixed_BHFE = F.scaled_dot_product_attention(
        rotate(query, cosine, sine), rotate(key, cosine, sine), value, attn_mask=valid_BF[:, None, None, :]
    )
    expected_BFD = attention.project_out(mixed_BHFE.transpose(1, 2).reshape(2, 7, 12))
    torch.testing.assert_close(attention(hidden_BFD, batch_layout), expected_BFD)


@settings(max_examples=30, deadline=None)
@given(distance=st.integers(0, 50), start=st.integers(0, 5000), other=st.integers(0, 5000))
def test_scores_depend_on_distance_alone(distance: int, start: int, other: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query_E = torch.randn(8, generator=generator, dtype=torch.float64)
    key_E = torch.randn(8, generator=generator, dtype=torch.float64)
    cosine_FE, sine_FE = rotation(5051, 8, torch.device("cpu"))

    def score(position: int) -> torch.Tensor:
        ahead = position + distance
        turned_query_E = rotate(query_E, cosine_FE[ahead], sine_FE[ahead])
        return turned_query_E @ rotate(key_E, cosine_FE[position], sine_FE[position])

    torch.testing.assert_close(score(start), score(other))


def test_rotation_keeps_lengths_and_does_nothing_at_zero() -> None:
    x_FE = torch.randn(20, 6, dtype=torch.float64)
    turned_FE = rotate(x_FE, *rotation(20, 6, torch.device("cpu")))
    torch.testing.assert_close(turned_FE.norm(dim=1), x_FE.norm(dim=1))
    assert torch.equal(turned_FE[0], x_FE[0])
    assert not torch.allclose(turned_FE[1], x_FE[1])


def test_order_matters() -> None:
    torch.manual_seed(0)
    attention, hidden_BFD = SelfAttention(8, 2), torch.randn(1, 6, 8)
    mixed_BFD = attention(hidden_BFD, layout(all_valid(6), 4, torch.float32))
    swapped_BFD = attention(hidden_BFD[:, [1, 0, 2, 3, 4, 5]], layout(all_valid(6), 4, torch.float32))
    assert not torch.allclose(mixed_BFD[0, 5], swapped_BFD[0, 5], atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_an_item_without_frames_gives_no_nan(dtype: torch.dtype) -> None:
    attention = SelfAttention(8, 2).to(dtype)
    valid_BF = torch.tensor([[True, True, True], [False, False, False]])
    mixed_BFD = attention(torch.randn(2, 3, 8, dtype=dtype), layout(valid_BF, 4, dtype))
    assert bool(mixed_BFD.isfinite().all())
