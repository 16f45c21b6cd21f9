"""Which clips belong together: sentences, spans, copies of a sound, speakers."""

from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from earful.audio.files import SAMPLE_RATE_HZ
from earful.data.apart import apart, groups_of, joined
from earful.data.frames import compute_clips
from earful.data.utterance import Utterance
from earful.features.fbank import fbank


def clip(
    name: str, speaker: str | None = None, audio: str = "", start_s: float = 0.0, s: float | None = 2.0
) -> Utterance:
    return Utterance(name, Path(audio or f"{name}.wav"), start_s, s, text=name, speaker=speaker)


def test_ties_reach_far() -> None:
    assert joined(0, []) == () and joined(3, []) == (0, 1, 2)
    assert joined(6, [(4, 5), (1, 3), (5, 1)]) == (0, 1, 2, 1, 1, 1)


def test_the_same_sentence() -> None:
    clips = [clip(name) for name in "abcd"]
    assert groups_of(clips, ["een kat", "een hond", "een kat", "een"]) == (0, 1, 0, 2)
    assert groups_of(clips, ["", "", "a", "b"]) == (0, 1, 2, 3), "nothing is no sentence"


def test_spans_of_one_recording() -> None:
    spans = [(0.0, 2.0), (2.0, 2.0), (3.5, 1.0), (6.0, None), (7.0, 1.0), (1.99, 0.5)]
    clips = [clip(str(i), audio="long.wav", start_s=start_s, s=s) for i, (start_s, s) in enumerate(spans)]
    assert groups_of(clips, list("abcdef")) == (0, 1, 1, 2, 2, 1), "that touch share nothing; that overlap do"
    others = [clip("a", audio="one.wav"), clip("b", audio="two.wav")]
    assert groups_of(others, ["a", "b"]) == (0, 1)


def test_a_copy_in_another_format_is_known(tmp_path: Path) -> None:
    """Noise through changing filters, as speech is; the same as MP3, Ogg, quieter; and others of the same length."""
    random = np.random.default_rng(0)

    def speech() -> np.ndarray:
        t = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        tones = [np.sin(2 * np.pi * hz * t) for hz in random.uniform(200, 3500, 12)]
        loud = np.repeat(random.random((12, 20)) ** 3, SAMPLE_RATE_HZ // 10, axis=1)
        return (0.05 * (np.array(tones) * loud).sum(0) + 0.001 * random.standard_normal(len(t))).astype(np.float32)

    made = [speech() for _ in range(6)]
    files = [(f"{i}.wav", each) for i, each in enumerate(made)]
    files += [("x.mp3", made[0]), ("x.ogg", made[1]), ("x.wav", 0.2 * made[2])]
    for name, samples in files:
        sf.write(tmp_path / name, samples, SAMPLE_RATE_HZ)
    clips = [Utterance(name, tmp_path / name) for name, _ in files]
    frames = [each.frames_FM for each in compute_clips(clips, lambda samples: fbank(samples)[0][0])]
    assert groups_of(clips, list("abcdefghi"), frames) == (0, 1, 2, 3, 4, 5, 0, 1, 2)


def test_frames_that_are_alike_everywhere_are_no_copies() -> None:
    silent = [torch.zeros(100, 80), torch.zeros(100, 80), torch.ones(100, 80)]
    assert groups_of([clip(name) for name in "abc"], list("abc"), silent) == (0, 1, 2)


def test_speakers_are_kept_apart_where_there_are_enough() -> None:
    texts = [f"{i}" for i in range(12)]
    four = apart([clip(str(i), "abcd"[i % 4]) for i in range(12)], texts)
    assert four.voices == "new" and four.parts == 4 and four.groups[:5] == (0, 1, 2, 3, 0)
    three = apart([clip(str(i), "abc"[i % 3]) for i in range(12)], texts)
    assert three.voices == "met" and three.parts == 12
    one_of_all = apart([clip(str(i), "a" if i < 7 else str(i)) for i in range(12)], texts)
    assert one_of_all.voices == "met", "too little would be left to learn from"
    some = apart([clip(str(i), "abcd"[i % 4] if i else None) for i in range(12)], texts)
    assert some.voices == "unknown" and some.parts == 12
    same = apart([clip(str(i), "abcd"[i % 4]) for i in range(12)], ["a", "b", "c"] * 4)
    assert same.voices == "met" and same.parts == 3, "all read the same: a sentence is new or a voice, not both"
