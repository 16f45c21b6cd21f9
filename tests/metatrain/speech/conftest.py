"""A tiny corpus of three languages that espeak-ng speaks, and an untrained base with phones."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.adapt.inner import Inner
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint
from earful.data.episode import Shots
from earful.data.manifest import read_manifest, write_manifest
from earful.data.synthesis.speak import speak_corpus
from earful.encoder.encoder import EncoderConfig
from earful.features.fbank import FbankConfig
from earful.metatrain.loop import Outer
from earful.metatrain.speech.learning import LearnerSettings
from earful.metatrain.speech.recipe import MetaRecipe, TaskRules
from earful.model import AcousticModel, ModelConfig
from earful.pretrain.dataset import Dataset, dataset_of
from earful.pretrain.recipe import Corpus
from earful.train import Optimisation

SENTENCES = {
    "nl": "de man leest\neen vis zwemt\nik zie de maan\n",
    "de": "der mann liest\nein fisch schwimmt\nich sehe ihn\n",
    "it": "il gatto dorme\nla luna sale\nil mare canta\n",
}
CLEAN = Augmentation(
    speed_probability=0, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)
ENCODER = EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7, dropout=0.1)


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine clips in each language; their manifest."""
    folder = tmp_path_factory.mktemp("spoken-tasks")
    clips = []
    for language, text in SENTENCES.items():
        (folder / f"{language}.txt").write_text(text, "utf-8")
        speak_corpus([language], folder / language, clips=9, text=folder / f"{language}.txt", seed=1, workers=2)
        clips += [replace(u, id=f"{language}-{u.id}") for u in read_manifest(folder / language / "manifest.jsonl")]
    write_manifest(folder / "all.jsonl", clips)
    return folder / "all.jsonl"


@pytest.fixture(scope="session")
def recipe(spoken: Path, tmp_path_factory: pytest.TempPathFactory) -> MetaRecipe:
    folder = tmp_path_factory.mktemp("metatraining")
    return MetaRecipe(
        out=folder / "model",
        start=str(folder / "base"),
        corpora=(Corpus(spoken),),
        learning=LearnerSettings("maml", Inner(0.05, 2, learned="layer", clip_norm=1.0)),
        outer=Outer(Optimisation(4, rate=1e-2, weight_decay=0.0), tasks=2, validate_every=2, save_every=1),
        tasks=TaskRules(shots=Shots(clips=3, query=2), held_out=("it",)),
        validation=3,
        work=folder / "work",
        cache=folder / "cache",
        augmentation=CLEAN,
        rarest_symbol=1,
    )


@pytest.fixture(scope="session")
def dataset(recipe: MetaRecipe) -> Dataset:
    return dataset_of(recipe, FbankConfig())


@pytest.fixture(scope="session")
def base(dataset: Dataset) -> Checkpoint:
    config = ModelConfig(dataset.alphabet, dataset.inventory, encoder=ENCODER)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Checkpoint(config, dict(AcousticModel(config).state_dict()))
