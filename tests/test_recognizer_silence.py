"""What the recogniser does not write: words in silence, and words as long as it."""

import numpy as np
import torch

from earful.checkpoint import Checkpoint
from earful.ctc.greedy import Emission
from earful.encoder.encoder import EncoderConfig
from earful.model import AcousticModel, ModelConfig, parameters_of
from earful.recognizer import Recognizer, said_in, stretches
from earful.text.alphabet import Alphabet


def untrained() -> Recognizer:
    config = ModelConfig(
        Alphabet((" ", "a", "b")), encoder=EncoderConfig("conformer", width=16, layers=1, heads=2, kernel=5)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Recognizer(Checkpoint(config, parameters_of(AcousticModel(config))))


def test_nothing_is_written_in_silence_and_times_stay() -> None:
    """What is said after twenty seconds of silence is what is said without them, twenty seconds later."""
    recognizer = untrained()
    t = np.arange(48_000) / 16_000
    voiced = np.sin(2 * np.pi * 300 * (1 + np.floor(4 * t) % 4) * t) * np.maximum(0, np.sin(8 * np.pi * t))
    speech_T = (0.2 * voiced).astype(np.float32)
    nothing_T = np.zeros(20 * 16_000, np.float32)
    assert recognizer.transcribe(nothing_T).words == ()
    assert recognizer.transcribe(nothing_T, silences=True).duration_s == 20.0
    found = recognizer.transcribe(np.concatenate([nothing_T, speech_T, nothing_T, speech_T]))
    assert found.duration_s == 46.0 and all(
        (word.start_s >= 19.0 and word.end_s <= 24.0) or word.start_s >= 42.0 for word in found.words
    )


def test_a_letter_that_is_late_does_not_make_a_word_long() -> None:
    letters = [Emission(1, 10, 12, 0.9), Emission(2, 14, 15, 0.9), Emission(1, 900, 902, 0.5)]
    assert said_in(letters, 50) == (10, 15)
    assert said_in([Emission(1, 10, 3_000, 0.9)], 50) == (10, 60)
    assert stretches(torch.tensor([0, 1, 1, 0, 1], dtype=torch.bool)) == [(1, 3), (4, 5)]
    assert stretches(torch.zeros(3, dtype=torch.bool)) == []
