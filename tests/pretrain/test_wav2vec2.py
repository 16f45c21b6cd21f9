"""wav2vec 2.0: the losses of transformers on the same numbers, small cases worked out, and what is drawn."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.contrast import info_nce, others
from earful.pretrain.masking import Spans, draw_spans
from earful.pretrain.objective import Views
from earful.pretrain.wav2vec2 import Quantiser, Wav2Vec2, Wav2Vec2Settings, diversity_loss, perplexity

WIDTH, BINS = 16, 20
SMALL = Wav2Vec2Settings(distractors=7, entries=24, code_width=8)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def objective(settings: Wav2Vec2Settings = SMALL) -> Wav2Vec2:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Wav2Vec2(settings, WIDTH)


def encoder() -> Encoder:
    return build_encoder(EncoderConfig("bigru", bins=BINS, width=WIDTH, layers=1, dropout=0.0), seeded(0))


def speech(counts: list[int], seed: int = 0) -> Views:
    return Views(torch.randn(len(counts), max(counts), BINS, generator=seeded(seed)), torch.tensor(counts))


def numbers(size: int, seed: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """What a context says of `size` masked frames of one clip, what was there, and distractors."""
    context_ND, local_ND = torch.randn(2, size, WIDTH, generator=seeded(seed))
    drawn_NK = others(torch.arange(size), torch.full((size,), size), SMALL.distractors, seeded(seed))
    return context_ND.requires_grad_(), local_ND.requires_grad_(), drawn_NK


class Hears(nn.Module):
    """Stands for the network below the loss: gives back what it was given."""

    def __init__(self, context_ND: Tensor, local_ND: Tensor) -> None:
        super().__init__()
        self.found = SimpleNamespace(
            last_hidden_state=context_ND[None], extract_features=local_ND[None], hidden_states=None, attentions=None
        )

    def forward(self, *args: object, **named: object) -> SimpleNamespace:
        return self.found


def theirs(ours: Wav2Vec2, hears: Hears) -> Any:
    """`Wav2Vec2ForPreTraining` over these frames, with our weights."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

    settings = ours.settings
    model = Wav2Vec2ForPreTraining(
        Wav2Vec2Config(
            hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, conv_dim=(WIDTH,),
            conv_kernel=(2,), conv_stride=(2,), num_feat_extract_layers=1, num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2, feat_quantizer_dropout=0.0, codevector_dim=settings.code_width,
            proj_codevector_dim=settings.code_width, num_codevector_groups=settings.books,
            num_codevectors_per_group=settings.entries,
            contrastive_logits_temperature=settings.temperature, diversity_loss_weight=settings.diversity,
        )
    )  # fmt: skip
    model.wav2vec2, model.quantizer.temperature = hears, float(ours.gumbel)
    pairs = [
        (model.quantizer.weight_proj, ours.quantiser.logits),
        (model.project_hid, ours.project_context),
        (model.project_q, ours.project_codes),
    ]
    for to, by in pairs:
        to.load_state_dict(by.state_dict())
    model.quantizer.codevectors.data.copy_(ours.quantiser.entries_GVD.data.flatten(0, 1)[None])
    return model.train()


@pytest.mark.parametrize("settings", [SMALL, Wav2Vec2Settings(temperature=0.5, books=4, entries=9, code_width=8)])
def test_losses_and_gradients_are_those_of_transformers(settings: Wav2Vec2Settings) -> None:
    ours, (context_ND, local_ND, drawn_NK) = objective(settings), numbers(10)
    ours.after_step(30, 100)
    found = ours.compare(context_ND, local_ND, drawn_NK, seeded(11))
    quantised = ours.quantiser(local_ND, ours.gumbel, seeded(11))
    assert len(quantised.entries_NG.unique(dim=0)) == 10  # theirs compares rounded codes: let no two be the same
    total = sum(found.losses.values())
    slopes = torch.autograd.grad(total, (context_ND, local_ND))  # type: ignore[arg-type]

    with torch.random.fork_rng(devices=[]):
        model = theirs(ours, Hears(context_ND, local_ND))
        torch.manual_seed(11)  # it draws the same noise as ours
        masked_BF = torch.ones(1, 10, dtype=torch.bool)
        expected = model(torch.zeros(1, 20), mask_time_indices=masked_BF, sampled_negative_indices=drawn_NK[None])
    assert found.losses["contrastive"].item() == pytest.approx(expected.contrastive_loss.item() / 10, abs=1e-5)
    assert found.losses["diversity"].item() == pytest.approx(
        settings.diversity * expected.diversity_loss.item() / 10, abs=1e-5
    )
    assert found.facts["perplexity"] == pytest.approx(expected.codevector_perplexity.item(), rel=1e-5)
    for ours_ND, theirs_ND in zip(slopes, torch.autograd.grad(expected.loss / 10, (context_ND, local_ND)), strict=True):
        torch.testing.assert_close(ours_ND, theirs_ND, rtol=1e-4, atol=1e-5)


def test_diversity_by_hand() -> None:
    uniform_NGV = torch.full((3, 2, 8), 1 / 8)
    one_NGV = torch.zeros(3, 2, 8)
    one_NGV[..., 5] = 1
    halves_NGV = torch.eye(8)[[0, 1]][:, None].expand(2, 2, 8)  # two frames, each sure of another entry
    assert float(diversity_loss(uniform_NGV)) == pytest.approx(0, abs=1e-6)
    assert float(diversity_loss(one_NGV)) == pytest.approx((16 - 2) / 16)
    assert float(perplexity(halves_NGV)) == pytest.approx(4) and float(diversity_loss(halves_NGV)) == 0.75
    one_NGV.requires_grad_()
    assert bool(torch.autograd.grad(diversity_loss(one_NGV), one_NGV)[0].isfinite().all())


def test_info_nce_by_hand() -> None:
    alike = info_nce(torch.zeros(5, 4))
    assert float(alike.loss) == pytest.approx(math.log(4)) and alike.facts == {"accuracy": 0.0}  # a tie is not told
    scores_NC = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
    plain, spared = info_nce(scores_NC), info_nce(scores_NC, torch.tensor([[False, False, True], [False] * 3]))
    first = math.log(2 * math.e + 1) - 1, math.log(math.e + 1) - 1
    second = math.log(1 + math.e + math.exp(-1))
    assert float(plain.loss) == pytest.approx((first[0] + second) / 2) and plain.facts == {"accuracy": 0.0}
    assert float(spared.loss) == pytest.approx((first[1] + second) / 2) and spared.facts == {"accuracy": 0.5}
    none = info_nce(torch.zeros(1, 3), torch.tensor([[False, True, True]]))
    assert float(none.loss) == 0 and none.facts == {"accuracy": 0.0}
    nothing = info_nce(torch.zeros(0, 3))
    assert float(nothing.loss) == 0 and nothing.facts == {}


def test_distractors_are_the_others_of_the_same_clip() -> None:
    asked_BF = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 1]]).bool()
    drawn_NK = objective(Wav2Vec2Settings(distractors=300)).distractors(asked_BF, seeded(1))
    assert [sorted(set(row.tolist())) for row in drawn_NK] == [[1, 2], [0, 2], [0, 1], [4], [3]]
    shares = torch.bincount(others(torch.tensor([2]), torch.tensor([5]), 8000, seeded(0))[0], minlength=5) / 8000
    torch.testing.assert_close(shares, torch.tensor([0.25, 0.25, 0, 0.25, 0.25]), rtol=0, atol=0.02)


def test_a_distractor_of_the_same_code_is_not_compared() -> None:
    """With one entry a book all codes are the same: nothing is asked, and nothing counts as told."""
    found = objective(replace(SMALL, entries=1)).compare(*numbers(10), seeded(0))
    assert found.losses["contrastive"].item() == 0 and found.facts == pytest.approx({"accuracy": 0, "perplexity": 2})


def test_about_half_is_masked_in_whole_spans() -> None:
    masked_BF = draw_spans(torch.tensor([500] * 20 + [5, 6]), 500, Wav2Vec2Settings().spans, seeded(2))
    assert 0.45 < float(masked_BF[:20].float().mean()) < 0.55
    assert masked_BF[20:].sum(1).tolist() == [0, 5]  # of a clip no longer than a span, nothing
    assert not masked_BF[21, 6:].any()


def test_one_masked_frame_of_a_clip_is_left_out() -> None:
    """Spans of one frame, one a clip: none has a distractor."""
    single = Wav2Vec2Settings(spans=Spans(0.01, 1), entries=24, code_width=8)
    found = objective(single)(encoder(), speech([80, 80]), seeded(0))
    assert [loss.item() for loss in found.losses.values()] == [0, 0] and found.facts == {}
    assert all(loss.requires_grad for loss in found.losses.values())


def test_context_does_not_see_what_is_masked() -> None:
    """It reads the learned vector where a frame is masked, and the encoder's own frame where it is not."""
    model, net, heard, seen = objective(), encoder(), speech([80, 50]), list[Tensor]()

    def context(hidden_BFD: Tensor, valid_BF: Tensor) -> Tensor:
        seen.append(hidden_BFD)
        return hidden_BFD

    net.context = context  # type: ignore[method-assign]
    model(net, heard, seeded(6))
    local_BFD, counts_B, _ = net.subsample(heard.frames_BFM, heard.frame_counts_B)
    masked_BF = draw_spans(counts_B, local_BFD.shape[1], model.settings.spans, seeded(6))
    assert 0 < int(masked_BF.sum()) < masked_BF.numel() and len(seen) == 1
    assert torch.equal(seen[0], torch.where(masked_BF[..., None], model.mask_D, local_BFD))


def test_codes_are_entries_and_their_gradient_is_the_softmaxs() -> None:
    quantiser = Quantiser(WIDTH, books=2, entries=5, code_width=6)
    local_ND = torch.randn(9, WIDTH, generator=seeded(1), requires_grad=True)
    codes_ND, entries_NG, _ = quantiser(local_ND, torch.tensor(2.0), seeded(2))
    picked_NGD = quantiser.entries_GVD[torch.arange(2), entries_NG]
    torch.testing.assert_close(codes_ND, picked_NGD.flatten(1))
    torch.manual_seed(2)
    logits_NGV = quantiser.logits(local_ND).view(9, 2, 5)
    taken_NGV = nn.functional.gumbel_softmax(logits_NGV, tau=2.0, hard=True)
    expected_ND = torch.einsum("ngv,gvd->ngd", taken_NGV, quantiser.entries_GVD).flatten(1)
    torch.testing.assert_close(codes_ND, expected_ND)
    grads = (torch.autograd.grad((codes**2).sum(), local_ND)[0] for codes in (codes_ND, expected_ND))
    torch.testing.assert_close(*grads)


def test_both_temperatures_matter() -> None:
    """That of the comparison is in the loss, that of the Gumbel softmax in its gradient (its codes are one-hot)."""
    context_ND, local_ND, drawn_NK = numbers(10)

    def loss(temperature: float, told: int = 0) -> Tensor:
        model = objective(replace(SMALL, temperature=temperature))
        model.after_step(told, 100)
        return model.compare(context_ND, local_ND, drawn_NK, seeded(4)).losses["contrastive"]

    losses = [loss(temperature).item() for temperature in (0.1, 1.0, 1e4)]
    assert abs(losses[0] - losses[1]) > 0.1 and losses[2] == pytest.approx(math.log(8), abs=1e-3)
    early_ND, late_ND = (torch.autograd.grad(loss(0.1, told), local_ND)[0] for told in (0, 100))
    assert torch.equal(loss(0.1, 0), loss(0.1, 100))
    assert float((early_ND - late_ND).abs().max()) > 0.1 * float(early_ND.abs().max())


def test_the_gumbel_temperature_falls_and_stays() -> None:
    model, seen = objective(), []
    for step in range(0, 101, 10):
        model.after_step(step, 100)
        seen.append(float(model.gumbel))
    assert seen[0] == 2 and seen[3:5] == pytest.approx([2 * 0.25 ** (3 / 7), 2 * 0.25 ** (4 / 7)])
    assert seen[7:] == pytest.approx([0.5] * 4) and seen == sorted(seen, reverse=True)
    assert float(model.state_dict()["gumbel"]) == pytest.approx(0.5)  # a resumed run finds it


def test_the_same_seed_is_the_same_loss() -> None:
    model, net, heard = objective(), encoder(), speech([160, 120])
    first, again, other = (model(net, heard, seeded(seed)).losses["contrastive"] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"diversity": -1.0}, "diversity is -1.0"),
        ({"gumbel_first": 0.1}, "at least gumbel_last, 0.5"),
        ({"gumbel_fall": 1.5}, "a share of the steps"),
        ({"books": 3}, "a multiple of books = 3"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Wav2Vec2Settings(**settings)
