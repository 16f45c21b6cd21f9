"""How a model lies on disk: in which numbers, what its card says, who may read it, and what is never written."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from earful.checkpoint import (
    CARD,
    INNER,
    SCALE,
    WEIGHTS,
    Checkpoint,
    InnerLoop,
    Language,
    check_destination,
    load_checkpoint,
    save_checkpoint,
)
from earful.ctc.ngram import learn
from earful.ctc.words import Words, count_words
from earful.encoder.encoder import EncoderConfig
from earful.encoder.whisper import WhisperConfig
from earful.errors import CheckpointError
from earful.model import AcousticModel, ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.lexicon import Entry, Lexicon

NAME = "upsample.expand.weight"
MATRIX = "backbone.layers.0.widen.weight"


def made(config: ModelConfig) -> Checkpoint:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        params = {name: torch.randn_like(value) for name, value in AcousticModel(config).state_dict().items()}
    return Checkpoint(config, params)


@pytest.fixture(scope="module")
def plain() -> Checkpoint:
    return made(ModelConfig(Alphabet((" ", "a", "č")), encoder=EncoderConfig("conformer", width=16, layers=1, heads=2)))


@pytest.fixture(scope="module")
def above() -> Checkpoint:
    """A model above a pre-trained encoder."""
    below = WhisperConfig("whisper", width=16, layers=1, heads=2, inner=32, frozen=1, bed=4)
    encoder = EncoderConfig("conformer", bins=16, width=16, layers=1, heads=2, subsampling=1)
    return made(ModelConfig(Alphabet((" ", "a", "č")), features=below, encoder=encoder))


def with_weight(checkpoint: Checkpoint, name: str, value: Tensor) -> Checkpoint:
    return replace(checkpoint, params={**checkpoint.params, name: value})


def card_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / CARD).read_text("utf-8"))
    return found


def test_it_is_built_of_the_checkpoints_own_weights_ready_to_hear(plain: Checkpoint) -> None:
    model = plain.build()
    assert not model.training
    assert all(value.data_ptr() == plain.params[name].data_ptr() for name, value in model.state_dict().items())


def test_it_is_where_its_weights_are(plain: Checkpoint) -> None:
    elsewhere = plain.on(torch.device("meta"))
    assert plain.device.type == "cpu" and elsewhere.device.type == "meta"
    assert replace(elsewhere, params=plain.params) == plain and replace(plain, params={}).device.type == "cpu"


def test_what_a_half_cannot_hold_stays_whole(plain: Checkpoint, tmp_path: Path) -> None:
    """Beyond 65 504 it would be infinite; and one such number keeps all of its weight as it was."""
    large = plain.params[NAME].clone()
    large.view(-1)[3] = 1e5
    save_checkpoint(tmp_path / "m", with_weight(plain, NAME, large), half=True)
    kinds = {name: value.dtype for name, value in load_file(tmp_path / "m" / WEIGHTS).items()}
    assert kinds.pop(NAME) == torch.float32 and set(kinds.values()) == {torch.float16}
    assert torch.equal(load_checkpoint(tmp_path / "m").params[NAME], large)


def test_an_encoder_that_learned_is_not_rounded_unasked(above: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", above)
    stored, card = load_file(tmp_path / "m" / WEIGHTS), card_of(tmp_path / "m")
    assert card["format"] == 1 and not any(name.endswith(SCALE) for name in stored)
    assert stored[MATRIX].dtype == torch.float32
    rounded = with_weight(above, MATRIX, torch.full_like(above.params[MATRIX], 127.0))
    save_checkpoint(tmp_path / "r", rounded)
    assert load_file(tmp_path / "r" / WEIGHTS)[MATRIX].dtype == torch.int8 and card_of(tmp_path / "r")["format"] == 2
    assert torch.equal(load_checkpoint(tmp_path / "r").params[MATRIX], rounded.params[MATRIX])


def test_the_card_says_what_else_is_there(plain: Checkpoint, tmp_path: Path) -> None:
    ngram = learn(["a a č", "č a"], plain.config.alphabet, 3)
    words = Words((count_words(["a a č", "č a"]),), (0.5, 0.5), 0.8)
    full = replace(
        plain,
        about={"made": "for a test"},
        language=Language(ngram, 0.5, 1.5, words, 0.25),
        inner=InnerLoop({"inner": {"rate": 0.1}}, {"rate.a": torch.ones(2, 2).T}),
        lexicon=Lexicon((Entry("你好", ("niˇ", "haoˇ"), -1.5), Entry("吗", ("ma",), -2.0)), {}),
        shift=-0.75,
    )
    save_checkpoint(tmp_path / "full", full)
    card = card_of(tmp_path / "full")
    assert card["language"] == {"weight": 0.5, "bonus": 1.5, "shift": 0.25, "words": 2}
    assert (card["inner"], card["lexicon"], card["shift"]) == ({"inner": {"rate": 0.1}}, {"words": 2}, -0.75)
    again = load_checkpoint(tmp_path / "full")
    assert (again.shift, again.about) == (-0.75, {"made": "for a test"})
    assert again.language is not None and again.language.shift == 0.25
    assert again.language.words is not None and set(again.language.words.known) == {"a", "č"}
    save_checkpoint(tmp_path / "wordless", replace(full, language=Language(ngram, 0.5, 1.5), lexicon=None))
    assert card_of(tmp_path / "wordless")["language"] == {"weight": 0.5, "bonus": 1.5, "shift": 0.0}
    save_checkpoint(tmp_path / "bare", plain)
    assert card_of(tmp_path / "bare").keys() == {"format", "config", "about"}
    assert load_checkpoint(tmp_path / "bare").shift == 0.0
    assert {path.name for path in (tmp_path / "bare").iterdir()} == {CARD, WEIGHTS}


def test_a_card_without_a_word_of_how_it_came_to_be(plain: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", plain)
    card = card_of(tmp_path / "m")
    del card["about"]
    (tmp_path / "m" / CARD).write_text(json.dumps(card), "utf-8")
    assert load_checkpoint(tmp_path / "m").about == {}


def test_the_card_is_text_that_people_read(plain: Checkpoint, tmp_path: Path) -> None:
    """Letters as they are, a key a line, and a number that JSON does not know as nothing."""
    save_checkpoint(tmp_path / "m", replace(plain, about={"loss": float("nan")}))
    text = (tmp_path / "m" / CARD).read_bytes()
    assert "č".encode() in text and text.endswith(b"}\n") and b"\r" not in text and text.count(b"\n ") > 5
    assert card_of(tmp_path / "m")["about"] == {"loss": None}


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions")
def test_others_may_read_it(plain: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", replace(plain, inner=InnerLoop({}, {"rate": torch.ones(())})))
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "m").iterdir()} == {0o644}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_diverged_model_is_not_written(plain: Checkpoint, value: float, tmp_path: Path) -> None:
    spoilt = plain.params[NAME].clone()
    spoilt.view(-1)[-1] = value
    with pytest.raises(CheckpointError, match=rf"{NAME} holds NaN or infinity.*lower the rate"):
        save_checkpoint(tmp_path / "m", with_weight(plain, NAME, spoilt))
    assert not list(tmp_path.iterdir())


def test_folders_above_it_are_made(plain: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a" / "b" / "m", plain)
    assert load_checkpoint(tmp_path / "a" / "b" / "m").config == plain.config


def test_what_is_no_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / CARD).write_text("{}")
    check_destination(tmp_path / "folder", replace=True)
    (tmp_path / "folder" / "my thesis.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder", "link"):
        with pytest.raises(CheckpointError, match="exists already; name another folder, or ask"):
            check_destination(tmp_path / name)
        with pytest.raises(CheckpointError, match="holds what is no model, so it is not overwritten"):
            check_destination(tmp_path / name, replace=True)


def test_a_place_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match=r"nothing can be written in .*file; name another folder"):
        check_destination(tmp_path / "file" / "a" / "m")
    with pytest.raises(CheckpointError, match=r"more than 255 bytes; name another folder"):
        check_destination(tmp_path / ("m" * 300))
    asked = list[tuple[Path, int]]()
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((Path(path), mode)))
    with pytest.raises(CheckpointError, match="nothing can be written in"):
        check_destination(tmp_path / "a" / "m")
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


SPOILT = [
    (NAME, {NAME: torch.ones(2, dtype=torch.int64)}, "is torch.int64 (2,), which is no weight of a model"),
    (MATRIX, {MATRIX: torch.ones(2, 3, dtype=torch.int8)}, "is torch.int8 (2, 3), which is no weight"),
    (MATRIX, {MATRIX: torch.ones(2, 3), MATRIX + SCALE: torch.ones(2)}, "is torch.float32 (2, 3), which is no weight"),
    (
        MATRIX,
        {MATRIX: torch.ones(2, 3, dtype=torch.int8), MATRIX + SCALE: torch.ones(3)},
        "is torch.int8 (2, 3), which is no weight",
    ),
    ("colour", {"colour": torch.ones(2)}, "is unknown; weights and model.json do not belong together"),
    (NAME, {NAME: torch.ones(2, 3)}, "is (2, 3), model.json says ("),
]


@pytest.mark.parametrize(("name", "tensors", "message"), SPOILT)
def test_weights_that_are_none_are_named(
    above: Checkpoint, name: str, tensors: dict[str, Tensor], message: str, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "m", above)
    path = tmp_path / "m" / WEIGHTS
    save_file({**load_file(path), **tensors}, path)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / "m")
    assert message in str(error.value) and name in str(error.value) and str(path) in str(error.value)


def test_scales_without_their_weight_are_not_a_weight_of_their_own(above: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", above, half=True)
    path = tmp_path / "m" / WEIGHTS
    save_file({name: value for name, value in load_file(path).items() if name != MATRIX}, path)
    with pytest.raises(CheckpointError, match=f"the weight {MATRIX} is missing"):
        load_checkpoint(tmp_path / "m")


def test_a_pipe_in_the_place_of_weights_is_not_waited_for(plain: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m", replace(plain, inner=InnerLoop({}, {"rate": torch.ones(())})))
    for name in (INNER, WEIGHTS):
        (tmp_path / "m" / name).unlink()
        os.mkfifo(tmp_path / "m" / name)
        with pytest.raises(CheckpointError, match=f"{name}: damaged"):
            load_checkpoint(tmp_path / "m")
