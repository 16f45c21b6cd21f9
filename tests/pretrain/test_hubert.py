"""HuBERT: its losses are those of eq. 3 by loops, what is masked is not seen, and what cannot teach does not."""

import math

import pytest
import torch

from earful.encoder.build import build_encoder
from earful.encoder.encoder import Encoder, EncoderConfig
from earful.errors import ConfigError
from earful.pretrain.hubert import Hubert, HubertSettings
from earful.pretrain.masking import Spans, draw_spans
from earful.pretrain.objective import Found, Views

BINS, WIDTH, UNITS = 6, 8, 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoder(subsampling: int = 2) -> Encoder:
    config = EncoderConfig("transformer", BINS, WIDTH, layers=1, heads=2, dropout=0.0, subsampling=subsampling)
    return build_encoder(config, seeded())


def objective(**settings: float) -> Hubert:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Hubert(HubertSettings(units=UNITS, spans=Spans(0.1, 4), code_width=3, **settings), WIDTH)  # type: ignore[arg-type]


def speech(counts: list[int], subsampling: int = 2) -> Views:
    frames_BFM = torch.randn(len(counts), max(counts), BINS, generator=seeded(2))
    hidden = -(-max(counts) // subsampling)
    units_BU = torch.randint(-1, UNITS, (len(counts), hidden), generator=seeded(3))
    return Views(frames_BFM, torch.tensor(counts), units_BU=units_BU)


def found(hubert: Hubert, model: Encoder, heard: Views) -> Found:
    return hubert(model, heard, seeded(4))


def cosine(a: list[float], b: list[float]) -> float:
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


@torch.no_grad()
def test_losses_and_accuracy_by_loops() -> None:
    hubert, model, heard = objective(unmasked_weight=0.25, temperature=0.5), encoder(), speech([40, 33])
    local, counts, valid = model.subsample(heard.frames_BFM, heard.frame_counts_B)
    masked = draw_spans(counts, local.shape[1], hubert.settings.spans, seeded(4))
    for clip, frame in masked.nonzero().tolist():
        local[clip, frame] = hubert.mask_D
    context, costs, right = model.context(local, valid), {True: [], False: []}, []
    assert heard.units_BU is not None
    for clip, count in enumerate(counts.tolist()):
        for frame in range(count):
            unit, was_masked = int(heard.units_BU[clip, frame]), bool(masked[clip, frame])
            if unit >= 0:
                answer = hubert.project(context[clip, frame]).tolist()
                scores = [cosine(answer, code) / 0.5 for code in hubert.units_UE.tolist()]
                costs[was_masked].append(math.log(sum(map(math.exp, scores))) - scores[unit])
                if was_masked:
                    right.append(max(scores) == scores[unit])
    losses, facts = found(hubert, model, heard)
    assert losses["masked"].item() == pytest.approx(sum(costs[True]) / len(costs[True]), rel=1e-4)
    assert losses["unmasked"].item() == pytest.approx(0.25 * sum(costs[False]) / len(costs[False]), rel=1e-4)
    assert facts == {"accuracy": pytest.approx(sum(right) / len(right))}


def test_units_that_are_alike_cost_the_logarithm_of_their_number() -> None:
    hubert = objective()
    torch.nn.init.ones_(hubert.units_UE)
    losses, _ = found(hubert, encoder(), speech([40, 33]))
    assert losses.keys() == {"masked"} and losses["masked"].item() == pytest.approx(math.log(UNITS), rel=1e-5)


@torch.no_grad()
def test_what_is_masked_is_not_seen() -> None:
    """Without subsampling a local frame is of one input frame: to swap two masked ones changes nothing."""
    hubert, model, heard = objective(), encoder(subsampling=1), speech([30], subsampling=1)
    masked = draw_spans(heard.frame_counts_B, 30, hubert.settings.spans, seeded(4))[0]
    inside, outside = masked.nonzero()[:, 0], (~masked).nonzero()[:, 0]
    before = found(hubert, model, heard).losses["masked"]
    for places, is_seen in ((inside, False), (outside, True)):
        frames = heard.frames_BFM.clone()
        frames[0, places[[0, -1]]] = frames[0, places[[-1, 0]]]
        after = found(hubert, model, heard._replace(frames_BFM=frames)).losses["masked"]
        assert (abs(float(after - before)) > 1e-4) == is_seen


def test_only_units_of_masked_frames_count_without_a_weight() -> None:
    hubert, model, heard = objective(), encoder(), speech([40])
    masked = draw_spans(torch.tensor([20]), 20, hubert.settings.spans, seeded(4))
    assert heard.units_BU is not None
    elsewhere = heard._replace(units_BU=torch.where(masked, heard.units_BU, (heard.units_BU + 1) % UNITS))
    assert torch.equal(found(hubert, model, heard).losses["masked"], found(hubert, model, elsewhere).losses["masked"])


@pytest.mark.parametrize("case", ["short", "silent", "no units"])
def test_what_cannot_teach_gives_zero_with_a_gradient_of_zero(case: str) -> None:
    hubert, model, heard = objective(unmasked_weight=1.0), encoder(), speech([8 if case == "short" else 40])
    if case == "silent":
        heard = heard._replace(frames_BFM=torch.full_like(heard.frames_BFM, -15.9))
    if case == "no units":
        assert heard.units_BU is not None
        heard = heard._replace(units_BU=torch.full_like(heard.units_BU, -1))
    losses, facts = found(hubert, model, heard)
    assert facts == {} and all(loss.item() == 0 for loss in losses.values())
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    grads = [p.grad for p in (*hubert.parameters(), *model.parameters()) if p.grad is not None]
    assert grads and not any(bool(grad.any()) for grad in grads)


def test_units_that_do_not_fit_are_refused() -> None:
    hubert, model, heard = objective(), encoder(), speech([40])
    assert heard.units_BU is not None
    with pytest.raises(ConfigError, match="40 units, but the encoder makes 20 hidden frames"):
        found(hubert, model, heard._replace(units_BU=torch.zeros(1, 40, dtype=torch.long)))
    with pytest.raises(ConfigError, match="unit 5 came, but `units` is 5"):
        found(hubert, model, heard._replace(units_BU=torch.full_like(heard.units_BU, UNITS)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"units": 1}, "units is 1"),
        ({"code_width": 0}, "code_width is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"unmasked_weight": -1.0}, "unmasked_weight is -1.0"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HubertSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("starts", "length"), [(0.0, 5), (1.5, 5), (0.1, 0)])
def test_spans_that_make_no_sense(starts: float, length: int) -> None:
    with pytest.raises(ConfigError, match="starts is" if length else "length is 0"):
        Spans(starts, length)


def test_spans_cover_what_they_should_and_leave_short_clips_alone() -> None:
    counts = torch.tensor([1000, 5, 6, 0, 1])
    masked = draw_spans(counts, 1000, Spans(0.16, 5), seeded())
    assert masked.sum(1).tolist()[1:] == [0, 5, 0, 0]
    shares = [draw_spans(counts[:1], 1000, Spans(0.16, 5), seeded(seed)).float().mean() for seed in range(20)]
    assert float(torch.stack(shares).mean()) == pytest.approx(1 - math.exp(-0.8), abs=0.02)
