"""A new speaker, and an unseen noise: is adaptation to them worth it, and is it ever worse than doing nothing?

Real Dutch, which the base of recipes/base/synthetic.toml has not heard. First a recogniser of Dutch is made: from the
clips of one of the two speakers, which then meets the other; or from clean clips of both, which then meets both amid
six other people's voices at 0, 5 and 10 dB. K clips of the new kind (one draw a seed) adapt it, held-out levels of that
kind score it, greedily. The noise is made of clips that neither learn nor test.

    python bench/conditions.py --base work/synthetic --corpus work/fillets-nl --out bench/conditions.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from earful.adapt.adapt import adapt
from earful.adapt.select import plan_for
from earful.audio.files import read, write
from earful.audio.noise import add_noise
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.kshot.machine import machine
from earful.recognizer import Recognizer
from kshot import draw, rates

KNOWN = 400  # clips that make the recogniser which then meets something new
CROWD = 6


def dutch(base: Checkpoint, clips: Manifest) -> Checkpoint:
    """The recogniser that meets the new kind: adapted to `clips`, unmeasured."""
    known = draw(clips, KNOWN, 0)
    return adapt(base, known, plan=replace(plan_for(len(known), known.duration_s), folds=0), greedy=True)[0]


def amid_voices(clips: Manifest, crowd: Sequence[np.ndarray], snr_db: float, folder: Path) -> Manifest:
    """The same clips, six people of `crowd` talking beside each; written into `folder`."""
    noisy = []
    for place, clip in enumerate(clips):
        speech_T = read(clip.audio, clip.start_s, clip.duration_s)
        generator = torch.Generator().manual_seed(place)
        voices = [crowd[i] for i in torch.randint(len(crowd), (CROWD,), generator=generator).tolist()]
        noise_T = np.sum([np.resize(voice_T, len(speech_T)) for voice_T in voices], axis=0, dtype=np.float32)
        path = folder / f"{snr_db:g}" / f"{place}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        mixed_T = add_noise(speech_T, noise_T, snr_db)
        write(path, mixed_T / max(1.0, float(np.abs(mixed_T).max())))
        noisy.append(replace(clip, audio=path, start_s=0.0, duration_s=len(speech_T) / 16_000))
    return Manifest(tuple(noisy))


def measured(
    known: Checkpoint, train: Manifest, test: Manifest, counts: Sequence[int], seeds: Sequence[int]
) -> Iterator[dict]:
    """CER of `known` on the new kind, and after adaptation to K clips of it."""
    frames = [clip.frames_FM for clip in compute_clips(test, Recognizer(known).frames_of)]
    before = rates(known, test, frames, greedy=True)
    for seed in seeds:
        for count in counts:
            checkpoint, report = adapt(known, draw(train, count, seed), greedy=True, seed=seed)
            after = rates(checkpoint, test, frames, greedy=True)
            yield {
                "clips": count,
                "seed": seed,
                "before": before["cer"],
                "after": after["cer"],
                "kept": report.improved,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="a base that has not heard Dutch")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--noisy-clips", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--snr-db", type=float, nargs="+", default=[0, 5, 10])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    base, rows = load_checkpoint(options.base), []
    train, test = (read_manifest(options.corpus / f"{part}.jsonl") for part in ("train", "test"))

    def note(kind: str, found: Iterator[dict]) -> None:
        for row in found:
            rows.append({"kind": kind} | row)
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            facts = {"machine": machine(), "base": options.base.name, "test_clips": len(test), "rows": rows}
            options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")

    for speaker in sorted({str(u.speaker) for u in train}):
        known = dutch(base, train.filter(lambda u, new=speaker: u.speaker != new))
        new_train, new_test = (part.filter(lambda u, new=speaker: u.speaker == new) for part in (train, test))
        note(speaker, measured(known, new_train, new_test, options.clips, options.seeds))
    learn, aside = Manifest(tuple(train)[::2]), Manifest(tuple(train)[1::2])
    known = dutch(base, learn)
    crowd = [read(u.audio, u.start_s, u.duration_s) for u in aside]
    with tempfile.TemporaryDirectory() as folder:
        for snr_db in options.snr_db:
            noisy = [
                amid_voices(part, crowd, snr_db, Path(folder) / name)
                for name, part in (("learn", learn), ("test", test))
            ]
            note(f"{snr_db:g} dB", measured(known, *noisy, options.noisy_clips, options.seeds))


if __name__ == "__main__":
    main()
