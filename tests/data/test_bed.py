"""A bed of speech: which samples are in it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from earful.audio.augment import Augmentation
from earful.audio.files import SAMPLE_RATE_HZ, write
from earful.data.bed import GAP_S, PIECE_S, bed_of
from earful.data.utterance import Utterance
from earful.errors import AudioError

GAP = round(GAP_S * SAMPLE_RATE_HZ)


def clip(folder: Path, name: str, seconds: float, level: float) -> Utterance:
    write(folder / f"{name}.wav", np.full(round(seconds * SAMPLE_RATE_HZ), level, np.float32))
    return Utterance(name, folder / f"{name}.wav", duration_s=seconds)


def bed(clips: list[Utterance], seed: int = 0, **options: object) -> torch.Tensor:
    return bed_of(clips, torch.Generator().manual_seed(seed), **options)  # type: ignore[arg-type]


def test_clips_one_after_the_other_each_with_silence_after_it(tmp_path: Path) -> None:
    samples_T = bed([clip(tmp_path, "a", 1.5, 0.25), clip(tmp_path, "b", 2.0, 0.5)])
    assert len(samples_T) == round(3.5 * SAMPLE_RATE_HZ) + 2 * GAP
    for level, seconds in ((0.25, 1.5), (0.5, 2.0)):
        assert int((samples_T.sub(level).abs() < 1e-3).sum()) == round(seconds * SAMPLE_RATE_HZ)
    assert float(samples_T[-GAP:].abs().max()) == 0


def test_as_long_as_it_is_asked_for_and_long_clips_are_cut(tmp_path: Path) -> None:
    clips = [clip(tmp_path, str(n), 8.0, 0.1 * (n + 1)) for n in range(4)]
    samples_T = bed(clips, seconds=9.0)
    assert len(samples_T) == 9 * SAMPLE_RATE_HZ
    first = int((samples_T == samples_T[0]).sum())
    assert first == round(PIECE_S * SAMPLE_RATE_HZ)
    assert not torch.equal(samples_T, bed(clips, 1, seconds=9.0)) and torch.equal(samples_T, bed(clips, seconds=9.0))


def test_short_clips_come_last(tmp_path: Path) -> None:
    clips = [*(clip(tmp_path, f"short{n}", 0.3, 0.5) for n in range(5)), clip(tmp_path, "long", 2.0, 0.25)]
    assert all(float(bed(clips, seed)[0]) == pytest.approx(0.25, abs=1e-3) for seed in range(5))


def test_augmented_clips_are_changed(tmp_path: Path) -> None:
    loud = Augmentation(gain_probability=1, gain_db=(-6, -6))
    clips = [clip(tmp_path, "a", 2.0, 0.5)]
    assert not torch.equal(bed(clips, augmentation=loud)[:GAP], bed(clips)[:GAP])


def test_no_clips_and_unreadable_ones(tmp_path: Path) -> None:
    assert len(bed([])) == 0
    with pytest.raises(AudioError, match="no such file"):
        bed([Utterance("a", tmp_path / "nowhere.wav")])
