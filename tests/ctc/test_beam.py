"""Beam search against enumeration of all paths, with and without a language model."""

import itertools
import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.ctc import beam, fusion
from earful.ctc.beam import Search, beam_search, spelt
from earful.ctc.fusion import Recording, tune
from earful.ctc.greedy import greedy
from earful.ctc.hot import hot_tree
from earful.ctc.ngram import NGram, learn
from earful.ctc.words import Words, count_words, listed_words
from earful.errors import ConfigError, TextError
from earful.text.alphabet import Alphabet

ALPHABET = Alphabet((" ", "a", "b"))
EXACT = {"width": 10**6, "least_logp": -math.inf}
FREE = learn(["ab ab", "a ab b", "ab", "b ab ab"], ALPHABET, 3)
Texts = dict[tuple[int, ...], float]


def random_logp(seed: int, frames: int, symbols: int, peak: float = 2.0) -> torch.Tensor:
    logits = peak * torch.randn(frames, symbols, generator=torch.Generator().manual_seed(seed))
    return logits.log_softmax(-1)


def enumerated(logp_FV: torch.Tensor) -> Texts:
    """The probability of every text, summed over all paths that spell it."""
    p_FV, texts = logp_FV.double().exp().tolist(), defaultdict[tuple[int, ...], float](float)
    for path in itertools.product(range(logp_FV.shape[1]), repeat=len(logp_FV)):
        spelt = tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)
        texts[spelt] += math.prod(p_V[symbol] for p_V, symbol in zip(p_FV, path, strict=True))
    return texts


def fused(texts: Texts, ngram: NGram, weight: float, bonus: float) -> Texts:
    """log p(y | sound) + weight · log p(y | language model) + bonus · |y|, of every text."""
    return {
        ids: math.log(p) + weight * float(ngram.logp(ngram.alphabet.decode(ids)).sum()) + bonus * len(ids)
        for ids, p in texts.items()
    }


def ids_of(emissions: tuple[beam.Emission, ...]) -> tuple[int, ...]:
    return tuple(each.symbol for each in emissions)


def spoken(text: str, alphabet: Alphabet, doubt: dict[int, tuple[str, float]] | None = None) -> torch.Tensor:
    """Each symbol for two frames, then three of silence; `doubt` gives some symbols a rival and its share."""
    p_FV = torch.full((5 * len(text), alphabet.size), 1e-6)
    for place, symbol in enumerate(alphabet.encode(text)):
        p_FV[5 * place : 5 * place + 2, symbol], p_FV[5 * place + 2 : 5 * place + 5, 0] = 1, 1
        if doubt and place in doubt:
            rival, share = doubt[place]
            p_FV[5 * place : 5 * place + 2, symbol] = 1 - share
            p_FV[5 * place : 5 * place + 2, alphabet.encode(rival)[0]] = share
    return (p_FV / p_FV.sum(1, keepdim=True)).log()


# --- against enumeration ---------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(2, 4))
def test_without_limits_it_is_the_most_probable_text(seed: int, frames: int, symbols: int) -> None:
    logp = random_logp(seed, frames, symbols, peak=1.0)
    texts = enumerated(logp)
    assert texts[ids_of(beam_search(logp, **EXACT))] == pytest.approx(max(texts.values()))


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.floats(0, 2), st.floats(-1, 2))
def test_with_a_language_model_too(seed: int, frames: int, weight: float, bonus: float) -> None:
    logp = random_logp(seed, frames, ALPHABET.size, peak=1.0)
    scores = fused(enumerated(logp), FREE, weight, bonus)
    found = ids_of(beam_search(logp, FREE, weight=weight, bonus=bonus, **EXACT))
    assert scores[found] == pytest.approx(max(scores.values()), abs=1e-5)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.floats(0, 2))
def test_a_greater_bonus_never_gives_a_shorter_text(seed: int, bonus: float) -> None:
    logp = random_logp(seed, 5, 3, peak=1.0)
    lengths = [len(beam_search(logp, bonus=each, **EXACT)) for each in (-bonus, 0, bonus)]
    assert lengths == sorted(lengths)


def last_beam(logp_FV: torch.Tensor, width: int) -> Texts:
    """What a beam holds at the end: the probability of each text, relative to that of the best."""
    frames, most = beam.frames_of(logp_FV, -math.inf), min(width, 5000)
    nodes_NK, scores_NK = np.full((len(logp_FV), most), -1, np.int32), np.zeros((len(logp_FV), most), np.float32)
    search = Search(logp_FV.shape[1], width=width, least_logp=-math.inf)
    _, _, tree = search._run(frames, nodes_NK, scores_NK)
    for nodes in nodes_NK:
        texts = [tuple(int(tree[1, each]) for each in beam._path(tree, int(node))) for node in nodes if node >= 0]
        assert len(set(texts)) == len(texts) <= width
    return {text: math.exp(score) for text, score in zip(texts, scores_NK[-1], strict=False)}


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_a_wide_beam_holds_the_probability_of_every_text(seed: int, frames: int) -> None:
    logp = random_logp(seed, frames, 3, peak=1.0)
    found, known = last_beam(logp, 10**6), enumerated(logp)
    best = max(known.values())
    assert found == pytest.approx({text: p / best for text, p in known.items()}, rel=1e-5)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5))
def test_a_narrow_beam_holds_each_text_once_even_if_it_gave_it_up_before(seed: int, width: int) -> None:
    assert len(last_beam(random_logp(seed, 25, 3, peak=1.0), width)) == width


# --- what it is for --------------------------------------------------------------------------------------------------


def test_a_language_model_decides_where_the_sound_does_not() -> None:
    texts = ["de kat zit daar", "de hond zit hier", "waar zit de kat", "hier is de kat", "de kat is daar"]
    alphabet = Alphabet.learn(texts)
    logp = spoken("de kat is hier", alphabet, {3: ("h", 0.55), 5: ("d", 0.6)})
    ngram = learn(texts, alphabet, 4)
    assert alphabet.decode(ids_of(greedy(logp))) == "de had is hier"
    assert alphabet.decode(ids_of(beam_search(logp))) == "de had is hier"
    assert alphabet.decode(ids_of(beam_search(logp, ngram))) == "de kat is hier"
    assert alphabet.decode(ids_of(beam_search(logp, ngram, weight=0))) == "de had is hier"


def test_times_and_confidences_are_those_of_the_sound() -> None:
    alphabet = Alphabet(("a", "b", "c"))
    logp = spoken("abba", alphabet, {1: ("c", 0.25)})
    found = beam_search(logp.half())
    assert [(e.symbol, e.start, e.end) for e in found] == [(1, 0, 2), (2, 5, 7), (2, 10, 12), (1, 15, 17)]
    assert [e.confidence for e in found] == pytest.approx([1, 0.75, 1, 1], abs=1e-2)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30))
def test_silence_costs_no_step_and_changes_no_text(seed: int, silence: int) -> None:
    logp, silent = random_logp(seed, 8, 4, peak=4.0), torch.tensor([[1 - 3e-7, 1e-7, 1e-7, 1e-7]]).log()
    quiet = torch.cat([silent.expand(silence, -1), logp, silent.expand(2 * silence, -1)])
    assert len(beam.frames_of(quiet, beam.LEAST_LOGP).places_N) <= 8
    found, shifted = beam_search(logp), beam_search(quiet)
    assert ids_of(shifted) == ids_of(found)
    assert [e.start - silence for e in shifted] == [e.start for e in found]


def test_silence_parts_equal_neighbours() -> None:
    p = {"a": [0.001, 0.999], "-": [1 - 1e-7, 1e-7]}
    for said, count in (("aaa", 1), ("a-a", 2), ("a---a-a", 3), ("---", 0)):
        assert len(beam_search(torch.tensor([p[each] for each in said]).log())) == count


@pytest.mark.parametrize("seed", range(5))
def test_a_long_recording_is_aligned_in_pieces(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logp = random_logp(seed, 500, 6, peak=6.0)
    whole = beam_search(logp)
    monkeypatch.setattr(beam, "_BLOCK", 50)
    pieces = beam_search(logp)
    assert ids_of(pieces) == ids_of(whole) and len(whole) > 100
    assert [(e.start, e.end) for e in pieces] == [(e.start, e.end) for e in whole]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 9))
def test_pieces_are_in_order_however_doubtful(seed: int, frames: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beam, "_BLOCK", block)
        found = beam_search(random_logp(seed, frames, 4, peak=1.0), FREE, bonus=2.0)
    bounds = [bound for each in found for bound in (each.start, each.end)]
    assert bounds == sorted(bounds) and all(0 <= each.start < each.end <= frames for each in found)


def test_nothing_said() -> None:
    assert beam_search(torch.zeros(0, 4)) == () == beam_search(torch.zeros(0, 4), FREE)
    assert beam_search(torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 9).log(), FREE) == ()


# --- words, hot words, guesses ---------------------------------------------------------------------------------------

KNOWN = Words(
    (count_words(["ab ab", "a ab"]), listed_words({"ab": 0.5, "b": 0.3, "bb": 0.2})), (0.3, 0.3, 0.4), p_space=0.6
)


def by_words(ids: tuple[int, ...]) -> float:
    """The log-probability of a text by letters and words, counted out by hand: Witten and Bell 1991, method C."""
    text = ALPHABET.decode(ids)
    letters = dict(enumerate(FREE.logp(text))) if text else {0: float(FREE.logp("")[0])}
    followed = {"ab": {"ab": 1}, "a": {"ab": 1}}
    alone, total, place, before = {"ab": 3 / 6, "a": 1 / 6}, 0.0, 0, ""
    for number, word in enumerate(parts := text.split(" "), 1):
        last = number == len(parts)
        spelling = sum(letters[place + i] for i in range(len(word) + 1))
        after = followed.get(before, {})
        said, kinds = sum(after.values()), len(after)
        by_text = (after.get(word, 0) + kinds * alone.get(word, 0)) / (said + kinds) if after else alone.get(word, 0)
        by_list = {"ab": 0.5, "b": 0.3, "bb": 0.2}.get(word, 0)
        known = (0.3 * by_text + 0.4 * by_list) * (0.4 if last else 0.6)
        total += math.log(0.3 * math.exp(spelling) + known) if word else spelling
        place, before = place + len(word) + 1, word or before
    return total


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.floats(0.1, 2), st.floats(-1, 2))
def test_with_words_too(seed: int, frames: int, weight: float, bonus: float) -> None:
    logp = random_logp(seed, frames, ALPHABET.size, peak=1.0)
    texts = enumerated(logp)
    scores = {ids: math.log(p) + weight * by_words(ids) + bonus * len(ids) for ids, p in texts.items()}
    heard = Search(ALPHABET.size, FREE, KNOWN, weight, bonus, **EXACT).hear(logp, guesses=3)
    assert scores[ids_of(heard.emissions)] == pytest.approx(max(scores.values()), abs=1e-4)
    best = sorted(scores.values(), reverse=True)[:3]
    assert [guess.score - heard.guesses[0].score for guess in heard.guesses] == pytest.approx(
        [score - best[0] for score in best], abs=1e-4
    )


BOOSTS = {"ab": 1.0, "ab b": 2.0, "ba": -1.5}


def heat(text: str) -> float:
    """What hot words add to a text: whole words or phrases from a word's start, the longest first."""
    total, place = 0.0, 0
    while place < len(text):
        fits = [p for p in BOOSTS if text.startswith(p, place) and text[place + len(p) :][:1] in ("", " ")]
        if fits:
            longest = max(fits, key=len)
            total, place = total + BOOSTS[longest] * len(longest), place + len(longest)
        place = text.find(" ", place) + 1 or len(text)
    return total


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 7))
def test_with_hot_words_too(seed: int, frames: int) -> None:
    logp = random_logp(seed, frames, ALPHABET.size, peak=1.0)
    scores = {ids: math.log(p) + heat(ALPHABET.decode(ids)) for ids, p in enumerated(logp).items()}
    found = ids_of(Search(ALPHABET.size, hot=hot_tree(BOOSTS, ALPHABET), **EXACT).hear(logp).emissions)
    assert scores[found] == pytest.approx(max(scores.values()), abs=1e-4)


def test_a_hot_word_is_heard_where_the_sound_leaves_it_open() -> None:
    alphabet = Alphabet.learn(["de kat is hier", "nyeri"])
    logp = spoken("de nkari is", alphabet, {4: ("y", 0.4), 5: ("e", 0.4)})
    decode = lambda search: alphabet.decode(ids_of(search.hear(logp).emissions))  # noqa: E731
    assert decode(Search(alphabet.size)) == "de nkari is"
    assert decode(Search(alphabet.size, hot=hot_tree({"nyeri": 1.0}, alphabet))) == "de nyeri is"
    assert decode(Search(alphabet.size, hot=hot_tree({"nyerie": 1.0}, alphabet))) == "de nkari is"
    with pytest.raises(TextError, match="hot word 'zebu': the model writes no b u z; spell it"):
        hot_tree({"zebu": 1.0}, alphabet)


def test_the_search_says_how_sure_it_was() -> None:
    alphabet = Alphabet.learn(["kat had"])
    heard = Search(alphabet.size).hear(spoken("kat had", alphabet, {4: ("k", 0.3)}))
    # two frames say h or k: h, or k, or h and k after another
    assert [round(each.sure, 2) for each in heard.emissions] == pytest.approx([1, 1, 1, 1, 0.7, 0.7, 1], abs=0.02)
    words = spelt(heard.emissions, alphabet)
    assert [alphabet.decode([e.symbol for e in word]) for word in words] == ["kat", "had"]


# --- weights ---------------------------------------------------------------------------------------------------------


def test_tuning_takes_what_recognises_best() -> None:
    texts = ["de kat zit daar", "de hond zit hier", "waar zit de kat", "hier is de kat", "de kat is daar"]
    alphabet = Alphabet.learn(texts)
    pairs = [
        (spoken("de kat is hier", alphabet, {3: ("h", 0.55), 5: ("d", 0.6)}), "de kat is hier"),
        (spoken("waar is de hond", alphabet, {11: ("k", 0.7)}), "waar is de hond"),
    ]
    learned = learn(texts, alphabet, 4)
    useful = tune([Recording(*pair, learned) for pair in pairs])
    assert useful.weight > 0 and useful.cer == 0
    misled = (spoken("de had is hier", alphabet, {3: ("k", 0.4), 5: ("t", 0.4)}), "de had is hier")
    assert tune([Recording(*misled, learned)], [0.0, 0.5], [0.0], prior=0).weight == 0
    assert tune([Recording(*misled, learned)], weights=[0.5], bonuses=[1.0]) == (0.5, 1.0, 2 / 14, (2,))


def test_the_rate_of_a_tuning_is_that_of_clips_that_did_not_choose() -> None:
    """One of three recordings wants weight 0; by all of them weight 0.5 is chosen, by the other two as well."""
    texts = ["de kat is hier", "de hond is hier", "waar is de hond", "daar is de kat"]
    alphabet = Alphabet.learn(texts)
    learned = learn(texts, alphabet, 4)
    misled = Recording(spoken("de had is hier", alphabet, {3: ("k", 0.4), 5: ("t", 0.4)}), "de had is hier", learned)
    plain = Recording(spoken("de kat is hier", alphabet, {3: ("h", 0.55), 5: ("d", 0.55)}), "de kat is hier", learned)
    found = tune([misled, plain], [0.0, 0.5], [0.0], prior=0)
    assert found.errors == (2, 2), "each by the weight that the other wants: its own would have made no error"
    together = tune([misled._replace(group=1), plain._replace(group=1)], [0.0, 0.5], [0.0], prior=0)
    assert together.errors in ((0, 2), (2, 0)) and together.cer == 2 / 28, "by none but experience"


def test_a_single_recording_does_not_overrule_experience() -> None:
    """A text that the language model does not expect wants weight 0; one recording of it is no proof."""
    texts = ["de kat is hier", "de hond is hier", "waar is de hond"]
    alphabet = Alphabet.learn(texts)
    misled = Recording(
        spoken("de had is hier", alphabet, {3: ("k", 0.4), 5: ("t", 0.4)}), "de had is hier", learn(texts, alphabet, 4)
    )
    few, many = (tune([misled] * count, [0.0, 1.0], [0.0, 1.0]) for count in (1, 200))
    assert (few.weight, many.weight) == (1.0, 0.0)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_no_weight(threads: int) -> None:
    texts = ["de kat is hier", "de hond is hier", "waar is de hond", "daar is de kat"]
    alphabet, before = Alphabet.learn(texts), torch.get_num_threads()
    clips = [Recording(spoken(text, alphabet, {3: ("k", 0.5)}), text, learn(texts, alphabet, 4)) for text in texts]
    alone = tune(clips[:2])
    torch.set_num_threads(threads)
    try:
        assert tune(clips[:2]) == alone
    finally:
        torch.set_num_threads(before)


def test_the_usual_weight_and_bonus_are_the_cheapest() -> None:
    costs = {(w, b): fusion.unusual(w, b) for w in fusion.WEIGHTS for b in fusion.BONUSES}
    assert min(costs, key=costs.__getitem__) == (1.0, 1.5) and costs[1.0, 1.5] == 0
    assert fusion.unusual(1.5, 2.5) < fusion.unusual(1.5, 0.0) and fusion.unusual(0.25, 1.0) < fusion.unusual(0.25, 3.0)


def test_what_cannot_be_searched() -> None:
    logp = random_logp(0, 4, 3)
    with pytest.raises(ConfigError, match="the language model has 3 symbols, the recogniser 2"):
        beam_search(logp, FREE)
    with pytest.raises(ConfigError, match="width of a beam must be at least 1, got 0"):
        beam_search(logp, width=0)
    with pytest.raises(ConfigError, match=r"must be below 0, got 0\.5"):
        beam_search(logp, least_logp=0.5)
    for lost in (math.nan, -math.inf, math.inf):
        with pytest.raises(ValueError, match="frame 2: expected log-probabilities"):
            beam_search(torch.cat([logp[:2], torch.full((1, 3), lost)]))
    with pytest.raises(TextError, match="hold some out"):
        tune([])


def test_threads_that_search_at_once_share_no_memory() -> None:
    """A row that one thread writes, while another reads it, would be a wrong letter now and then."""
    alphabet = Alphabet(tuple(" abc"))
    search = Search(alphabet.size, learn(["abba cab acca", "bac caba"], alphabet, order=4))
    generator = np.random.default_rng(0)
    logp_FV = np.log(generator.dirichlet(np.ones(alphabet.size), 300))
    here = search.hear(logp_FV)
    memory = search._known[2]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: (search.hear(logp_FV), memory.rows[1]), range(4)))
    assert all(heard == here and rows is not memory.rows[1] for heard, rows in found)
