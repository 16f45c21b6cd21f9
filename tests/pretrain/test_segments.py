"""What objectives of segments share: cutting, pooling, silence, distances, and classes that are not known."""

import pytest
import torch

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.objective import Views
from earful.pretrain.segments import (
    Embedder,
    Pool,
    SegmentSettings,
    audible,
    cut,
    distances,
    mean_where,
    same_class,
    segments_of,
)

SMALL = {"hidden": 8, "size": 4}


def encoder() -> Encoder:
    config = EncoderConfig("transformer", bins=6, width=8, layers=1, heads=2, dropout=0.0, subsampling=2)
    return build_encoder(config, torch.Generator().manual_seed(0))


def heard(classes: list[int] | None = None) -> Views:
    """Three clips of 40, 24 and 30 frames, their other augmentation 4 frames shorter."""
    frames_2BFM = torch.randn(2, 3, 40, 6, generator=torch.Generator().manual_seed(3))
    counts_B, class_B = torch.tensor([40, 24, 30]), torch.tensor(classes or [0, 1, 2])
    return Views(frames_2BFM[0], counts_B, frames_2BFM[1], counts_B - 4, classes_BC=class_B[:, None].repeat(1, 4))


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (20, 10, [10, 10]),
        (24, 10, [10, 10]),
        (25, 10, [10, 10, 5]),
        (3, 10, [3]),
        (8, 5, [5, 3]),
        (7, 5, [5]),
        (13, 0, [13]),
        (0, 10, []),
        (0, 0, []),
        (3, 1, [1, 1, 1]),
    ],
)
@pytest.mark.parametrize("padding", [0, 7])
def test_cut_keeps_a_rest_of_half_a_segment(count: int, size: int, expected: list[int], padding: int) -> None:
    hidden_BFD = torch.arange(2.0 * (25 + padding)).view(2, -1, 1).repeat(1, 1, 3)
    hidden_SFD, valid_SF, row_S, place_S = cut(hidden_BFD, torch.tensor([count, 25]), size)
    first_S = row_S == 0
    assert valid_SF[first_S].sum(1).tolist() == expected
    assert place_S[first_S].tolist() == list(range(len(expected)))
    kept = hidden_SFD[first_S][valid_SF[first_S]][:, 0].tolist()
    assert kept == list(range(sum(expected))) and bool((~first_S).any())


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_pooling_is_a_mean_with_weights_and_reads_no_padding(pooling: str) -> None:
    torch.manual_seed(0)
    pool, hidden_SFD = Pool(pooling, 3), torch.randn(2, 5, 3)
    valid_SF = torch.arange(5) < torch.tensor([[5], [2]])
    dirty_SFD = hidden_SFD.masked_fill(~valid_SF[..., None], torch.nan)
    found_SD = pool(dirty_SFD, valid_SF)
    for row, count in enumerate((5, 2)):
        frames_FD = hidden_SFD[row, :count]
        weight_F = torch.ones(count) if pool.score is None else (frames_FD @ pool.score.weight[0]).exp()
        expected_D = (weight_F[:, None] * frames_FD).sum(0) / weight_F.sum()
        torch.testing.assert_close(found_SD[row], expected_D)


def test_silence_is_what_does_not_change() -> None:
    frames_BFM = torch.full((4, 5, 3), 0.7)
    frames_BFM[1, 2, 1] = 0.8
    frames_BFM[2, 4, 1] = 0.8  # in the padding
    assert audible(frames_BFM, torch.tensor([5, 5, 4, 1])).tolist() == [False, True, False, False]


def test_distances_are_exact_and_zero_has_a_gradient() -> None:
    first_SE = (1000 + 1e-3 * torch.randn(40, 6, generator=torch.Generator().manual_seed(0))).requires_grad_()
    expected_SS = (first_SE.detach().double()[:, None] - first_SE.detach().double()).square().sum(2).sqrt()
    found_SS = distances(first_SE, first_SE)
    torch.testing.assert_close(found_SS.detach().double(), expected_SS, rtol=1e-5, atol=1e-9)
    found_SS.sum().backward()
    assert first_SE.grad is not None and bool(first_SE.grad.isfinite().all())
    assert distances(first_SE[:0], first_SE).shape == (0, 40)


def test_masks_of_classes() -> None:
    same_SS, different_SS = same_class(torch.tensor([4, 2, 4]))
    assert same_SS.nonzero().tolist() == [[0, 2], [2, 0]]
    assert different_SS.nonzero().tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]


def test_the_mean_of_nothing_is_zero_with_a_gradient() -> None:
    x = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    assert float(mean_where(x.detach(), torch.tensor([True, False, True]))) == 3.5
    nothing = mean_where(x, torch.zeros(3, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(nothing, x)
    assert float(nothing.detach()) == 0 and not gradient.any()


def test_segments_of_clips_are_those_of_both_augmentations() -> None:
    settings = SegmentSettings(classes="clip", segment_frames=4, **SMALL)
    found = segments_of(Embedder(settings, 8), encoder(), heard(), settings)
    # 20, 12 and 15 hidden frames in the first; 18, 10 and 13 in the second
    assert found.row_S.tolist() == [0] * 5 + [1] * 3 + [2] * 4 + [0] * 5 + [1] * 3 + [2] * 3
    assert found.view_S.tolist() == [0] * 12 + [1] * 11 and torch.equal(found.class_S, found.row_S)


@pytest.mark.parametrize(("classes", "column"), [("clip", 0), ("speaker", 1), ("language", 2), ("word", 3)])
def test_classes_are_those_of_the_settings_and_unknown_ones_are_left_out(classes: str, column: int) -> None:
    settings, batch = SegmentSettings(classes=classes, segment_frames=0, **SMALL), heard()
    assert batch.classes_BC is not None
    batch.classes_BC.fill_(7)
    batch.classes_BC[:, column] = torch.tensor([3, -1, 5])
    found = segments_of(Embedder(settings, 8), encoder(), batch, settings)
    assert found.class_S.tolist() == [3, 5] * (2 if classes == "clip" else 1)
    assert settings.needs == ({"classes", "other"} if classes == "clip" else {"classes"})


def test_embeddings_are_those_of_the_clip_alone() -> None:
    settings, batch, model = SegmentSettings(classes="word", segment_frames=5, **SMALL), heard(), encoder()
    embedder = Embedder(settings, 8)
    found = segments_of(embedder, model, batch, settings)
    hidden_BFD, _ = model(batch.frames_BFM[1:2, :24], torch.tensor([24]))
    expected_SE = [embedder.project(hidden_BFD[0, begin:end].mean(0)) for begin, end in ((0, 5), (5, 10))]
    torch.testing.assert_close(found.where(found.row_S == 1).embedded_SE, torch.stack(expected_SE))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": "dog"}, "classes is 'dog', must be one of clip, speaker, language, word"),
        ({"segment_frames": -1}, "segment_frames is -1"),
        ({"pooling": "max"}, "pooling is 'max', must be one of mean, attention"),
        ({"size": 0}, "hidden and size must be at least 1, got 128 and 0"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SegmentSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["classes_BC", "other_BFM", "other_counts_B"])
def test_a_batch_without_what_is_needed_is_refused(missing: str) -> None:
    settings = SegmentSettings(**SMALL)
    with pytest.raises(ConfigError, match=f"the objective needs {missing}, but the batch has none"):
        segments_of(Embedder(settings, 8), encoder(), heard()._replace(**{missing: None}), settings)
