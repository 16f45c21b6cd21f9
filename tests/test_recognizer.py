"""Transcription: files and samples, windows of long recordings, word times, and sound that is hardly any."""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from earful.adapt.brought import Brought
from earful.adapt.finetune import Plan
from earful.adapt.self_adapt import SelfAdaptation
from earful.audio.files import SAMPLE_RATE_HZ, blocks, write
from earful.checkpoint import Checkpoint, Language, load_checkpoint
from earful.ctc.greedy import Emission
from earful.ctc.ngram import learn
from earful.data.clips import read_clips
from earful.data.frames import frames_of
from earful.data.manifest import Manifest
from earful.data.untranscribed import Skipped
from earful.data.utterance import Utterance
from earful.encoder.encoder import KINDS, EncoderConfig
from earful.errors import AudioError, ConfigError
from earful.features.fbank import fbank, frame_count
from earful.model import AcousticModel, ModelConfig, parameters_of
from earful.recognizer import CONTEXT_S, WINDOW_S, Recognizer, Samples
from earful.text.alphabet import Alphabet
from earful.text.choices import Writing
from earful.text.normalize import TextRules
from earful.text.pinyin import TONES
from earful.text.vocabulary import make_lexicon

RATES = [(s, u) for s in (2, 3, 4) for u in (1, 2)]
SECONDS = [14.99, 15.0, 15.004, 15.02, 16.7, 30.0, 31.23456, 46.1]


@pytest.fixture(autouse=True)
def signals_are_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise and tones stand for speech here; what is left out of real sound: `test_recognizer_silence.py`."""
    monkeypatch.setattr("earful.transcriber.spoken", lambda samples_T: np.ones(1, np.bool_))


def config_of(subsampling: int = 4, upsampling: int = 2, kind: str = "conformer") -> ModelConfig:
    encoder = EncoderConfig(kind, width=16, layers=1, heads=2, kernel=5, subsampling=subsampling)
    return ModelConfig(Alphabet((" ", "a", "b")), encoder=encoder, upsampling=upsampling)


def untrained(config: ModelConfig) -> Recognizer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Recognizer(Checkpoint(config, parameters_of(AcousticModel(config))))


class Loudness(nn.Module):
    """Writes "a" with probability 0.8 where a frame is loud, and a space where it is not."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config

    def frames_of(self, samples_T: Tensor) -> Tensor:
        return fbank(samples_T)[0][0]

    def forward(self, frames_BFM: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        loud_BF = (frames_BFM.amax(-1) > -4).float()
        hop = self.config.encoder.subsampling
        pooled_BF = nn.functional.max_pool1d(loud_BF, hop, ceil_mode=True).repeat_interleave(self.config.upsampling, 1)
        p_BFV = torch.full((*pooled_BF.shape, 4), 0.1)
        p_BFV[..., 2] = torch.where(pooled_BF > 0, 0.8, 0.1)
        p_BFV[..., 1] = torch.where(pooled_BF > 0, 0.1, 0.7)
        return p_BFV.log(), torch.tensor([pooled_BF.shape[1]])


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recognizer]:
    """`ears(subsampling, upsampling)` hears loud stretches as the word "a"."""
    monkeypatch.setattr(Checkpoint, "build", lambda self: Loudness(self.config))
    return lambda *rates: Recognizer(Checkpoint(config_of(*rates), {}))


def beeps(times_s: list[float], duration_s: float) -> Samples:
    """Silence with a tone of a fifth of a second at each of `times_s`."""
    samples_T = np.zeros(round(duration_s * SAMPLE_RATE_HZ), np.float32)
    tone_T = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3200) / SAMPLE_RATE_HZ)
    for time_s in times_s:
        samples_T[round(time_s * SAMPLE_RATE_HZ) :][:3200] += tone_T.astype(np.float32)
    return samples_T


@pytest.mark.parametrize(("subsampling", "upsampling"), RATES)
def test_windows_are_whole_encoder_frames(subsampling: int, upsampling: int) -> None:
    hop_s = 0.01 * subsampling
    for length_s in (WINDOW_S, CONTEXT_S):
        assert length_s / hop_s == pytest.approx(round(length_s / hop_s), abs=1e-9)


@pytest.mark.parametrize(("subsampling", "upsampling"), RATES)
@pytest.mark.parametrize("seconds", SECONDS)
def test_windows_give_as_many_frames_as_the_whole(
    subsampling: int, upsampling: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = untrained(config_of(subsampling, upsampling))
    counts = list[int]()

    def counting(best_F: Tensor, p_F: Tensor) -> tuple[Emission, ...]:
        counts.append(len(best_F))
        return ()

    monkeypatch.setattr("earful.ctc.stretches.merge", counting)
    count = round(seconds * SAMPLE_RATE_HZ)
    recognizer.transcribe(np.zeros(count, np.float32))
    frames = frame_count(count)
    list(recognizer.transcribe_many([torch.zeros(frames, 80)]))
    assert counts == [recognizer.checkpoint.config.output_count(frames)] * 2


@pytest.mark.parametrize(("subsampling", "upsampling"), RATES)
def test_windows_hear_what_the_whole_holds_when_it_is_said(
    ears: Callable[..., Recognizer], subsampling: int, upsampling: int
) -> None:
    times_s = [0.5, 13.1, 14.9, 29.95, 37.3, 44.0, 59.9, 61.0]  # some across the edge of a window
    found = ears(subsampling, upsampling).transcribe(beeps(times_s, 62.0))
    assert found.text == " ".join("a" * len(times_s)) and found.duration_s == 62.0
    for word, time_s in zip(found.words, times_s, strict=True):
        slack_s = 0.01 * subsampling + 0.02
        assert word.start_s == pytest.approx(time_s, abs=slack_s)
        assert word.end_s == pytest.approx(time_s + 0.2, abs=slack_s)
        assert word.confidence == pytest.approx(found.confidence, abs=0.02), "each is heard as clearly"


def test_guesses_of_a_recording_begin_with_its_text(ears: Callable[..., Recognizer]) -> None:
    recognizer = Recognizer(ears().checkpoint, guesses=4)
    found = recognizer.transcribe(beeps([0.5], 1.0))
    assert len(set(found.guesses)) == 4 and found.guesses[0] == found.text
    assert ears().transcribe(beeps([0.5], 1.0)).guesses == ()


def test_hot_words_are_written_where_the_sound_allows_them(ears: Callable[..., Recognizer]) -> None:
    hot = Recognizer(ears().checkpoint, hot={"Ab": 1.5})
    assert set(hot.transcribe(beeps([0.5], 1.0)).text.split()) == {"ab"}
    hardly = Recognizer(ears().checkpoint, hot={"ab": 0.1}).transcribe(beeps([0.5], 1.0))
    assert "ab" not in hardly.text.split()


def test_confidence_of_the_whole(ears: Callable[..., Recognizer]) -> None:
    found = ears().transcribe(beeps([0.5], 1.0))
    assert [word.text for word in found.words] == ["a"]
    assert found.confidence == found.words[0].confidence
    shifted = Recognizer(replace(ears().checkpoint, shift=1.5)).transcribe(beeps([0.5], 1.0))
    assert 1 > shifted.confidence > found.confidence + 0.2, "a recogniser that has shown to be better than others"


def test_frames_and_samples_give_the_same_text(ears: Callable[..., Recognizer], tmp_path: Path) -> None:
    samples_T = beeps([0.5, 14.95, 20.0, 30.1], 33.3)
    write(tmp_path / "a.wav", samples_T)
    recognizer = ears()
    frames_FM = frames_of(Utterance("a", tmp_path / "a.wav"), recognizer.frames_of)
    assert list(recognizer.transcribe_many([frames_FM, frames_FM[:400]])) == ["a a a a", "a"]


@pytest.mark.parametrize("seconds", [1.7, 33.3])
def test_an_array_a_file_and_its_blocks_are_the_same(tmp_path: Path, seconds: float) -> None:
    recognizer = untrained(config_of())
    noise = np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE_HZ)) * 0.1
    samples_T = (np.round(noise * 32768) / 32768).astype(np.float32)  # what 16 bits carry
    write(tmp_path / "a.flac", samples_T)
    found = recognizer.transcribe(samples_T)
    assert found.text and found.duration_s == pytest.approx(seconds)
    assert recognizer.transcribe(tmp_path / "a.flac") == found == recognizer.transcribe(str(tmp_path / "a.flac"))
    assert recognizer.transcribe_blocks(blocks(tmp_path / "a.flac", WINDOW_S)) == found
    content = (tmp_path / "a.flac").read_bytes()
    assert recognizer.transcribe(content) == found == recognizer.transcribe((samples_T, SAMPLE_RATE_HZ))
    with (tmp_path / "a.flac").open("rb") as file:
        assert recognizer.transcribe(file) == found


def test_a_speaker_on_each_channel_of_samples_at_another_rate(ears: Callable[..., Recognizer]) -> None:
    channels = [beeps([start_s], 2.0).repeat(2) for start_s in (0.5, 1.5)]
    seconds = list[float]()
    found = ears().transcribe((np.stack(channels, 1), 2 * SAMPLE_RATE_HZ), "each", advance=seconds.append)
    assert [(word.text, word.speaker) for word in found.words] == [("a", "speaker 1"), ("a", "speaker 2")]
    assert found.duration_s == pytest.approx(2.0) and sum(seconds) == pytest.approx(4.0)
    several = Recognizer(ears().checkpoint, guesses=2)
    with pytest.raises(ConfigError, match="guesses are possible for one channel only"):
        several.transcribe((np.stack(channels, 1), SAMPLE_RATE_HZ), "each")


def test_noise_is_suppressed_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earful.transcriber.suppressed", lambda samples_T: 0 * samples_T)
    recognizer = untrained(config_of())
    noise_T = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    found = recognizer.transcribe(noise_T, denoise=True)
    assert found == recognizer.transcribe(0 * noise_T) != recognizer.transcribe(noise_T)


def test_samples_of_any_float_and_layout(ears: Callable[..., Recognizer]) -> None:
    recognizer, samples_T = ears(), beeps([0.5], 1.0)
    expected = recognizer.transcribe(samples_T)
    frozen_T = samples_T.copy()
    frozen_T.flags.writeable = False
    for other_T in (frozen_T, samples_T[::-1].copy()[::-1], samples_T.repeat(2)[::2]):
        assert recognizer.transcribe(other_T) == expected
    assert recognizer.transcribe(samples_T.astype(np.float64)) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_encoder(kind: str) -> None:
    found = untrained(config_of(kind=kind)).transcribe(beeps([0.2, 0.7], 1.0))
    for word in found.words:
        assert 0 <= word.start_s <= word.end_s <= 1.0 and 0 < word.confidence <= 1


@pytest.mark.parametrize("count", [1, 79, 80, 160, 161, 1600])
def test_hardly_any_sound(ears: Callable[..., Recognizer], count: int) -> None:
    found = ears().transcribe(beeps([0.0], 0.2)[:count])
    assert found.text in ("", "a") and (found.text == "a") == (count >= 80), "half a hop makes a frame"
    assert found.duration_s == count / SAMPLE_RATE_HZ
    assert all(0 <= word.start_s <= word.end_s <= found.duration_s for word in found.words)


def test_silence() -> None:
    found = untrained(config_of()).transcribe(np.zeros(20 * SAMPLE_RATE_HZ, np.float32))
    assert found.duration_s == 20.0 and math.isfinite(found.confidence)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.array([0.1, np.nan], np.float32), "NaN"),
        (np.array([0.1, np.inf], np.float32), "NaN or infinity"),
        (np.zeros((2, 16_000), np.float32), "mono"),
        (np.zeros(16_000, np.int16), "expected float"),
        (np.zeros(0, np.float32), "no samples"),
    ],
)
def test_samples_that_are_no_sound(samples: Samples, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        untrained(config_of()).transcribe(samples)


def test_a_file_that_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"a\.wav"):
        untrained(config_of()).transcribe(tmp_path / "a.wav")


def test_load_adapt_save(tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    base = Recognizer.load(tiny_base)
    before = {name: tensor.clone() for name, tensor in base.checkpoint.params.items()}
    adapted = base.adapt(clips, plan=Plan(steps=3, copies=0, evaluations=1, folds=0))
    assert base.report is None and adapted.report is not None and adapted.report.clips == 8
    assert all(torch.equal(before[name], tensor) for name, tensor in base.checkpoint.params.items())
    assert base.checkpoint.config.alphabet != adapted.checkpoint.config.alphabet
    adapted.save(tmp_path / "m")
    again = Recognizer.load(tmp_path / "m")
    assert again.transcribe(clips / "clip0.wav") == adapted.transcribe(clips / "clip0.wav")
    assert load_checkpoint(tmp_path / "m").config == replace(base.checkpoint.config, alphabet=Alphabet(tuple(" abc")))


PEAK = """
import json, resource, sys
import torch
from earful.recognizer import Recognizer
torch.set_num_threads(1)
found = Recognizer.load(sys.argv[1]).transcribe(sys.argv[2])
print(json.dumps([found.duration_s, len(found.words), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def peak_mb(model: Path, audio: Path) -> tuple[float, float]:
    """How much was heard, and the peak memory of a process that hears it."""
    command = [sys.executable, "-c", PEAK, str(model), str(audio)]
    duration_s, _, peak = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return duration_s, peak


@pytest.mark.slow
def test_an_hour_takes_hardly_more_memory_than_a_minute(tiny_base: Path, tmp_path: Path) -> None:
    minute_T = np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE_HZ).astype(np.float32) * 0.1
    peaks = {}
    for minutes in (1, 60):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(minute_T)
        duration_s, peaks[minutes] = peak_mb(tiny_base, path)
        assert duration_s == 60.0 * minutes
    assert peaks[60] < peaks[1] + 60, "half of what the samples alone would take as float32"


@pytest.mark.slow
@pytest.mark.parametrize("subsampling", [3, 4])
def test_times_do_not_drift_over_an_hour(ears: Callable[..., Recognizer], subsampling: int) -> None:
    times_s = [1.0, 1799.97, 3591.03]
    found = ears(subsampling, 2).transcribe(beeps(times_s, 3600.0))
    assert [word.start_s for word in found.words] == pytest.approx(times_s, abs=0.01 * subsampling + 0.02)


def test_a_language_model_is_searched_with_unless_greedy(ears: Callable[..., Recognizer]) -> None:
    """It knows only "b": a great weight makes of each "a" what it expects, and the times stay where they were."""
    plain = ears().checkpoint
    ngram = learn(["b b b b"] * 20, plain.config.alphabet, 3)
    checkpoint = replace(plain, language=Language(ngram, 4.0, 2.0))
    samples_T = beeps([0.5, 15.2, 17.0], 18.0)
    found = Recognizer(checkpoint).transcribe(samples_T)
    assert "b" in found.text and "a" not in found.text
    greedy = Recognizer(checkpoint, greedy=True).transcribe(samples_T)
    assert greedy == Recognizer(plain).transcribe(samples_T) and greedy.text == "a a a"
    assert all(0 <= word.start_s <= word.end_s <= found.duration_s for word in found.words)


@pytest.fixture(scope="module")
def fitting() -> Recognizer:
    """An untrained recogniser that fits itself to each window, and writes letters more often than blanks."""
    checkpoint = untrained(config_of()).checkpoint
    checkpoint.params["heads.text.bias"][0] -= 1
    return Recognizer(checkpoint, self_adapt=True)


def noise(seconds: float, seed: int = 0) -> Samples:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def test_self_adaptation_is_heard_and_forgotten(fitting: Recognizer) -> None:
    """The order of recordings plays no part, and nothing of them stays."""
    first_T, second_T = noise(1.2), noise(0.8, seed=1)
    before = {name: tensor.clone() for name, tensor in fitting._model.state_dict().items()}
    found = [fitting.transcribe(samples_T) for samples_T in (first_T, second_T)]
    assert [fitting.transcribe(samples_T) for samples_T in (second_T, first_T)] == found[::-1]
    assert all(torch.equal(before[name], tensor) for name, tensor in fitting._model.state_dict().items())
    plain = Recognizer(fitting.checkpoint)
    assert found[0] != plain.transcribe(first_T), "it did adapt"
    assert found[0].confidence > plain.transcribe(first_T).confidence, "and is surer of what it heard"


def test_self_adaptation_of_samples_and_of_frames(fitting: Recognizer) -> None:
    clips = [noise(0.8, seed) for seed in range(2)]
    frames = [fitting.frames_of(torch.from_numpy(samples_T)) for samples_T in clips]
    expected = [fitting.transcribe(samples_T).text for samples_T in clips]
    assert list(fitting.transcribe_many(frames)) == expected and all(expected)
    assert list(fitting.transcribe_many(frames[::-1])) == expected[::-1]


def test_each_window_is_fitted_to_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    how, windows = SelfAdaptation(steps=2), list[int]()

    def noting(model: AcousticModel, frames_FM: Tensor, given: SelfAdaptation) -> dict[str, Tensor]:
        assert given is how
        windows.append(len(frames_FM))
        return {}

    monkeypatch.setattr("earful.recognizer.fit_to", noting)
    recognizer = Recognizer(untrained(config_of()).checkpoint, self_adapt=how)
    assert recognizer.transcribe(noise(33.0)) == untrained(config_of()).transcribe(noise(33.0))
    assert windows == [1680, 1860, 480], "15 s, 15 s and 3 s, with 1.8 s of what lies beside them"


@pytest.mark.parametrize("count", [1, 79, 80, 160, 161, 1600])
def test_self_adaptation_to_hardly_any_sound(fitting: Recognizer, count: int) -> None:
    for samples_T in (noise(0.1)[:count], np.zeros(count, np.float32)):
        found = fitting.transcribe(samples_T)
        assert math.isfinite(found.confidence) and all(math.isfinite(word.confidence) for word in found.words)


def test_silence_without_a_letter_is_heard_as_it_is() -> None:
    checkpoint = untrained(config_of()).checkpoint
    checkpoint.params["heads.text.bias"][0] += 100
    recognizer = Recognizer(checkpoint, self_adapt=True)
    assert recognizer.transcribe(np.zeros(16_000, np.float32)) == Recognizer(checkpoint).transcribe(noise(1.0))


def test_a_loaded_model_adapts_itself_where_it_is_asked_to(tiny_base: Path, clips: Path) -> None:
    plain, fitted = (
        Recognizer.load(tiny_base, self_adapt=asked).transcribe(clips / "clip0.wav") for asked in (False, True)
    )
    assert fitted.confidence > plain.confidence


class Speller(nn.Module):
    """Writes one text whatever it hears: a frame for each letter, and a blank after it."""

    def __init__(self, config: ModelConfig, text: str) -> None:
        super().__init__()
        self.labels, self.size = config.alphabet.encode(text), config.alphabet.size

    def frames_of(self, samples_T: Tensor) -> Tensor:
        return fbank(samples_T)[0][0]

    def forward(self, frames_BFM: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        path = [label for each in self.labels for label in (each, 0)]
        logp_FV = nn.functional.one_hot(torch.tensor(path), self.size).float().mul(9).log_softmax(1)
        return logp_FV[None], torch.tensor([len(path)])


@pytest.fixture
def mandarin(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recognizer]:
    """`mandarin(text, writing)` hears that pinyin in all sound, and has a lexicon of a few words."""
    config = replace(config_of(), alphabet=Alphabet.learn([f"{' abcdefghijklmnopqrstuvwxyzü'}{TONES}"]))
    lexicon = make_lexicon({"我们": 0.2, "去": 0.2, "银行": 0.1, "上": 0.1}, ["用 wifi"])

    def make(text: str, writing: Writing) -> Recognizer:
        monkeypatch.setattr(Checkpoint, "build", lambda self: Speller(self.config, text))
        return Recognizer(Checkpoint(replace(config, rules=TextRules(writing=writing)), {}, lexicon=lexicon))

    return make


def test_pinyin_is_written_with_its_accents(mandarin: Callable[..., Recognizer]) -> None:
    found = mandarin("woˇ men quˋyinˊhangˊ ok", "pinyin").transcribe(np.zeros(16_000, np.float32))
    assert found.text == "wǒ men qù yín háng ok", "a forgotten space is put after a tone"
    hop_s = config_of().output_hop_s
    assert [round(word.start_s / hop_s) for word in found.words[2:5]] == [16, 22, 30]


def test_characters_have_the_times_of_their_syllables(mandarin: Callable[..., Recognizer]) -> None:
    found = mandarin("woˇ menˊ quˋ yinˊ hangˊ shangˋ wifi chuangˊ", "characters").transcribe(
        np.zeros(48_000, np.float32)
    )
    assert found.text == "我们去银行上 wifi chuáng", "a wrong tone is mended, an unknown syllable stays"
    assert [word.text for word in found.words] == ["我们", "去", "银行", "上", "wifi", "chuáng"]
    syllables = mandarin("woˇ menˊ quˋ", "pinyin").transcribe(np.zeros(48_000, np.float32)).words
    assert (found.words[0].start_s, found.words[0].end_s) == (syllables[0].start_s, syllables[1].end_s)
    assert found.words[1].start_s == syllables[2].start_s
    plain = mandarin("woˇ", "given").transcribe(np.zeros(16_000, np.float32))
    assert plain.text == "woˇ", "as it was learned"


def test_adapting_with_effort(tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    plan = Plan(steps=2, copies=0, evaluations=1, batch_s=8.0, folds=3)
    start, seen = Recognizer.load(tiny_base), list[Brought]()
    made = start.adapt(clips, effort="best", language="xx", plan=plan, greedy=True, watch=seen.append)
    assert made.report is not None and made.report.steps == tuple(seen) and seen[0].name == "usual"
    assert made.checkpoint.config.rules.language == "xx" and start.checkpoint.config.rules.language == ""
    with pytest.raises(ConfigError, match="with best alone"):
        start.adapt(clips, minutes=3.0)
    with pytest.raises(ConfigError, match="--effort quick has no time for"):
        start.adapt(clips, effort="quick", unlabelled=clips)


def test_adapting_with_all_that_the_command_has(
    tiny_base: Path, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other text from a file, sentences that are said, recordings, a search, steps: each gets where it belongs."""
    (tmp_path / "text.txt").write_text("abba cab. bac abba", "utf-8")
    said = read_clips(clips)[:2]
    asked = dict[str, Any]()

    def speak(base: Checkpoint, count: int, texts: Sequence[str], **how: Any) -> Manifest:
        asked.update(count=count, texts=list(texts))
        return said.filter(lambda u: True)

    def search(base: Checkpoint, clips: Manifest, **how: Any) -> tuple[Plan, tuple[()]]:
        asked.update(minutes=how["minutes"], steps=how["plan"].steps)
        return replace(how["plan"], copies=0, folds=0, evaluations=1), ()

    monkeypatch.setattr("earful.adapt.effort.spoken", speak)
    monkeypatch.setattr("earful.adapt.effort.search", search)
    monkeypatch.setattr("earful.adapt.effort.speech_of", lambda found, tell: (found, (Skipped(Path("x.wav"), "odd"),)))
    base = Recognizer.load(tiny_base)
    made = base.adapt(clips, text=tmp_path / "text.txt", texts=["cab"], speak=7, tune=3.0, steps=2, unlabelled=clips)
    assert asked == {"count": 7, "texts": ["cab", "abba cab.", "bac abba"], "minutes": 3.0, "steps": 2}
    assert made.report is not None and made.report.curve[-1].step == 2
    assert "left out x.wav: odd" in made.report.warnings
    assert any("without transcripts" in line for line in made.report.warnings), made.report.warnings
