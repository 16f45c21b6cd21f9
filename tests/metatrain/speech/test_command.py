"""`earful metatrain`: from a recipe to a base that knows how to be adapted; on one process and on two."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.data.manifest import read_manifest, write_manifest

RECIPE = """
out = "{out}/model"
work = "{out}/work"
cache = "{cache}"
start = "{base}"
validation = 2
rarest_symbol = 1
[[corpora]]
manifest = "{manifest}"
[augmentation]
speed_probability = 0
room_probability = 0
noise_probability = 0
telephone_probability = 0
gain_probability = 0
[tasks]
shots = {{ clips = 3, query = 2 }}
held_out = ["it"]
[learning]
learner = "meta-sgd"
inner = {{ rate = 0.05, steps = 2 }}
[outer]
tasks = 2
validate_every = 1
save_every = 1
optimisation = {{ steps = 2, weight_decay = 0.0 }}
"""


@pytest.fixture(scope="session")
def write_recipe(
    spoken: Path, base: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, Path | None], Path]:
    shared = tmp_path_factory.mktemp("shared")
    save_checkpoint(shared / "base", base)

    def write(folder: Path, manifest: Path | None = None) -> Path:
        text = RECIPE.format(out=folder, cache=shared / "frames", base=shared / "base", manifest=manifest or spoken)
        (folder / "recipe.toml").write_text(text, "utf-8")
        return folder / "recipe.toml"

    return write


def test_it_makes_a_base_that_adapts_by_what_it_learned(earful: Any, write_recipe: Any, tmp_path: Path) -> None:
    run = earful("metatrain", write_recipe(tmp_path), "--json", "--tensorboard")
    row = json.loads(run.out)
    assert run.status == 0 and (row["clips"], row["steps"], row["skipped_tasks"]) == (27, 2, 0)
    assert row["held_out_error_rate"] > 0 and row["query_loss"] > 0
    assert list((tmp_path / "work" / "tensorboard").iterdir())
    base = load_checkpoint(row["model"])
    assert base.inner is not None and base.inner.learned["rate.heads.text.weight"].shape == (32,)
    assert load_checkpoint(tmp_path / "work" / "last").inner is not None
    assert earful("metatrain", write_recipe(tmp_path)).status == 2  # the model is there
    again = earful("metatrain", write_recipe(tmp_path), "--overwrite")
    assert again.status == 0 and "held out error rate" in again.out


def test_adapt_says_how_it_moves(earful: Any, write_recipe: Any, tmp_path: Path, spoken: Path) -> None:
    assert earful("metatrain", write_recipe(tmp_path), "--json").status == 0
    write_manifest(tmp_path / "it.jsonl", [u for u in read_manifest(spoken) if u.language == "it"])
    command = ("adapt", tmp_path / "it.jsonl", "--base", tmp_path / "model", "--greedy", "--json")
    own = earful(*command, "--steps", 2, "--out", tmp_path / "own")
    usual = earful(*command, "--usual", "--steps", 2, "--out", tmp_path / "usual")
    assert own.status == usual.status == 0, own.err + usual.err
    assert json.loads(own.out)["inner_loop"] == "learned" and json.loads(usual.out)["inner_loop"] == "usual"
    assert load_checkpoint(tmp_path / "own").inner is None  # a recogniser is no base
    both = earful(*command, "--tune", 0.1, "--out", tmp_path / "both")
    assert both.status == 2 and "add --usual" in both.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda us: [u for u in us if u.language != "de"][:-1] + [u for u in us if u.language == "de"][:4],
            "task 'de'",
        ),
        (lambda us: [renamed(u, "deu") if u.id.endswith("3") else u for u in us], "two languages with one name"),
    ],
)
def test_corpora_that_make_no_tasks(
    change: Any, message: str, earful: Any, write_recipe: Any, tmp_path: Path, spoken: Path
) -> None:
    write_manifest(tmp_path / "changed.jsonl", change(list(read_manifest(spoken))))
    run = earful("metatrain", write_recipe(tmp_path, tmp_path / "changed.jsonl"))
    assert run.status == 2 and message in run.err, run.err
    assert not (tmp_path / "work").exists()


def renamed(utterance: Any, language: str) -> Any:
    from dataclasses import replace

    return replace(utterance, language=language) if utterance.language == "de" else utterance


def test_a_language_without_transcripts(earful: Any, write_recipe: Any, tmp_path: Path, spoken: Path) -> None:
    from dataclasses import replace

    clips = [replace(u, text=None, extra={}) if u.language == "it" else u for u in read_manifest(spoken)]
    write_manifest(tmp_path / "changed.jsonl", clips)
    run = earful("metatrain", write_recipe(tmp_path, tmp_path / "changed.jsonl"))
    assert run.status == 2 and "'it', to be left out of training, is no language" in run.err


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("learner =", "lerner =", "unknown key 'lerner'; did you mean 'learner'?"),
        ('"meta-sgd"', '"metasgd"', "must be one of maml"),
        ("0.05, steps = 2", "0.05, steps = 0", "inner steps are 0"),
        ("clips = 3, ", "", "clips None and seconds None"),
        ("tasks = 2", "tasks = 0", "tasks is 0"),
    ],
)
def test_a_recipe_that_is_wrong(
    before: str, after: str, message: str, earful: Any, write_recipe: Any, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text("utf-8").replace(before, after), "utf-8")
    run = earful("metatrain", recipe)
    assert run.status == 2 and message in run.err and "recipe.toml" in run.err


def test_two_processes_make_the_model_of_one(earful: Any, side_by_side: Any, write_recipe: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert earful("metatrain", write_recipe(tmp_path / "one")).status == 0
    words = ("-m", "earful", "metatrain", write_recipe(tmp_path / "two"), "--json")
    assert side_by_side(tmp_path / "log", *words) == [0, 0], (tmp_path / "log").read_text("utf-8")
    one, two = (load_checkpoint(tmp_path / name / "work" / "last") for name in ("one", "two"))
    for name, value in one.params.items():
        torch.testing.assert_close(two.params[name], value, rtol=1e-2, atol=2e-3, msg=name)  # stored as float16


def test_a_process_that_dies_stops_the_run_and_it_resumes(
    earful: Any, two_started: Any, write_recipe: Any, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text("utf-8").replace("{ steps = 2, w", "{ steps = 12, w"), "utf-8")
    first, second = two_started(tmp_path / "log", "-m", "earful", "metatrain", recipe, "--json")
    state, began = tmp_path / "work" / "state.safetensors", time.monotonic()
    while not state.exists() and time.monotonic() - began < 200:
        time.sleep(0.05)
    second.kill()
    first.join(120)
    log = (tmp_path / "log").read_text("utf-8")
    assert first.exitcode == 2 and "another process of this run has ended" in log, log[-2000:]
    assert not (tmp_path / "model").exists()
    assert earful("metatrain", recipe).status == 0


def test_another_run_does_not_get_the_state_of_this_one(earful: Any, write_recipe: Any, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    assert earful("metatrain", recipe, "--json").status == 0
    first = (tmp_path / "model" / "model.safetensors").read_bytes()
    recipe.write_text(recipe.read_text().replace("rate = 0.05", "rate = 0.2").replace("/model", "/other"), "utf-8")
    run = earful("metatrain", recipe)
    assert run.status == 2 and "another run (2 steps; it differs in" in run.err and "learning" in run.err
    assert not (tmp_path / "other").exists()
    thrown = earful("metatrain", recipe, "--overwrite")
    assert thrown.status == 0 and thrown.err.count("is thrown away, and its log") == 1
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != first
