"""Words in ASCII: the one spelling that they can have, or none."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.corpora.spelling import RAREST, certain, group, spell


def zipf(**words: float) -> list[tuple[str, float]]:
    return [(word, 10 ** (value - 9)) for word, value in words.items()]


@pytest.mark.parametrize(
    ("ascii", "frequencies", "expected"),
    [
        ("glasogon", zipf(glasögon=4.2), "glasögon"),
        ("tete", zipf(tete=3.8, tête=5.5), "tête"),  # accents are left out now and then
        ("har", zipf(har=7.1, hår=4.9), None),  # two words
        ("nasa", zipf(nasa=3.7, näsa=4.0), None),
        ("de", zipf(de=7.7, dé=3.9), "de"),  # so frequent that nothing else can be meant
        ("nariz", zipf(nariz=4.3, naríz=2.0), "nariz"),  # a slip of the pen
        ("naríz", zipf(nariz=4.3), None),
        ("haar", zipf(hår=5.0), "hår"),
        ("soejle", zipf(søjle=3.1, sojle=0.5), "søjle"),
        ("aesel", zipf(æsel=3.0), "æsel"),
        ("mindjusa", zipf(minđuša=2.4), "minđuša"),
        ("baeume", zipf(bäume=4.0), "bäume"),
        ("baume", zipf(bäume=4.0), "bäume"),
        ("fuss", zipf(fuß=4.0), "fuß"),
        ("coeur", zipf(coeur=4.99, cœur=5.17), "cœur"),
        ("rare", zipf(rare=RAREST - 0.1), None),
        ("missing", zipf(other=4.0), None),
        ("kola", zipf(кола=5.0), None),  # other scripts have no ASCII
        ("l'eau", [("l'eau", 1e-4)], None),
    ],
)
def test_one_spelling_or_none(ascii: str, frequencies: list[tuple[str, float]], expected: str | None) -> None:
    assert certain(ascii, group(frequencies)) == expected


@given(st.dictionaries(st.text("aáàäeéoöøåßñđ", min_size=1, max_size=4), st.floats(1.0, 8.0), min_size=1, max_size=6))
def test_a_spelling_comes_from_the_list_and_fits(values: dict[str, float]) -> None:
    words = {unicodedata.normalize("NFC", word): value for word, value in values.items()}
    spellings = group(zipf(**words))
    for plain, found in spellings.items():
        assert plain.isascii() and set(found) <= set(words)
        best = certain(plain, spellings)
        assert best is None or found[best] == max(found.values()) >= RAREST - 1e-9


@pytest.mark.parametrize(
    ("words", "language", "expected"),
    [
        (["glasogon"], "sv", "glasögon"),
        (["lunettes", "de", "soleil"], "fr", "lunettes de soleil"),
        (["paquet", "d", "allumettes"], "fr", "paquet d'allumettes"),
        (["nez", "qqqq"], "fr", None),
        (["sesir"], "sr", "šešir"),
        (["ouy"], "wa", None),  # no list
        ([], "fr", None),
    ],
)
def test_several_words(words: list[str], language: str, expected: str | None) -> None:
    pytest.importorskip("wordfreq")
    assert spell(words, language) == expected


def test_what_is_known_goes_first() -> None:
    pytest.importorskip("wordfreq")
    assert spell(["nasa"], "sv") is None and spell(["nasa"], "sv", {"nasa": "näsa"}) == "näsa"
