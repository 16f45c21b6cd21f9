"""Throughput of earful's filterbank against kaldi-native-fbank: python bench/features_speed.py

Both compute the same frames (the tests compare them) of the same noise, one after the other in turn, so that what else
the machine does hits both alike. Writes features_speed.json beside this file.
"""

import json
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import kaldi_native_fbank as knf
import torch

from earful.features.fbank import FbankConfig, fbank
from earful.kshot.machine import machine

SEED = 0
REPEATS = 31
CLIP_S = 10.0
BATCH = 16
THREADS = 1


def main() -> None:
    torch.set_num_threads(THREADS)
    generator = torch.Generator().manual_seed(SEED)
    samples_BT = 0.1 * torch.randn(BATCH, round(CLIP_S * 16_000), generator=generator)
    # A padded batch: the clips end between half the length and the whole of it.
    counts_B = torch.linspace(0.5, 1.0, BATCH).mul(samples_BT.shape[1]).long()
    with torch.inference_mode():
        medians_s = measure(
            {
                "kaldi_native_fbank": lambda: [kaldi(row_T.numpy()) for row_T in samples_BT],
                "earful_one_by_one": lambda: [fbank(row_T) for row_T in samples_BT],
                "earful_batch": lambda: fbank(samples_BT),
                "earful_padded_batch": lambda: fbank(samples_BT, counts_B),
            }
        )
    report = {
        "what": "log-mel filterbank, 80 bins, seconds of audio per second, medians of interleaved repeats",
        "seed": SEED,
        "repeats": REPEATS,
        "clips": BATCH,
        "clip_s": CLIP_S,
        "max_difference": largest_difference(samples_BT[0]),
        "audio_seconds_per_second": {name: round(seconds(name, counts_B) / s) for name, s in medians_s.items()},
        "times_kaldi_native_fbank": {
            name: round(seconds(name, counts_B) / s * medians_s["kaldi_native_fbank"] / (BATCH * CLIP_S), 2)
            for name, s in medians_s.items()
        },
        "kaldi_native_fbank_version": version("kaldi-native-fbank"),
        "machine": machine(),
    }
    text = json.dumps(report, indent=2)
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")
    print(text)


def seconds(name: str, counts_B: torch.Tensor) -> float:
    """The audio in a repeat; padding does not count as audio."""
    return float(counts_B.sum()) / 16_000 if name == "earful_padded_batch" else BATCH * CLIP_S


def kaldi(samples_T: object) -> list[object]:
    """Frames of one clip, fetched as its users do."""
    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = FbankConfig().bins
    options.mel_opts.high_freq = FbankConfig().high_hz
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(16_000, samples_T)
    computer.input_finished()
    return [computer.get_frame(k) for k in range(computer.num_frames_ready)]


def measure(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each, all in turn REPEATS times, after a first turn that does not count."""
    times_s: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS + 1):
        for name, run in runs.items():
            start_s = time.perf_counter()
            run()
            times_s[name].append(time.perf_counter() - start_s)
    return {name: statistics.median(values[1:]) for name, values in times_s.items()}


def largest_difference(samples_T: torch.Tensor) -> float:
    expected_FM = torch.stack([torch.as_tensor(frame_M) for frame_M in kaldi(samples_T.numpy())])
    return float((fbank(samples_T)[0][0] - expected_FM).abs().max())


if __name__ == "__main__":
    main()
