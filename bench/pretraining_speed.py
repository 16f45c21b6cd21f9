"""Throughput of self-supervised training: our wav2vec 2.0 beside `transformers.Wav2Vec2ForPreTraining`.

A step is the drawing of masks and distractors, forward, backward, and AdamW's step, on the same batch of sound (noise,
clips of equal length, so that nothing is padding), on one thread. Layers, width, heads, feed-forward width, code books,
distractors, share of masked frames and dropout are the same. What is not:

- theirs reads the waveform by seven convolutions of 512 channels, as published, and learns them; ours computes 80
  log-mel bins (counted in its step, though `earful pretrain` computes them once) and learns two small convolutions;
- theirs has a convolution over 128 frames for positions, which is slow on a processor; ours turns queries and keys;
- theirs quantises and compares all frames, distractors drawn by NumPy; ours only the masked ones;
- the order of norms, and how dropout draws, differ too;
- both give a frame every 20 ms; `earful, 40 ms` is how `earful pretrain` has it where nothing else is said.

`whole` is the whole step from the waveform; `above the front` the same with what the convolutions give held ready and
not learned: the transformer, the quantiser and the loss. In float32 and, on processors with instructions for it, in
bfloat16 by autocast for both. Each round runs each once, in an order drawn anew, and counts the processor's seconds;
medians, the first round does not count.

    python bench/pretraining_speed.py --out bench/pretraining_speed.json
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices, _sample_negative_indices

from earful.encoder.build import build_encoder
from earful.encoder.encoder import EncoderConfig, valid_frames
from earful.features.fbank import fbank
from earful.kshot.machine import machine
from earful.model import fast_arithmetic
from earful.pretrain.masking import Spans
from earful.pretrain.objective import Views
from earful.pretrain.wav2vec2 import Wav2Vec2, Wav2Vec2Settings

SEED, RATE_HZ = 0, 16_000
DROPOUT, DISTRACTORS, BOOKS, ENTRIES, CODE_WIDTH = 0.1, 100, 2, 320, 256
MASKED, SPAN_S = 0.65, 0.2  # spans would mask so much if they did not overlap
WHOLE, ABOVE = "whole", "above the front"
PARTS = (WHOLE, ABOVE)
CONTENDERS = {"earful": 2, "earful, 40 ms": 4, "transformers": 0}
"""Name → how many frames of 10 ms go into one (0: not ours)."""


class Size(NamedTuple):
    """Of the transformer; feed-forward layers are four times as wide."""

    width: int
    layers: int
    heads: int


class Step(NamedTuple):
    """A training step, and how many weights it moves."""

    run: Callable[[], float]
    weights: int


class Given(nn.Module):
    """Stands for a front: answers what it was made with."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: object) -> Any:
        """The answer."""
        return self.answer


def moved(model: nn.Module, loss_of: Callable[[], Tensor]) -> Step:
    """Forward, backward and AdamW's step on all weights of a model; answers the loss."""
    model.train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=1e-5)

    def run() -> float:
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return Step(run, sum(weight.numel() for weight in weights))


def ours(size: Size, samples_BT: Tensor, subsampling: int, part: str, arithmetic: torch.autocast) -> Step:
    """Our encoder and objective."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    encoder = build_encoder(
        EncoderConfig("transformer", 80, *size[:2], heads=size.heads, dropout=DROPOUT, subsampling=subsampling)
    )
    span = round(SPAN_S / (0.01 * subsampling))
    settings = Wav2Vec2Settings(
        Spans(MASKED / span, span), distractors=DISTRACTORS, books=BOOKS, entries=ENTRIES, code_width=CODE_WIDTH
    )
    objective = Wav2Vec2(settings, size.width)
    frames_BFM, counts_B = fbank(samples_BT)
    if part == ABOVE:
        with torch.no_grad():
            local_BFD, hidden_B, _ = encoder.subsample(frames_BFM, counts_B)
        encoder.subsample = Given((local_BFD, hidden_B, valid_frames(hidden_B, local_BFD.shape[1])))

    def loss() -> Tensor:
        heard = Views(*(fbank(samples_BT) if part == WHOLE else (frames_BFM, counts_B)))
        with arithmetic:
            found = objective(encoder, heard, generator)
        return torch.stack(list(found.losses.values())).sum()

    return moved(nn.ModuleList([encoder, objective]), loss)


def theirs(size: Size, samples_BT: Tensor, part: str, arithmetic: torch.autocast) -> Step:
    """The model of transformers; masks and distractors are drawn as in its documentation."""
    torch.manual_seed(SEED)
    names = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "feat_quantizer_dropout")
    config = Wav2Vec2Config(
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.width,
        num_codevector_groups=BOOKS,
        num_codevectors_per_group=ENTRIES,
        codevector_dim=CODE_WIDTH,
        proj_codevector_dim=CODE_WIDTH,
        num_negatives=DISTRACTORS,
        layerdrop=0.0,
        **dict.fromkeys(names, DROPOUT),
    )
    model = Wav2Vec2ForPreTraining(config)
    normal_BT = (samples_BT - samples_BT.mean(1, keepdim=True)) / samples_BT.std(1, keepdim=True)
    shape = (len(samples_BT), int(model._get_feat_extract_output_lengths(samples_BT.shape[1])))
    if part == ABOVE:
        with torch.no_grad():
            model.wav2vec2.feature_extractor = Given(model.wav2vec2.feature_extractor(normal_BT))

    def loss() -> Tensor:
        masked = _compute_mask_indices(shape, MASKED, round(SPAN_S / 0.02))
        others = _sample_negative_indices(shape, DISTRACTORS, masked)
        drawn = torch.from_numpy(masked), torch.from_numpy(others).long()
        with arithmetic:
            found = model(normal_BT, mask_time_indices=drawn[0], sampled_negative_indices=drawn[1])
        return found.loss / int(drawn[0].sum())

    return moved(model, loss)


def steps_of(size: Size, samples_BT: Tensor) -> dict[tuple[str, str, str], Step]:
    """All that take turns, by contender, part and arithmetic."""
    arithmetics = {"float32": torch.autocast("cpu", enabled=False)}
    if (fast := fast_arithmetic())._enabled:  # whatever this processor is good at
        arithmetics["bfloat16"] = fast
    return {
        (name, part, precision): (
            ours(size, samples_BT, subsampling, part, arithmetic)
            if subsampling
            else theirs(size, samples_BT, part, arithmetic)
        )
        for precision, arithmetic in arithmetics.items()
        for part in PARTS
        for name, subsampling in CONTENDERS.items()
    }


def rows_of(size: Size, clips: int, clip_s: float, rounds: int) -> list[dict[str, Any]]:
    """The figures of a size."""
    generator = torch.Generator().manual_seed(SEED)
    samples_BT = 0.1 * torch.randn(clips, round(clip_s * RATE_HZ), generator=generator)
    steps, order = steps_of(size, samples_BT), random.Random(SEED)
    times_s: dict[tuple[str, str, str], list[float]] = {key: [] for key in steps}
    for number in range(rounds + 1):
        for key in order.sample(list(steps), len(steps)):
            began = time.process_time()
            loss = steps[key].run()
            times_s[key].append(time.process_time() - began)
            assert loss == loss, f"{key}: the loss is not a number"
        print(f"{size}: round {number} of {rounds}", file=sys.stderr, flush=True)
    medians_s = {key: statistics.median(each[1:]) for key, each in times_s.items()}
    return [
        dict(zip(("who", "part", "arithmetic"), key, strict=True))
        | {
            "size": list(size),
            "weights": steps[key].weights,
            "step_s": round(seconds, 3),
            "hours_per_hour": round(clips * clip_s / seconds, 2),
            "times_transformers": round(medians_s["transformers", *key[1:]] / seconds, 2),
        }
        for key, seconds in medians_s.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["256x6x4", "768x12x12"], help="width x layers x heads")
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--clip-s", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [Size(*map(int, size.split("x"))) for size in options.sizes]
    report = {
        "what": "hours of audio an hour of processor time, training steps of wav2vec 2.0, medians of rounds in turn",
        "seed": SEED,
        "rounds": options.rounds,
        "clips": options.clips,
        "clip_s": options.clip_s,
        "rows": [row for size in sizes for row in rows_of(size, options.clips, options.clip_s, options.rounds)],
        "transformers": version("transformers"),
        "machine": machine(),
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
