from __future__ import annotations

import json
import random
import re
import shutil
import string
import subprocess
import time
import unicodedata
from dataclasses import asdict
from pathlib import Path

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.errors import TextError
from earful.text.score import (
    _CELLS_PER_BLOCK,
    Counts,
    _blocks,
    errors_of,
    errors_of_each,
    pool,
    right_words,
    score,
)

SCLITE = shutil.which("sclite") or shutil.which("sclite", path="/usr/lib/sctk/bin")  # Debian keeps it off the PATH
TEXTS = st.text(alphabet="ab č\u0301", max_size=14)


def alignment_counts(reference: list[str], hypothesis: list[str]) -> Counts:
    """The counts by the plainest possible table and backtrace, as sclite's manual describes its alignment."""
    table = [[3 * (i + j) for j in range(len(hypothesis) + 1)] for i in range(len(reference) + 1)]
    for i, r in enumerate(reference):
        for j, h in enumerate(hypothesis):
            pair = table[i][j] + (0 if r == h else 4)
            table[i + 1][j + 1] = min(pair, table[i][j + 1] + 3, table[i + 1][j] + 3)
    i, j, tally = len(reference), len(hypothesis), {"H": 0, "S": 0, "D": 0, "I": 0}
    while i or j:
        same = i and j and reference[i - 1] == hypothesis[j - 1]
        if i and j and table[i][j] == table[i - 1][j - 1] + (0 if same else 4):
            step, i, j = ("H" if same else "S"), i - 1, j - 1
        elif j and table[i][j] == table[i][j - 1] + 3:
            step, j = "I", j - 1
        else:
            step, i = "D", i - 1
        tally[step] += 1
    return Counts(tally["H"], tally["S"], tally["D"], tally["I"])


def random_pairs(number: int, symbols: list[str], length: int, seed: int) -> list[tuple[list[str], list[str]]]:
    """Half of the hypotheses are damaged references, half have nothing to do with them; some of both are empty."""
    choose = random.Random(seed)

    def damaged(token: str) -> list[str]:
        return choose.choice([[token]] * 6 + [[], [choose.choice(symbols)], [token, choose.choice(symbols)]])

    def sentence() -> list[str]:
        return [choose.choice(symbols) for _ in range(choose.randint(0, length))]

    references = [sentence() for _ in range(number)]
    return [
        (tokens, sentence() if choose.random() < 0.5 else [new for token in tokens for new in damaged(token)])
        for tokens in references
    ]


def sclite_counts(pairs: list[tuple[list[str], list[str]]], folder: Path) -> list[Counts]:
    """What NIST sclite counts for each pair of token lists, read from its SGML alignments."""
    for name, side in (("ref.trn", 0), ("hyp.trn", 1)):
        lines = [f"{' '.join(pair[side])} (s_{number})\n" for number, pair in enumerate(pairs)]
        (folder / name).write_text("".join(lines), encoding="utf-8")
    assert SCLITE is not None
    files = ["-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "swb"]
    command = [SCLITE, *files, "-s", "-e", "utf-8", "-o", "sgml", "stdout"]  # -s: case matters
    report = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout
    found: dict[int, Counts] = {}
    for number, body in re.findall(r'<PATH id="\(s_(\d+)\)"[^>]*>\n(.*?)</PATH>', report, re.DOTALL):
        steps = re.findall(r"(?:^|:)([CSDI]),", body.strip())
        found[int(number)] = Counts(*(steps.count(step) for step in "CSDI"))
    return [found[number] for number in range(len(pairs))]


def spell(text: str) -> list[str]:
    return ["<sp>" if character == " " else character for character in text]


needs_sclite = pytest.mark.skipif(SCLITE is None, reason="NIST sclite is not installed (Debian package sctk)")


@needs_sclite
@pytest.mark.parametrize(("symbols", "length"), [(2, 10), (4, 15), (20, 40)])
def test_word_counts_are_those_of_sclite(symbols: int, length: int, tmp_path: Path) -> None:
    pairs = random_pairs(500, ["kůň", "नमस्ते", "ß", "мир", *string.ascii_letters][:symbols], length, seed=symbols)
    ours = errors_of_each([" ".join(reference) for reference, _ in pairs], [" ".join(hyp) for _, hyp in pairs])
    assert [each.words for each in ours] == sclite_counts(pairs, tmp_path)


@needs_sclite
def test_character_counts_are_those_of_sclite(tmp_path: Path) -> None:
    pairs = random_pairs(300, [*"aeiouněž", "da", "ko", "ů"], 8, seed=1)
    references = [" ".join(reference) for reference, _ in pairs]
    hypotheses = [" ".join(hypothesis) for _, hypothesis in pairs]
    ours = [each.characters for each in errors_of_each(references, hypotheses)]
    spelled = [(spell(r), spell(h)) for r, h in zip(references, hypotheses, strict=True)]
    assert ours == sclite_counts(spelled, tmp_path)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_counts_are_those_of_the_plain_algorithm(pairs: list[tuple[str, str]]) -> None:
    errors = errors_of_each([r for r, _ in pairs], [h for _, h in pairs])
    for (reference, hypothesis), each in zip(pairs, errors, strict=True):
        r, h = (unicodedata.normalize("NFC", text).split() for text in (reference, hypothesis))
        assert each.words == alignment_counts(r, h)
        assert each.characters == alignment_counts(list(" ".join(r)), list(" ".join(h)))
        assert each == errors_of(reference, hypothesis)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6).filter(lambda pairs: all(r.strip() for r, _ in pairs)))
def test_the_total_is_never_below_the_plain_edit_distance(pairs: list[tuple[str, str]]) -> None:
    spaced = [[" ".join(unicodedata.normalize("NFC", text).split()) for text in pair] for pair in pairs]
    references, hypotheses = [pair[0] for pair in spaced], [pair[1] for pair in spaced]
    ours = score(references, hypotheses)
    plain = jiwer.process_characters(references, hypotheses)
    distance = plain.substitutions + plain.deletions + plain.insertions
    errors = ours.substitutions + ours.deletions + ours.insertions
    assert distance <= errors <= distance * 4 / 3
    assert ours.characters == plain.hits + plain.substitutions + plain.deletions


def test_a_corpus_counted_by_hand() -> None:
    result = score(["the cat sat", "on the mat"], ["the cat sad on", "the mat"])
    assert (result.utterances, result.words, result.characters) == (2, 6, 21)
    assert (result.word_substitutions, result.word_deletions, result.word_insertions) == (1, 1, 1)
    assert (result.substitutions, result.deletions, result.insertions) == (1, 3, 3)
    assert result.wer == 3 / 6
    assert result.cer == 7 / 21


@pytest.mark.parametrize(
    ("reference", "hypothesis", "right"),
    [
        ("the cat sat on", "a cat sat", [False, True, True]),
        ("a b c", "a x c", [True, False, True]),
        ("a b c", "b c d", [True, True, False]),
        ("a b", "x a b", [False, True, True]),
        ("a b", "a b b", [True, False, True]),
        ("a a b", "b", [True]),
        ("b c", "c b c", [False, True, True]),
        ("č", "c\u030c", [True]),
        ("", "a", [False]),
        ("a", "", []),
    ],
)
def test_which_words_are_right(reference: str, hypothesis: str, right: list[bool]) -> None:
    assert right_words(reference, hypothesis) == right


@given(st.lists(st.sampled_from("abc"), max_size=7), st.lists(st.sampled_from("abc"), max_size=7))
def test_right_words_are_those_of_an_alignment_of_least_errors(reference: list[str], hypothesis: list[str]) -> None:
    """jiwer's distance is the least; what is not right was substituted or inserted, and some order pairs the rest."""
    right = right_words(" ".join(reference), " ".join(hypothesis))
    plain = jiwer.process_words([" ".join(reference)], [" ".join(hypothesis)]) if reference else None
    least = plain.substitutions + plain.deletions + plain.insertions if plain else len(hypothesis)
    kept, rest = [word for word, fits in zip(hypothesis, right, strict=True) if fits], iter(reference)
    assert all(word in rest for word in kept), "the right words are in the reference, in this order"
    missed, added = len(reference) - len(kept), len(hypothesis) - len(kept)
    assert len(right) == len(hypothesis) and max(missed, added) <= least <= missed + added


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert errors_of("č  a\n", " c\u030c a").characters == Counts(3, 0, 0, 0)


def test_case_and_punctuation_are_errors() -> None:
    assert errors_of("Yes.", "yes").words.errors == 1


@pytest.mark.parametrize(
    ("reference", "hypothesis", "words", "rate"),
    [("", "", Counts(0, 0, 0, 0), 0.0), (" ", "a b", Counts(0, 0, 0, 2), 2.0), ("a b", "", Counts(0, 0, 2, 0), 1.0)],
)
def test_empty_texts(reference: str, hypothesis: str, words: Counts, rate: float) -> None:
    result = score([reference], [hypothesis])
    assert errors_of(reference, hypothesis).words == words
    assert result.wer == words.rate == rate
    assert result.wer_interval_95 == (0.0, max(1.0, rate)), "one utterance says nothing of others"


def test_an_empty_reference_adds_its_insertions_to_the_corpus() -> None:
    assert score(["a b c d", ""], ["a b c d", "a"]).wer == 1 / 4


def test_pooling_all_counts_is_scoring_and_groups_sum_to_the_whole() -> None:
    references, hypotheses = ["ab", "cd e", "f"], ["ab", "ce", "g h"]
    errors = errors_of_each(references, hypotheses)
    assert pool(errors, "aab") == score(references, hypotheses, "aab") != pool(errors)
    first, rest = pool(errors[:1]), pool(errors[1:])
    whole = pool(errors)
    assert first.characters + rest.characters == whole.characters
    assert first.insertions + rest.insertions == whole.insertions


def test_the_interval_covers_the_true_rate_and_shrinks() -> None:
    choose = random.Random(7)
    words = [[int(choose.random() < 0.2) for _ in range(10)] for _ in range(400)]
    references = [" ".join("a" * 10)] * 400
    hypotheses = [" ".join("b" if wrong else "a" for wrong in line) for line in words]
    result = score(references, hypotheses)
    low, high = result.wer_interval_95
    # The standard error of a share p of n words is sqrt(p (1 - p) / n) = 0.0063; the interval is 3.92 of them wide.
    assert high - low == pytest.approx(3.92 * (0.2 * 0.8 / 4000) ** 0.5, rel=0.15)
    assert low < result.wer < high
    few = score(references[:40], hypotheses[:40]).wer_interval_95
    assert few[1] - few[0] > 2 * (high - low)


def test_the_score_is_valid_json() -> None:
    fields = json.loads(json.dumps(asdict(score(["a"], ["b"])), allow_nan=False))
    promised = {"cer", "wer", "utterances", "characters", "words", "substitutions", "deletions", "insertions"}
    assert promised | {"interval_95"} <= fields.keys()


def test_utterances_are_aligned_in_blocks_of_bounded_memory() -> None:
    """As many as fit, of similar length; one that is too long by itself is alone."""
    codes = [np.zeros(length, np.int32) for length in (*[100] * 1000, _CELLS_PER_BLOCK, 3)]
    blocks = list(_blocks(codes, codes))
    assert [len(block) for block in blocks] == [_CELLS_PER_BLOCK // 101, 1001 - _CELLS_PER_BLOCK // 101, 1]
    assert sorted(i for block in blocks for i in block) == list(range(1002)) and blocks[-1] == [1000]
    assert blocks[0][0] == 1001 and list(_blocks([], [])) == []


def test_a_long_recording_is_aligned_in_little_time() -> None:
    choose = random.Random(0)
    text = "".join(choose.choice("abcdefg ") for _ in range(4000)).strip()
    started_s = time.process_time()
    assert errors_of(text, text[1000:]).characters.hits <= 3000
    assert time.process_time() - started_s < 5


@pytest.mark.parametrize(
    ("references", "hypotheses", "message"),
    [(["a", "b"], ["a"], "2 references and 1 hyp"), ([], [], "at least one"), ("ab", "ab", "list")],
)
def test_what_cannot_be_scored_is_refused(references: list[str], hypotheses: list[str], message: str) -> None:
    with pytest.raises(TextError, match=message):
        score(references, hypotheses)
