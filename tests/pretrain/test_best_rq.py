"""BEST-RQ: the quantiser is eq. 1 by loops, targets are of undisturbed input, and noise is where it should be."""

import math

import pytest
import torch

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.best_rq import BestRq, BestRqSettings, RandomQuantiser, normalise, perplexity
from earful.pretrain.masking import Spans, at_input_rate, draw_spans, stack
from earful.pretrain.objective import Views

BINS, WIDTH, CODES = 6, 8, 12
SETTINGS = BestRqSettings(codes=CODES, code_width=4, spans=Spans(0.1, 3))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder(subsampling: int = 2) -> Encoder:
    config = EncoderConfig("transformer", BINS, WIDTH, layers=1, heads=2, dropout=0.0, subsampling=subsampling)
    return build_encoder(config, seeded())


def objective(settings: BestRqSettings = SETTINGS, subsampling: int = 2) -> BestRq:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return BestRq(settings, BINS, WIDTH, subsampling)


def speech(counts: list[int]) -> Views:
    """Frames far from zero, bins of unlike spread."""
    frames_BFM = torch.randn(len(counts), max(counts), BINS, generator=seeded(2)) * torch.arange(1, BINS + 1) - 8
    return Views(frames_BFM, torch.tensor(counts))


def heard_by(model: Encoder) -> list[torch.Tensor]:
    """What will have entered the encoder."""
    entered: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, args: entered.append(args[0].detach()))
    return entered


def test_the_quantiser_is_the_nearest_on_the_unit_sphere() -> None:
    quantiser = RandomQuantiser(10, CODES, 4, seed=3)
    rows = torch.randn(50, 10, generator=seeded())
    expected = []
    for row in rows.double():
        projected = row @ quantiser.projection_KE.double()
        unit = projected / projected.norm()
        expected.append(min(range(CODES), key=lambda i: float((quantiser.codes_CE[i].double() - unit).norm())))
    assert quantiser(rows).tolist() == expected and len(set(expected)) > 4
    assert quantiser.codes_CE.norm(dim=1).tolist() == pytest.approx([1.0] * CODES)
    assert float(quantiser.projection_KE.abs().max()) <= math.sqrt(6 / 14)  # Glorot's bound


def test_projection_and_code_book_are_the_seeds_and_are_not_trained() -> None:
    first, again, other = (objective(BestRqSettings(seed=seed)).quantise for seed in (5, 5, 6))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]) and not torch.equal(value, other.state_dict()[key])
    assert not list(first.parameters()) and len(first.state_dict()) == 2


def test_bfloat16_does_not_blur_targets() -> None:
    quantiser, rows = RandomQuantiser(10, 500, 8, seed=0), torch.randn(300, 10, generator=seeded())
    expected = (rows @ quantiser.projection_KE @ quantiser.codes_CE.T).argmax(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantiser(rows), expected)


def test_clips_are_normalised_over_their_own_frames() -> None:
    heard = speech([30, 17])
    frames, deviation = normalise(heard.frames_BFM, heard.frame_counts_B)
    for clip, count in enumerate((30, 17)):
        own = heard.frames_BFM[clip, :count]
        torch.testing.assert_close(frames[clip, :count], (own - own.mean(0)) / own.std(0, correction=0))
        torch.testing.assert_close(deviation[clip, 0], own.std(0, correction=0))
        assert not frames[clip, count:].any()


@pytest.mark.parametrize("subsampling", [1, 2, 3, 4])
def test_frames_are_stacked_as_the_encoder_subsamples(subsampling: int) -> None:
    heard = speech([11, 6])
    stacked, real = stack(heard.frames_BFM, heard.frame_counts_B, subsampling)
    hidden, _ = encoder(subsampling)(heard.frames_BFM, heard.frame_counts_B)
    assert stacked.shape == real.shape == (*hidden.shape[:2], subsampling * BINS)
    for clip, count in enumerate((11, 6)):
        for place in range(hidden.shape[1] * subsampling):
            part = slice(place % subsampling * BINS, (place % subsampling + 1) * BINS)
            expected = heard.frames_BFM[clip, place] if place < count else torch.zeros(BINS)
            assert torch.equal(stacked[clip, place // subsampling, part], expected)
            assert real[clip, place // subsampling, part].unique().tolist() == [place < count]


def test_noise_replaces_what_is_masked_and_nothing_else() -> None:
    model, heard = encoder(), speech([2001, 1600])
    entered = heard_by(model)
    for seed in (4, 4, 5):
        objective()(model, heard, seeded(seed))
    assert torch.equal(entered[0], entered[1]) and not torch.equal(entered[0], entered[2])
    hidden = draw_spans(torch.tensor([1001, 800]), 1001, SETTINGS.spans, seeded(4))
    masked = at_input_rate(hidden, 2, 2001)
    assert all(bool((masked[:, i] == hidden[:, i // 2]).all()) for i in range(2001))
    for clip, count in enumerate((2001, 1600)):
        own, inside = heard.frames_BFM[clip, :count], masked[clip, :count]
        seen = entered[0][clip, :count]
        torch.testing.assert_close(seen[~inside], (own - own.mean(0))[~inside], rtol=1e-4, atol=1e-4)
        noise = seen[inside] / own.std(0)
        assert float(noise.std()) == pytest.approx(0.1, rel=0.1) and abs(float(noise.mean())) < 0.01


@torch.no_grad()
def test_loss_and_facts_by_loops() -> None:
    model, heard, best_rq = encoder(), speech([41, 30]), objective()
    entered = heard_by(model)
    (loss, facts) = best_rq(model, heard, seeded(4))
    hidden, counts = model(entered[0], heard.frame_counts_B)
    masked = draw_spans(counts, 21, SETTINGS.spans, seeded(4))
    costs, right, codes = [], [], []
    for clip, frame in masked.nonzero().tolist():
        count = int(heard.frame_counts_B[clip])
        own = heard.frames_BFM[clip, :count]
        normal = torch.cat(((own - own.mean(0)) / own.std(0, correction=0), torch.zeros(2, BINS)))
        code = int(best_rq.quantise(normal[2 * frame : 2 * frame + 2].reshape(1, -1)))
        logp = best_rq.classify(hidden[clip, frame]).log_softmax(0)
        costs.append(-float(logp[code]))
        right.append(int(logp.argmax()) == code)
        codes.append(code)
    shares = [codes.count(code) / len(codes) for code in set(codes)]
    assert loss["masked"].item() == pytest.approx(sum(costs) / len(costs), rel=1e-4) and loss.keys() == {"masked"}
    assert facts["accuracy"] == pytest.approx(sum(right) / len(right))
    assert facts["perplexity"] == pytest.approx(math.exp(-sum(share * math.log(share) for share in shares)))


def test_who_cannot_tell_pays_the_logarithm_of_the_code_book() -> None:
    best_rq = objective()
    torch.nn.init.zeros_(best_rq.classify.weight)
    torch.nn.init.zeros_(best_rq.classify.bias)
    losses, _ = best_rq(encoder(), speech([40, 33]), seeded())
    assert losses["masked"].item() == pytest.approx(math.log(CODES), rel=1e-5)


def test_perplexity_is_the_number_of_codes_that_come_alike() -> None:
    assert perplexity(torch.tensor([3, 3, 3])) == pytest.approx(1)
    assert perplexity(torch.tensor([0, 2, 5, 7]).repeat(3)) == pytest.approx(4)


@pytest.mark.parametrize("case", ["short", "silent"])
def test_what_cannot_teach_gives_zero_with_a_gradient_of_zero(case: str) -> None:
    best_rq, model, heard = objective(), encoder(), speech([6 if case == "short" else 40])
    if case == "silent":
        heard = heard._replace(frames_BFM=torch.full_like(heard.frames_BFM, -15.9))
    losses, facts = best_rq(model, heard, seeded())
    torch.autograd.backward(losses["masked"])
    grads = [p.grad for p in (*best_rq.parameters(), *model.parameters()) if p.grad is not None]
    assert losses["masked"].item() == 0 and facts == {} and grads and not any(bool(grad.any()) for grad in grads)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"codes": 1}, "codes is 1"), ({"code_width": 0}, "code_width is 0"), ({"noise": -0.1}, "noise is -0.1")],
)
def test_settings_that_make_no_sense(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BestRqSettings(**settings)  # type: ignore[arg-type]
