"""Characters and pinyin, however it is typed, in the form that models learn."""

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.errors import TextError
from earful.text.pinyin import (
    SYLLABLES,
    TONES,
    between_scripts,
    closed_up,
    has_characters,
    is_mandarin,
    to_pinyin,
    toneless,
    with_marks,
)


@pytest.mark.parametrize(
    ("text", "pinyin"),
    [
        ("他在银行工作", "taˉ zaiˋ yinˊ hangˊ gongˉ zuoˋ"),
        ("行走江湖", "xingˊ zouˇ jiangˉ huˊ"),
        ("他把书还给图书馆", "taˉ baˇ shuˉ huanˊ geiˇ tuˊ shuˉ guanˇ"),
        ("花儿", "huaˉ erˊ"),
        ("你好吗", "niˇ haoˇ ma"),
        ("绿色的女人", "lüˋ seˋ de nüˇ renˊ"),
        ("不是", "buˊ shiˋ"),
        ("二〇", "erˋ lingˊ"),
        ("卡拉OK吗", "kaˇ laˉ OK ma"),
        ("2008年用wifi", "2008 nianˊ yongˋ wifi"),
    ],
    ids=["bank", "walk", "give back", "erhua", "neutral", "ü", "sandhi", "zero", "Latin", "figures"],
)
def test_characters_are_read(text: str, pinyin: str) -> None:
    assert to_pinyin(text) == pinyin


@pytest.mark.parametrize(
    ("typed", "pinyin"),
    [
        ("nǐ hǎo", "niˇ haoˇ"),
        ("nǐhǎo", "niˇ haoˇ"),
        ("ni3hao3", "niˇ haoˇ"),
        ("ma5 ma0 ma", "ma ma ma"),
        ("nü3 nv3 lǜ lüe4", "nüˇ nüˇ lüˋ lüeˋ"),
        ("Xī'ān xian1", "Xiˉ anˉ xianˉ"),
        ("fāngàn", "fanˉ ganˋ"),
        ("péngyou", "pengˊ you"),
        ("huār huar1 èr", "huaˉ erˊ huaˉ erˊ erˋ"),
        ("ḿ ǹg ê̄", "mˊ ngˋ êˉ"),
        ("niˇhaoˇ", "niˇ haoˇ"),
    ],
)
def test_pinyin_however_typed(typed: str, pinyin: str) -> None:
    assert to_pinyin(typed) == pinyin


@pytest.mark.parametrize("word", ["wifi", "women", "mp3", "café", "2008", "ˇ", "don't", "ǎǎ", "naïve", "ni33", "xi'"])
def test_other_words_stay(word: str) -> None:
    assert to_pinyin(word) == word


def test_a_character_that_nobody_can_read_stays() -> None:
    assert to_pinyin("㐂好") == "㐂 haoˇ"


@settings(max_examples=400, deadline=None)
@given(
    st.text(
        st.one_of(st.sampled_from(list("你好行㐂〇nihaoüvrxae'’ǐǎēˇˉ\u030c\u030815 ,")), st.characters()), max_size=12
    )
)
def test_reading_twice_is_reading_once(text: str) -> None:
    once = to_pinyin(text)
    assert to_pinyin(once) == once


@given(st.sampled_from(sorted(SYLLABLES)), st.sampled_from([*TONES, ""]))
def test_every_syllable_is_printed_and_read_again(letters: str, tone: str) -> None:
    assert to_pinyin(with_marks(letters + tone)) == letters + tone
    assert toneless(letters + tone) == (letters, tone)


def test_marks_stand_where_print_has_them() -> None:
    learned = "haoˇ xieˋ jiuˇ guiˋ luoˋ lüeˋ xiongˊ erˋ Aiˋ ng"
    assert " ".join(map(with_marks, learned.split())) == "hǎo xiè jiǔ guì luò lüè xióng èr Ài ng"


def test_which_codes_are_mandarin() -> None:
    mandarin = ("zh", "cmn", "zho", "chi", "zh-CN", "zh_TW", "zh-Hant-TW", "cmn-Hans-CN", "ZH", "zh-cmn")
    assert all(map(is_mandarin, mandarin))
    assert not any(map(is_mandarin, ("", "yue", "zh-yue", "zh-HK", "nan", "ja", "wuu", "czh")))


def test_spaces_stand_between_scripts_only() -> None:
    assert between_scripts("我 爱wifi 和 ni hao") == "我爱 wifi 和 ni hao"
    assert closed_up("我 爱wifi 和") == "我爱wifi 和"
    assert has_characters("a 你") and not has_characters("nǐ ㄋㄧ かな")


def test_without_the_package_pinyin_is_read_and_characters_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert to_pinyin("nǐ hǎo") == "niˇ haoˇ"
    with pytest.raises(TextError, match=r'pypinyin.*pip install "\.\[mandarin\]"'):
        to_pinyin("你好")


def test_a_long_word_that_is_no_pinyin_takes_no_time() -> None:
    for word in ("xian" * 20 + "xˇ", "xian" * 2000 + "ˇ"):
        assert to_pinyin(word) == word
