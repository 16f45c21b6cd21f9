"""XML: what is read in which encodings, and what is refused in one line."""

from pathlib import Path

import pytest

from earful.data.markup import read_markup
from earful.errors import ManifestError


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("latin-1", "ISO-8859-1"),
        ("cp1252", "windows-1252"),
        ("iso8859-10", "ISO-8859-10"),
    ],
)
def test_encodings_are_read(tmp_path: Path, encoding: str, declared: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "a.xml").write_text(f'{mark}<?xml version="1.0" encoding="{declared}"?>\n<a>þær</a>', encoding=encoding)
    assert read_markup(tmp_path / "a.xml").text == "þær"


def test_a_doctype_that_names_a_grammar_is_accepted_and_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "trans-14.dtd").write_text('<!ENTITY said "from the grammar">')
    (tmp_path / "a.trs").write_text('<?xml version="1.0"?>\n<!DOCTYPE Trans SYSTEM "trans-14.dtd">\n<Trans>x</Trans>')
    assert read_markup(tmp_path / "a.trs").text == "x"


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY b "lol"><!ENTITY c "&b;&b;">',
        '<!ENTITY b SYSTEM "secret.txt">',
        '<!ENTITY % b SYSTEM "secret.txt"> %b;',
        '<!ENTITY b SYSTEM "secret.txt" NDATA c><!NOTATION c SYSTEM "d">',
    ],
)
def test_entities_are_refused(tmp_path: Path, declared: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "a.eaf").write_text(f"<!DOCTYPE a [{declared}]><a>{'' if 'NDATA' in declared else '&b;'}</a>")
    with pytest.raises(ManifestError, match=r"a\.eaf: declares entities or refers to other files.*take the"):
        read_markup(tmp_path / "a.eaf")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.eaf: the file is empty; expected XML"),
        (b"<a>\n<b></a>", r"a\.eaf:2: not XML \(Opening and ending tag mismatch: b line 2 and a\); save or copy"),
        (b"<a>\n<b>\n", r"a\.eaf:3: not XML \(Premature end of data in tag b line 2\)"),
        (b"hello", r"a\.eaf:1: not XML"),
        (b"<a>\xff</a>", r"a\.eaf:1: not XML"),
        (b"<a>\0</a>", r"a\.eaf:1: not XML"),
        (b'<!DOCTYPE a SYSTEM "a.dtd">\n<a>&b;</a>', r"a\.eaf:2: not XML \(Entity 'b' not defined\)"),
        (b'<!DOCTYPE a SYSTEM "a.dtd">\n<a c="&b;"/>', r"a\.eaf:2: not XML \(Entity 'b' not defined\)"),
        (b'<?xml version="1.0" encoding="nope"?><a/>', r"a\.eaf:1: not XML \(Unsupported encoding: nope\)"),
    ],
)
def test_what_is_no_xml_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.eaf").write_bytes(content)
    with pytest.raises(ManifestError, match=message) as caught:
        read_markup(tmp_path / "a.eaf")
    assert "\n" not in str(caught.value)


def test_comments_stay_only_in_a_document_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>one <!-- of -->two<?and?> three<b/></a>", "utf-8")
    assert read_markup(tmp_path / "a.xml").text == "one two three"
    assert len(read_markup(tmp_path / "a.xml", as_it_is=True)) == 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"a\.eaf: no such file; expected an XML file"):
        read_markup(tmp_path / "a.eaf")
