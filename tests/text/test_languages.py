"""What language a name means."""

import pytest

from earful.text.languages import canonical, language_of, likely_script, name_of, script_of, shortened, tag_of
from earful.text.normalize import TextRules, normalize

NAMES = {
    "is": ("is", "isl", "ice", "IS", "Icelandic", " icelandic "),
    "de": ("de", "deu", "ger", "German", "Deutsch"),
    "hy": ("hy", "hye", "arm", "Armenian"),
    "tr": ("tr", "tur", "Turkish"),
    "et": ("et", "est", "ekk", "Estonian"),
    "sr-Latn": ("sr-Latn", "sr_latn", "srp-Latn", "sh", "hbs"),
    "zh": ("zh", "zho", "chi", "cmn", "Chinese", "Mandarin"),
    "zh-Hans": ("zh-Hans", "zh_hans", "Simplified Chinese"),
    "yue": ("yue", "zh-yue", "Cantonese"),
    "nb": ("nb", "nob", "Norwegian Bokmål"),
    "nn": ("nn", "nno", "Nynorsk"),
    "no": ("no", "nor", "Norwegian"),
    "fil": ("fil", "tl", "tgl", "Filipino"),
    "pt-BR": ("pt-BR", "pt_br", "por-BR", "Brazilian Portuguese"),
    "zu": ("zu", "zul", "Zulu"),
}


@pytest.mark.parametrize(("tag", "name"), [(tag, name) for tag, names in NAMES.items() for name in names])
def test_a_language_has_one_tag_whatever_it_is_called(tag: str, name: str) -> None:
    assert tag_of(name) == canonical(name) == tag


@pytest.mark.parametrize(
    "name",
    ["", " ", "a", "xx", "xyzzy", "und", "mul", "zxx", "qaa", "x-mine", "not a language", "Germanic", "Serbian Romani"],
)
def test_what_means_no_language_is_left_as_it_is(name: str) -> None:
    assert tag_of(name) is None and canonical(name) == name == name_of(name)
    assert script_of(name) is None and likely_script(name) is None


def test_a_code_comes_before_a_name_and_an_english_name_before_others() -> None:
    assert tag_of("Fala") == "fax"  # in English; in Kwasio it is French
    assert tag_of("mon") == tag_of("Mongolian") == "mn"  # Mon is another language, mnw


def test_scripts() -> None:
    assert [script_of(tag) for tag in ("sr", "sr-Latn", "zh-hant")] == [None, "Latn", "Hant"]
    assert [likely_script(tag) for tag in ("sr", "sr-Latn", "Icelandic")] == ["Cyrl", "Latn", "Latn"]


def test_a_tag_is_shortened_from_its_end() -> None:
    assert shortened("en-gb-x-rp") == ["en-gb-x-rp", "en-gb", "en"]  # never "en-gb-x"


def test_variants_are_of_one_language() -> None:
    assert {language_of(tag) for tag in ("en", "en-gb", "en_US", "eng", "English")} == {"en"}
    assert language_of("sr-Latn") == "sr" and language_of("ekk") == "et" and language_of("xyzzy") == "xyzzy"


@pytest.mark.parametrize("name", ["tr", "tur", "tr-CY", "Turkish", "aze", "azj", "Azerbaijani", "crh", "gag"])
def test_i_is_dotted_under_all_names_of_its_languages(name: str) -> None:
    assert normalize("IŞIK İzmir", TextRules(language=name)) == "ışık izmir"
    assert normalize("ışık izmir", TextRules(case="upper", language=name)) == "IŞIK İZMİR"


def test_rules_keep_one_code() -> None:
    assert TextRules(language="Icelandic") == TextRules(language="isl") == TextRules(language="is")
    assert TextRules(language="xyzzy").language == "xyzzy"
