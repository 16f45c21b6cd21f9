"""What letters sound like, from clips whose phones are known; and the rows that come of it."""

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from earful.adapt.letters import (
    ITERATIONS,
    STRENGTH,
    TRUST,
    expect,
    heard_on_average,
    heard_rows,
    letter_counts,
    letter_phones,
    likeness,
    prior_of,
    rarer,
    rows_from_phones,
    shares_of,
    sounds_of,
    with_rules,
)
from earful.adapt.rows import BIAS, WEIGHT, carry_rows
from earful.model import PHONES, TEXT
from earful.text.alphabet import Alphabet

SOUNDS = {"a": "a", "b": "b", "c": "c", "x": "bc", "h": ""}
"""A spelling: x is two sounds, h is silent; `sh` below is one sound for two letters."""
PHONES_HEARD = "abcs"
LETTERS = "abchsx"


def peaks(said: str, width: int = 2, gap: int = 3, sure: float = 0.9) -> Tensor:
    """The log-posteriors of a head trained with CTC: a peak a phone, blank elsewhere."""
    size = len(PHONES_HEARD) + 1
    frames = [0] * gap
    for phone in said:
        frames += [1 + PHONES_HEARD.index(phone)] * width + [0] * gap
    p_FP = torch.full((len(frames), size), (1 - sure) / (size - 1))
    p_FP[torch.arange(len(frames)), torch.tensor(frames)] = sure
    return p_FP.log()


def spoken(words: Sequence[str]) -> tuple[list[Tensor], list[tuple[int, ...]]]:
    """What is heard of words, and their letters."""
    sounds = [word.replace("sh", "s") for word in words]
    heard = [peaks("".join(SOUNDS.get(letter, letter) for letter in sound)) for sound in sounds]
    return heard, [tuple(1 + LETTERS.index(letter) for letter in word) for word in words]


WORDS = ("abac", "cab", "baca", "hac", "bhab", "cah", "xa", "bax", "axac", "sha", "bash", "cashab", "acca")


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    p_VP = letter_phones(*spoken(WORDS), len(LETTERS))
    return {
        letter: dict(zip(PHONES_HEARD, row.tolist(), strict=True)) for letter, row in zip(LETTERS, p_VP, strict=True)
    }


@pytest.mark.parametrize("letter", "abc")
def test_plain_letters_find_their_phone(found: dict[str, dict[str, float]], letter: str) -> None:
    assert found[letter][letter] > 0.8


def test_a_letter_for_two_phones_has_both(found: dict[str, dict[str, float]]) -> None:
    assert found["x"]["b"] > 0.3 and found["x"]["c"] > 0.3


def test_a_digraph_shares_its_phone(found: dict[str, dict[str, float]]) -> None:
    assert found["s"]["s"] > 0.6


def test_a_silent_letter_takes_no_phone_from_others() -> None:
    words = [word for word in WORDS if "s" not in word and "x" not in word]
    p_VP = letter_phones(*spoken(words), len(LETTERS))
    heard, _ = spoken(words)
    prior_P = heard_on_average(heard)
    assert p_VP[LETTERS.index("a")].argmax() == 0 and p_VP[LETTERS.index("c")].argmax() == 2
    assert (p_VP[LETTERS.index("h")] - prior_P).abs().max() < 0.35  # near the prior: little was heard for it


def test_a_letter_that_never_comes_stays_at_the_prior() -> None:
    heard, labels = spoken(["abc", "cab"])
    prior_VP = torch.rand(len(LETTERS), len(PHONES_HEARD)).softmax(1)
    p_VP = letter_phones(heard, labels, len(LETTERS), prior_VP=prior_VP)
    assert torch.allclose(p_VP[3:], prior_VP[3:], atol=1e-5)


def test_the_prior_weighs_what_it_should() -> None:
    heard, labels = spoken(["ab"])
    firm = (0.9 * torch.eye(len(PHONES_HEARD)).roll(1, 1) + 0.025)[[0, 1, 2, 0, 3, 3]]  # a sounds like b, it says
    weak, strong = (letter_phones(heard, labels, len(LETTERS), prior_VP=firm, strength=s) for s in (0.01, 1000.0))
    assert weak[0, 0] > 0.9 and strong[0, 0] < 0.1


def test_clips_too_short_for_their_labels_are_passed_over() -> None:
    heard, labels = spoken(WORDS)
    bad = (torch.full((2, len(PHONES_HEARD) + 1), 0.2).log(), (1, 1, 1))
    with_bad = letter_phones([*heard, bad[0]], [*labels, bad[1]], len(LETTERS), prior_VP=torch.full((6, 4), 0.25))
    without = letter_phones(heard, labels, len(LETTERS), prior_VP=torch.full((6, 4), 0.25))
    assert torch.allclose(with_bad, without, atol=1e-5)
    alone = letter_phones([bad[0]], [bad[1]], len(LETTERS))
    assert torch.allclose(alone, torch.full((6, 4), 0.25))


def test_what_does_not_fit_is_named() -> None:
    heard, labels = spoken(["ab", "ba"])
    with pytest.raises(ValueError, match="clip 1 has a label outside 1…1"):
        letter_phones(heard, [(1,), (2,)], 1)
    with pytest.raises(ValueError, match="labels for 2 clips, got 1"):
        letter_phones(heard, labels[:1], 6)
    with pytest.raises(ValueError, match=r"prior_VP is \[3, 4\], must be \[6, 4\]"):
        letter_phones(heard, labels, 6, prior_VP=torch.ones(3, 4))
    with pytest.raises(ValueError, match="one clip or more, got none"):
        letter_phones([], [], 6)
    with pytest.raises(ValueError, match="one head or more, got none"):
        heard_rows(params(), OLD, NEW, {}, [], torch.Generator())


def test_it_may_run_where_gradients_are_off() -> None:
    heard, labels = spoken(WORDS)
    with torch.no_grad():
        off = letter_phones(heard, labels, len(LETTERS))
    attached = [logp_FP.clone().requires_grad_() for logp_FP in heard]
    on = letter_phones(attached, labels, len(LETTERS))
    assert torch.equal(off, on) and not on.requires_grad


def paths(labels: Sequence[int], frames: int) -> list[tuple[int, ...]]:
    """Every path of CTC to the labels, found by trying all sequences of symbols."""
    symbols = {0, *labels}
    merged = lambda path: [s for s, _ in itertools.groupby(path) if s]  # noqa: E731
    return [path for path in itertools.product(symbols, repeat=frames) if merged(path) == list(labels)]


@given(st.integers(0, 10_000), st.sampled_from([(1,), (1, 2), (2, 2), (1, 2, 1)]))
def test_counts_are_those_of_all_paths(seed: int, labels: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(seed)
    x_FP = torch.rand(5, 4, generator=generator).softmax(1)
    p_VP = torch.rand(2, 3, generator=generator).softmax(1)
    sounds = sounds_of([x_FP.log()], [labels])
    assert sounds is not None
    likelihood, counts_VP = expect(sounds, p_VP, 0.2)
    emission_FV = torch.cat([x_FP[:, :1], 0.2 * x_FP[:, :1] + 0.8 * x_FP[:, 1:] @ p_VP.T], 1)
    weights = {path: float(emission_FV[range(5), list(path)].prod()) for path in paths(labels, 5)}
    total = sum(weights.values())
    assert float(likelihood.exp()) == pytest.approx(total, rel=1e-3)
    wanted_VP = torch.zeros(2, 3)
    for path, weight in weights.items():
        for frame, symbol in enumerate(path):
            if symbol:
                share_P = 0.8 * p_VP[symbol - 1] * x_FP[frame, 1:] / emission_FV[frame, symbol]
                wanted_VP[symbol - 1] += weight / total * share_P
    assert torch.allclose(counts_VP, wanted_VP, atol=1e-3)


def test_iterations_never_lose_likelihood() -> None:
    heard, labels = spoken(WORDS)
    prior_VP = heard_on_average(heard).expand(len(LETTERS), -1)
    rounds = [letter_phones(heard, labels, len(LETTERS), iterations=n) for n in range(ITERATIONS + 1)]
    objectives = []
    for p_VP in rounds:
        sounds = sounds_of(heard, labels)
        assert sounds is not None
        objectives.append(float(expect(sounds, p_VP, 0.2)[0] + STRENGTH * (prior_VP * p_VP.log()).sum()))
    assert all(after >= before - 1e-3 for before, after in itertools.pairwise(objectives))
    assert objectives[-1] > objectives[0] + 1


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_rows_sum_to_one(seed: int, clips: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logp = [torch.randn(12, 6, generator=generator).log_softmax(1) for _ in range(clips)]
    labels = [tuple(torch.randint(1, 4, (5,), generator=generator).tolist()) for _ in range(clips)]
    p_VP = letter_phones(logp, labels, 3)
    assert p_VP.shape == (3, 5) and bool((p_VP >= 0).all())
    assert torch.allclose(p_VP.sum(1), torch.ones(3), atol=1e-5)


OLD, NEW = Alphabet((" ", "a", "b", "c")), Alphabet((" ", ",", "ა", "ბ", "ც"))


def params(width: int = 8) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sizes = {TEXT: OLD.size, PHONES: len(PHONES_HEARD) + 1}
    weights = {f"heads.{h}.weight": torch.randn(n, width, generator=generator) for h, n in sizes.items()}
    biases = {f"heads.{h}.bias": torch.randn(n, generator=generator) for h, n in sizes.items()}
    return {**weights, **biases, "other": torch.ones(2)}


def test_rows_win_over_the_blank_as_their_phone_does() -> None:
    old = params()
    p_VP = torch.eye(len(PHONES_HEARD))[[2, 0]]
    weight_VD, bias_V = rows_from_phones(old, p_VP, PHONES)
    hidden_FD = torch.randn(7, 8)
    ours_FV = hidden_FD @ weight_VD.T + bias_V
    theirs_FP = hidden_FD @ old[f"heads.{PHONES}.weight"].T + old[f"heads.{PHONES}.bias"]
    wanted_F2 = (theirs_FP - theirs_FP[:, :1])[:, [3, 1]]
    assert torch.allclose((ours_FV - ours_FV[:, :1])[:, 1:], wanted_F2, atol=1e-5)
    assert torch.equal(weight_VD[0], old[WEIGHT][0])


def test_a_letter_is_like_the_phone_of_its_row() -> None:
    old = params()
    old[f"heads.{PHONES}.weight"][1:4] = old[WEIGHT][2:5]  # a, b, c sound like a, b, c
    like_VP = likeness(old, [2, 3, 4], PHONES)
    assert like_VP.argmax(1).tolist() == [0, 1, 2]
    average_P = torch.full((4,), 0.25)
    prior_VP = prior_of(old, OLD, Alphabet(("č", "ཀ")), PHONES, average_P)
    assert prior_VP[0].argmax() == 2 and torch.equal(prior_VP[1], average_P)


def test_heard_rows() -> None:
    old = params()
    words, heard = ["აბ", "ბაც", "ცა, ბა", "აცა"], ["ab", "bac", "caba", "aca"]
    logp, labels = [peaks(said) for said in heard], [tuple(NEW.encode(word)) for word in words]
    new = heard_rows(old, OLD, NEW, {PHONES: logp}, labels, torch.Generator().manual_seed(0))
    carried = carry_rows(old, OLD, NEW, torch.Generator().manual_seed(0))
    assert new["other"] is old["other"]
    assert torch.equal(new[WEIGHT][:3], carried[WEIGHT][:3])  # blank, space and comma
    assert torch.equal(new[BIAS][:3], carried[BIAS][:3])
    shift_PD = old[f"heads.{PHONES}.weight"] - old[f"heads.{PHONES}.weight"][0] + old[WEIGHT][0]
    nearest = torch.cdist(new[WEIGHT][3:], shift_PD).argmin(1)
    assert nearest.tolist() == [1, 2, 3]  # ა like a, ბ like b, ც like c


def test_of_letters_of_one_sound_the_frequent_one_is_written() -> None:
    rules_VP = torch.tensor([[90.0, 0.0], [10.0, 0.0], [0.0, 5.0], [0.0, 0.0], [45.0, 5.0]])
    found_V = rarer(rules_VP)
    assert found_V[0] == pytest.approx(math.log(90 / 145)) and found_V[1] == pytest.approx(math.log(10 / 145))
    assert found_V[2] == pytest.approx(math.log(0.5)) and found_V[3] == 0
    assert found_V[4] == pytest.approx(0.9 * math.log(45 / 145) + 0.1 * math.log(0.5))


def test_letters_that_no_clip_has_are_rarer() -> None:
    old, logp = params(), {PHONES: [peaks("ab")]}
    rules_VP = torch.zeros(len(NEW.symbols), len(PHONES_HEARD))
    rules_VP[NEW.encode("ბ")[0] - 1, 1], rules_VP[NEW.encode("ც")[0] - 1, 1] = 60.0, 20.0
    met, unmet = (
        heard_rows(old, OLD, NEW, logp, [tuple(NEW.encode(text))], torch.Generator(), rules_VP)[BIAS][
            NEW.encode("ც")[0]
        ]
        for text in ("აც", "აბ")
    )
    assert unmet < met - 1, "it shares its only sound with a letter that comes three times as often"


def test_heads_are_averaged() -> None:
    old = params()
    logp, labels = [peaks("abc")], [tuple(NEW.encode("აბც"))]
    heard = {PHONES: logp, TEXT: [torch.randn(18, OLD.size).log_softmax(1)]}
    one, other, both = (
        heard_rows(old, OLD, NEW, each, labels, torch.Generator())
        for each in ({PHONES: logp}, {TEXT: heard[TEXT]}, heard)
    )
    assert torch.allclose(both[WEIGHT], (one[WEIGHT] + other[WEIGHT]) / 2, atol=1e-5)
    assert torch.allclose(both[BIAS], (one[BIAS] + other[BIAS]) / 2, atol=1e-5)


def test_counts_are_of_frames_that_are_not_blank() -> None:
    heard, labels = spoken(["abc", "cab"])
    counts_VP = letter_counts(heard, labels, len(LETTERS))
    assert counts_VP.argmax(1)[:3].tolist() == [0, 1, 2]
    assert torch.allclose(counts_VP.sum(1)[:3], torch.full((3,), 4.0), atol=1.0), "twice two frames"
    assert counts_VP[3:].sum() < 0.1
    assert letter_counts([heard[0][:1]], [(1, 1, 1)], 2).sum() == 0, "no clip that its letters fit"


def test_rules_weigh_as_much_as_they_know() -> None:
    own_VP = torch.full((3, 4), 0.25)
    rules_VP = torch.tensor([[1000.0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0]])
    prior_VP, strength_V1 = with_rules(own_VP, rules_VP)
    assert strength_V1[:, 0].tolist() == pytest.approx([STRENGTH + TRUST, STRENGTH + 3, STRENGTH])
    assert torch.allclose(prior_VP.sum(1), torch.ones(3)) and torch.allclose(prior_VP[2], own_VP[2])
    assert prior_VP[0, 0] > prior_VP[1, 1] > 0.5
    share_HV = shares_of((PHONES, TEXT), [(1, 1, 3), (3,)], rules_VP)
    assert torch.allclose(share_HV.sum(0), torch.ones(3))
    assert share_HV[0, 1] > 0.5 and share_HV[0, 2] == 0.5, "a letter without rules: both heads alike"
    often_HV = shares_of((PHONES, TEXT), [(1,) * 1000], rules_VP)
    assert 0.5 < often_HV[0, 0] < 0.52 < share_HV[0, 0], "what the clips have often, both have heard"


def test_a_letter_that_the_clips_lack_starts_from_its_rule() -> None:
    old, labels = params(), [tuple(NEW.encode("აბ"))]
    heard = {PHONES: [peaks("ab")]}
    rules_VP = torch.zeros(len(NEW.symbols), len(PHONES_HEARD))
    rules_VP[NEW.symbols.index("ც"), PHONES_HEARD.index("s")] = 1000.0  # not c, which it looks like
    without, ruled = (heard_rows(old, OLD, NEW, heard, labels, torch.Generator(), r) for r in (None, rules_VP))
    shift_PD = old[f"heads.{PHONES}.weight"] - old[f"heads.{PHONES}.weight"][0] + old[WEIGHT][0]
    assert int(torch.cdist(ruled[WEIGHT][5:], shift_PD).argmin()) == 1 + PHONES_HEARD.index("s")
    assert torch.equal(ruled[WEIGHT][:5], without[WEIGHT][:5]), "letters without rules"
    assert not torch.equal(ruled[WEIGHT][5], without[WEIGHT][5])


def test_clips_overrule_a_wrong_rule() -> None:
    words = [word for word in WORDS if "c" in word and not set("sx") & set(word)] * 12
    heard, labels = spoken(words)
    rules_VP = torch.zeros(len(LETTERS), len(PHONES_HEARD))
    rules_VP[LETTERS.index("c"), PHONES_HEARD.index("s")] = 1000.0
    prior_VP, strength_V1 = with_rules(torch.full((len(LETTERS), len(PHONES_HEARD)), 0.25), rules_VP)
    p_VP = letter_phones(heard, labels, len(LETTERS), prior_VP=prior_VP, strength=strength_V1)
    assert prior_VP[LETTERS.index("c")].argmax() == 3 and p_VP[LETTERS.index("c")].argmax() == 2
