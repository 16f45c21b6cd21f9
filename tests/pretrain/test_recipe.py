"""Recipes: those of the repository can be read, and what is wrong with one is named."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from earful.config import from_mapping, read_toml, to_mapping
from earful.errors import ConfigError
from earful.metatrain.speech.recipe import MetaRecipe
from earful.pretrain.recipe import Corpus, LossWeights, Recipe
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
        ({"encoder": {"kind": "lstm"}}, "encoder: .*kind is 'lstm'"),
        ({"augmentation": {"noise_probability": 2}}, "noise_probability is 2"),
        ({"masks": {"time_ratio": 3}}, "time_ratio is 3"),
        ({"rules": {"case": "title"}}, "case"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^r.toml: .*{message}"):
        from_mapping(Recipe, {**GOOD, **change}, "r.toml")


def test_weights_of_ctc_rise() -> None:
    weights = LossWeights(text=2.0, phones=0.5, rise=0.5)
    rows = [weights.at(step, 100) for step in range(100)]
    assert rows[0]["text"] < 0.01 and rows[49] == rows[-1] == {"text": 2.0, "phones": 0.5, "phone_frames": 1.0}
    assert [row["text"] for row in rows] == sorted(row["text"] for row in rows)
    assert LossWeights(rise=0.0).at(0, 100) == {"text": 1.0, "phones": 1.0, "phone_frames": 1.0}


def test_defaults() -> None:
    recipe = from_mapping(Recipe, GOOD, "r.toml")
    assert recipe.corpora == (Corpus(Path("a.jsonl")),) and recipe.encoder.kind == "bilstm"
