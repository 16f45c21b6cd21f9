"""What a top for another encoder costs: recipes/base/any.toml, and `adapt` on it, by the encoder's dimensions.

Time does not depend on what weights say, so each encoder is built with random ones, of its published dimensions, in a
process of its own: how fast it hears speech on one core, what a step of the top takes, how much memory all that takes.
What a whole run takes is worked out of these: hours of speech through the encoder, then the recipe's steps.

    python bench/any_encoder.py --out bench/any_encoder.json
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from earful.config import read_toml
from earful.data.batch import Batch, PhoneLabels
from earful.encoder.pretrained import BackboneConfig, build_backbone
from earful.encoder.wav2vec2 import Wav2Vec2Config
from earful.encoder.whisper import WhisperConfig
from earful.kshot.machine import machine
from earful.model import AcousticModel, ModelConfig, amid, frames_by, moving
from earful.pretrain.recipe import Recipe
from earful.pretrain.supervised import losses
from earful.text.alphabet import Alphabet

RECIPE = Path("recipes/base/any.toml")
SPEECH_H = 6.0
"""What the recipe takes of the speech: every fourth of 24 hours."""
CLIP_S, FIFTY_S = 6.0, 50 * 3.4 * 5
"""A clip that is heard, and what `adapt` hears of fifty: each with four copies."""


def whisper(width: int, layers: int, mels: int = 80) -> WhisperConfig:
    return WhisperConfig(
        "whisper", mels=mels, width=width, layers=layers, heads=width // 64, inner=4 * width, frozen=layers
    )


def wav2vec2(width: int, layers: int) -> Wav2Vec2Config:
    """The large ones: a norm after every convolution, and before each branch."""
    size = {"width": width, "layers": layers, "heads": 16, "inner": 4 * width, "frozen": layers}
    return Wav2Vec2Config("wav2vec2", norm="layer", convolution_bias=True, pre_norm=True, **size)


ENCODERS: dict[str, BackboneConfig] = {
    "Whisper tiny": whisper(384, 4),
    "Whisper base": whisper(512, 6),
    "Whisper small": whisper(768, 12),
    "Whisper medium": whisper(1024, 24),
    "Whisper large-v3": whisper(1280, 32, 128),
    "wav2vec 2.0 base": Wav2Vec2Config("wav2vec2"),
    "XLS-R, MMS 300M": wav2vec2(1024, 24),
    "XLS-R, MMS 1B": wav2vec2(1280, 48),
}


def median_of(act: Callable[[], object], times: int) -> float:
    """Processor seconds of it, after a first time."""
    act()
    taken = []
    for _ in range(times):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def stepped(model: AcousticModel, recipe: Recipe) -> Callable[[], None]:
    """One step of the top, on a batch as long as the recipe's, of random frames and labels."""
    clips = round(recipe.batch_s / CLIP_S)
    frames = round(CLIP_S / model.config.features.hop_s)
    counts_B, labels_BL = torch.full((clips,), frames), torch.randint(1, 40, (clips, 70))
    label_counts_B = torch.full((clips,), 70)
    batch = Batch(torch.randn(clips, frames, model.config.features.bins), counts_B, labels_BL, label_counts_B)
    phones_BF = torch.randint(0, 40, (clips, model.config.output_count(frames)))
    phones = PhoneLabels(labels_BL, label_counts_B, phones_BF)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(moving(model.config, name))
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        torch.stack(list(losses(model, batch, phones).values())).sum().backward()
        optimiser.step()

    return step


def measured(name: str) -> dict[str, Any]:
    """One encoder, in a process of its own."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = read_toml(Recipe, RECIPE)
    backbone = build_backbone(ENCODERS[name]).eval()
    if isinstance(backbone.config, WhisperConfig):
        backbone = amid(backbone, 0.1 * torch.randn(11 * 16_000))
    sound_T = 0.1 * torch.randn(round(CLIP_S * 16_000))
    hears = CLIP_S / median_of(lambda: frames_by(backbone, sound_T), 3)
    config = backbone.config
    symbols = Alphabet(tuple(chr(0x4E00 + i) for i in range(300)))
    parameters = sum(p.numel() for p in backbone.parameters())
    model = AcousticModel(
        ModelConfig(symbols, symbols, config, replace(recipe.encoder, bins=config.bins), recipe.upsampling)
    )
    step_s = median_of(stepped(model.train(), recipe), 3)
    return {
        "encoder": name,
        "parameters": parameters,
        "hears_x_realtime": round(hears, 2),
        "step_s": round(step_s, 3),
        "frames_gb": round(SPEECH_H * 3600 / config.hop_s * config.bins * 2 / 1e9, 2),
        "train_core_h": round(SPEECH_H / hears + recipe.optimisation.steps * step_s / 3600, 2),
        "hear_fifty_core_min": round(FIFTY_S / hears / 60, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = []
    for name in options.encoders:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(measured, (name,)))
        print(json.dumps(rows[-1]), flush=True)
        found = {"machine": {**machine(), "threads": 1}, "speech_h": SPEECH_H, "rows": rows}
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
