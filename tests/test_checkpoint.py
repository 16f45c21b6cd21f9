"""A model folder: what is written is read, and what is wrong with it is said."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from earful.checkpoint import (
    CARD,
    INNER,
    LEXICON,
    NGRAM,
    WEIGHTS,
    Checkpoint,
    InnerLoop,
    Language,
    load_checkpoint,
    save_checkpoint,
)
from earful.ctc.ngram import learn
from earful.encoder.encoder import EncoderConfig
from earful.encoder.whisper import WhisperConfig
from earful.errors import CheckpointError
from earful.model import AcousticModel, ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.lexicon import Entry, Lexicon
from earful.text.normalize import TextRules

TINY = EncoderConfig("conformer", width=16, layers=1, heads=2)


@pytest.fixture
def checkpoint() -> Checkpoint:
    config = ModelConfig(
        Alphabet((" ", "a", "č")),
        Alphabet(("a", "tʃ")),
        encoder=TINY,
    )
    return Checkpoint(config, dict(AcousticModel(config).state_dict()), {"made": "for a test"})


def test_round_trip(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "m", checkpoint)
    again = load_checkpoint(tmp_path / "m")
    assert again.config == checkpoint.config and again.about == checkpoint.about
    assert all(torch.equal(again.params[name], value) for name, value in checkpoint.params.items())
    frames, counts = torch.randn(1, 50, 80), torch.tensor([50])
    assert torch.equal(again.build()(frames, counts)[0], checkpoint.build()(frames, counts)[0])
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_matrices_of_a_pretrained_encoder_in_int8(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """Where it is asked for, once; what was read back is written the same without being asked for."""
    below = WhisperConfig("whisper", width=16, layers=1, heads=2, inner=32, frozen=1, bed=4)
    encoder = replace(TINY, bins=16, subsampling=1)
    config = replace(checkpoint.config, features=below, encoder=encoder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        params = {name: torch.randn_like(value) for name, value in AcousticModel(config).state_dict().items()}
    save_checkpoint(tmp_path / "base", Checkpoint(config, params), half=True)
    stored, base = load_file(tmp_path / "base" / WEIGHTS), load_checkpoint(tmp_path / "base")
    int8 = {name for name, value in stored.items() if value.dtype == torch.int8}
    matrices = {name for name in params if name.startswith("backbone.") and params[name].ndim > 1}
    assert int8 == matrices - {"backbone.positions_FD", "backbone.bed_keys_NFD", "backbone.bed_values_NFD"}
    assert json.loads((tmp_path / "base" / CARD).read_text())["format"] == 2
    assert base.params.keys() == params.keys()
    for name, value in params.items():
        atol = float(value.abs().max()) * (0.006 if name in int8 else 0.001)
        torch.testing.assert_close(base.params[name], value, atol=atol, rtol=0)
    save_checkpoint(tmp_path / "again", base)
    assert load_file(tmp_path / "again" / WEIGHTS).keys() == stored.keys()
    again = load_checkpoint(tmp_path / "again")
    assert all(torch.equal(again.params[name], value) for name, value in base.params.items())
    save_checkpoint(tmp_path / "moved", replace(base, params={n: 1.001 * v for n, v in base.params.items()}))
    moved = load_checkpoint(tmp_path / "moved").params
    assert all(torch.equal(moved[name], 1.001 * value) for name, value in base.params.items())


def test_half_precision_halves_the_file(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "whole", checkpoint)
    save_checkpoint(tmp_path / "half", checkpoint, half=True)
    assert (tmp_path / "half" / WEIGHTS).stat().st_size < 0.6 * (tmp_path / "whole" / WEIGHTS).stat().st_size
    assert all(value.dtype == torch.float32 for value in load_checkpoint(tmp_path / "half").params.values())


def test_an_existing_folder_is_kept_unless_asked(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "m", checkpoint)
    with pytest.raises(CheckpointError, match="exists already"):
        save_checkpoint(tmp_path / "m", checkpoint)
    save_checkpoint(tmp_path / "m", Checkpoint(checkpoint.config, checkpoint.params, {"new": 1}), replace=True)
    assert load_checkpoint(tmp_path / "m").about == {"new": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_nothing_is_left_of_a_failed_write(
    tmp_path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("earful.checkpoint.save_file", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(tmp_path / "m", checkpoint)
    assert list(tmp_path.iterdir()) == []


def damage(folder: Path, what: str) -> None:
    card, weights = folder / CARD, folder / WEIGHTS
    content = json.loads(card.read_text())
    tensors = load_file(weights)
    first = next(iter(tensors))
    if what == "no card":
        card.unlink()
    elif what == "no weights":
        weights.unlink()
    elif what == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif what == "not json":
        card.write_text("{")
    elif what == "foreign":
        card.write_text("{}")
    elif what == "future":
        card.write_text(json.dumps({**content, "format": 99}))
    elif what == "unknown key":
        card.write_text(json.dumps({**content, "config": {**content["config"], "colour": 1}}))
    elif what == "nan":
        save_file({**tensors, first: torch.full_like(tensors[first], torch.nan)}, weights)
    elif what == "shape":
        save_file({**tensors, first: torch.zeros(3, 3, 3)}, weights)
    elif what == "missing tensor":
        save_file({k: v for k, v in tensors.items() if k != first}, weights)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no card", "holds no model.json"),
        ("no weights", "missing"),
        ("cut", "damaged"),
        ("not json", "damaged"),
        ("foreign", "not written by earful"),
        ("future", "format 99"),
        ("unknown key", "unknown key 'colour'.*another version"),
        ("nan", "NaN"),
        ("shape", "says"),
        ("missing tensor", "is missing"),
    ],
)
def test_damage_is_named(tmp_path: Path, checkpoint: Checkpoint, what: str, message: str) -> None:
    save_checkpoint(tmp_path / "m", checkpoint)
    damage(tmp_path / "m", what)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "m")


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        load_checkpoint(tmp_path / "nothing")


def test_a_language_model_goes_with_it(tmp_path: Path, checkpoint: Checkpoint) -> None:
    ngram = learn(["a a č", "č a"], checkpoint.config.alphabet, 3)
    save_checkpoint(tmp_path / "m", replace(checkpoint, language=Language(ngram, 0.5, 1.5)))
    found = load_checkpoint(tmp_path / "m").language
    assert found is not None and (found.weight, found.bonus) == (0.5, 1.5)
    assert (found.ngram.row(found.ngram.start) == ngram.row(ngram.start)).all()
    save_checkpoint(tmp_path / "m", checkpoint, replace=True)
    assert load_checkpoint(tmp_path / "m").language is None and not (tmp_path / "m" / NGRAM).exists()


def test_a_language_model_of_other_letters_is_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    foreign = learn(["xyz"], Alphabet(("x", "y", "z")), 3)
    save_checkpoint(tmp_path / "m", replace(checkpoint, language=Language(foreign, 0.5, 1.5)))
    with pytest.raises(CheckpointError, match="writes other letters than the model"):
        load_checkpoint(tmp_path / "m")
    (tmp_path / "m" / NGRAM).unlink()
    with pytest.raises(CheckpointError, match="ngram"):
        load_checkpoint(tmp_path / "m")


def test_what_float16_holds_is_stored_so(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """The frozen part of a shipped base comes from float16: an adapted model need not store it twice as large."""
    name = "upsample.expand.weight"
    half = {key: value.half().float() for key, value in checkpoint.params.items()} | {name: checkpoint.params[name]}
    save_checkpoint(tmp_path / "m", replace(checkpoint, params=half))
    kinds = {key: value.dtype for key, value in load_file(tmp_path / "m" / WEIGHTS).items()}
    assert kinds.pop(name) == torch.float32 and set(kinds.values()) == {torch.float16}
    assert all(torch.equal(value, half[key]) for key, value in load_checkpoint(tmp_path / "m").params.items())


def test_a_learned_inner_loop_goes_with_it(tmp_path: Path, checkpoint: Checkpoint) -> None:
    rates = {"rate.encoder": torch.tensor(0.123456789), "momentum": torch.tensor(-0.5)}
    inner = InnerLoop({"inner": {"rate": 0.1, "steps": 3}, "moves": "all"}, rates)
    save_checkpoint(tmp_path / "m", replace(checkpoint, inner=inner), half=True)
    loaded = load_checkpoint(tmp_path / "m").inner
    assert loaded is not None and loaded.settings == inner.settings
    assert all(torch.equal(loaded.learned[name], value) for name, value in rates.items())  # not halved
    save_checkpoint(tmp_path / "m", checkpoint, replace=True)
    assert load_checkpoint(tmp_path / "m").inner is None and not (tmp_path / "m" / INNER).exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "missing; the folder is not a whole model"),
        (lambda path: path.write_bytes(b"x" * 20), "damaged"),
        (lambda path: save_file({"rate.a": torch.tensor(torch.nan)}, path), "holds NaN or infinity"),
    ],
)
def test_a_damaged_inner_loop_is_named(tmp_path: Path, checkpoint: Checkpoint, damage: Any, message: str) -> None:
    inner = InnerLoop({"inner": {"rate": 0.1}}, {"rate.a": torch.ones(())})
    save_checkpoint(tmp_path / "m", replace(checkpoint, inner=inner))
    damage(tmp_path / "m" / INNER)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "m")


LEXICON_OF_ONE = Lexicon((Entry("你好", ("niˇ", "haoˇ"), -1.5),), {("你好", "吗"): 2})


def test_a_lexicon_goes_with_it(tmp_path: Path, checkpoint: Checkpoint) -> None:
    rules = TextRules(language="zh", writing="characters")
    mandarin = replace(checkpoint, config=replace(checkpoint.config, rules=rules), lexicon=LEXICON_OF_ONE)
    save_checkpoint(tmp_path / "m", mandarin)
    loaded = load_checkpoint(tmp_path / "m")
    assert loaded.lexicon == LEXICON_OF_ONE and loaded.config.rules == rules
    save_checkpoint(tmp_path / "m", checkpoint, replace=True)
    assert load_checkpoint(tmp_path / "m").lexicon is None and not (tmp_path / "m" / LEXICON).exists()


def test_a_damaged_lexicon_is_named(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "m", replace(checkpoint, lexicon=LEXICON_OF_ONE))
    whole = (tmp_path / "m" / LEXICON).read_bytes()
    (tmp_path / "m" / LEXICON).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"lexicon\.json: damaged .* copy the model again"):
        load_checkpoint(tmp_path / "m")
    (tmp_path / "m" / LEXICON).unlink()
    with pytest.raises(CheckpointError, match=r"lexicon\.json: missing"):
        load_checkpoint(tmp_path / "m")


def test_a_model_that_does_not_say_how_it_writes_writes_as_given(tmp_path: Path, checkpoint: Checkpoint) -> None:
    """Models from before there was a choice."""
    save_checkpoint(tmp_path / "m", checkpoint)
    card = json.loads((tmp_path / "m" / CARD).read_text("utf-8"))
    del card["config"]["rules"]["writing"]
    (tmp_path / "m" / CARD).write_text(json.dumps(card), "utf-8")
    assert load_checkpoint(tmp_path / "m").config.rules.writing == "given"


def test_loading_wakes_no_compiler() -> None:
    """torch imports its own for some operations on shapes alone; that took longer than all of the loading."""
    code = "import sys; from earful.checkpoint import load_checkpoint as l; l('earful-tiny').build(); "
    done = subprocess.run([sys.executable, "-c", code + "sys.exit('torch._dynamo' in sys.modules)"], check=False)
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not say what is mapped")
def test_a_file_that_was_loaded_is_not_held(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "model", checkpoint)
    loaded = load_checkpoint(tmp_path / "model")
    assert str(tmp_path) not in Path("/proc/self/maps").read_text("utf-8"), "Windows replaces no file that is mapped"
    assert loaded.params.keys() == checkpoint.params.keys()
