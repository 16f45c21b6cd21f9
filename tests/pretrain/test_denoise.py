"""Denoising: its loss by loops and in closed form; what is masked is silence to the encoder; a channel is no error."""

import pytest
import torch

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.pretrain.denoise import Denoise, DenoiseSettings, compare
from earful.pretrain.masking import Spans, draw_spans
from earful.pretrain.objective import Views

BINS, WIDTH = 6, 8
SETTINGS = DenoiseSettings(Spans(0.1, 3))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder(subsampling: int = 2) -> Encoder:
    config = EncoderConfig("transformer", BINS, WIDTH, layers=1, heads=2, dropout=0.0, subsampling=subsampling)
    return build_encoder(config, seeded())


def objective(subsampling: int = 2) -> Denoise:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Denoise(SETTINGS, BINS, WIDTH, subsampling)


def speech(counts: list[int]) -> Views:
    clean_BFM = 3 * torch.randn(len(counts), max(counts), BINS, generator=seeded(2)) - 8
    noisy_BFM = torch.maximum(clean_BFM, torch.tensor(-9.0))
    return Views(noisy_BFM, torch.tensor(counts), clean_BFM=clean_BFM)


def own_clean(heard: Views, clip: int) -> torch.Tensor:
    """The clean frames of a clip, without padding and mean."""
    assert heard.clean_BFM is not None
    own = heard.clean_BFM[clip, : int(heard.frame_counts_B[clip])]
    return own - own.mean(0)


@torch.no_grad()
@pytest.mark.parametrize("subsampling", [1, 2, 3, 4])
def test_loss_and_explained_variance_by_loops(subsampling: int) -> None:
    denoise, model, heard = objective(subsampling), encoder(subsampling), speech([41, 30])
    entered: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    losses, facts = denoise(model, heard, seeded(4))
    restored = denoise.restore(model(entered[0], heard.frame_counts_B)[0])
    errors, values = [], []
    for clip in range(2):
        for frame, clean in enumerate(own_clean(heard, clip)):
            place = frame % subsampling * BINS
            told = restored[clip, frame // subsampling, place : place + BINS]
            errors += (told - clean).tolist()
            values += clean.tolist()
    assert len(errors) == 71 * BINS
    assert losses == {"clean": pytest.approx(sum(map(abs, errors)) / len(errors), rel=1e-4)}
    unexplained = sum(e * e for e in errors) / sum(v * v for v in values)
    assert facts == {"explained": pytest.approx(1 - unexplained, abs=1e-4)}


def test_who_restores_nothing_explains_nothing_and_who_restores_all_everything() -> None:
    denoise, heard = objective(), speech([40, 33])
    torch.nn.init.zeros_(denoise.restore.weight)
    torch.nn.init.zeros_(denoise.restore.bias)
    losses, facts = denoise(encoder(), heard, seeded())
    clean = torch.cat([own_clean(heard, 0), own_clean(heard, 1)])
    assert losses["clean"].item() == pytest.approx(float(clean.abs().mean()), rel=1e-5)
    assert facts == {"explained": pytest.approx(0, abs=1e-6)}
    losses, facts = compare(clean.flatten(), clean.flatten())
    assert losses["clean"].item() == 0 and facts == {"explained": 1}


def test_what_is_masked_is_the_mean_and_the_rest_is_heard() -> None:
    model, heard = encoder(), speech([40, 33])
    entered: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    objective()(model, heard, seeded(4))
    masked = draw_spans(torch.tensor([20, 17]), 20, SETTINGS.spans, seeded(4)).repeat_interleave(2, 1)
    for clip, count in enumerate((40, 33)):
        own, inside = heard.frames_BFM[clip, :count], masked[clip, :count]
        assert inside.any() and not entered[0][clip, :count][inside].any()
        torch.testing.assert_close(entered[0][clip, :count][~inside], (own - own.mean(0))[~inside])


def test_a_channel_of_the_clean_speech_is_not_asked_for() -> None:
    denoise, model, heard = objective(), encoder(), speech([40, 33])
    assert heard.clean_BFM is not None
    channel = torch.randn(2, 1, BINS, generator=seeded(5))
    (expected, _), (other, _) = (
        denoise(model, each, seeded()) for each in (heard, heard._replace(clean_BFM=heard.clean_BFM + channel))
    )
    torch.testing.assert_close(other["clean"], expected["clean"])


def test_a_short_clip_is_denoised_unmasked() -> None:
    model, heard = encoder(), speech([6])
    entered: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, args: entered.append(args[0]))
    losses, _ = objective()(model, heard, seeded())
    assert losses["clean"].item() > 0
    torch.testing.assert_close(entered[0], heard.frames_BFM - heard.frames_BFM.mean(1, keepdim=True))


def test_silence_gives_zero_with_a_gradient_of_zero() -> None:
    denoise, model, heard = objective(), encoder(), speech([40])
    losses, facts = denoise(model, heard._replace(frames_BFM=torch.full_like(heard.frames_BFM, -15.9)), seeded())
    torch.autograd.backward(losses["clean"])
    grads = [p.grad for p in (*denoise.parameters(), *model.parameters()) if p.grad is not None]
    assert losses["clean"].item() == 0 and facts == {} and grads and not any(bool(grad.any()) for grad in grads)


def test_it_learns_to_take_noise_away() -> None:
    """Speech of one hidden number a frame: after some steps most of the clean variance is explained."""
    denoise, model = objective(), encoder()
    clean = torch.randn(8, 24, 1, generator=seeded()).cumsum(1) * torch.linspace(-1, 1, BINS)
    heard = Views(clean + torch.randn(clean.shape, generator=seeded(1)), torch.full((8,), 24), clean_BFM=clean)
    optimiser = torch.optim.Adam([*denoise.parameters(), *model.parameters()], lr=1e-2)
    before = denoise(model, heard, seeded(999)).facts["explained"]
    for step in range(60):
        optimiser.zero_grad()
        torch.autograd.backward(denoise(model, heard, seeded(step)).losses["clean"])
        optimiser.step()
    assert before < 0.2 and denoise(model, heard, seeded(999)).facts["explained"] > 0.6
