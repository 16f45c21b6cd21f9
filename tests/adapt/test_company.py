"""The bed of a recogniser: whose speech is in it, and that it is what the encoder attends to."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.adapt.adapt import adapt
from earful.adapt.company import in_company
from earful.adapt.finetune import Plan
from earful.adapt.start import untrained
from earful.audio.files import read
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.data.manifest import Manifest
from earful.encoder.encoder import EncoderConfig
from earful.encoder.pretrained import build_backbone
from earful.encoder.whisper import WhisperConfig
from earful.model import BACKBONE, ModelConfig
from earful.text.alphabet import Alphabet

BELOW = WhisperConfig("whisper", width=16, layers=2, heads=2, inner=24, frozen=2)
BED = {f"{BACKBONE}bed_keys_NFD", f"{BACKBONE}bed_values_NFD"}


@pytest.fixture(scope="module")
def alone() -> Checkpoint:
    """A base that hears clips alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = build_backbone(BELOW)
        torch.nn.init.normal_(backbone.positions_FD, std=0.1)  # type: ignore[arg-type]
    encoder = EncoderConfig("conformer", bins=16, width=16, layers=1, heads=2, kernel=7, subsampling=1)
    made = untrained(ModelConfig(Alphabet(tuple(" abc")), features=backbone.config, encoder=encoder), 0, backbone)
    return replace(made, about={"languages": ["tones"]})


@pytest.fixture(scope="module")
def amid_noise(alone: Checkpoint) -> Checkpoint:
    """The same with a bed of noise, as a base has one of its own."""
    backbone = alone.build().backbone
    assert backbone is not None
    heard = backbone.amid(0.1 * torch.randn(16_000, generator=torch.Generator().manual_seed(0)))
    params = {**alone.params, **{f"{BACKBONE}{name}": weight for name, weight in heard.state_dict().items()}}
    return replace(alone, config=replace(alone.config, features=heard.config), params=params)


def frames(base: Checkpoint, manifest: Manifest) -> torch.Tensor:
    return base.build().frames_of(torch.from_numpy(read(manifest[0].audio)))


def test_a_base_that_hears_alone_goes_on_so(alone: Checkpoint, manifest: Manifest) -> None:
    assert in_company(alone, manifest) is alone


def test_an_untrained_base_hears_amid_the_clips(alone: Checkpoint, manifest: Manifest) -> None:
    found = in_company(replace(alone, about={"untrained": True}), manifest)
    assert found.config.features.bed == 550 and found.params.keys() - alone.params.keys() == BED


def test_the_bed_is_of_the_clips(amid_noise: Checkpoint, manifest: Manifest) -> None:
    found = in_company(amid_noise, manifest)
    assert (amid_noise.config.features.bed, found.config.features.bed) == (50, 550)
    assert {name for name in found.params if found.params[name] is not amid_noise.params[name]} == BED
    few = in_company(amid_noise, manifest[:1])
    assert 0 < few.config.features.bed < 550
    heard = [frames(base, manifest) for base in (amid_noise, found, few)]
    assert len({len(each) for each in heard}) == 1
    assert all(float((a - b).abs().max()) > 1e-2 for a, b in zip(heard, heard[1:] + heard[:1], strict=True))


def test_hardly_any_speech_is_no_company(amid_noise: Checkpoint, manifest: Manifest) -> None:
    short = Manifest((replace(manifest[0], duration_s=0.9),))
    assert in_company(amid_noise, short) is amid_noise


def test_a_recogniser_that_is_not_bettered_stays_as_it_was(
    amid_noise: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit: with its own bed, in which the new clips have no part."""
    plan = Plan(steps=2, evaluations=1, copies=1, folds=0)
    known, _ = adapt(amid_noise, manifest, plan=plan, greedy=True)
    monkeypatch.setattr("earful.adapt.measure._crossed_cer", lambda *each: 9.0 if each[-1] else 0.5)
    same, report = adapt(known, manifest[4:], plan=replace(plan, folds=2), greedy=True)
    assert not report.improved and same.config == known.config and same.params.keys() == known.params.keys()
    assert all(torch.equal(same.params[name], known.params[name]) for name in known.params)
    alone, _ = adapt(amid_noise, manifest, plan=plan, greedy=True, keep_sound=False)
    still, _ = adapt(alone, manifest[4:], plan=replace(plan, folds=2), greedy=True)
    assert still.config.features.bed == 50 and torch.equal(frames(still, manifest), frames(alone, manifest))


@pytest.mark.parametrize("keep_sound", [True, False])
def test_adaptation_keeps_it_if_it_may(
    keep_sound: bool, amid_noise: Checkpoint, manifest: Manifest, tmp_path: Path
) -> None:
    plan = Plan(steps=2, evaluations=1, copies=1, folds=0)
    made, _ = adapt(amid_noise, manifest, plan=plan, keep_sound=keep_sound, greedy=True)
    base = in_company(amid_noise, manifest) if keep_sound else amid_noise
    assert made.config.features == base.config.features
    save_checkpoint(tmp_path / "m", made)
    again = load_checkpoint(tmp_path / "m")
    for name in BED:
        assert torch.equal(made.params[name], base.params[name]) and torch.equal(again.params[name], base.params[name])
    assert torch.equal(frames(again, manifest), frames(base, manifest))
