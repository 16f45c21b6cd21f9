"""What the fuzzers kept, and what they found, through every parser again: earful's own errors, and no others."""

from pathlib import Path

import pytest

from faults.fuzz import SUFFIXES, keep, kept, target_of


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_parser_takes_or_refuses_what_was_kept(name: str, tmp_path: Path) -> None:
    parse = target_of(name, tmp_path)
    contents = kept(name)
    for content in contents:
        parse(content)
    assert contents, f"nothing is kept of {name}: `python -m faults.fuzz --only {name} --keep`"


def test_another_error_than_ours_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipes.corpora.lua._unescaped", lambda match: bytes([int(match[1], 16)]))
    with pytest.raises(ValueError, match="invalid literal"):
        target_of("lua", tmp_path)(b'dialogStr("\\z")')


def test_the_smallest_are_kept_and_the_same_bytes_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faults.fuzz.KEPT", tmp_path)
    monkeypatch.setattr("faults.fuzz.LARGEST_KEPT", 6)
    keep("lua", [b"four", b"a", b"a", b"bc", b"threethree"])
    first = (tmp_path / "lua.zip").read_bytes()
    assert kept("lua") == [b"a", b"bc"]
    keep("lua", [b"bc", b"a", b"four"])
    assert (tmp_path / "lua.zip").read_bytes() == first
