"""What the recogniser does not write: words in silence, and words as long as it."""

import numpy as np
import torch

from earful.checkpoint import Checkpoint
from earful.encoder.encoder import EncoderConfig
from earful.model import AcousticModel, ModelConfig, parameters_of
from earful.recognizer import Recognizer
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


def test_guesses_and_hot_words_of_recordings_with_silences() -> None:
    """Each stretch is searched by itself; the guesses are of the whole, its words in order."""
    checkpoint = untrained().checkpoint
    t = np.arange(48_000) / 16_000
    speech_T = (0.2 * np.sin(2 * np.pi * 300 * (1 + np.floor(4 * t) % 4) * t)).astype(np.float32)
    recording_T = np.concatenate([speech_T, np.zeros(20 * 16_000, np.float32), speech_T])
    found = Recognizer(checkpoint, guesses=3, hot={"ab": 3.0}).transcribe(recording_T)
    assert len(found.guesses) == 3 and found.guesses[0] == found.text == " ".join(word.text for word in found.words)
    assert all(word.end_s <= 4.0 or word.start_s >= 22.0 for word in found.words)
    assert found.confidence == sum(word.confidence for word in found.words) / len(found.words)
