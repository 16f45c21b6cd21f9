"""From pinyin to characters: the likeliest words, slips mended, and the file."""

import json
import math
from pathlib import Path

import pytest

from earful.errors import CheckpointError
from earful.text.lexicon import Entry, Lexicon, letters_apart, load_lexicon, save_lexicon
from earful.text.normalize import TextRules, as_written, normalize
from earful.text.pinyin import between_scripts
from earful.text.vocabulary import make_lexicon, words_of

RULES = TextRules(writing="characters")
LIST = {"我们": 9, "去": 8, "银行": 3, "行": 4, "走": 5, "图书馆": 2, "他": 9, "她": 3, "是": 9, "事": 3, "老师": 4}
LEXICON = make_lexicon({word: f / 100 for word, f in LIST.items()}, [])


def written(lexicon: Lexicon, pinyin: str) -> str:
    found = lexicon.write(normalize(pinyin, RULES).split())
    assert sum(each.syllables for each in found) == len(normalize(pinyin, RULES).split())
    return between_scripts(" ".join(each.text for each in found))


def test_there_and_back() -> None:
    sentence = "我们去银行，他是老师。"
    assert written(LEXICON, sentence) == as_written(sentence, RULES) == "我们去银行他是老师"


@pytest.mark.parametrize(
    "slip", ["wǒ men qù yín háng", "wǒ mén qù yìn háng", "wǒ men qù yíng háng", "wo men qu yin hang"]
)
def test_a_slip_does_not_spoil_a_word(slip: str) -> None:
    assert written(LEXICON, slip) == "我们去银行"


def test_what_no_word_explains_stays() -> None:
    assert written(LEXICON, "wǒ men qù chuáng wifi") == "我们去 chuangˊ wifi"
    assert Lexicon((), {}).write([]) == [] and written(Lexicon((), {}), "nǐ hǎo") == "niˇ haoˇ"


def test_a_character_is_read_as_in_its_words() -> None:
    readings = {entry.reading: entry.logp for entry in LEXICON.entries if entry.word == "行"}
    assert set(readings) == {("xingˊ",), ("hangˊ",)}
    assert sum(map(math.exp, readings.values())) == pytest.approx(4 / sum(LIST.values()))
    assert written(LEXICON, "háng") == "行"


def test_the_texts_bring_words_and_what_follows_what() -> None:
    plain = make_lexicon(LEXICON.frequencies, ["用 wifi 上网"])
    assert written(plain, "tā shì wifi") == "他是 wifi"
    assert written(plain, "shàng wǎng") == "上网"
    told = make_lexicon(LEXICON.frequencies, ["她是老师"] * 3)
    assert told.pairs[("她", "是")] == 3 and written(told, "tā shì lǎo shī") == "她是老师"
    further = make_lexicon(told.frequencies, ["她是老师"], told.pairs)
    assert further.pairs[("她", "是")] == 4


def test_pinyin_in_the_texts_is_no_word() -> None:
    assert {entry.word for entry in make_lexicon({}, ["nǐ hǎo ma 你好"]).entries} == {"你", "好"}


def test_words_of_a_text() -> None:
    logp = {"北京": -2.0, "大学": -2.0, "北京大学": -3.0, "大": -3.0}
    assert words_of("北京大学，用WiFi！", logp) == ["北京大学", "用", "wifi"]


def test_letters_apart() -> None:
    pairs = [("shi", "shi"), ("shi", "si"), ("in", "ing"), ("bo", "po"), ("an", "na"), ("", "a"), ("zhuang", "an")]
    assert [letters_apart(*pair) for pair in pairs] == [0, 1, 1, 1, 2, 1, 2]
    assert all(letters_apart(a, b) == letters_apart(b, a) for a, b in pairs)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    lexicon = make_lexicon(LEXICON.frequencies, ["她是老师"])
    save_lexicon(tmp_path / "l.json", lexicon)
    again = load_lexicon(tmp_path / "l.json")
    assert [entry[:2] for entry in again.entries] == [entry[:2] for entry in lexicon.entries]
    assert again.pairs == lexicon.pairs and written(again, "wǒ men") == "我们"
    save_lexicon(tmp_path / "none.json", Lexicon((), {}))
    assert load_lexicon(tmp_path / "none.json") == Lexicon((), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": 1, "words": [["你", "niˇ", -1.0', "damaged"),
        ('{"format": 1, "words": [["你", "", -1.0]], "pairs": []}', "damaged"),
        ('{"format": 1, "words": [["你", "niˇ", NaN]], "pairs": []}', "damaged"),
        ('{"format": 1, "words": [["你", "niˇ"]], "pairs": []}', "damaged"),
        ('{"format": 1, "words": [[1, 2, 3]], "pairs": []}', "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ('{"format": 2, "words": [], "pairs": []}', "format 2"),
        (None, "missing"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "l.json").write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=rf"l\.json: .*{said}.*(copy|adapt)") as raised:
        load_lexicon(tmp_path / "l.json")
    assert "\n" not in str(raised.value)


def test_the_file_can_be_read_by_people(tmp_path: Path) -> None:
    save_lexicon(tmp_path / "l.json", Lexicon((Entry("你好", ("niˇ", "haoˇ"), -1.23456),), {("你", "好"): 2}))
    assert (tmp_path / "l.json").read_text("utf-8").splitlines()[1] == '["你好", "niˇ haoˇ", -1.235]'
    assert json.loads((tmp_path / "l.json").read_text("utf-8"))["pairs"] == [["你", "好", 2]]
