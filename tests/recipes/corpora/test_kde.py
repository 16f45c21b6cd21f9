"""Lists of sounds in KDE's games: what they name, in which languages, and which recordings are equal."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earful.data.manifest import read_manifest
from recipes.corpora.errors import CorpusError
from recipes.corpora.kde import MISSING, Sound, build, choose, language_code, read_sounds
from recipes.corpora.recordings import DUPLICATE, TWO_TRANSCRIPTS, UNREADABLE


def sounds(root: Path, *files: str, language: str = "nl") -> list[Sound]:
    return [Sound(language, "words", Path(file).stem, file, root) for file in files]


def test_a_list_is_read_with_kinds_and_languages(tmp_path: Path) -> None:
    path = tmp_path / "sounds.xml"
    path.write_text(
        '<!-- an old one -->\n<k><language code="pt_BR"><menuitem><label>&amp;X</label></menuitem>'
        '<alphabet><sound name="Ç" file="pt_BR/a/c.ogg"/></alphabet>'
        '<!-- <sound name="gone" file="x"/> --><sound name="eye" file="pt_BR/olho.wav" /></language></k>',
        "utf-8",
    )
    letter, word = sorted(read_sounds(path, tmp_path), key=lambda sound: sound.kind)
    assert letter == Sound("pt-br", "alphabet", "Ç", "pt_BR/a/c.ogg", tmp_path)
    assert word == Sound("pt-br", "language", "eye", "pt_BR/olho.wav", tmp_path)
    assert word.path == tmp_path / "pt_BR" / "olho.wav"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('<k><language code="nl"></k>', r"bad\.xml: expected a list of sounds in XML: mismatched tag"),
        ('<k><language code="nl"><sound name="oog"/></language></k>', r"bad\.xml: a sound without .* \('oog', None\)"),
        ('<k><language><sound name="oog" file="x"/></language></k>', r"without language"),
    ],
)
def test_a_broken_list_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bad.xml").write_text(content)
    with pytest.raises(CorpusError, match=message):
        read_sounds(tmp_path / "bad.xml", tmp_path)
    with pytest.raises(CorpusError, match=r"none\.xml: expected a list"):
        read_sounds(tmp_path / "none.xml", tmp_path)


@pytest.mark.parametrize(
    ("code", "expected"), [("en_GB", "en-gb"), ("sr@ijekavianlatin", "sr"), ("ca@valencia", "ca"), ("it", "it")]
)
def test_codes_are_as_espeak_writes_them(code: str, expected: str) -> None:
    assert language_code(code) == expected == language_code(expected)


def test_languages_are_chosen(tmp_path: Path) -> None:
    both = sounds(tmp_path, "oog") + sounds(tmp_path, "olho", language="pt-br")
    assert choose(both, (), (), "here") == both
    assert choose(both, ["pt_BR"], (), "here") == both[1:] == choose(both, (), ["nl", "cs"], "here")
    with pytest.raises(CorpusError, match="here: no sounds in sk, xx; there are some in nl, pt-br"):
        choose(both, ["nl", "xx", "sk"], (), "here")
    with pytest.raises(CorpusError, match="here: no sounds are left"):
        choose(both, ["nl"], ["nl"], "here")
    with pytest.raises(CorpusError, match="here: no sounds are left"):
        choose([], (), (), "here")


@given(st.sets(st.sampled_from("abcde")), st.sets(st.sampled_from("abcdef")))
def test_what_is_unwanted_is_never_kept(wanted: set[str], unwanted: set[str]) -> None:
    everything = [Sound(code, "k", code, code, Path()) for code in "abcde"]
    expected = (wanted or set("abcde")) - unwanted
    if not expected:
        with pytest.raises(CorpusError):
            choose(everything, wanted, unwanted, "")
    else:
        assert {sound.language for sound in choose(everything, wanted, unwanted, "")} == expected


def test_the_corpus_stands_alone_and_equal_recordings_come_once(
    put_sound: Callable[[Path, float], None], tmp_path: Path
) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    for pitch, file in enumerate(["a/oog.wav", "b/oog.wav", "a/neus.wav", "a/hoed.wav", "a/kwijt.wav", "a/leeg.wav"]):
        put_sound(root / file, 200 + 100 * pitch)
    for source, target in (("a/oog.wav", "c/oog.wav"), ("a/neus.wav", "a/nas.wav"), ("a/hoed.wav", "a/zonder.wav")):
        (root / target).parent.mkdir(exist_ok=True)
        (root / target).write_bytes((root / source).read_bytes())
    (root / "a/kwijt.wav").unlink()
    (root / "a/leeg.wav").write_bytes(b"")
    files = ["a/oog.wav", "b/oog.wav", "c/oog.wav", "a/neus.wav", "a/nas.wav", "a/zonder.wav", "a/hoed.wav"]
    seen: list[tuple[int, int]] = []
    manifest, left_out = build(
        "game",
        out,
        sounds(root, *files, "a/kwijt.wav", "a/leeg.wav"),
        lambda sound: (None if sound.name == "zonder" else sound.name, {"kind": "word"}),
        lambda *step: seen.append(step),
    )
    assert read_manifest(out / "manifest.jsonl") == manifest
    assert [u.id for u in manifest] == ["game/nl/oog", "game/nl/oog#2", "game/nl/hoed"]
    assert [u.audio.relative_to(out).as_posix() for u in manifest] == [f"audio/{files[i]}" for i in (0, 1, 6)]
    assert all(u.speaker == "game-nl" and u.duration_s == pytest.approx(0.2) and u.audio.is_file() for u in manifest)
    assert left_out == {
        MISSING: ("game/nl/kwijt",),
        DUPLICATE: ("game/nl/oog#3", "game/nl/zonder"),
        TWO_TRANSCRIPTS: ("game/nl/neus", "game/nl/nas"),
        UNREADABLE: ("game/nl/leeg",),
    }
    assert seen[-1] == (4, 4)


@pytest.mark.parametrize("file", ["../../etc/passwd", "/etc/passwd", "nl/../../x.ogg", "a\\..\\b"])
def test_a_list_that_points_out_of_its_folder_is_refused(tmp_path: Path, file: str) -> None:
    content = f'<klettres><language code="nl"><alpha><sound name="a" file="{file}"/></alpha></language></klettres>'
    (tmp_path / "sounds.xml").write_text(content, "utf-8")
    if "\\" in file:
        assert read_sounds(tmp_path / "sounds.xml", tmp_path)[0].path.parent == tmp_path
        return
    with pytest.raises(CorpusError, match="lies outside its folder"):
        read_sounds(tmp_path / "sounds.xml", tmp_path)
