"""Recipes: those of the repository can be read, and what is wrong with one is named."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from earful.audio.augment import Augmentation
from earful.config import from_mapping, read_toml, to_mapping
from earful.errors import ConfigError
from earful.features.fbank import FbankConfig
from earful.features.mask import SpecAugment
from earful.features.mfcc import MfccConfig
from earful.metatrain.speech.recipe import MetaRecipe
from earful.pretrain.recipe import HOW, Corpus, LossWeights, Recipe
from earful.pretrain.selfsupervised import SelfRecipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.toml"))
GOOD = {"out": "out", "corpora": [{"manifest": "a.jsonl"}], "optimisation": {"steps": 10}}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipes_of_the_repository(path: Path) -> None:
    said = tomllib.loads(path.read_text("utf-8"))
    kind = MetaRecipe if "learning" in said else SelfRecipe if "objectives" in said else Recipe
    recipe: Any = read_toml(kind, path)
    assert from_mapping(kind, to_mapping(recipe), "again") == recipe
    assert not any("cs" in corpus.languages or "cs" in str(corpus.manifest).split("-") for corpus in recipe.corpora)


def test_there_are_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batchs": 3}, "unknown key 'batchs'; did you mean 'batch_s'?"),
        ({"corpora": []}, "corpora is empty"),
        ({"corpora": [{}]}, r"corpora\[0\]: the key 'manifest' is missing"),
        ({"corpora": [{"manifest": "a", "copies": 0}]}, r"corpora\[0\]: copies and every must be at least 1"),
        ({"corpora": [{"manifest": "a", "longest_s": 0}]}, "longest_s is 0"),
        ({"corpora": [{"manifest": "a", "languages": ["nl"], "not_languages": ["cs"]}]}, "leave one of them out"),
        ({"batch_s": -1}, "batch_s is -1"),
        ({"optimisation": {"steps": 0}}, "optimisation: steps is 0"),
        ({"optimisation": {}}, "the key 'steps' is missing"),
        ({"optimisation": {"steps": 1, "clip_norm": 0}}, "optimisation: clip_norm is 0"),
        ({"optimisation": {"steps": 1, "weight_decay": -1}}, "optimisation: weight_decay is -1"),
        ({"features": {"kind": "mfc"}}, "features: kind: expected one of 'mfcc', or none, got \"mfc\""),
        ({"features": {"kind": "mfcc", "cep": 3}}, "features: unknown key 'cep'; did you mean 'ceps'"),
        ({"features": {"bin": 3}}, "features: unknown key 'bin'; did you mean 'bins'"),
        ({"encoder": {"kind": "lstm"}}, "encoder: .*kind is 'lstm'"),
        ({"augmentation": {"noise_probability": 2}}, "noise_probability is 2"),
        ({"masks": {"time_ratio": 3}}, "time_ratio is 3"),
        ({"rules": {"case": "title"}}, "case"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^r.toml: .*{message}"):
        from_mapping(Recipe, {**GOOD, **change}, "r.toml")


def test_every_change_says_how_by_keys_that_there_are() -> None:
    """Each key of the two tables but the counts of masks is one that says whether, or one that says how."""
    for table, cls in (("augmentation", Augmentation), ("masks", SpecAugment)):
        rest = {"telephone_probability"} if table == "augmentation" else set()
        known = {*HOW[table], *(key for keys in HOW[table].values() for key in keys)}
        assert known | rest == {each.name for each in fields(cls)}


def said(kind: Any, text: str, path: Path) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as error:
        read_toml(kind, path)
    return str(error.value)


TRAIN = """
out = "out"
{top}
[[corpora]]
manifest = "a.jsonl"
{corpus}
[optimisation]
steps = 10
"""


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ("encoder = { heads = 4 }", "encoder: heads is given, and not used: the bilstm has none"),
        ('encoder = { kind = "bigru", expansion = 4 }', "expansion is given, and not used: the bigru has none"),
        ('encoder = { kind = "transformer", kernel = 5 }', "kernel is given, and not used: the transformer has none"),
        ("augmentation = { vocal_tract = [0.8, 1.2] }", "augmentation: vocal_tract is given, .*_probability is 0"),
        ("augmentation = { noise_probability = 0, snr_db = [1, 2] }", "augmentation: snr_db is given"),
        ("masks = { time_masks = 0, time_ratio = 0.1 }", "masks: time_ratio is given, .*time_masks is 0"),
        ('features = { bins = 80 }\npretrained = { folder = "w" }', "features is given, .* \\[pretrained\\] makes"),
    ],
)
def test_what_training_would_not_use(top: str, message: str, tmp_path: Path) -> None:
    assert re.search(
        f"r.toml: .*{message}.*; leave it out$", said(Recipe, TRAIN.format(top=top, corpus=""), tmp_path / "r.toml")
    )


def test_what_training_uses_is_taken(tmp_path: Path) -> None:
    for top in (
        "augmentation = { vocal_tract_probability = 0.5, vocal_tract = [0.8, 1.2], snr_db = [1, 2] }",
        "masks = { time_ratio = 0.1, frequency_masks = 0 }",
        'encoder = { kind = "conformer", heads = 4, kernel = 5, expansion = 2 }',
        'encoder = { kind = "transformer", heads = 4, expansion = 2 }',
        'features = { bins = 80 }\nencoder = { bins = 80 }\nstart = "m"\nupsampling = 1',
    ):
        (tmp_path / "r.toml").write_text(TRAIN.format(top=top, corpus="copies = 2"), "utf-8")
        assert read_toml(Recipe, tmp_path / "r.toml").corpora[0].copies == 2


@pytest.mark.parametrize(
    ("top", "corpus", "objectives", "message"),
    [
        ('start = "m"\nencoder = { layers = 2 }', "", "cpc = {}", "encoder is given, .*`start` brings its own"),
        ('start = "m"\nfeatures = { bins = 40 }', "", "cpc = {}", "features is given, .*`start` brings its own"),
        ('start = "m"\npretrained = { folder = "w" }', "", "cpc = {}", "pretrained is given, .*`start` brings"),
        ('start = "m"\nupsampling = 1', "", "cpc = {}", "upsampling is given, .*`start` brings its own"),
        ('start = "m"\nrules = { case = "keep" }', "", "cpc = {}", "rules is given, .*`start` brings its own"),
        ('pretrained = { folder = "w" }\nfeatures = { bins = 40 }', "", "cpc = {}", "features is given"),
        ("encoder = { heads = 2 }", "", "cpc = {}", "heads is given, and not used: the bilstm has none"),
        (
            "augmentation = { codecs = ['gsm'] }",
            "",
            "cpc = {}",
            "augmentation: codecs is given, .*codec_probability is 0",
        ),
        ("units = { frames = 10 }", "", "cpc = {}", "units is given, .*of the objective hubert"),
        ("", "copies = 2", "cpc = {}", r"corpora\[0\]: copies is given, .*enters once"),
        ("", "conditions = 2", "cpc = {}", r"corpora\[0\]: conditions is given, .*enters once"),
        ("augmentation = { speed = [0.9, 1.1] }", "", "denoise = {}", "augmentation: speed is given"),
        ("augmentation = { speed_probability = 0.1 }", "", "hubert = {}", "augmentation: speed_probability is given"),
        ("", "", 'siamese = { classes = "word" }', "siamese: classes is given, .*positives are moments"),
        ("", "", 'siamese = { positives = "class", shift = 2 }', "siamese: shift is given, .*of a class"),
    ],
)
def test_what_pretraining_would_not_use(top: str, corpus: str, objectives: str, message: str, tmp_path: Path) -> None:
    text = TRAIN.format(top=f"objectives = {{ {objectives} }}\n{top}", corpus=corpus)
    assert re.search(f"r.toml: .*{message}.*; leave it out$", said(SelfRecipe, text, tmp_path / "r.toml"))


def test_weights_of_ctc_rise() -> None:
    weights = LossWeights(text=2.0, phones=0.5, rise=0.5)
    rows = [weights.at(step, 100) for step in range(100)]
    assert rows[0]["text"] < 0.01 and rows[49] == rows[-1] == {"text": 2.0, "phones": 0.5, "phone_frames": 1.0}
    assert [row["text"] for row in rows] == sorted(row["text"] for row in rows)
    assert LossWeights(rise=0.0).at(0, 100) == {"text": 1.0, "phones": 1.0, "phone_frames": 1.0}


def test_defaults() -> None:
    recipe = from_mapping(Recipe, GOOD, "r.toml")
    assert recipe.corpora == (Corpus(Path("a.jsonl")),) and recipe.encoder.kind == "bilstm"
    assert (recipe.optimisation.decay, recipe.optimisation.clip) == (0.01, 1.0)
    assert from_mapping(Recipe, {**GOOD, "features": {}}, "r.toml").features == FbankConfig()
    assert from_mapping(Recipe, {**GOOD, "features": {"kind": "mfcc"}}, "r.toml").features == MfccConfig()
