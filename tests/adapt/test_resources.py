"""What a language brings, and what is said of what it does not."""

import pytest

from earful.adapt import resources as module
from earful.adapt.resources import missing, of_script, resources
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import SynthesisError
from earful.text.normalize import TextRules


def clips(*texts: str) -> Manifest:
    return Manifest(tuple(Utterance(f"clip{i}", f"{i}.wav", text=text) for i, text in enumerate(texts)))


@pytest.mark.parametrize("language", ["", "is", "Icelandic", "isl", "sr-Latn", "zh-Hans", "hr"])
def test_nothing_is_said_of_a_language_that_has_everything(language: str) -> None:
    assert list(missing(language)) == []


def test_no_language_is_said_to_be_none_and_near_ones_are_named() -> None:
    (said,) = missing("Icelandicc")
    assert said.startswith("'Icelandicc' is not a known language, so there is no rule of spelling, no synthesiser")
    assert " and no word list; near it: " in said and "is (Icelandic)" in said
    (said,) = missing("ŋŋŋ")
    assert said.endswith("give its code (ISO 639) or its English name")


def test_what_a_known_language_lacks_is_said() -> None:
    (said,) = missing("zul")
    assert said.startswith("for Zulu (zu) there is no rule of spelling, no synthesiser and no word list; give text in")
    assert list(missing("eo")) == ["for Esperanto (eo) there is no word list; give text in it with --text FILE"]
    assert list(missing("eo", words=False)) == []
    assert list(missing("fil")) == [
        "for Filipino (fil) there is no rule of spelling, no synthesiser; give text in it with --text FILE"
    ]


def test_packages_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise SynthesisError(f"word lists need the package wordfreq; run: {module.REMEDY}")

    monkeypatch.setattr(module, "list_name", absent)
    (said,) = missing("is")
    assert said == f"for Icelandic (is) there is no word list: they are not installed; run: {module.REMEDY}"


def test_text_in_another_script_is_named_and_not_used() -> None:
    mine = clips("да", "нет")
    used, said = of_script(["Privet, kak dela?", "Всё."], mine, TextRules())
    assert used == () and said[0].startswith(
        "the other text is not used: it is in LATIN letters, the transcripts in CYR"
    )
    ours = ["Привет, DJ!", "123"]
    assert of_script(ours, mine, TextRules()) == (ours, ())
    assert of_script(["123"], mine, TextRules()) == (["123"], ())
    assert resources(["abc"], mine, TextRules(language="eo"), words=True) == ((), (*said, *missing("eo")))


def test_characters_are_of_one_script_with_the_pinyin_that_they_are_read_as() -> None:
    mine = clips("nǐhǎo")
    assert of_script(["你好"], mine, TextRules(language="zh", writing="pinyin"))[0] == ["你好"]
    assert of_script(["你好"], mine, TextRules())[0] == ()
    assert of_script(["nǐhǎo"], clips("你好"), TextRules(language="zh", writing="pinyin"))[0] == ["nǐhǎo"]
