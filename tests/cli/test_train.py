"""`earful train`: from a recipe to a base."""

import json
from pathlib import Path

import pytest
import torch

from earful.checkpoint import load_checkpoint
from earful.features.mfcc import MfccConfig, mfcc

RECIPE = """
out = "{out}/base"
work = "{out}/work"
cache = "{out}/frames"
batch_s = 20
rarest_symbol = 1
[[corpora]]
manifest = "{out}/train.jsonl"
[encoder]
width = 32
layers = 1
[optimisation]
steps = 4
"""


@pytest.fixture
def recipe(clips: Path, list_clips, tmp_path: Path) -> Path:
    list_clips(clips, tmp_path / "train.jsonl")
    (tmp_path / "tiny.toml").write_text(RECIPE.format(out=tmp_path), "utf-8")
    return tmp_path / "tiny.toml"


def test_json(earful, recipe: Path, clips: Path) -> None:
    run = earful("train", recipe, "--json")
    row = json.loads(run.out)
    assert run.status == 0 and (row["clips"], row["steps"], row["symbols"]) == (8, 4, 4)
    assert set(row["losses"]) == {"text"} and row["losses"]["text"] > 0
    assert set(load_checkpoint(row["model"]).config.alphabet.symbols) == set(" abc")
    assert earful("score", row["model"], clips).status == 0


def test_a_table_for_people(earful, recipe: Path) -> None:
    run = earful("train", recipe)
    assert run.status == 0 and "losses" in run.out and "parameters" in run.out


def test_upon_any_encoder(earful, recipe: Path, clips: Path, small_whisper: Path, tmp_path: Path) -> None:
    """Which says how wide frames are; the recipe says whether clips are heard amid others, as in adaptation."""
    recipe.write_text(recipe.read_text() + '[pretrained]\nfolder = "nowhere"\nbed_s = 2.0\n', "utf-8")
    run = earful("train", recipe, "--encoder", f"hf:{small_whisper}", "--out", tmp_path / "other", "--json")
    assert run.status == 0 and json.loads(run.out)["model"] == str(tmp_path / "other"), run.err
    config = load_checkpoint(tmp_path / "other").config
    assert (config.features.width, config.features.bed, config.encoder.bins) == (16, 100, 16)
    assert not (tmp_path / "base").exists()
    assert earful("adapt", clips, "--base", tmp_path / "other", "--out", tmp_path / "m", "--steps", 1).status == 0
    assert load_checkpoint(tmp_path / "m").config.features.bed == 550


def test_no_encoder(earful, recipe: Path, tmp_path: Path) -> None:
    run = earful("train", recipe, "--encoder", f"hf:{tmp_path / 'no'}", "--out", tmp_path / "other")
    assert run.status == 2 and "no such folder" in run.err and not (tmp_path / "other").exists()


def test_a_base_is_not_overwritten_unless_asked(earful, recipe: Path) -> None:
    assert earful("train", recipe, "--json").status == 0
    run = earful("train", recipe)
    assert run.status == 2 and "exists already" in run.err
    assert earful("train", recipe, "--overwrite").status == 0


def test_a_recipe_that_is_wrong(earful, recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace("batch_s", "batchs"), "utf-8")
    run = earful("train", recipe)
    assert run.status == 2 and "tiny.toml: unknown key 'batchs'; did you mean 'batch_s'" in run.err


def test_a_recipe_that_is_missing(earful, tmp_path: Path) -> None:
    run = earful("train", tmp_path / "none.toml")
    assert run.status == 2 and "none.toml" in run.err and run.err.count("\n") == 1


def test_a_key_that_nothing_uses(earful, recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text("utf-8").replace("layers = 1\n", "layers = 1\nheads = 2\n"), "utf-8")
    run = earful("train", recipe)
    assert run.status == 2 and not (tmp_path / "work").exists()
    assert "tiny.toml: encoder: heads is given, and not used: the bilstm has none" in run.err


def test_cepstra_are_what_a_recogniser_hears(earful, recipe: Path, clips: Path, tmp_path: Path) -> None:
    """From the recipe to a transcript: trained on MFCCs, saved with them, adapted and transcribed by them."""
    text = recipe.read_text("utf-8").replace("[encoder]", '[features]\nkind = "mfcc"\nceps = 20\n[encoder]\nbins = 20')
    recipe.write_text(text.replace("steps = 4", "steps = 80\nrate = 8e-3"), "utf-8")
    run = earful("train", recipe, "--json")
    assert run.status == 0, run.err
    model = load_checkpoint(tmp_path / "base")
    assert model.config.features == MfccConfig(ceps=20)
    samples_T = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.build().frames_of(samples_T), mfcc(samples_T, config=MfccConfig(ceps=20))[0][0])
    adapted = earful("adapt", clips, "--base", tmp_path / "base", "--out", tmp_path / "m", "--steps", 5, "--json")
    assert adapted.status == 0, adapted.err
    assert load_checkpoint(tmp_path / "m").config.features == MfccConfig(ceps=20)
    score = earful("score", tmp_path / "m", clips, "--json")
    assert score.status == 0 and json.loads(score.out)["cer"] < 0.5
    assert earful("transcribe", tmp_path / "m", clips / "clip0.wav").out.strip()


def test_cepstra_and_an_encoder_for_other_bins(earful, recipe: Path) -> None:
    recipe.write_text(recipe.read_text("utf-8") + '[features]\nkind = "mfcc"\n', "utf-8")
    run = earful("train", recipe)
    assert run.status == 2 and "the encoder takes 80 bins, the features give 13: make them equal" in run.err
