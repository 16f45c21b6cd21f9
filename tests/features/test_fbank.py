import kaldi_native_fbank as knf
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from earful.errors import AudioError, ConfigError
from earful.features.fbank import FbankConfig, fbank, frame_count


def kaldi(samples_T: np.ndarray, config: FbankConfig) -> np.ndarray:
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.frame_opts.samp_freq = config.rate_hz
    options.frame_opts.frame_length_ms = config.window_s * 1000
    options.frame_opts.frame_shift_ms = config.hop_s * 1000
    options.frame_opts.preemph_coeff = config.preemphasis
    options.mel_opts.num_bins = config.bins
    options.mel_opts.low_freq = config.low_hz
    options.mel_opts.high_freq = config.high_hz
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(config.rate_hz, samples_T.tolist())
    computer.input_finished()
    frames = [computer.get_frame(k) for k in range(computer.num_frames_ready)]
    return np.stack(frames) if frames else np.zeros((0, config.bins), np.float32)


@st.composite
def signals(draw: st.DrawFn) -> np.ndarray:
    """Noise of any level, with a tone and a constant on it."""
    count = draw(st.one_of(st.integers(1, 900), st.integers(901, 12_000)))
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    level = draw(st.sampled_from([0.0, 1e-4, 1e-2, 0.3]))
    tone_hz = draw(st.floats(20, 7_500))
    tone_T = draw(st.sampled_from([0, 10])) * level * np.sin(2 * np.pi * tone_hz * np.arange(count) / 16_000)
    return (level * generator.standard_normal(count) + tone_T + draw(st.sampled_from([0.0, 0.05]))).astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(samples_T=signals())
def test_every_bin_is_kaldis(samples_T: np.ndarray) -> None:
    frames_BFM, frame_counts_B = fbank(torch.from_numpy(samples_T))
    expected_FM = kaldi(samples_T, FbankConfig())
    assert frame_counts_B.tolist() == [len(expected_FM)] == [frame_count(len(samples_T))]
    # In float32 an FFT errs by its loudest bin, and Kaldi's mel weights by some 1e-6 of the filter next door, so that
    # a bin far below the loudest, or beside a loud one, is less exact. (Ours in float64 sides with ours in float32.)
    loudest_F1 = expected_FM.max(1, keepdims=True, initial=-16)
    padded_FM = np.pad(expected_FM, ((0, 0), (1, 1)), mode="edge")
    neighbour_FM = np.maximum(padded_FM[:, 2:], padded_FM[:, :-2])
    tolerance_FM = 3e-4 + 2e-5 * np.exp((loudest_F1 - expected_FM) / 2) + 3e-6 * np.exp(neighbour_FM - expected_FM)
    assert (np.abs(frames_BFM[0].numpy() - expected_FM) <= tolerance_FM).all()


@settings(max_examples=30, deadline=None)
@example(count=200_000, decibels=-20, seed=0)  # long enough to be computed in stretches
@given(count=st.integers(80, 20_000), decibels=st.floats(-80, 0), seed=st.integers(0, 2**31))
def test_every_bin_of_noise_is_kaldis_to_a_thousandth(count: int, decibels: float, seed: int) -> None:
    noise_T = np.random.default_rng(seed).standard_normal(count).astype(np.float32) * np.float32(10 ** (decibels / 20))
    frames_BFM, _ = fbank(torch.from_numpy(noise_T))
    np.testing.assert_allclose(frames_BFM[0].numpy(), kaldi(noise_T, FbankConfig()), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        FbankConfig(bins=23, high_hz=8_000),
        FbankConfig(rate_hz=8_000, bins=40, high_hz=3_800),
        FbankConfig(window_s=0.032, hop_s=0.016, preemphasis=0.0),
        FbankConfig(window_s=0.02, hop_s=0.0125, low_hz=125),
    ],
)
def test_other_options_are_kaldis_too(config: FbankConfig) -> None:
    samples_T = np.random.default_rng(0).standard_normal(5_000).astype(np.float32)
    frames_BFM, _ = fbank(torch.from_numpy(samples_T), config=config)
    np.testing.assert_allclose(frames_BFM[0].numpy(), kaldi(samples_T, config), atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 1_500), min_size=1, max_size=5), padding=st.integers(0, 700), seed=st.integers(0, 99)
)
def test_padding_and_company_change_nothing(counts: list[int], padding: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    items = [0.1 * torch.randn(count, generator=generator) for count in counts]
    samples_BT = torch.full((len(items), max(counts) + padding), float("nan"))  # what lies beyond is never read
    for row_T, item_T in zip(samples_BT, items, strict=True):
        row_T[: len(item_T)] = item_T
    frames_BFM, frame_counts_B = fbank(samples_BT, torch.tensor(counts))
    assert frames_BFM.shape == (len(items), max(frame_count(count) for count in counts), 80)
    for frames_FM, count, item_T in zip(frames_BFM, frame_counts_B.tolist(), items, strict=True):
        alone_FM = fbank(item_T)[0][0]
        torch.testing.assert_close(frames_FM[:count], alone_FM, atol=1e-4, rtol=0)
        assert count == len(alone_FM) and not frames_FM[count:].any()


@given(st.integers(0, 10**9))
def test_frame_count_is_hops_rounded(sample_count: int) -> None:
    assert frame_count(sample_count) == int(sample_count / 160 + 0.5)


def test_silence_is_the_floor_and_its_gradient_is_finite() -> None:
    samples_BT = torch.zeros(1, 800, requires_grad=True)
    frames_BFM, _ = fbank(samples_BT)
    frames_BFM.sum().backward()
    assert (frames_BFM == np.log(np.finfo(np.float32).eps).astype(np.float32)).all()
    assert samples_BT.grad is not None and torch.isfinite(samples_BT.grad).all()


def test_gradients_are_right_to_the_second_order() -> None:
    config = FbankConfig(rate_hz=1_000, bins=3, high_hz=450, window_s=0.016, hop_s=0.008)
    generator = torch.Generator().manual_seed(0)
    samples_BT = torch.randn(2, 40, dtype=torch.float64, generator=generator, requires_grad=True)
    counts_B = torch.tensor([40, 27])

    def frames(samples_BT: torch.Tensor) -> torch.Tensor:
        return fbank(samples_BT, counts_B, config)[0]

    assert torch.autograd.gradcheck(frames, samples_BT)
    assert torch.autograd.gradgradcheck(frames, samples_BT)


def test_float64_agrees_with_float32() -> None:
    samples_BT = torch.randn(2, 4_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fbank(samples_BT.double())[0].float(), fbank(samples_BT)[0], atol=1e-3, rtol=0)


def test_no_samples_and_no_items() -> None:
    assert fbank(torch.zeros(79))[0].shape == (1, 0, 80)
    assert fbank(torch.zeros(2, 0))[0].shape == (2, 0, 80)
    assert fbank(torch.zeros(0, 1_600))[0].shape == (0, 0, 80)


def test_a_big_batch_is_its_items() -> None:
    samples_BT = torch.randn(9, 20_000, generator=torch.Generator().manual_seed(0))
    alone_BFM = torch.cat([fbank(row_T)[0] for row_T in samples_BT])
    torch.testing.assert_close(fbank(samples_BT)[0], alone_BFM, atol=1e-4, rtol=0)


def test_bad_input() -> None:
    with pytest.raises(AudioError, match="floating-point samples"):
        fbank(torch.zeros(2, 2, 2))
    with pytest.raises(AudioError, match="floating-point samples"):
        fbank(torch.zeros(1, 1_600, dtype=torch.int16))
    with pytest.raises(AudioError, match="2 sample counts from 0 to 100"):
        fbank(torch.zeros(2, 100), torch.tensor([100, 101]))
    with pytest.raises(AudioError, match="2 sample counts"):
        fbank(torch.zeros(2, 100), torch.tensor([100]))
    with pytest.raises(ConfigError, match="low_hz"):
        FbankConfig(high_hz=9_000)
    with pytest.raises(ConfigError, match="hop_s"):
        FbankConfig(hop_s=0)
