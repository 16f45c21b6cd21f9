from __future__ import annotations

import json
import string
import unicodedata
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.errors import TextError
from earful.text.alphabet import Alphabet, closest

LATIN = [*string.ascii_lowercase, " ", "'"]
TEXTS = st.lists(st.text(max_size=15), min_size=1, max_size=5).filter(any)


@given(TEXTS)
def test_a_learned_alphabet_spells_what_it_learned_from(texts: list[str]) -> None:
    alphabet = Alphabet.learn(texts)
    for text in texts:
        ids = alphabet.encode(text)
        assert all(1 <= each < alphabet.size for each in ids)
        assert alphabet.decode(ids) == unicodedata.normalize("NFC", text)
    assert list(alphabet.symbols) == sorted(set(alphabet.symbols))


@given(TEXTS)
def test_the_order_of_the_texts_does_not_matter(texts: list[str]) -> None:
    assert Alphabet.learn(texts) == Alphabet.learn(reversed(texts))


def test_the_alphabet_survives_json() -> None:
    alphabet = Alphabet.learn(["příliš žluťoučký", "क्षत्रिय", "ọ̀rọ̀"])
    assert Alphabet(**json.loads(json.dumps(asdict(alphabet)))) == alphabet


def test_ids_leave_zero_for_the_blank() -> None:
    alphabet = Alphabet(("a", "b"))
    assert alphabet.size == 3
    assert alphabet.encode("ab") == [1, 2]


def test_a_combining_mark_is_a_symbol_of_its_own() -> None:
    assert Alphabet.learn(["ọ̀"]).symbols == ("\u0300", "ọ")
    assert Alphabet.learn(["e\u0301"]).symbols == ("é",)


def test_phones_are_encoded_as_a_sequence() -> None:
    phones = Alphabet(("t", "tʃ", "aː"))
    assert phones.encode_symbols(["tʃ", "aː", "t"]) == [2, 3, 1]
    assert phones.decode_symbols([2, 3]) == ["tʃ", "aː"]


def test_an_unknown_character_is_named() -> None:
    with pytest.raises(TextError, match=r"'č' \(U\+010D LATIN SMALL LETTER C WITH CARON\) is not in the alphabet"):
        Alphabet.learn(["abc"]).encode("ač")
    with pytest.raises(TextError, match=r"U\+0000 without a name"):
        Alphabet.learn(["abc"]).encode("\x00")
    with pytest.raises(TextError, match=r"U\+0074 LATIN SMALL LETTER T \+ U\+0283"):
        Alphabet.learn(["abc"]).encode_symbols(["tʃ"])


@pytest.mark.parametrize("wrong", [-1, 3, 99])
def test_an_unknown_id_is_named(wrong: int) -> None:
    with pytest.raises(TextError, match=f"from 1 to 2, got {wrong}"):
        Alphabet(("a", "b")).decode([1, wrong])


def test_a_blank_in_the_ids_is_explained() -> None:
    with pytest.raises(TextError, match="CTC blank"):
        Alphabet(("a", "b")).decode([1, 0, 2])


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ((), "at least one"),
        (("a", ""), "not empty"),
        (("a", "b", "a"), "'a' .* twice"),
        ((1,), "got 1"),
        ("ab", "list"),
    ],
)
def test_a_wrong_alphabet_is_refused(symbols: object, message: str) -> None:
    with pytest.raises(TextError, match=message):
        Alphabet(symbols)  # type: ignore[arg-type]


@pytest.mark.parametrize("texts", [[], [""], "abc"])
def test_nothing_is_learned_from_nothing(texts: list[str]) -> None:
    with pytest.raises(TextError):
        Alphabet.learn(texts)


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("čřšžýáíéěúůťďňó", "crszyaieeuutdno"),
        ("øłđħßæœþðŧıŋə", "oldhsaotdtine"),
        ("ÇİĞČ", "cigc"),
        ("абвгдежзийклмнопрстуфхчшыэюяієќў", "abvgdezziiklmnoprstufhcsyeuaieku"),
        ("αβγδεζηθικλμνξοπρστυφχψω", "abgdeziti" + "klmnkoprstufhpo"),
        ("ʃʒɛɔɲɪʊʌɹɑ", "szeoniuara"),
        ("ბגدकკա", "bgdkka"),
        ("ािु", "aiu"),
    ],
)
def test_closest_latin_letter(symbols: str, expected: str) -> None:
    assert "".join(closest(symbol, LATIN) or "?" for symbol in symbols) == expected


@pytest.mark.parametrize("symbol", ["\u0301", "\u094d", "ъ", "7", "ʰ", "你", "ʔ", "€"])
def test_nothing_resembles_a_symbol_without_a_sound_like_it(symbol: str) -> None:
    assert closest(symbol, LATIN) is None


@pytest.mark.parametrize(
    ("symbol", "candidates", "expected"),
    [
        ("č", ["c", "č"], "č"),  # itself
        ("Č", ["c", "č"], "č"),  # the other case before the other letter
        ("a", ["A", "b"], "A"),
        ("č", ["Č", "c"], "Č"),
        ("й", ["i", "и"], "и"),  # its own script before sound
        ("қ", ["k", "к"], "к"),
        ("ö", ["ø", "u"], "ø"),  # both are reduced
        ("q", ["k", "p"], "k"),
        ("aː", ["a", "t"], "a"),
        ("t͡ʃ", ["t", "tʃ"], "tʃ"),
        ("я", ["b"], None),
        ("a", [], None),
    ],
)
def test_the_plainest_resemblance_wins(symbol: str, candidates: list[str], expected: str | None) -> None:
    assert closest(symbol, candidates) == expected
    assert closest(symbol, candidates[::-1]) == expected


@given(st.text(min_size=1, max_size=3), st.lists(st.text(min_size=1, max_size=2), max_size=8))
def test_closest_is_a_candidate_or_none(symbol: str, candidates: list[str]) -> None:
    found = closest(symbol, candidates)
    assert found is None or found in candidates
    if symbol in candidates:
        assert found == symbol


def test_an_extended_alphabet_keeps_its_ids() -> None:
    alphabet = Alphabet(("b", "a", " "))
    longer = alphabet.extended(["a\u030c", "cab"])
    assert longer.symbols == ("b", "a", " ", "c", "ǎ")
    assert longer.encode("ba") == alphabet.encode("ba")
    assert alphabet.extended(["ab", ""]) == alphabet
