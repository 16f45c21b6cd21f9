from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import asdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from earful.errors import ConfigError
from earful.text.normalize import TextRules, as_written, normalize, signs, usual_writing

CASES, PUNCTUATION = st.sampled_from(["lower", "upper", "keep"]), st.sampled_from(["remove", "keep"])
RULES = st.one_of(
    st.builds(TextRules, CASES, PUNCTUATION, st.sampled_from(["", "tr", "az-Latn", "el"])),
    st.builds(TextRules, CASES, PUNCTUATION, st.sampled_from(["", "zh"]), st.sampled_from(["pinyin", "characters"])),
)
# Characters at which the rules interact, mixed with any others.
TRICKY = st.sampled_from(
    list(
        "aIİiıßΣΐŉ'’`´·:-! \t\n1½²€🙂😀क्षবর্যمیখে՞ـé\u0000\u0085\u2028\u2000\u212a\u1fef\u202b\ufe0f\u20e3\ud800"
        "\u0301\u0345\u0307\u0323\u093c\u094d\u200c\u200d\u200b\u00ad行你ǐeˇ3"
    )
)
TEXTS = st.text(st.one_of(TRICKY, st.characters()), max_size=12)


@settings(max_examples=600, deadline=None)
@given(TEXTS, RULES)
@example("A`𠀀", TextRules(writing="pinyin"))
def test_normalising_twice_is_normalising_once(text: str, rules: TextRules) -> None:
    once = normalize(text, rules)
    assert normalize(once, rules) == once


@settings(max_examples=300, deadline=None)
@given(TEXTS, RULES)
def test_the_result_is_nfc_with_single_spaces_and_can_be_written(text: str, rules: TextRules) -> None:
    result = normalize(text, rules)
    assert unicodedata.is_normalized("NFC", result)
    assert result == " ".join(result.split())
    result.encode("utf-8")


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_combining_marks_and_letters_are_never_dropped(text: str) -> None:
    def sound(written: str) -> list[str]:
        glyphs = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x0640}
        decomposed = unicodedata.normalize("NFD", written)
        kept = [c for c in decomposed if unicodedata.category(c)[0] in "LMN" and unicodedata.category(c) != "Me"]
        return sorted(c for c in kept if ord(c) not in glyphs)

    assert sound(normalize(text, TextRules(case="keep"))) == sound(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_removed_punctuation_leaves_only_what_is_inside_words(text: str) -> None:
    result = normalize(text)
    symbols = {c for c in result if unicodedata.category(c)[0] in "PS"}
    ranges = (range(0x2E5, 0x2EA), range(0xA700, 0xA717), (0xA789, 0xA78A), range(0x104C, 0x1050))
    assert symbols <= {"'", "·", ":", *(chr(c) for some in ranges for c in some)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("Hello,  World!", "hello world"),
        ("yes,no", "yes no"),
        ("well-known", "well known"),
        ("well\u2010known – or not", "well known or not"),
        ("soft\u00adhyphen", "softhyphen"),
        ("Don’t ‘quote’ the dogs'", "don't quote the dogs"),
        ("l‘eau don`t don´t", "l'eau don't don't"),
        ("rock 'n' roll", "rock n roll"),
        ("col·laborar", "col·laborar"),
        ("τέλος· αρχή", "τέλος αρχή"),  # the Greek semicolon is the same character in NFC
        ("ΟΔΥΣΣΕΥΣ.", "οδυσσευς"),
        ("e\u0301te\u0301", "été"),
        ("Ọ̀rọ̀ Yorùbá", "ọ̀rọ̀ yorùbá"),
        ("Příliš žluťoučký kůň", "příliš žluťoučký kůň"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया"),
        ("สวัสดีครับ", "สวัสดีครับ"),
        ("مرحبًا، بالعالم؟", "مرحبًا بالعالم"),
        ("مـــرحبا", "مرحبا"),
        ("\u202bשלום\u202c \u200fעולם", "שלום עולם"),
        ("你好，世界。", "你好 世界"),
        ("Ինչո՞ւ", "ինչու"),
        ("ok 👍🏽 👨‍👩‍👧 ❤️ 🇨🇿", "ok"),
        ("1️⃣ und 2", "1 und 2"),
        ("5 % € & 3.5", "5 3 5"),
        ("ma˥ ma˧˥", "ma˥ ma˧˥"),
        ("သူ၏", "သူ၏"),
        ("ʻōlelo Hawaiʻi tʼáá", "ʻōlelo hawaiʻi tʼáá"),
        ("\ufeffbom\x00", "bom"),
    ],
)
def test_default_rules(text: str, expected: str) -> None:
    assert normalize(text) == unicodedata.normalize("NFC", expected)


@pytest.mark.parametrize(
    "word",
    [
        "می\u200cخواهم",  # Persian: mi-xāham
        "ক্\u200dষ",  # Bengali: half ka
        "র\u200d্য",  # Bengali: ra with ya-phalaa, joiner before the virama
        "അവന്\u200d",  # Malayalam: chillu in its older spelling, joiner at the end of the word
        "ශ්\u200dරී",  # Sinhala: sri
    ],
)
def test_joiners_stay_where_they_are_spelling(word: str) -> None:
    assert normalize(word) == unicodedata.normalize("NFC", word)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Auf\u200clage", "auflage"), ("می\u200c", "می"), ("\u200dक", "क"), ("می\u200c\u200cخواهم", "می\u200cخواهم")],
)
def test_joiners_go_where_they_are_not(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_case_rules() -> None:
    assert normalize("Straße", TextRules(case="upper")) == "STRASSE"
    assert normalize("Straße", TextRules(case="keep")) == "Straße"
    assert normalize("IŞIK İzmir", TextRules(language="tr")) == "ışık izmir"
    assert normalize("ışık izmir", TextRules(case="upper", language="tr_TR")) == "IŞIK İZMİR"
    assert normalize("Iris") == "iris"


def test_kept_punctuation_is_kept_as_written() -> None:
    assert normalize("Don’t —  stop!\u200b", TextRules(punctuation="keep")) == "don’t — stop!"


def test_rules_survive_json() -> None:
    rules = TextRules(case="upper", punctuation="keep", language="az")
    assert TextRules(**json.loads(json.dumps(asdict(rules)))) == rules


@pytest.mark.parametrize("options", [{"case": "title"}, {"punctuation": "some"}, {"language": 3}, {"case": ["lower"]}])
def test_a_wrong_option_is_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        TextRules(**options)  # type: ignore[arg-type]


def test_mandarin_is_learned_as_pinyin_and_shown_with_accents_or_in_characters() -> None:
    text = "他在银行，Nǐhǎo wifi 2008年！"
    learned = "taˉ zaiˋ yinˊ hangˊ niˇ haoˇ wifi 2008 nianˊ"
    for writing in ("pinyin", "characters"):
        assert normalize(text, TextRules(writing=writing)) == learned
    assert as_written(text, TextRules(writing="pinyin")) == "tā zài yín háng nǐ hǎo wifi 2008 nián"
    assert as_written("他 在银行，用wifi！", TextRules(writing="characters")) == "他在银行用 wifi"
    assert as_written(text, TextRules()) == normalize(text)
    assert normalize("Nǐ 好", TextRules(case="upper", writing="pinyin")) == "NIˇ HAOˇ"


def test_the_usual_writing_is_that_of_the_transcripts() -> None:
    assert usual_writing("zh-CN", ["nǐ", "你好"]) == "characters"
    assert usual_writing("cmn", ["nǐ hǎo"]) == "pinyin"
    assert usual_writing("ja", ["日本"]) == usual_writing("", ["你好"]) == "given"


def test_pinyin_of_another_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="writing 'pinyin' is for Mandarin, and the language is 'yue'; leave"):
        TextRules(language="yue", writing="pinyin")
    with pytest.raises(ConfigError, match="writing must be one of"):
        TextRules(writing="zhuyin")  # type: ignore[arg-type]


@pytest.mark.parametrize("letter", ["ʼ", "ʻ", "ꞌ", "ʔ", "꞉"])
def test_letters_that_look_like_signs_stay_wherever_they_stand(letter: str) -> None:
    written = f"{letter}ama ka{letter}a tu{letter}"
    assert normalize(f"«{written}».") == written


def test_an_apostrophe_is_a_letter_inside_a_word_alone() -> None:
    assert normalize("'ama ka’a tu’") == "ama ka'a tu"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Ó:nen kanien’ké:ha: wa", "moh", "ó:nen kanien'ké:ha wa"),
        ("a:b", "", "a:b"),
        ("kaʼ:a", "", "kaʼ:a"),
        ("EU:n k:a", "fi", "eu n k a"),
        ("USA:s", "Swedish", "usa s"),
        ("ሰላም:ለዓለም", "am", "ሰላም ለዓለም"),
        ("բարև:Ինչպես", "hy", "բարև ինչպես"),
        ("12:30 http://a 1:a", "", "12 30 http a 1 a"),
    ],
)
def test_a_colon_is_a_letter_between_latin_ones(text: str, language: str, expected: str) -> None:
    rules = TextRules(language=language)
    assert normalize(text, rules) == expected == normalize(expected, rules)


def test_signs_are_counted_as_they_were_written() -> None:
    kept, dropped = signs("«Kaʼa ka’a», ’ama \u00ad12\u200b")
    assert kept == {"ʼ": 1, "’": 1}
    assert dropped == {"«": 1, "»": 1, ",": 1, "’": 1, "\u00ad": 1, "\u200b": 1}
    assert signs("a\u200cb می\u200cخ") == ({"\u200c": 1}, {"\u200c": 1})
    assert signs("a-b!", TextRules(punctuation="keep")) == ({"-": 1, "!": 1}, {})


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.sampled_from(["remove", "keep"]))
def test_what_a_text_holds_stays_or_is_said_to_be_dropped(text: str, punctuation: str) -> None:
    def parts(written: str) -> Counter[str]:
        plain = unicodedata.normalize("NFD", written).translate(dict.fromkeys(map(ord, "’‘`´＇\u055a\u05f3"), "'"))
        return Counter(c for c in plain if not c.isspace())

    rules = TextRules(case="keep", punctuation=punctuation)
    gone = "".join(c * count for c, count in signs(text, rules).dropped.items())
    assert parts(normalize(text, rules)) + parts(gone) == parts(text)
