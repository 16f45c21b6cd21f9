"""Language models: rows, mixtures, what they learn, and their file."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

import earful.ctc.ngram
from earful.ctc.arrays import _checksum
from earful.ctc.ngram import NGram, folds_of, learn, load_ngram, mix, mix_with, save_ngram
from earful.errors import CheckpointError, ConfigError, TextError
from earful.text.alphabet import Alphabet

TALK = [
    *("de kat zit daar", "daar zit de hond", "de kat en de hond zitten hier", "hier is de kat", "waar is de hond"),
    *(
        "de hond is daar",
        "zit de kat hier",
        "daar zit hij",
        "hij is hier",
        "de kat ziet de hond niet",
        "waar zit de kat",
    ),
]
NEWS = [
    *(
        "het kabinet vergadert vandaag over het plan",
        "de minister van handel was niet aanwezig",
        "het debat duurde lang",
    ),
    *("een kans voor het hele land", "de kamer stemde tegen het voorstel", "het plan gaat niet door", "morgen meer"),
    *("de partij wil een ander debat", "het land heeft een nieuwe minister", "vandaag vergadert de kamer niet"),
]
ALPHABET = Alphabet.learn([*TALK, *NEWS])
TEXTS = st.lists(st.text(ALPHABET.symbols, max_size=10), min_size=1, max_size=6).filter(
    lambda texts: any(text.strip() for text in texts)
)


def walk(model: NGram, text: str) -> int:
    context = model.start
    for symbol in model.alphabet.encode(text):
        context = model.extend(context, symbol)
    return context


@settings(deadline=None)
@given(TEXTS, TEXTS, st.floats(0, 1), st.text(ALPHABET.symbols, max_size=8))
def test_a_mixture_is_the_mean_and_sums_to_one(one: list[str], two: list[str], weight: float, text: str) -> None:
    models = learn(one, ALPHABET, 4), learn(two, ALPHABET, 3)
    mixed = mix(models, (weight, 1 - weight))
    p = [np.exp(model.row(walk(model, text))) for model in (*models, mixed)]
    np.testing.assert_allclose(p[2], weight * p[0] + (1 - weight) * p[1], atol=1e-6)
    np.testing.assert_allclose([row.sum() for row in p], 1, atol=1e-5)
    assert all(row.shape == (ALPHABET.size,) and row.dtype == np.float32 for row in p)


def test_it_learns() -> None:
    model = learn(TALK, ALPHABET)
    assert model.alphabet.decode([int(model.row(walk(model, "de h")).argmax())]) == "o"
    assert model.row(walk(model, "waar is de hond")).argmax() == 0  # the end of a text
    assert model.row(walk(model, "de ho")).argmax() != 0
    known, like, unlike = ([text] for text in ("de hond zit daar", "de hand zat daar", "wvpglm"))
    assert model.perplexity(known) < 3 < model.perplexity(like) < ALPHABET.size < model.perplexity(unlike)


def test_perplexity_is_of_all_symbols_and_the_end() -> None:
    model = learn(TALK, ALPHABET, 3)
    logp = model.logp("de kat")
    assert len(logp) == len("de kat") + 1
    assert model.perplexity(["de kat", "en"]) == pytest.approx(np.exp(-np.append(logp, model.logp("en")).mean()))
    with pytest.raises(TextError, match="'q'"):
        model.logp("q")


def test_a_longer_history_tells_more() -> None:
    perplexities = [learn(TALK, ALPHABET, order).perplexity(["de hond ziet de kat"]) for order in (2, 3, 5)]
    assert perplexities == sorted(perplexities, reverse=True)


def test_rows_are_kept_within_bounds_and_cannot_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earful.ctc.ngram, "_CACHED_NUMBERS", 4 * ALPHABET.size)
    small, whole = learn(TALK, ALPHABET), learn(TALK, ALPHABET)
    for text in ("de kat zit", "een hond"):
        for end in range(len(text)):
            walk(small, text[:end])
            assert len(small._seen) <= 4
        np.testing.assert_array_equal(small.logp(text), whole.logp(text))
    with pytest.raises(ValueError, match="read-only"):
        small.row(small.start)[0] = 0


# --- mixtures --------------------------------------------------------------------------------------------------------


def test_transcripts_and_other_text_together_beat_either() -> None:
    held = ["waar zit de minister", "de kat is niet aanwezig", "hier is het debat"]
    mixed = mix_with(TALK, [learn(NEWS, ALPHABET, 5)], 5)
    assert mixed.perplexity(held) < min(learn(texts, ALPHABET, 5).perplexity(held) for texts in (TALK, NEWS))


def test_the_weight_follows_what_predicts_transcripts() -> None:
    (same, _), (other, _) = (mix_with(talk, [learn(NEWS, ALPHABET, 5)], 5).weights for talk in (TALK, NEWS[:5]))
    assert other < 0.5 < same


def test_a_source_that_does_not_help_hardly_counts() -> None:
    noise = ["xqz zqx", "qqzx xz"]
    sources = [learn(NEWS, Alphabet.learn([*TALK, *NEWS, *noise]), 5)]
    sources.append(learn(noise, sources[0].alphabet, 5))
    _, news, useless = mix_with(TALK, sources, 5).weights
    assert useless < 0.1 < news


@pytest.mark.parametrize("transcripts", [["de kat"], ["de kat", ""]])
def test_with_one_transcript_all_sources_count_the_same(transcripts: list[str]) -> None:
    assert mix_with(transcripts, [learn(NEWS, ALPHABET)]).weights == (0.5, 0.5)


def test_every_fifth_transcript_is_held_out_in_turn_and_none_that_is_empty() -> None:
    assert list(folds_of(["a", " ", "b", ""])) == [(["b"], ["a"]), (["a"], ["b"])]
    folds = list(folds_of([*"abcdefg"]))
    assert [held for _, held in folds] == [["a", "f"], ["b", "g"], ["c"], ["d"], ["e"]]
    assert all(sorted([*rest, *held]) == [*"abcdefg"] for rest, held in folds)
    assert list(folds_of(["a", ""])) == []


def test_without_transcripts_the_other_text_is_all() -> None:
    other = learn(NEWS, ALPHABET)
    assert mix_with(["", " "], [other]).perplexity(TALK) == pytest.approx(other.perplexity(TALK))


def test_what_cannot_be_mixed() -> None:
    model, foreign = learn(TALK, ALPHABET), learn(TALK, Alphabet.learn(TALK))
    with pytest.raises(ConfigError, match="one alphabet"):
        mix([model, foreign], [0.5, 0.5])
    for weights in ([0.5, 0.6], [1.5, -0.5]):
        with pytest.raises(ConfigError, match="expected a weight for each of 2 sources"):
            mix([model, model], weights)


# --- the file --------------------------------------------------------------------------------------------------------


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    model = mix_with(TALK, [learn(NEWS, ALPHABET, most=200)], most=200)
    save_ngram(tmp_path / "ngram.safetensors", model)
    loaded = load_ngram(tmp_path / "ngram.safetensors")
    assert loaded.alphabet == model.alphabet and loaded.weights == model.weights
    for text in ("de kat zit", "het debat", "wvz"):
        np.testing.assert_array_equal(loaded.logp(text), model.logp(text))
    assert [path.name for path in tmp_path.iterdir()] == ["ngram.safetensors"]
    assert (tmp_path / "ngram.safetensors").stat().st_size < 16_000


def test_its_arrays_are_aligned(tmp_path: Path) -> None:
    """To 8 bytes, as safetensors does, by no more than is needed."""
    path = tmp_path / "ngram.safetensors"
    for texts in (TALK, NEWS, TALK[:3], NEWS[:3], TALK[:5]):
        save_ngram(path, learn(texts, ALPHABET, 3))
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        assert size % 8 == 0 and len(content[8 : 8 + size]) - len(content[8 : 8 + size].rstrip()) < 8


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such language model"):
        load_ngram(tmp_path / "none")
    (tmp_path / "text").write_text("een tekst")
    with pytest.raises(CheckpointError, match="text: damaged"):
        load_ngram(tmp_path / "text")
    save_file({"weight": np.zeros(3)}, tmp_path / "weights")
    with pytest.raises(CheckpointError, match="weights: expected a language model of format 1, got another kind"):
        load_ngram(tmp_path / "weights")


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ngram.safetensors")
    with pytest.raises(CheckpointError, match=r"ngram\.safetensors: damaged"):
        load_ngram(tmp_path / "ngram.safetensors")


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "ngram.safetensors"
    save_ngram(path, learn(TALK, ALPHABET, 3))
    whole = path.read_bytes()
    texts = ["de kat", "het land"]
    before = load_ngram(path).perplexity(texts)
    for place in [*range(0, len(whole), 17), len(whole) - 1]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        try:
            assert load_ngram(path).perplexity(texts) == before  # some bytes of the header are idle
        except CheckpointError as error:
            assert str(path) in str(error)
    for changed in (whole.replace(b"z", b"q", 1), whole[: len(whole) // 2]):
        assert changed != whole
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="damaged"):
            load_ngram(path)


def test_counts_that_do_not_belong_together(tmp_path: Path) -> None:
    path = tmp_path / "ngram.safetensors"
    save_ngram(path, learn(TALK, ALPHABET, 3))
    with safe_open(path, "numpy") as file:
        header = file.metadata()
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for about in ({"orders": [4]}, {"weights": [0.5]}, {"alphabet": ["a", "a"]}, {"orders": 3}):
        changed = json.dumps(json.loads(header["about"]) | about)
        save_file(arrays, path, header | {"about": changed, "crc32": _checksum(changed, arrays)})
        with pytest.raises(CheckpointError, match=r"ngram\.safetensors: damaged"):
            load_ngram(path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_ngram(tmp_path / "nowhere" / "ngram.safetensors", learn(TALK, ALPHABET, 3))
