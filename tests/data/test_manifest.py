import json
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.data.manifest import KEYS, Manifest, read_manifest, write_manifest
from earful.data.utterance import Utterance
from earful.errors import ManifestError


def _manifest(count: int) -> Manifest:
    return Manifest(tuple(Utterance(f"u{i}", Path(f"{i}.wav"), duration_s=1.5) for i in range(count)))


def _file(folder: Path, *lines: str | bytes) -> Path:
    path = folder / "train.jsonl"
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))
    return path


def _row(**keys: object) -> str:
    return json.dumps({"audio_filepath": "a.wav", **keys})


def test_it_is_a_sequence() -> None:
    manifest = _manifest(5)
    assert len(manifest) == 5
    assert manifest[-1].id == "u4"
    assert isinstance(manifest[1:3], Manifest)
    assert [u.id for u in manifest[1:3]] == ["u1", "u2"]
    assert manifest[0] in manifest
    assert manifest.duration_s == 7.5
    assert list(manifest.filter(lambda u: u.id > "u2")) == list(manifest[3:])


def test_groups_by_field_extra_key_or_function() -> None:
    clips = Manifest(
        tuple(
            Utterance(str(i), Path("a.wav"), speaker=speaker, extra=extra)
            for i, (speaker, extra) in enumerate([("eva", {"take": 1}), (None, {}), ("jo", {"take": 1}), ("eva", {})])
        )
    )
    assert {k: [u.id for u in v] for k, v in clips.group_by("speaker").items()} == {
        "eva": ["0", "3"],
        "": ["1"],
        "jo": ["2"],
    }
    assert list(clips.group_by("take")) == ["1", ""]
    assert list(clips.group_by(lambda u: int(u.id) % 2)) == ["0", "1"]


@given(st.integers(0, 30), st.data())
def test_split_is_disjoint_complete_and_ordered(count: int, data: st.DataObject) -> None:
    manifest = _manifest(count)
    part = data.draw(st.one_of(st.integers(0, count), st.floats(0, 1)))
    first, rest = manifest.split(part, torch.Generator().manual_seed(1))
    assert len(first) == (part if isinstance(part, int) else round(part * count))
    order = {u.id: i for i, u in enumerate(manifest)}
    for side in (first, rest):
        places = [order[u.id] for u in side]
        assert places == sorted(places)
    assert {u.id for u in first} | {u.id for u in rest} == set(order)
    assert len(first) + len(rest) == count
    assert (first, rest) == manifest.split(part, torch.Generator().manual_seed(1))


def test_split_differs_with_the_generator_and_refuses_too_many() -> None:
    manifest = _manifest(30)
    assert manifest.split(10, torch.Generator().manual_seed(1)) != manifest.split(10, torch.Generator().manual_seed(2))
    for part in (31, -1, 1.5, float("nan")):
        with pytest.raises(ManifestError, match="cannot draw"):
            manifest.split(part, torch.Generator())


def test_concatenation_keeps_ids_distinct_and_the_constructor_insists() -> None:
    both = _manifest(2) + _manifest(3)
    assert [u.id for u in both] == ["u0", "u1", "u0#2", "u1#2", "u2"]
    with pytest.raises(ManifestError, match="two clips have the id 'u0'"):
        Manifest((*_manifest(1), *_manifest(1)))


_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_names = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=9).filter(
    lambda name: name not in (".", "..")
)


@st.composite
def _utterances(draw: st.DrawFn, folder: Path) -> Utterance:
    return Utterance(
        id=draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)),
        audio=draw(st.sampled_from([folder, folder / "clips", Path("/elsewhere")])) / draw(_names),
        start_s=draw(st.floats(0, 1e6)),
        duration_s=draw(st.none() | st.floats(0, 1e6, exclude_min=True)),
        text=draw(st.none() | _texts),
        language=draw(st.none() | _texts),
        speaker=draw(st.none() | _texts),
        extra=draw(st.dictionaries(_texts.filter(lambda key: key not in KEYS), _json, max_size=3)),
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_written_comes_back(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clips = data.draw(st.lists(_utterances(folder), min_size=1, max_size=4, unique_by=lambda u: u.id))
        write_manifest(folder / "m.jsonl", clips)
        assert list(read_manifest(folder / "m.jsonl")) == clips
        assert [file.name for file in folder.iterdir()] == ["m.jsonl"]


def test_paths_inside_the_folder_are_written_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    clips = [
        Utterance("1", Path("data/my clips/ü.wav")),
        Utterance("2", tmp_path / "data" / "b.wav"),
        Utterance("3", Path("c.wav")),
    ]
    write_manifest("data/m.jsonl", clips)
    written = [json.loads(line)["audio_filepath"] for line in Path("data/m.jsonl").read_text("utf-8").splitlines()]
    assert written == ["my clips/ü.wav", "b.wav", str(tmp_path / "c.wav")]
    assert read_manifest("data/m.jsonl")[0].audio == Path("data/my clips/ü.wav")


def test_file_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    clip = Utterance("1", tmp_path / "f\udcfc.wav", text="tschüss")
    write_manifest(tmp_path / "m.jsonl", [clip])
    assert list(read_manifest(tmp_path / "m.jsonl")) == [clip]


def test_it_reads_what_nemo_writes(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        b'\xef\xbb\xbf{"audio_filepath": "clips/a b.wav", "duration": 3, "text": "hi", '
        b'"offset": 1.5, "speaker": 7, "pnc": "no"}\r',
        "",
        '{"audio_filepath": "/x/c.wav", "text": null, "language": "nl"}\r',
        "",
    )
    assert list(read_manifest(path)) == [
        Utterance("a b", tmp_path / "clips" / "a b.wav", 1.5, 3.0, "hi", None, "7", {"pnc": "no"}),
        Utterance("c", Path("/x/c.wav"), language="nl"),
    ]


def test_ids_are_made_from_file_names_and_give_way_to_those_that_are_given(tmp_path: Path) -> None:
    path = _file(tmp_path, _row(), _row(), _row(id="a"), _row(offset=2))
    assert [u.id for u in read_manifest(path)] == ["a#2", "a#3", "a", "a#4"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"audio_filepath": "a.wav"', "not JSON at column 27"),
        ("a.wav hello", "not JSON at column 1"),
        ('["a.wav"]', 'expected a JSON object .* got \\["a.wav"\\]'),
        ('{"text": "x"}', "the key 'audio_filepath' is missing"),
        (_row(audio_filepath=None), "audio_filepath must be a text in quotes, got null"),
        (_row(audio_filepath=""), "audio_filepath is '', must be the path"),
        (_row(audio_filepath="a\0b"), "must be the path of a sound file"),
        (_row(text=5), "text must be a text in quotes, got 5"),
        (_row(language=["nl"]), "language must be a text"),
        (_row(duration="3"), 'duration must be a number of seconds, got "3"'),
        (_row(duration=True), "duration must be a number of seconds, got true"),
        (_row(duration=-0.2), r"duration is -0.2 s, must be > 0"),
        (_row(duration=0), r"duration is 0.0 s, must be > 0"),
        (_row(duration=10**400), "duration is inf s"),
        (_row(offset=-1), r"offset is -1.0 s, must be 0 or more"),
        (_row(duration=float("nan")), "holds NaN, which is not JSON"),
        (b'{"audio_filepath": "\xfc.wav"}', "not UTF-8"),
        ('{"x":' + "[" * 100_000, "not JSON"),
    ],
)
def test_line_17_is_named(tmp_path: Path, line: str | bytes, message: str) -> None:
    path = _file(tmp_path, *[_row(id=str(i)) for i in range(16)], line)
    with pytest.raises(ManifestError, match=rf"train\.jsonl:17: .*{message}") as caught:
        read_manifest(path)
    assert "more)" not in str(caught.value)


def test_several_problems_are_counted_and_both_lines_of_a_duplicate_named(tmp_path: Path) -> None:
    path = _file(tmp_path, _row(id="x"), _row(id="x"), "{", _row(duration=-1))
    with pytest.raises(ManifestError, match=r"jsonl:2: the id 'x' is also on line 1; .*\(and 2 more\)"):
        read_manifest(path)


def test_empty_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="the manifest is empty"):
        read_manifest(_file(tmp_path, "", "  "))
    with pytest.raises(ManifestError, match="no such file"):
        read_manifest(tmp_path / "nothing.jsonl")
    with pytest.raises(ManifestError, match="cannot read: expected a regular file, got a folder"):
        read_manifest(tmp_path)


def test_writing_refuses_what_cannot_be_read_back_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, _manifest(1))
    before = path.read_bytes()
    for extra in ({"text": "x"}, {"x": float("nan")}, {"x": {1, 2}}):
        with pytest.raises(ManifestError, match=r"m\.jsonl: clip 'u': extra"):
            write_manifest(path, [Utterance("u", Path("u.wav"), extra=extra)])
    with pytest.raises(ManifestError, match="two clips have the id"):
        write_manifest(path, [*_manifest(1), *_manifest(1)])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.jsonl"]
    with pytest.raises(ManifestError, match="cannot write"):
        write_manifest(tmp_path / "no" / "folder" / "m.jsonl", _manifest(1))
