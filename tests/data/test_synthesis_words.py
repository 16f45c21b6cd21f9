"""Word lists, invented words, random sentences and sentences of a text."""

import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earful.data.synthesis.languages import find_language, languages
from earful.data.synthesis.sentences import (
    LEAST_WORDS,
    LONGEST,
    MOST_WORDS,
    random_sentence,
    read_sentences,
    split_sentences,
)
from earful.data.synthesis.words import Words, frequent_words, list_name, load_words, make_words, word_frequencies
from earful.errors import SynthesisError

LIST = {
    "huis": 0.16,
    "boom": 0.09,
    "l'eau": 0.04,
    "e\u0301e\u0301n": 0.01,
    "x2": 0.5,
    "дом": 0.02,
    "3": 0.4,
    "-": 0.3,
    "'t": 0.1,
}


@pytest.fixture(scope="module")
def dutch() -> Words:
    return load_words("nl")


def test_only_words_of_the_main_script_are_kept() -> None:
    assert make_words(LIST).words == ("huis", "boom", "l'eau", "één")


def test_greek_words_end_in_a_final_sigma() -> None:
    assert make_words({"παραγωγόσ": 0.2, "σάσ": 0.1}).words == ("παραγωγός", "σάς")


def test_draws_are_flattened() -> None:
    words = make_words({"huis": 0.16, "boom": 0.04})
    generator = torch.Generator().manual_seed(0)
    counts = Counter(words.draw(generator) for _ in range(3000))
    assert counts["huis"] / counts["boom"] == pytest.approx(2, rel=0.15)  # (0.16 / 0.04) ** 0.5


def test_frequent_words_are_those_that_sentences_are_drawn_from(dutch: Words) -> None:
    assert frequent_words("nl", 50) == dutch.words[:50]
    with pytest.raises(SynthesisError, match="no word list for 'eo'"):
        frequent_words("eo", 50)


def test_rare_single_letters_are_left_out() -> None:
    many = {f"{a}{b}": 1.0 for a in "abcdefghijkl" for b in "abcdefghijkl"}
    assert "q" not in make_words(many | {"q": 0.1}).words
    assert "q" in make_words({"aap": 1.0, "q": 0.1}).words


def test_a_list_without_words_is_an_error() -> None:
    with pytest.raises(SynthesisError, match="no word made of letters"):
        make_words({"12": 0.5})


def test_the_dutch_list_is_dutch(dutch: Words) -> None:
    assert {"de", "het", "kinderen"} <= set(dutch.words)
    assert 15_000 < len(dutch.words) <= 20_000
    assert all(word == unicodedata.normalize("NFC", word) for word in dutch.words)


def test_invented_words_use_the_lists_trigrams_and_are_mostly_new(dutch: Words) -> None:
    known = set(dutch.words)
    trigrams = {f"  {word} "[i : i + 3] for word in known for i in range(len(word) + 1)}
    generator = torch.Generator().manual_seed(0)
    made = [dutch.invent(generator) for _ in range(200)]
    assert all(f"  {word} "[i : i + 3] in trigrams for word in made for i in range(len(word) + 1))
    assert sum(word in known for word in made) < 80
    assert all(1 <= len(word) <= 14 for word in made)


def test_sentences_have_3_to_12_words_and_follow_the_seed(dutch: Words) -> None:
    sentences = [random_sentence(dutch, torch.Generator().manual_seed(seed), invented=0.3) for seed in range(60)]
    counts = {len(sentence.split()) for sentence in sentences}
    assert min(counts) == LEAST_WORDS
    assert max(counts) == MOST_WORDS
    assert all(sentence[-1] in ".?" for sentence in sentences)
    assert sentences[7] == random_sentence(dutch, torch.Generator().manual_seed(7), invented=0.3)


def test_invented_zero_means_none(dutch: Words) -> None:
    known = set(dutch.words)
    for seed in range(20):
        sentence = random_sentence(dutch, torch.Generator().manual_seed(seed))
        assert all(word.strip(",.?") in known for word in sentence.split())


def test_japanese_is_kana_without_spaces() -> None:
    sentence = random_sentence(load_words("ja"), torch.Generator().manual_seed(0), invented=0.5)
    assert all(unicodedata.name(character).split()[0] in {"HIRAGANA", "KATAKANA"} for character in sentence)


def test_lists_are_found_for_espeaks_codes() -> None:
    assert load_words("en-us").words == load_words("en-gb").words
    assert "jedan" in load_words("hr").words


@pytest.mark.parametrize("language", ["cy", "en-shaw"])
def test_a_language_without_a_list_asks_for_text(language: str) -> None:
    with pytest.raises(SynthesisError, match=r"no word list.*--text FILE"):
        load_words(language)


def test_text_is_split_at_marks_and_lines() -> None:
    text = 'Hoi! "Alles goed?" Ja, 3.14 is\npi… En dan.\n\n...\n你好。再见！\tनमस्ते। ठीक'
    assert split_sentences(text) == (
        "Hoi!",
        '"Alles goed?"',
        "Ja, 3.14 is",
        "pi…",
        "En dan.",
        "你好。",
        "再见！",
        "नमस्ते।",
        "ठीक",
    )


@given(st.text())
def test_splitting_keeps_every_letter_in_order(text: str) -> None:
    sentences = split_sentences(text)
    kept = "".join(c for sentence in sentences for c in sentence if c.isalnum())
    assert kept == "".join(c for c in unicodedata.normalize("NFC", text) if c.isalnum())
    assert all(sentence == sentence.strip() and 0 < len(sentence) <= LONGEST for sentence in sentences)


def test_a_text_file_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "zinnen.txt"
    path.write_text("\ufeffEe\u0301n zin.\nEn nog een.", "utf-8")
    assert read_sentences(path) == ("Eén zin.", "En nog een.")
    path.write_bytes(b"goed\nslecht \xff\n")
    with pytest.raises(SynthesisError, match=r"zinnen.txt:2: the text is not UTF-8"):
        read_sentences(path)
    path.write_text("...\n123 !\n--", "utf-8")
    assert read_sentences(path) == ("123 !",)
    path.write_text("...", "utf-8")
    with pytest.raises(SynthesisError, match="found no letters"):
        read_sentences(path)
    path.write_text("\ufeff \n", "utf-8")
    with pytest.raises(SynthesisError, match="the file is empty; write one"):
        read_sentences(path)
    path.write_text("Een zin.", "utf-16")
    with pytest.raises(SynthesisError, match=r"zinnen.txt: the text is UTF-16; save it as UTF-8"):
        read_sentences(path)
    path.write_bytes(b"PK\3\4\0\0")
    with pytest.raises(SynthesisError, match=r"expected text, got a binary file \(byte 5 is zero\); save it as plain"):
        read_sentences(path)
    with pytest.raises(SynthesisError, match="cannot read"):
        read_sentences(tmp_path / "nowhere.txt")


def test_mandarin_by_all_its_names() -> None:
    names = ("zh", "cmn", "zh-CN", "zho", "zh-Hans-SG")
    assert {find_language(name).code for name in names} == {"cmn"}
    assert word_frequencies("zh-CN")["我们"] > 0.0001


# Whose list is another's: standard Norwegian is Bokmål, and one list serves the successors of Serbo-Croatian.
SHARED = {"no": "nb", "sr": "sh", "hr": "sh", "bs": "sh", "cmn": "zh"}
LISTED = {
    **dict.fromkeys(("nb", "nob", "no", "nor", "no-NO"), "nb"),
    **dict.fromkeys(("sr", "sr-Latn", "hr", "bs", "sh", "hbs", "srp", "scr", "cnr"), "sh"),
    **dict.fromkeys(("zh", "cmn", "zh-TW", "zh-Hans", "zho"), "zh"),
    **dict.fromkeys(("fil", "tl", "tgl"), "fil"),
    **dict.fromkeys(("ms", "msa", "zsm"), "ms"),
    **dict.fromkeys(("id", "ind", "in"), "id"),
    **dict.fromkeys(("fa", "fas", "pes", "prs", "fa-AF"), "fa"),
    **dict.fromkeys(("pt", "pt-BR", "pt_br", "por"), "pt"),
    **dict.fromkeys(("en-US", "en-us-nyc", "English"), "en"),
}
UNLISTED = (
    "nn nno yue zh-yue zh-HK wuu nan hak arz ary prs-Latn fa-Latn sr-Cyrl ms-Arab en-Shaw cmn-latn-pinyin hi-Latn "
    "ga gle Irish gd cy cym Welsh sw swh swa Swahili zu zul Zulu xh yo ig ha am ti om so mg sn ny st tn ts "
    "af fy lb li nds gsw bar sco ang fo gl ast an oc rm scn co sc mt eu br kw gv ltg sgs et ekk vro "
    "sq be rue csb hsb dsb cu ka hy hyw kk ky uz tk tt ba az azb ckb ku ps ne mr pa gu or as kok sa sd "
    "te kn ml si my km lo th ceb jv su haw mi sm to gn qu ay nah nci quc ht pap eo ia ie io jbo tlh la grc "
    "xyzzy und qaa x-mine a"
)


@pytest.mark.parametrize(("language", "name"), LISTED.items())
def test_a_word_list_is_found_by_any_name(language: str, name: str) -> None:
    assert list_name(language) == name


@pytest.mark.parametrize("language", UNLISTED.split())
def test_a_list_of_another_language_is_never_taken(language: str) -> None:
    with pytest.raises(SynthesisError, match="no word list for"):
        list_name(language)
    with pytest.raises(SynthesisError, match="no word list for"):
        word_frequencies(language)


def test_of_what_espeak_speaks_only_own_lists_are_taken() -> None:
    for code in (language.code for language in languages()):
        own = code.split("-")[0]
        try:
            assert list_name(code) == SHARED.get(own, own), code
        except SynthesisError:
            assert own not in {"nl", "en"} or code == "en-shaw", code


def test_serbian_words_are_latin_and_not_for_cyrillic() -> None:
    assert "što" in frequent_words("sr-Latn", 100)
    with pytest.raises(SynthesisError, match="no word list for 'sr-Cyrl'"):
        frequent_words("sr-Cyrl", 100)
