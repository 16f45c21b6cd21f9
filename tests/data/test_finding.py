"""Findings: those of one kind together, and files that are left out."""

from pathlib import Path

import pytest

from earful.data.finding import Finding, gathered, left_out
from earful.errors import ManifestError


def of(kind: str, clip: str | None) -> Finding:
    return Finding("warning", kind, clip, f"{clip}.wav", f"{kind} of {clip}", "mend it")


def test_many_of_a_kind_are_one_and_few_stay() -> None:
    found = [of("a", "1"), of("b", "1"), of("a", "2"), of("a", "3"), of("a", None), of("b", "2")]
    assert [(each.message, ids) for each, ids in gathered(found, 2)] == [
        ("a, 3 clips; of the first: a of 1", ("1", "2", "3")),
        ("b of 1", ("1",)),
        ("b of 2", ("2",)),
        ("a of None", ()),
    ]
    assert [each.message for each, _ in gathered([of("a", None)] * 3, 2)] == ["a of None"] * 3, "each of the whole"


@pytest.mark.parametrize(
    ("error", "where", "message", "remedy"),
    [
        ("a.eaf:3: not XML (x); y; save it", "a.eaf:3", "left out: not XML (x); y", "save it"),
        ("a.eaf: has no HEADER; save it", "a.eaf", "left out: has no HEADER", "save it"),
        ("a.eaf: broken", "a.eaf", "left out: broken", "correct it"),
        ("b.wav: broken; mend it", "a.eaf", "left out: b.wav: broken", "mend it"),
    ],
)
def test_what_an_error_says_becomes_a_finding(error: str, where: str, message: str, remedy: str) -> None:
    found = left_out(Path("a.eaf"), ManifestError(error))
    assert (found.severity, found.where, found.message, found.remedy) == ("error", where, message, remedy)
