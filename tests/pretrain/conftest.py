"""A tiny corpus that espeak-ng speaks, and a recipe of a tiny model for it."""

from pathlib import Path

import pytest

from earful.audio.augment import Augmentation
from earful.data.synthesis.speak import speak_corpus
from earful.encoder.encoder import EncoderConfig
from earful.features.mask import SpecAugment
from earful.pretrain.dataset import Dataset, open_dataset
from earful.pretrain.recipe import Corpus, Recipe
from earful.train import Optimisation

SENTENCES = "de man leest\neen vis zwemt\nik zie de maan\nde vis leest\n"
CLEAN = Augmentation(
    speed_probability=0.7, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve clips in Dutch; their manifest."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "text.txt").write_text(SENTENCES, "utf-8")
    speak_corpus(["nl"], folder / "nl", clips=12, text=folder / "text.txt", seed=1, workers=2)
    return folder / "nl" / "manifest.jsonl"


@pytest.fixture(scope="session")
def recipe(spoken: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Two copies of each clip, at different speeds."""
    folder = tmp_path_factory.mktemp("training")
    return Recipe(
        out=folder / "model",
        corpora=(Corpus(spoken, copies=2),),
        optimisation=Optimisation(steps=60, rate=4e-3),
        work=folder / "work",
        cache=folder / "cache",
        batch_s=10.0,
        encoder=EncoderConfig("conformer", width=32, layers=1, heads=2, kernel=7, dropout=0.0),
        augmentation=CLEAN,
        masks=SpecAugment(0, 0, 0, 0),
        rarest_symbol=1,
    )


@pytest.fixture(scope="session")
def dataset(recipe: Recipe) -> Dataset:
    return open_dataset(recipe)
