"""Which symbols a recogniser writes: those of transcripts, and letters that other text of the language has."""

from dataclasses import replace

import pytest

from earful.adapt import symbols
from earful.adapt.start import untrained
from earful.adapt.symbols import alphabet_for, of_language, widened
from earful.encoder.encoder import EncoderConfig
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules


def test_letters_that_come_often_join_the_alphabet() -> None:
    texts = ["žába 42!", "ža ža ža", "ža ñ"]
    assert widened(Alphabet(("a", "b")), texts).symbols == ("a", "b", "ž")
    assert widened(Alphabet(("a", "ž")), texts).symbols == ("a", "ž")
    assert widened(Alphabet(("क",)), ["का"] * 5).symbols == ("क", "ा"), "a vowel sign is a mark"


def test_a_recogniser_keeps_its_own() -> None:
    base = untrained(ModelConfig(Alphabet(("a", "ž")), encoder=EncoderConfig("conformer", width=16, layers=1, heads=2)))
    assert alphabet_for(base, ["ba"]).symbols == ("a", "b")
    assert alphabet_for(replace(base, about={"adapted": {}}), ["ba"]).symbols == ("a", "ž", "b")


def test_a_word_list_and_other_texts_lend_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "listed_words", lambda rules: ["ča"] * 5 + ["字x"] * 5 if rules.language else [])
    known = Alphabet(("a", " "))
    assert of_language(known, TextRules(language="cs"), ["Ďas! 3"] * 5).symbols == ("a", " ", "s", "x", "č", "ď")
    assert of_language(known, TextRules(), ["Ďas! 3"] * 5).symbols == ("a", " ", "s", "ď")
    assert of_language(known, TextRules(), ()) == known


def test_the_word_list_has_the_letters_of_the_language() -> None:
    pytest.importorskip("wordfreq", reason="the extra `speak` is not installed")
    assert set("abcdefghijklmnoprstuvwz") <= set(of_language(Alphabet(("a",)), TextRules(language="nl"), ()).symbols)
