"""What tests of several rooms need: a language of tones, recordings of it, and a tiny base with random weights."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, final

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import settings
from safetensors.torch import save_file

from earful.adapt.inner import Inner
from earful.adapt.select import Learned
from earful.audio.files import SAMPLE_RATE_HZ, write
from earful.checkpoint import Checkpoint, InnerLoop, load_checkpoint, save_checkpoint
from earful.cli.main import main
from earful.config import to_mapping
from earful.ctc.greedy import Numbers
from earful.ctc.ngram import learn
from earful.encoder.encoder import EncoderConfig
from earful.encoder.huggingface import whisper_name
from earful.encoder.pretrained import build_backbone
from earful.encoder.whisper import WhisperConfig
from earful.folders import Language
from earful.model import AcousticModel, ModelConfig, parameters_of
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules
from earful.transcriber import Samples, Transcriber, Writing

torch.set_num_threads(1)  # tiny models: a second thread costs more than it brings
settings.register_profile("patient", deadline=None)  # a busy machine must fail no test
settings.load_profile("patient")

TONE_S = 0.16
SMALL = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}
CONFIG = {"model_type": "whisper", "num_mel_bins": 80, "max_source_positions": 1500, **SMALL}
WORDS = ("abba", "cab", "acca", "bac", "caba", "ba", "ac")


def say(text: str, pitch: float = 1.0) -> np.ndarray:
    """Each letter is a tone of its own, a space is silence."""
    t = np.arange(round(TONE_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hz = {letter: 300 * 1.7**place * pitch for place, letter in enumerate("abc")}
    parts = [0.4 * np.sin(2 * np.pi * hz[c] * t) * np.hanning(len(t)) if c in hz else 0 * t for c in f" {text} "]
    return np.concatenate(parts).astype(np.float32)


@final
class Tones(Transcriber):
    """A recogniser of the language of tones, without a network: what it hears hangs on nothing that lies around it.

    100 ms of quiet are a space. `heard_s` counts the seconds that it was given.
    """

    heard_s = 0.0

    def _logp_of(self, samples_T: Samples) -> Numbers:
        self.heard_s += len(samples_T) / SAMPLE_RATE_HZ
        frames_FT = np.pad(samples_T, (0, -len(samples_T) % 320)).reshape(-1, 320)
        hz_L = 300 * 1.7 ** np.arange(3)
        power_FL = np.abs(frames_FT @ np.exp(-2j * np.pi * np.outer(np.arange(320), hz_L) / SAMPLE_RATE_HZ)) / 320
        loud_F = power_FL.max(1) > 0.02
        quiet_F = np.convolve(~np.pad(loud_F, 2, mode="edge"), np.ones(5), "valid") == 5
        best_F = np.where(loud_F, 2 + power_FL.argmax(1), np.where(quiet_F, 1, 0))
        p_FV = np.full((len(best_F), self.writing.alphabet.size), 0.02)
        p_FV[np.arange(len(best_F)), best_F] = 0.92
        return np.log(p_FV).astype(np.float32)


@pytest.fixture(params=["the best path", "a search with a language model"])
def tones_heard(request: pytest.FixtureRequest) -> Callable[[], Tones]:
    """`tones_heard()` is a new recogniser of tones."""
    alphabet = Alphabet(tuple(" abc"))
    learned = learn(["abba cab acca", "bac caba", "ab ab ca"], alphabet, order=3)
    language = None if request.param == "the best path" else Language(learned, 0.5, 0.5)
    return lambda: Tones(Writing(alphabet, TextRules(), 0.02, language=language))


def record(folder: Path, count: int) -> Path:
    """A folder of clips, each with its text beside it; no two of 49 say the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = " ".join(WORDS[(number * step + step + (step == 3) * (number // 7)) % len(WORDS)] for step in (1, 2, 3))
        write(folder / f"clip{number}.wav", say(text, 1 + 0.01 * number))
        (folder / f"clip{number}.txt").write_text(text + "\n", "utf-8")
    return folder


@pytest.fixture(scope="session")
def tones() -> Callable[..., np.ndarray]:
    """`tones("abba")` are the samples of a text in the language of tones."""
    return say


@pytest.fixture(scope="session")
def write_clips() -> Callable[[Path, int], Path]:
    """`write_clips(folder, count)` makes a folder of clips with their texts."""
    return record


@pytest.fixture(scope="session")
def odd() -> ModuleType:
    """The makers of odd sound files, `bench/odd_files.py`."""
    spec = importlib.util.spec_from_file_location("odd_files", Path(__file__).parents[1] / "bench" / "odd_files.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of the language of tones, about 15 s."""
    return record(tmp_path_factory.mktemp("clips"), 8)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained model of 30 thousand parameters."""
    encoder = EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7)
    config = ModelConfig(Alphabet(tuple(" abcde")), encoder=encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint = Checkpoint(config, parameters_of(AcousticModel(config)), {"languages": ["tones"]})
    folder = tmp_path_factory.mktemp("base") / "tiny"
    save_checkpoint(folder, checkpoint)
    return folder


@pytest.fixture(scope="session")
def meta_base(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with an inner loop of two steps, as meta-training leaves it."""
    learned = Learned(Inner(0.1, 2, clip_norm=1.0))
    folder = tmp_path_factory.mktemp("meta") / "meta"
    save_checkpoint(folder, replace(load_checkpoint(tiny_base), inner=InnerLoop(to_mapping(learned), {})))
    return folder


class Run(NamedTuple):
    """What a command line did."""

    status: int
    out: str
    err: str


@pytest.fixture
def earful(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Run a command line in this process: the exit status, stdout and stderr."""

    def run(*arguments: object) -> Run:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Run(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def write_game() -> Callable[..., Path]:
    """`write_game(folder, language, levels, clips)` makes the folders of fillets-ng, with tones for dialogue."""

    def write_game(folder: Path, language: str, levels: int, clips: int) -> Path:
        for level in (f"level{number}" for number in range(levels)):
            lines = ['dialogId("silent", "font_small", "x")\ndialogStr("abba")'] if level == "level0" else []
            sound = folder / "sound" / level / language
            sound.mkdir(parents=True)
            for number in range(clips):
                text = " ".join(WORDS[number:] + WORDS[:number])[: 14 + number]
                soundfile.write(sound / f"{number}.ogg", say(text, 1 + len(list(folder.rglob("*.ogg"))) / 99), 16_000)
                lines.append(f'dialogId("{number}", "font_big", "x")\ndialogStr("{text}")')
            script = folder / "script" / level / f"dialogs_{language}.lua"
            script.parent.mkdir(parents=True)
            script.write_text("\n".join(lines), "utf-8")
        return folder

    return write_game


@pytest.fixture
def torchrun() -> Callable[..., "subprocess.Popen[bytes]"]:
    """Start `earful ARGUMENTS` in two processes; what they print goes to the file `log`."""

    def start(log: Path, *arguments: object) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with log.open("wb") as out:
            words = [*command, "-m", "earful", *map(str, arguments)]
            return subprocess.Popen(words, stdout=out, stderr=out, env=environment)

    return start


@pytest.fixture
def two_started() -> Iterator[Callable[..., list[BaseProcess]]]:
    """Start `python ARGUMENTS` in two processes as torchrun would, without its own; what they print goes to `log`."""
    import forked

    running = list[BaseProcess]()

    def start(log: Path, *arguments: object) -> list[BaseProcess]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
        here |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        words = [str(each) for each in arguments]
        running.extend(forked.start(log, words, here | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1"))
        return running

    yield start
    for each in running:
        each.kill()


@pytest.fixture
def side_by_side(two_started: Callable[..., list[BaseProcess]]) -> Callable[..., list[int | None]]:
    """Run `python ARGUMENTS` in two processes; answers how both ended."""

    def run(log: Path, *arguments: object) -> list[int | None]:
        running = two_started(log, *arguments)
        for each in running:
            each.join(240)
        return [each.exitcode for each in running]

    return run


@pytest.fixture(scope="session")
def small_whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Whisper encoder in Hugging Face's layout."""
    folder = tmp_path_factory.mktemp("hf")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = build_backbone(WhisperConfig("whisper", width=16, layers=2, heads=2, inner=32, frozen=2))
    names = {ours: theirs for theirs in theirs_of(2) if (ours := whisper_name(theirs))}
    save_file(
        {names[name]: weight.contiguous() for name, weight in backbone.state_dict().items()},
        folder / "model.safetensors",
    )
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def theirs_of(layers: int) -> list[str]:
    parts = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2")
    each = [*parts, "self_attn_layer_norm", "final_layer_norm"]
    modules = [f"layers.{n}.{part}" for n in range(layers) for part in each] + ["conv1", "conv2", "layer_norm"]
    return [f"model.encoder.{m}.{p}" for m in modules for p in ("weight", "bias")] + [
        "model.encoder.embed_positions.weight"
    ]
