"""Which symbols a recogniser writes: those of transcripts, and letters that other text of the language has."""

from dataclasses import replace

import pytest

from earful.adapt import symbols
from earful.adapt.start import untrained
from earful.adapt.symbols import alphabet_for, letter_shares, of_language, widened
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
    shares = {"č": 0.01, "q": 1e-5, "字": 0.1, "x": 1e-4, "'": 0.1}
    monkeypatch.setattr(symbols, "letter_shares", lambda rules: shares if rules.language else {})
    known = Alphabet(("a", " "))
    assert of_language(known, TextRules(language="cs"), ["Ďas! 3"] * 5).symbols == ("a", " ", "x", "č", "s", "ď")
    assert of_language(known, TextRules(), ["Ďas! 3"] * 5).symbols == ("a", " ", "s", "ď")
    assert of_language(known, TextRules(), ()) == known


def test_a_list_in_another_script_lends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "letter_shares", lambda rules: {"č": 0.5, "š": 0.4, "'": 0.1})
    known = Alphabet(("д", "а", "'"))
    assert of_language(known, TextRules(language="sr"), ["ђ"] * 5).symbols == ("д", "а", "'", "ђ")


def test_the_word_list_has_the_letters_of_the_language() -> None:
    pytest.importorskip("wordfreq", reason="the extra `speak` is not installed")
    dutch, french = (of_language(Alphabet(("a",)), TextRules(language=code), ()) for code in ("nl", "fr"))
    assert set("abcdefghijklmnoprstuvwxyzéë") <= set(dutch.symbols) and not set("õ'1 ") & set(dutch.symbols)
    assert set("àçéèêîôùûœ") <= set(french.symbols)
    assert sum(letter_shares(TextRules(language="nl")).values()) == pytest.approx(1)
