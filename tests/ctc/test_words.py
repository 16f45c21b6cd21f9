"""Words beside letters: their probabilities, the shares of their sources, and their file."""

from pathlib import Path

import numpy as np
import pytest

from earful.ctc.known import find, p_of_word, word_of
from earful.ctc.ngram import learn
from earful.ctc.words import (
    EXPERIENCE,
    Fold,
    Words,
    _hash,
    _shares,
    count_words,
    listed_words,
    load_words,
    mix_words,
    no_words,
    save_words,
    vocabulary,
)  # fmt: skip
from earful.errors import CheckpointError, ConfigError
from earful.text.alphabet import Alphabet

TEXTS = ["de kat zit", "de hond zit", "de kat is hier", "waar is de hond"]
ALPHABET = Alphabet.learn(TEXTS)


def p(model: Words, word: str, before: str | None = None) -> float:
    known = vocabulary(model, ALPHABET)
    h = 0 if before is None else word_of(known, _hash(ALPHABET.encode(before)))
    return p_of_word(known, h, word_of(known, _hash(ALPHABET.encode(word))))


def test_words_and_pairs_are_counted_within_lines() -> None:
    counts = count_words(TEXTS)
    n = dict(zip(counts.words, counts.counts_W.tolist(), strict=True))
    assert n["de"] == 4 and n["kat"] == 2 and counts.kinds == len(n) == 7
    pairs = {(counts.words[i], counts.words[j]) for i, j in zip(counts.first_P, counts.second_P, strict=True)}
    assert ("de", "kat") in pairs and ("zit", "de") not in pairs
    assert count_words(TEXTS, most=1).words == ("de",)


def test_counts_by_hand() -> None:
    """The most frequent words first; pairs of words that are kept, each as often as it came, within a line."""
    counts = count_words(["b a b a", "c", "", "a c"], most=2)
    assert counts.words == ("a", "b") and counts.counts_W.tolist() == [3, 2] and counts.kinds == 3
    pairs = {
        (int(i), int(j)): float(n) for i, j, n in zip(counts.first_P, counts.second_P, counts.counts_P, strict=True)
    }
    assert pairs == {(1, 0): 2, (0, 1): 1}
    nothing = count_words([])
    assert (nothing.words, len(nothing.counts_W), len(nothing.first_P), nothing.kinds) == ((), 0, 0, 0)


def test_a_list_is_in_the_order_of_its_frequencies_and_of_letters() -> None:
    listing = listed_words({"b": 1.0, "c": 4.0, "a": 1.0, "d": 0.5}, most=3)
    assert listing.words == ("c", "a", "b") and listing.counts_W.tolist() == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    assert (len(listing.counts_P), listing.kinds) == (0, 0) and listed_words({}).words == ()


@pytest.mark.parametrize("words", [0, 1, 5, 200])
def test_shares_explain_the_words_and_the_experience_best(words: int) -> None:
    """No other shares do better: the sum of logarithms, with experience as so many words more."""
    random = np.random.default_rng(words)
    p_KN, prior_K = random.random((3, words)) * [[0.1], [1.0], [0.5]], np.array([0.3, 0.35, 0.35])

    def logarithm(shares_K: np.ndarray) -> float:
        return float(np.log(shares_K @ p_KN).sum() + EXPERIENCE * (prior_K * np.log(shares_K)).sum())

    found = _shares(p_KN, prior_K)
    assert found.sum() == pytest.approx(1) and (words > 0 or found == pytest.approx(prior_K))
    for moved in random.dirichlet([1, 1, 1], 200):
        assert logarithm(0.99 * found + 0.01 * moved) < logarithm(found) + 1e-6


@pytest.mark.parametrize(
    ("transcripts", "p_space"),
    [([], 7 / 8), (["de kat"] * 4, 1 - 5 / 16), (["de"] * 99, 0.5), (["de kat " * 500], 0.99)],
)
def test_how_likely_another_word_follows(transcripts: list[str], p_space: float) -> None:
    assert mix_words(transcripts, [listed_words({"de": 1.0})], []).p_space == pytest.approx(p_space)


def test_of_text_it_is_witten_and_bells() -> None:
    model = Words((count_words(TEXTS),), (1e-9, 1 - 1e-9), 0.8)
    alone = {"de": 4 / 21, "kat": 2 / 21}  # fourteen words of seven kinds
    assert p(model, "de") == pytest.approx(alone["de"])
    assert p(model, "kat", "de") == pytest.approx((2 + 2 * alone["kat"]) / (4 + 2))
    assert p(model, "de", "zit") == pytest.approx(alone["de"]), "nothing followed it"
    assert p(model, "de", "hek") == pytest.approx(alone["de"]), "a word that nobody knows came before"
    assert p(model, "hek") == 0


def test_what_is_known_of_words_leaves_room_for_new_ones() -> None:
    """After any word, those that are known have less than all of the probability, and of a list all."""
    known = count_words(TEXTS).words
    text = Words((count_words(TEXTS),), (1e-9, 1 - 1e-9), 0.8)
    for before in (None, *known):
        assert 0.5 < sum(p(text, word, before) for word in known) < 1
    listing = Words((listed_words({"de": 3.0, "kat": 1.0}),), (1e-9, 1 - 1e-9), 0.8)
    assert p(listing, "de") == p(listing, "de", "kat") == pytest.approx(0.75)


def test_words_that_the_model_cannot_write_are_left_out() -> None:
    known = vocabulary(Words((listed_words({"de": 0.5, "çok": 0.5}),), (0.5, 0.5), 0.8), ALPHABET)
    assert len([each for each in known.hashes if each]) == 1
    without_spaces = Alphabet(("a", "b"))
    assert len(vocabulary(Words((count_words(["ab"]),), (0.5, 0.5), 0.8), without_spaces).hashes) == 0
    assert len(no_words(3).hashes) == 0


def test_a_word_of_two_sources_is_one_word() -> None:
    """Each source has its own words, in its own order; both say how likely a word is that both know."""
    first, second = listed_words({"kat": 0.75, "de": 0.25}), listed_words({"çok": 0.5, "de": 0.3, "hond": 0.2})
    known = vocabulary(Words((first, second), (0.2, 0.5, 0.3), 0.8), ALPHABET)
    assert len([each for each in known.hashes if each]) == 3, "kat, de, hond"
    p_SW = {
        word: known.p_SW[:, word_of(known, _hash(ALPHABET.encode(word)))].tolist() for word in ("kat", "de", "hond")
    }
    assert p_SW["kat"] == pytest.approx([0.75, 0]) and p_SW["hond"] == pytest.approx([0, 0.2])
    assert p_SW["de"] == pytest.approx([0.25, 0.3])


def test_what_is_kept_of_a_source_is_of_its_alphabet() -> None:
    source, other = listed_words({"de": 0.5, "çok": 0.5}), Alphabet(("o", "k", "ç", " "))
    for alphabet, word in ((ALPHABET, "de"), (other, "çok"), (ALPHABET, "de")):
        hashes = source.hashes(alphabet).tolist()
        assert sorted(map(bool, hashes)) == [False, True], "the other cannot be written"
        assert hashes[source.words.index(word)] == _hash(alphabet.encode(word))


def test_many_words_are_all_found() -> None:
    random = np.random.default_rng(0)
    words = {"".join(random.choice(list("abcd"), size=random.integers(1, 12))) for _ in range(20_000)}
    alphabet = Alphabet.learn([" ".join(words)])
    known = vocabulary(Words((listed_words(dict.fromkeys(words, 1.0)),), (0.5, 0.5), 0.8), alphabet)
    assert len({word_of(known, _hash(alphabet.encode(word))) for word in words} - {-1}) == len(words)
    assert find(known.hashes, _hash(alphabet.encode("abcdabcdabcdabcd"))) == -1


def folds(transcripts: list[str]) -> list[Fold]:
    return [
        Fold([text], [t for t in transcripts if t != text], learn([t for t in transcripts if t != text], ALPHABET, 3))
        for text in transcripts
    ]


def test_the_source_that_predicts_best_has_the_greatest_share() -> None:
    transcripts = TEXTS
    fitting = listed_words({"de": 4.0, "kat": 2.0, "hond": 2.0, "zit": 2.0, "is": 2.0, "hier": 1.0, "waar": 1.0})
    foreign = listed_words({"ik": 1.0, "had": 1.0, "aak": 1.0})
    letters, _, fits, other = mix_words(transcripts, [fitting, foreign], folds(transcripts)).shares
    assert fits > letters and fits > 2 * other


def test_before_anything_is_known_experience_speaks() -> None:
    model = mix_words(["de kat"], [listed_words({"de": 1.0})], [])
    assert model.shares == pytest.approx((0.3, 0.35, 0.35)) and len(model.sources) == 2
    assert mix_words([], [], []).shares == (1.0,), "letters alone"
    assert mix_words(TEXTS, [], folds(TEXTS)).p_space == pytest.approx(1 - 5 / 22)


def test_a_language_without_spaces_is_left_to_its_letters() -> None:
    unspaced = ["dekatzit", "dehondzit", "dekatishier", "waarisdehond"]
    model = mix_words(unspaced, [], folds(unspaced))
    assert model.shares[0] > mix_words(TEXTS, [], folds(TEXTS)).shares[0]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    model = mix_words(TEXTS, [listed_words({"de": 0.7, "hond": 0.3})], folds(TEXTS))
    save_words(tmp_path / "words.safetensors", model)
    again = load_words(tmp_path / "words.safetensors")
    assert again.shares == model.shares and again.p_space == model.p_space and again.known == model.known
    for word, before in (("kat", "de"), ("hond", None), ("hier", "is")):
        assert p(again, word, before) == p(model, word, before)


def test_a_source_without_words_is_written_and_read_too(tmp_path: Path) -> None:
    save_words(tmp_path / "words", Words((count_words([]), listed_words({"de": 1.0})), (0.5, 0.2, 0.3), 0.8))
    again = load_words(tmp_path / "words")
    assert [source.words for source in again.sources] == [(), ("de",)] and again.known == {"de"}
    assert p(again, "de") == pytest.approx(0.3)


@pytest.mark.parametrize("p_space", [0.0, 1.0])
def test_a_text_must_be_able_to_go_on_and_to_end(p_space: float) -> None:
    with pytest.raises(ConfigError, match="expected a share for the letters"):
        Words((), (1.0,), p_space)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "words.safetensors"
    with pytest.raises(CheckpointError, match="there is no such word model"):
        load_words(place)
    save_words(place, Words((count_words(TEXTS),), (0.5, 0.5), 0.8))
    damaged = bytearray(place.read_bytes())
    damaged[-3] ^= 1
    place.write_bytes(bytes(damaged))
    with pytest.raises(CheckpointError, match="damaged"):
        load_words(place)


@pytest.mark.parametrize("shares", [(0.5,), (0.5, 0.4), (0.0, 1.0), (1.5, -0.5)])
def test_shares_are_shares(shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="expected a share for the letters"):
        Words((count_words(TEXTS),), shares, 0.8)
