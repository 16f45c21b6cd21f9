"""`earful train`: from a recipe to a base."""

import json
from pathlib import Path

import pytest
import torch

from earful.alone import alone
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


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("batch_s = 20", "batch_s = 10", "batch s"),
        ("batch_s = 20", "batch_s = 20\nseed = 3", "clips, seed, start"),
        ("steps = 4", "steps = 4\nrate = 0.1", "optimisation"),
        ("layers = 1", "layers = 2", "encoder"),
    ],
)
def test_a_changed_recipe_does_not_give_back_the_old_model(
    earful, recipe: Path, tmp_path: Path, old: str, new: str, what: str
) -> None:
    """The state in the work folder is of the run that left it there: another one says so, and takes it only if told."""
    assert earful("train", recipe).status == 0
    first = (tmp_path / "base" / "model.safetensors").read_bytes()
    recipe.write_text(recipe.read_text().replace(old, new).replace("/base", "/other"))
    run = earful("train", recipe)
    assert run.status == 2 and "another run (4 steps" in run.err and "--overwrite" in run.err and not run.out
    assert all(part.replace(" ", "_") in run.err or part in run.err for part in what.split(", ")), run.err
    assert not (tmp_path / "other").exists()
    assert earful("train", recipe, "--overwrite").err.count("is thrown away, and its log") == 1
    other = (tmp_path / "other" / "model.safetensors").read_bytes()
    recipe.write_text(recipe.read_text().replace("/work", "/fresh"))
    assert earful("train", recipe, "--overwrite").status == 0
    assert other == (tmp_path / "other" / "model.safetensors").read_bytes() != first


def test_other_sounds_under_the_same_names_are_another_run(earful, recipe: Path, clips: Path, tmp_path: Path) -> None:
    assert earful("train", recipe).status == 0
    sounds = sorted(clips.rglob("*.wav"))
    content = [sound.read_bytes() for sound in sounds]
    try:
        sounds[0].write_bytes(content[1])
        sounds[1].write_bytes(content[0])
        run = earful("train", recipe, "--out", tmp_path / "other")
        assert run.status == 0  # --out has a work folder of its own
        recipe.write_text(recipe.read_text().replace("/base", "/third"))
        run = earful("train", recipe)
        assert run.status == 2 and "differs in clips" in run.err
    finally:
        for sound, each in zip(sounds, content, strict=True):
            sound.write_bytes(each)


def test_the_same_run_again_is_the_same_bytes(earful, recipe: Path, tmp_path: Path) -> None:
    assert earful("train", recipe).status == 0
    recipe.write_text(recipe.read_text().replace("/base", "/other").replace("/work", "/again"))
    assert earful("train", recipe).status == 0
    for file in (tmp_path / "base").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes(), file.name


def test_a_rate_at_which_it_diverges(earful, recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text() + "rate = 1e14\nclip_norm = 1e14\nwarmup = 0.0\n")
    run = earful("train", recipe)
    assert run.status == 2 and "diverged at step 4 of 4" in run.err and "lower it" in run.err
    assert not (tmp_path / "base").exists()


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


def test_two_runs_in_one_work_folder(earful, recipe: Path, tmp_path: Path) -> None:
    with alone(tmp_path / "work", "the first"):
        run = earful("train", recipe)
    assert run.status == 2 and run.err.count("\n") == 1 and not (tmp_path / "base").exists()
    assert "work: another run of earful is at work there" in run.err and "`work`" in run.err
    assert earful("train", recipe).status == 0
