import kaldi_native_fbank as knf
import numpy as np
import pytest
import torch

from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mfcc import MfccConfig, mfcc


def kaldi(samples_T: np.ndarray, config: MfccConfig) -> np.ndarray:
    options = knf.MfccOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = config.fbank.bins
    options.mel_opts.high_freq = config.fbank.high_hz
    options.num_ceps = config.ceps
    options.cepstral_lifter = config.lifter
    options.use_energy = False
    computer = knf.OnlineMfcc(options)
    computer.accept_waveform(16_000, samples_T.tolist())
    computer.input_finished()
    return np.stack([computer.get_frame(k) for k in range(computer.num_frames_ready)])


@pytest.mark.parametrize("count", [80, 333, 16_000])
@pytest.mark.parametrize(
    "config", [MfccConfig(), MfccConfig(ceps=40, lifter=0, fbank=FbankConfig(bins=40)), MfccConfig(fbank=FbankConfig())]
)
def test_every_coefficient_is_kaldis(count: int, config: MfccConfig) -> None:
    samples_T = (0.1 * np.random.default_rng(count).standard_normal(count)).astype(np.float32)
    ceps_BFC, frame_counts_B = mfcc(torch.from_numpy(samples_T), config=config)
    expected_FC = kaldi(samples_T, config)
    assert frame_counts_B.tolist() == [len(expected_FC)]
    np.testing.assert_allclose(ceps_BFC[0].numpy(), expected_FC, atol=3e-3)


def test_frames_beyond_the_count_are_zero() -> None:
    ceps_BFC, frame_counts_B = mfcc(torch.randn(2, 1_600), torch.tensor([1_600, 400]))
    assert frame_counts_B.tolist() == [10, 3]
    assert not ceps_BFC[1, 3:].any() and ceps_BFC[1, :3].all()


def test_impossible_options() -> None:
    with pytest.raises(ConfigError, match="1 to 23"):
        MfccConfig(ceps=24)
    with pytest.raises(ConfigError, match="lifter"):
        MfccConfig(lifter=-1)
