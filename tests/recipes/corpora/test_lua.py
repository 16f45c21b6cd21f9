"""Dialogue lines in Lua: strings in all forms, escapes, comments, and what is not a dialogue."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.corpora.errors import CorpusError
from recipes.corpora.lua import Dialog, parse_dialogs, read_dialogs


def said(expression: str) -> str | None:
    """The text of a dialogue whose dialogStr call is given."""
    (dialog,) = parse_dialogs(f'dialogId("a-m-1", "font_small", "English.")\n{expression}\n'.encode())
    assert (dialog.id, dialog.font) == ("a-m-1", "font_small")
    return dialog.text


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('dialogStr("Dobrý den.")', "Dobrý den."),
        ("dialogStr('Zo''n ding.')", None),  # two strings without .. are not Lua
        ('dialogStr("Zeg \\"ja\\"!")', 'Zeg "ja"!'),
        ("dialogStr('Zo\\'n ding.')", "Zo'n ding."),
        ('dialogStr("C:\\\\TEMP\\ttab\\nregel")', "C:\\TEMP\ttab\nregel"),
        ('dialogStr("\\197\\159\\x41\\u{41f}\\0651")', "şAПA1"),
        ('dialogStr("een \\z\n     twee")', "een twee"),
        ('dialogStr("een\\\ntwee")', "een\ntwee"),
        ("dialogStr(\"een \" .. 'twee '\n  ..  [[drie]])", "een twee drie"),
        ('dialogStr([[\nlang \\n "zo" ]])', 'lang \\n "zo" '),
        ("dialogStr([==[met ]] erin]==])", "met ]] erin"),
        ('dialogStr "zonder haakjes"', "zonder haakjes"),
        ('dialogStr -- uitleg ")\n (--[[ "nee" ]] "ja")', "ja"),
        ('dialogStr("een -- geen commentaar")', "een -- geen commentaar"),
        ('dialogStr("")', ""),
        ("dialogStr(nil)", None),
        ('dialogStr("een" .. name)', None),
        ('dialogStr(_("een"))', None),
        ("", None),
        ('-- dialogStr("uit")', None),
        ('--[[ dialogStr("uit") ]]', None),
    ],
)
def test_strings_are_read_as_lua_reads_them(expression: str, text: str | None) -> None:
    assert said(expression) == text


def test_dialogues_keep_their_order_line_and_font() -> None:
    source = b"""
dialogId("a", "font_big",
    "English, (with brackets)")
dialogStr("Een.")
dialogId("b", "", "English") dialogStr(
    "Twee.")
room = { "dialogId", sound("x") }
"""
    assert parse_dialogs(source) == [Dialog("a", "font_big", "Een.", 2), Dialog("b", "", "Twee.", 5)]


def quoted(text: str) -> str:
    """Write a Lua string with every character that needs it escaped by number."""
    return '"' + "".join(c if c.isalnum() else "".join(f"\\{byte:03d}" for byte in c.encode()) for c in text) + '"'


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="]\r\n", exclude_categories=["Cs"]), min_size=1))
def test_any_text_survives_quoting(text: str, long: str) -> None:
    assert said(f"dialogStr({quoted(text)} .. [[{long}]])") == text + long


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    try:
        parse_dialogs(b"dialogStr" + source)
    except CorpusError as error:
        assert str(error)[0].isdigit()


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_string_without_an_end_is_read_once(quote: str) -> None:
    # seen by the fuzzer: each \\z could be read in two ways, so that 60 of them took longer than anybody waits
    with pytest.raises(CorpusError, match="a string without an end"):
        parse_dialogs(b"dialogStr(" + quote.encode() + b"\\z  " * 2000)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('\ndialogId("a", "f", "e")\ndialogStr("open', r"bad.lua:3: a string without an end"),
        ('dialogId("a", "f", "e")\ndialogStr("dicht"\n', r"bad.lua:2: a bracket without an end"),
        ('dialogId("a", "f", "e")\ndialogStr("a\\xra")\n', r"bad.lua:2: \\x without its digits"),
        ('dialogStr("\\u41")', r"bad.lua:1: \\u without its digits"),
    ],
)
def test_broken_files_are_named_with_the_line(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "bad.lua"
    path.write_text(source)
    with pytest.raises(CorpusError, match=message):
        read_dialogs(path)
    with pytest.raises(CorpusError, match="cannot read"):
        read_dialogs(tmp_path / "none.lua")
