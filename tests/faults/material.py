"""What is spoilt: valid sounds, manifests, annotations, models, recipes and states, made once."""

import io
import json
from pathlib import Path

import numpy as np
import soundfile
import torch

from earful.checkpoint import Checkpoint, Language, load_checkpoint, save_checkpoint
from earful.cli.main import main
from earful.ctc.ngram import learn
from earful.encoder.encoder import EncoderConfig
from earful.model import AcousticModel, ModelConfig, parameters_of
from earful.text.alphabet import Alphabet

RATE_HZ = 16_000
WORDS = ("abba", "cab", "acca", "bac", "caba", "ba")
SILENT = ("RAW", "SD2")  # no header; one of several files
RECIPE = {
    "out": "{out}/model",
    "work": "{out}/work",
    "cache": "{material}/frames",
    "batch_s": 20,
    "rarest_symbol": 1,
    "corpora": [{"manifest": "{material}/clips.jsonl", "copies": 1, "longest_s": 16.0}],
    "encoder": {
        "kind": "conformer",
        "width": 16,
        "layers": 1,
        "heads": 2,
        "kernel": 3,
        "dropout": 0.1,
        "subsampling": 4,
    },
    "optimisation": {"steps": 2, "rate": 0.001, "warmup": 0.1, "clip_norm": 1.0, "weight_decay": 0.01},
    "augmentation": {"speed_probability": 0.0, "room_probability": 0.0, "noise_probability": 0.5},
    "seed": 1,
}
PRETRAIN = {
    **{key: RECIPE[key] for key in ("out", "work", "cache", "batch_s", "encoder", "optimisation", "seed")},
    "corpora": [{"manifest": "{material}/clips.jsonl", "longest_s": 16.0}],
    "objectives": {"best_rq": {"codes": 8, "code_width": 4}},
    "probe_every": 2,
}
METATRAIN = {
    **{key: RECIPE[key] for key in ("out", "work", "cache", "corpora", "seed", "rarest_symbol")},
    "start": "{material}/model",
    "tasks": {"by": ["language"], "shots": {"clips": 2, "query": 1}},
    "learning": {"learner": "fomaml", "inner": {"rate": 0.01, "steps": 1}},
    "outer": {"tasks": 1, "save_every": 1, "optimisation": {"steps": 2}},
}
RECIPES = {"train": RECIPE, "pretrain": PRETRAIN, "metatrain": METATRAIN}


def tone(text: str, pitch: float = 1.0) -> np.ndarray:
    """Each letter a tone of its own with some noise, a space silence."""
    at_s = np.arange(round(0.16 * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(len(text)).standard_normal(len(at_s))
    parts = [
        0.003 * noise + (c != " ") * 0.4 * np.sin(940 * pitch * (ord(c) % 7 + 1) * at_s) * np.hanning(len(at_s))
        for c in f" {text} "
    ]
    return np.concatenate(parts).astype(np.float32)


def build(folder: Path) -> None:
    """Make everything in a new folder."""
    (folder / "clips").mkdir(parents=True)
    rows = []
    for number, word in enumerate(WORDS):
        text, place = f"{word} {WORDS[number - 1]}", folder / "clips" / f"clip{number}.wav"
        soundfile.write(place, tone(text, 1 + 0.02 * number), RATE_HZ)
        place.with_suffix(".txt").write_text(text + "\n", "utf-8")
        seconds = soundfile.info(place).duration
        rows.append({"audio_filepath": str(place), "duration": seconds, "text": text, "id": f"clip{number}"})
    lines = "".join(json.dumps(row | {"language": "nl", "speaker": "s"}) + "\n" for row in rows)
    (folder / "clips.jsonl").write_text(lines, "utf-8")
    _sounds(folder / "sounds")
    _model(folder / "model")


def _sounds(folder: Path) -> None:
    """One sound in every format that libsndfile writes, and in some that PyAV writes."""
    folder.mkdir()
    sound = np.concatenate([tone(f"{word} cab", 1 + 0.03 * number) for number, word in enumerate(WORDS)])[: 3 * RATE_HZ]
    for kind in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(kind):
            content = io.BytesIO()
            try:
                if kind not in SILENT:
                    soundfile.write(content, sound, RATE_HZ, subtype, format=kind)
            except (soundfile.LibsndfileError, ValueError):
                continue
            if content.getvalue():
                (folder / f"{subtype.lower()}.{kind.lower()}").write_bytes(content.getvalue())
    stereo = np.stack([sound, sound[::-1]], 1)
    for kind in ("WAV", "FLAC", "OGG", "MP3"):
        soundfile.write(folder / f"stereo.{kind.lower()}", stereo, 44_100, format=kind)
    for suffix, codec in ((".m4a", "aac"), (".webm", "libopus"), (".mp4", "aac")):
        _media(folder / f"av{suffix}", codec, sound)


def _media(path: Path, codec: str, sound: np.ndarray) -> None:
    try:
        import av
    except ImportError:  # the extra `media`
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((sound * 32_000).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        stream.codec_context.open()
        size = stream.codec_context.frame_size or None
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 48_000, size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def _model(folder: Path) -> None:
    encoder = EncoderConfig("conformer", width=16, layers=1, heads=2, kernel=3)
    config = ModelConfig(Alphabet(tuple(" abc")), encoder=encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        params = parameters_of(AcousticModel(config))
    language = Language(learn([" ".join(WORDS)] * 3, config.alphabet, order=2), 0.5, 0.1)
    save_checkpoint(folder, Checkpoint(config, params, {"languages": ["nl"]}, language))
    load_checkpoint(folder)


def state(material: Path) -> None:
    """A run of `earful train` that has ended: its state and its log. What is compiled at first is so by now, too."""
    words = ["transcribe", str(material / "model"), str(material / "clips" / "clip0.wav"), "--json"]
    assert main(words) == 0
    recipe = material / "whole.toml"
    recipe.write_text(filled(RECIPES["train"], material, material / "trained"), "utf-8")
    assert main(["train", str(recipe), "--json"]) == 0


def filled(recipe: object, material: Path, out: Path) -> str:
    """A recipe as text with its places filled in."""
    from faults.mutate import toml_text

    text = toml_text(recipe)  # type: ignore[arg-type]
    return text.replace("{material}", str(material)).replace("{out}", str(out))
