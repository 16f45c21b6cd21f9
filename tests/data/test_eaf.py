"""ELAN's documents: what is refused, and how; times of annotations that have none of their own."""

from pathlib import Path

import pytest

from earful.data.eaf import annotations, parse_eaf
from earful.errors import ManifestError

DOCUMENT = (
    "<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER><TIME_SLOT TIME_SLOT_ID='t1' TIME_VALUE='5'/>"
    "<TIME_SLOT TIME_SLOT_ID='t2' TIME_VALUE='9'/></TIME_ORDER>{}</ANNOTATION_DOCUMENT>"
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"a.eaf: the file is empty"),
        ("<ANNOTATION_DOCUMENT>\n<HEADER", r"a.eaf:2: not XML"),
        ("<html/>", r"a.eaf:1: expected ELAN's <ANNOTATION_DOCUMENT>, got <html>"),
        ("<ANNOTATION_DOCUMENT><TIME_ORDER/></ANNOTATION_DOCUMENT>", "has no HEADER"),
        ("<ANNOTATION_DOCUMENT><HEADER/></ANNOTATION_DOCUMENT>", "has no TIME_ORDER"),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]>" + DOCUMENT.format("&b;"), "declares entities"),
        ("<!DOCTYPE a SYSTEM 'http://example.org/a.dtd'>" + DOCUMENT, "has a DOCTYPE"),
    ],
)
def test_what_is_refused(content: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        parse_eaf(Path("a.eaf"), content.encode())


def test_references_in_a_circle_have_no_time() -> None:
    rows = "".join(
        f"<ANNOTATION><{kind}_ANNOTATION ANNOTATION_ID='{name}' {refers}><ANNOTATION_VALUE>x</ANNOTATION_VALUE>"
        f"</{kind}_ANNOTATION></ANNOTATION>"
        for kind, name, refers in (
            ("ALIGNABLE", "a1", "TIME_SLOT_REF1='t1' TIME_SLOT_REF2='t2'"),
            ("REF", "a2", "ANNOTATION_REF='a1'"),
            ("REF", "a3", "ANNOTATION_REF='a2'"),
            ("REF", "a4", "ANNOTATION_REF='a5'"),
            ("REF", "a5", "ANNOTATION_REF='a4'"),
        )
    )
    root = parse_eaf(Path("a.eaf"), DOCUMENT.format(f"<TIER TIER_ID='x'>{rows}</TIER>").encode())
    spans = {each.id: (each.start_ms, each.end_ms) for each in annotations(root)}
    assert spans == {"a1": (5, 9), "a2": (5, 9), "a3": (5, 9), "a4": (None, None), "a5": (None, None)}
