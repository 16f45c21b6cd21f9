import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.errors import ConfigError
from earful.features.mask import SpecAugment, spans, spec_augment

HARSH = SpecAugment(frequency_masks=3, frequency_bins=30, time_masks=5, time_frames=50, time_ratio=0.5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def runs(mask_F: torch.Tensor) -> list[int]:
    """The lengths of the stretches of True."""
    text = "".join("x" if inside else " " for inside in mask_F.tolist())
    return [len(run) for run in text.split()]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 60), min_size=0, max_size=5),
    shortest=st.integers(0, 10),
    extra=st.integers(0, 20),
    seed=st.integers(0, 2**31),
)
def test_one_span_is_of_a_length_allowed_and_within_its_item(
    counts: list[int], shortest: int, extra: int, seed: int
) -> None:
    mask_BF = spans(torch.tensor(counts, dtype=torch.long), 60, 1, shortest, shortest + extra, seeded(seed))
    assert mask_BF.shape == (len(counts), 60)
    for mask_F, count in zip(mask_BF, counts, strict=True):
        assert not mask_F[count:].any()
        lengths = runs(mask_F) or [0]
        assert len(lengths) == 1
        assert min(shortest, count) <= lengths[0] <= min(shortest + extra, count)


def test_items_may_have_their_own_numbers_and_lengths() -> None:
    counts_B = torch.full((3,), 1_000)
    mask_BF = spans(
        counts_B, 1_000, torch.tensor([0, 1, 5]), torch.tensor([9, 7, 3]), torch.tensor([9, 7, 3]), seeded(4)
    )
    assert [runs(mask_F) for mask_F in mask_BF] == [[], [7], [3] * 5]


def test_every_start_and_length_is_equally_likely() -> None:
    mask_BF = spans(torch.full((20_000,), 10), 10, 1, 3, 3, seeded())
    starts = mask_BF.float().argmax(1).bincount(minlength=8) / 20_000
    torch.testing.assert_close(starts, torch.full((8,), 1 / 8), atol=0.01, rtol=0)
    lengths = spans(torch.full((20_000,), 10), 10, 1, 0, 4, seeded(1)).sum(1).bincount(minlength=5) / 20_000
    torch.testing.assert_close(lengths, torch.full((5,), 1 / 5), atol=0.01, rtol=0)


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 90), min_size=1, max_size=4), seed=st.integers(0, 2**31))
def test_masked_values_are_the_items_mean_and_the_rest_is_untouched(counts: list[int], seed: int) -> None:
    frames_BFM = torch.randn(len(counts), 90, 80, generator=seeded(seed))
    masked_BFM = spec_augment(frames_BFM, torch.tensor(counts), HARSH, seeded(seed))
    for before_FM, after_FM, count in zip(frames_BFM, masked_BFM, counts, strict=True):
        assert torch.equal(before_FM[count:], after_FM[count:])
        mean_M = before_FM[:count].mean(0) if count else torch.zeros(80)
        changed_FM = before_FM != after_FM
        torch.testing.assert_close(after_FM[changed_FM], mean_M.expand(90, 80)[changed_FM], atol=1e-5, rtol=1e-4)
        if count:
            rows_F, columns_M = changed_FM[:count].all(1), changed_FM[:count].all(0)
            assert torch.equal(changed_FM[:count], rows_F[:, None] | columns_M)  # whole bands and whole stretches only


def test_a_time_mask_keeps_to_its_share_of_the_item() -> None:
    config = SpecAugment(frequency_masks=0, time_masks=1, time_frames=40, time_ratio=0.2)
    frames_BFM = torch.randn(400, 300, 2, generator=seeded())
    counts_B = torch.tensor([300, 50, 10, 4]).repeat(100)
    changed_BF = (spec_augment(frames_BFM, counts_B, config, seeded()) != frames_BFM).any(2)
    assert changed_BF.sum(1).reshape(100, 4).amax(0).tolist() == [40, 10, 2, 0]


def test_padding_is_not_read_and_gradients_pass() -> None:
    frames_BFM = torch.randn(2, 50, 80, generator=seeded())
    frames_BFM[1, 30:] = float("nan")
    frames_BFM.requires_grad_()
    masked_BFM = spec_augment(frames_BFM, torch.tensor([50, 30]), HARSH, seeded(3))
    assert torch.isfinite(masked_BFM[1, :30]).all()
    masked_BFM[1, :30].sum().backward()
    assert frames_BFM.grad is not None
    assert torch.isfinite(frames_BFM.grad).all() and frames_BFM.grad[1, :30].any() and not frames_BFM.grad[0].any()
    # Masking moves the weight of a value to its mean, so that no weight is lost.
    assert frames_BFM.grad.sum() == pytest.approx(30 * 80, rel=1e-4)


def test_the_generator_alone_decides() -> None:
    frames_BFM, counts_B = torch.randn(3, 60, 80), torch.tensor([60, 40, 20])
    first_BFM, again_BFM, other_BFM = (spec_augment(frames_BFM, counts_B, HARSH, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first_BFM, again_BFM) and not torch.equal(first_BFM, other_BFM)


def test_no_masks_change_nothing() -> None:
    frames_BFM = torch.randn(2, 9, 80)
    none = SpecAugment(frequency_masks=0, time_masks=0)
    assert torch.equal(spec_augment(frames_BFM, torch.tensor([9, 5]), none, seeded()), frames_BFM)


def test_impossible_options() -> None:
    with pytest.raises(ConfigError, match=r"time_ratio is 1\.5"):
        SpecAugment(time_ratio=1.5)
    with pytest.raises(ConfigError, match="0 or more"):
        SpecAugment(time_masks=-1)


def test_of_a_few_cepstra_half_are_left() -> None:
    """Masks that are made for 80 bins would hide all of 13; with 80 bins they are as wide as they were asked for."""
    frames_BFM = torch.randn(400, 10, 13, generator=seeded())
    one = SpecAugment(frequency_masks=1, time_masks=0)
    masked_BFM = spec_augment(frames_BFM, torch.full((400,), 10), one, seeded(1))
    hidden = (masked_BFM != frames_BFM).all(1).sum(1)
    assert int(hidden.max()) == 6
    wide_BFM = torch.randn(400, 10, 80, generator=seeded())
    masked_BFM = spec_augment(wide_BFM, torch.full((400,), 10), one, seeded(1))
    assert int((masked_BFM != wide_BFM).all(1).sum(1).max()) == 27
