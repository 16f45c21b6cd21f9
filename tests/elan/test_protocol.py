"""What comes from ELAN is read leniently; what goes to it is ASCII, and in whole milliseconds."""

import io
from pathlib import Path

import pytest
from lxml import etree

from earful.elan.cmdi import cmdi
from earful.elan.protocol import Answer, path_in, read_request
from earful.elan.tiers import Span, read_spans, write_tiers
from earful.errors import ManifestError

REQUEST = """<?xml version="1.0" encoding="UTF-8"?>
<PARAM xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="file:avatech-call.xsd">
<param name="InvocationContext">earful 2026-11-30 14:23:09+0200</param>
<param name="source">/home/a &amp; b/þing talk.wav</param>
<param name="level">20.0</param>
<param name="empty"></param>
</PARAM>
"""


def test_a_request() -> None:
    found = read_request(io.BytesIO(REQUEST.encode()))
    assert found["source"] == "/home/a & b/þing talk.wav" and float(found["level"]) == 20
    assert path_in(found, "source") == Path("/home/a & b/þing talk.wav")
    assert path_in(found, "empty") is None and path_in(found, "none") is None


@pytest.mark.parametrize(
    ("value", "path"), [("file:///a/b.wav", "/a/b.wav"), ("file:/a.wav", "/a.wav"), ("///C:/a b.wav", "C:/a b.wav")]
)
def test_the_ways_in_which_a_file_is_named(value: str, path: str) -> None:
    assert path_in({"x": value}, "x") == Path(path)


def test_a_request_in_the_charset_of_windows() -> None:
    assert read_request(io.BytesIO(REQUEST.encode("cp1252")))["source"].endswith("þing talk.wav")


def test_lines_are_ascii() -> None:
    stream = io.BytesIO()
    said = Answer(stream)
    said.progress(1.7, "þú\nnú")
    said.end(True)
    said.end(False)
    assert stream.getvalue() == b"PROGRESS: 1.00 \\xfe\\xfa n\\xfa\nRESULT: DONE.\nRESULT: FAILED.\n"


def test_texts_that_elan_has_not_escaped(tmp_path: Path) -> None:
    place = tmp_path / "tier.xml"
    place.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<TIER columns="tier_1">\n'
        '<span start="1.234" end="2.000"><v>R&B < rock & "þú"</v></span>\n'
        '<span start="0.5" end="1.0"><v></v></span>\n'
        '<span end="3.5" start="3"><v>a\nb &amp; c</v></span>\n'
        '<span start="4" end="4"><v>no length</v></span><span start="5.0" end="6.0"/>\n</TIER>\n',
        "utf-8",
    )
    assert read_spans(place) == [
        Span(0.5, 1.0, ""),
        Span(1.234, 2.0, 'R&B < rock & "þú"'),
        Span(3.0, 3.5, "a\nb & c"),
        Span(5.0, 6.0, ""),
    ]


def test_a_time_that_is_no_number(tmp_path: Path) -> None:
    place = tmp_path / "tier.xml"
    place.write_text('<TIER columns="x">\n<span start="soon" end="2.0"><v>a</v></span></TIER>', "utf-8")
    with pytest.raises(ManifestError, match=r"tier.xml:2: start is 'soon', must be seconds"):
        read_spans(place)
    place.write_text('<TIER columns="x"><span start="1.0"><v>a</v></span></TIER>', "utf-8")
    with pytest.raises(ManifestError, match=r"tier.xml:1: end is 'missing'"):
        read_spans(place)


def test_tiers_that_are_written(tmp_path: Path) -> None:
    write_tiers(tmp_path / "out.xml", {"a": [(1, 1500, "R&B <þú>")], "b": []})
    root = etree.parse(tmp_path / "out.xml").getroot()
    assert [tier.get("columns") for tier in root.iterfind("TIER")] == ["a", "b"]
    (span,) = root.iterfind("TIER/span")
    assert dict(span.attrib) == {"start": "1", "end": "1500"} and span.findtext("v") == "R&B <þú>"


def test_a_run_that_is_ended_while_it_writes_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(self: Path, text: str, encoding: str, newline: str) -> None:
        self.write_bytes(text.encode()[:20])
        raise SystemExit(143)

    monkeypatch.setattr(Path, "write_text", ended)
    with pytest.raises(SystemExit):
        write_tiers(tmp_path / "out.xml", {"a": [(1, 2, "x")]})
    assert list(tmp_path.iterdir()) == []


def test_the_description() -> None:
    root = etree.fromstring(
        cmdi(["earful-base", "my&model"], Path("/tmp/a b&c.xml"), "./a.sh", "./a.sh", "cmd /c a.bat").encode()
    )
    recognizer = root.find(".//{*}recognizer")
    assert recognizer.get("recognizerType") == "local" and recognizer.text == "earful"
    assert [recognizer.get(key) for key in ("runLinux", "runMac", "runWin")] == ["./a.sh", "./a.sh", "cmd /c a.bat"]
    parameters = [each for each in root.find(".//{*}RECOGNIZER") if each is not recognizer]
    assert all(each.get("info") for each in parameters), "ELAN drops a parameter without"
    assert {each.text: each.get("type") for each in parameters} == {
        "source": "audio", "segments": "tier", "corrected": "tier", "tiers": "tier",
        "task": None, "model": None, "effort": None, "new_model": None, "language": None,
    }  # fmt: skip
    (proposed,) = [each.get("default") for each in parameters if each.text == "tiers"]
    assert proposed == "/tmp/a b&c.xml"
    (models,) = [each.get("convoc") for each in parameters if each.text == "model"]
    assert models.split(" ") == ["earful-base", "my&model"]
