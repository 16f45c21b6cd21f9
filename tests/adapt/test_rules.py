"""The rules that an adaptation starts with, by what its base is and what the user gives."""

from pathlib import Path

import pytest

from earful.adapt.rules import rules_from
from earful.adapt.start import start_from
from earful.checkpoint import load_checkpoint
from earful.errors import ConfigError
from earful.text.normalize import TextRules

OWN = TextRules(case="keep", language="nl")


def test_what_is_given_replaces_what_the_base_has() -> None:
    assert rules_from(OWN, {}, {"language": "de"}, ["a"]) == TextRules(case="keep", language="de")
    with pytest.raises(ConfigError, match="case"):
        rules_from(OWN, {}, {"case": "shout"}, ["a"])


def test_only_a_base_that_was_never_adapted_takes_the_usual_writing_of_the_language() -> None:
    zh, han = {"language": "zh"}, ["我们"]
    assert rules_from(OWN, {}, zh, han).writing == "characters"
    assert rules_from(OWN, {}, zh, ["women"]).writing == "pinyin"
    assert rules_from(OWN, {}, zh | {"writing": "given"}, han).writing == "given"
    assert rules_from(OWN, {"adapted": {}}, zh, han).writing == "given"


def test_adaptation_starts_with_them(tiny_base: Path) -> None:
    base, given = load_checkpoint(tiny_base), {"language": "zh"}
    expected = rules_from(base.config.rules, base.about, given, ["我们"])
    assert start_from(str(tiny_base), ["我们"], given).config.rules == expected
