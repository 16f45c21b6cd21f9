"""What letters sound like by the rules of a language: of toy languages whose strings are given, and of espeak-ng's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from earful.adapt import spelling
from earful.adapt.adapt import adapt, prepare
from earful.adapt.finetune import Plan
from earful.adapt.spelling import MOST_WORDS, as_heard, likest, rule_counts, spelled, words_of
from earful.adapt.start import untrained
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.encoder.encoder import EncoderConfig
from earful.errors import SynthesisError
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules

LETTERS, PHONES = Alphabet(tuple("abchsxz")), Alphabet(("a", "b", "k", "kʰ", "s", "ʃ"))
SPELLING = {
    **{"abac": "abak", "cab": "kab", "baca": "baka", "hac": "ak", "bhab": "bab", "cah": "ka", "xa": "ksa"},
    **{"bax": "baks", "axac": "aksak", "sha": "ʃa", "bash": "baʃ", "cashab": "kaʃab", "acca": "aka", "sac": "sak"},
    **{"sab": "sab", "abas": "abas", "has": "as"},
}
"""x is two sounds, h alone is silent, sh is one sound for two letters; z never comes."""


def shares(said: Mapping[str, Sequence[str]], phones: Alphabet = PHONES) -> dict[str, dict[str, float]]:
    counts_VP = rule_counts(said, LETTERS, phones)
    assert counts_VP is not None
    p_VP = counts_VP / counts_VP.sum(1, keepdim=True).clamp(min=1e-6)
    return {
        letter: dict(zip(phones.symbols, row, strict=True))
        for letter, row in zip(LETTERS.symbols, p_VP.tolist(), strict=True)
    }


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    return shares(SPELLING)


@pytest.mark.parametrize(("letter", "phone"), [("a", "a"), ("b", "b"), ("c", "k")])
def test_plain_letters_have_their_phone(found: dict[str, dict[str, float]], letter: str, phone: str) -> None:
    assert found[letter][phone] > 0.95


def test_a_letter_for_two_phones_has_both(found: dict[str, dict[str, float]]) -> None:
    assert found["x"]["k"] > 0.4 and found["x"]["s"] > 0.4


def test_a_digraph_is_told_from_its_letters(found: dict[str, dict[str, float]]) -> None:
    assert found["s"]["s"] > 0.5 and found["h"]["ʃ"] + found["s"]["ʃ"] > 0.5


def test_counts_are_of_what_was_said() -> None:
    counts_VP = rule_counts(SPELLING, LETTERS, PHONES)
    assert counts_VP is not None and counts_VP.shape == (len(LETTERS.symbols), len(PHONES.symbols))
    assert float(counts_VP.sum()) == pytest.approx(sum(map(len, SPELLING.values())), rel=0.05)
    assert counts_VP[-1].sum() == 0, "z never comes"
    assert counts_VP[:, PHONES.symbols.index("kʰ")].sum() == 0, "nobody says it"


def test_a_silent_letter_takes_no_phone_from_others() -> None:
    words = {word: said for word, said in SPELLING.items() if not set("sx") & set(word)}
    counts_VP = rule_counts(words, LETTERS, PHONES)
    assert counts_VP is not None
    for letter, phone in zip("abc", "abk", strict=True):
        written = "".join(words).replace("cc", "c").count(letter)
        row_P = counts_VP[LETTERS.symbols.index(letter)]
        assert row_P[PHONES.symbols.index(phone)] == pytest.approx(written, rel=0.2)


def test_phones_that_the_base_lacks() -> None:
    known = frozenset(PHONES.symbols)
    wanted = {"a": "a", "kʰ": "kʰ", "aː2": "a", "kːʰ": "k", "ä": "a", "ʂ": "s", "ɓ": "b", "ǃ": None, "3": None}
    assert {symbol: likest(symbol, known) for symbol in wanted} == wanted
    assert likest("aː2", known | {"aː"}) == "aː"
    long = {word: [symbol + "ː" for symbol in said] for word, said in SPELLING.items()}
    assert shares(long) == shares(SPELLING)


def test_what_nothing_is_like_is_passed_over() -> None:
    clicks = {word: [*said, "ǃ"] for word, said in SPELLING.items()}
    assert shares(clicks) == shares(SPELLING)
    assert rule_counts({"abc": ["ǃ"]}, LETTERS, PHONES) is None
    assert rule_counts({}, LETTERS, PHONES) is None


def test_a_string_is_a_clip_that_was_heard_perfectly() -> None:
    logp_FP = as_heard([2, 1, 2], 4)
    assert torch.allclose(logp_FP.exp().sum(1), torch.ones(len(logp_FP)))
    assert logp_FP.argmax(1).tolist() == [0, 0, 2, 0, 0, 1, 0, 0, 2, 0, 0]


def config(language: str = "", letters: str = "abcdeghinorstu", phones: Alphabet | None = PHONES) -> ModelConfig:
    tiny = EncoderConfig("conformer", width=16, layers=1, heads=2)
    return ModelConfig(Alphabet(tuple(letters)), phones, encoder=tiny, rules=TextRules(language=language))


def test_words_are_of_transcripts_and_the_list() -> None:
    pytest.importorskip("wordfreq", reason="the extra `speak` is not installed")
    found = words_of(["beter a 3 boot", "boot"], ["others"], config("nl"))
    assert found[:2] == ("boot", "beter") and {"de", "een"} < set(found) <= set(words_of([], [], config("nl"))) | {
        "boot",
        "beter",
    }
    assert "a" not in found and "van" not in found and "others" not in found, "too short, v unknown, there is a list"
    assert len(set(found)) == len(found) <= MOST_WORDS


def test_without_a_list_other_texts_stand_in() -> None:
    found = words_of(["bona"], ["Ĉu Tio? tio, ba!"], config("eo", "abinot"))
    assert found == ("bona", "tio", "ba")


def test_espeak_says_how_letters_sound() -> None:
    here = config("nl", letters="aehijnorst", phones=Alphabet(("t", "ɛɪ", "n", "h", "s", "r", "ɛ", "aː")))
    counts_VP = spelled(words_of([], [], here), here)
    assert counts_VP is not None
    best = [here.phones.symbols[i] for i in counts_VP.argmax(1).tolist()] if here.phones else []
    told = dict(zip(here.alphabet.symbols, best, strict=True))
    assert {letter: told[letter] for letter in "hnrst"} == {letter: letter for letter in "hnrst"}
    again = spelled(words_of([], [], here), here)
    assert again is not None and torch.equal(counts_VP, again)


def test_capitals_sound_as_small_letters_do() -> None:
    small, large = config("nl", "beinot"), config("nl", "BEINOT")
    large = replace(large, rules=replace(large.rules, case="upper"))
    assert words_of(["BOT 10 ON"], [], large)[:2] == ("BOT", "ON")
    wanted, found = spelled(["bot", "ben"], small), spelled(["BOT", "BEN"], large)
    assert wanted is not None and found is not None and torch.equal(wanted, found)


@pytest.mark.parametrize("language", ["", "xx-none"])
def test_unknown_languages_have_no_rules(language: str) -> None:
    assert spelled(["ahead"], config(language)) is None
    assert spelled([], config("nl")) is None and spelled(["ahead"], config("nl", phones=None)) is None


def test_without_espeak_letters_start_as_they_are_heard(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rules, heard = first_rows(clips, "rules"), first_rows(clips, "heard")
    assert not torch.equal(with_rules, heard)

    def missing(words: Sequence[str], language: str) -> dict[str, tuple[str, ...]]:
        raise SynthesisError("speaking needs the package espeakng-loader, which is not here")

    with monkeypatch.context() as without:
        without.setattr(spelling, "pronounce_words", missing)
        without_rules = first_rows(clips, "rules")  # letters that the clips lack come after
        torch.testing.assert_close(without_rules[: len(heard)], heard, rtol=0, atol=1e-5)
    assert torch.equal(first_rows(clips, "rules", language=""), first_rows(clips, "heard", language=""))
    assert torch.equal(first_rows(clips, "rules"), with_rules), "the same again"


def test_texts_and_other_speech_lend_their_words(clips: Path) -> None:
    base, manifest = untrained(config("eo", "ab"), seed=1), read_clips(clips)
    beside = Manifest(tuple(replace(u, id=f"b{u.id}", text="cab " * 5) for u in manifest[:2]))
    ready = prepare(
        base, manifest, rules=None, plan=Plan(steps=1, copies=0), texts=["ab xy"], beside=beside, seed=0, tell=told
    )
    assert {"cab", "ab"} <= set(ready.words) and "xy" not in ready.words
    assert "c" in ready.config.alphabet.symbols
    heard = prepare(
        base, manifest, rules=None, plan=Plan(steps=1, copies=0, letters="heard"), texts=["ab"], seed=0, tell=told
    )
    assert heard.words == ()


def test_letters_that_no_clip_has_are_named(clips: Path) -> None:
    pytest.importorskip("wordfreq", reason="the extra `speak` is not installed")
    base = untrained(replace(config("nl", "ab"), phones=Alphabet(("a", "b", "k"))), seed=1)
    _, report = adapt(base, read_clips(clips), plan=Plan(steps=1, copies=0, folds=0), greedy=True)
    (named,) = (line for line in report.warnings if line.startswith("in no clip"))
    assert " e f g " in named and " a " not in named and "rules" in named
    unknown = replace(base, config=replace(base.config, rules=TextRules()))
    _, report = adapt(unknown, read_clips(clips), plan=Plan(steps=1, copies=0, folds=0), texts=["zzzzz"], greedy=True)
    (named,) = (line for line in report.warnings if line.startswith("in no clip"))
    assert " z;" in named and "look like" in named


def told(stage: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def first_rows(clips: Path, letters: str, language: str = "nl") -> Tensor:
    base = untrained(replace(config(language, "ab"), phones=Alphabet(("a", "b", "k"))), seed=1)
    plan = Plan(steps=1, copies=0, letters=letters)  # type: ignore[arg-type]
    ready = prepare(base, read_clips(clips), rules=None, plan=plan, seed=0, tell=told)
    return ready.start(range(2))["heads.text.weight"]
