import re
from pathlib import Path

import numpy as np
import pytest

from earful.audio.files import write
from earful.data.readers import table
from earful.errors import ManifestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, seconds in (("a.wav", 1.0), ("b ü.wav", 0.5)):
        write(tmp_path / name, np.full(int(16_000 * seconds), 0.1, np.float32))
    return tmp_path


def _table(folder: Path, text: str | bytes, name: str = "clips.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_separator(folder: Path, separator: str, newline: str, mark: str) -> None:
    rows = [
        ["Path", "SENTENCE"],
        ["a.wav", f'"well{separator * (separator != chr(9))} yes"'],
        ["b ü.wav", "ahoj"],
        [""],
    ]
    path = _table(folder, mark + newline.join(separator.join(row) for row in rows))
    clips = table.read(path)
    said = "well yes" if separator == "\t" else f"well{separator} yes"
    assert [(u.id, u.audio, u.text, u.duration_s) for u in clips] == [
        ("a", folder / "a.wav", said, 1.0),
        ("b ü", folder / "b ü.wav", "ahoj", 0.5),
    ]


def test_every_column(folder: Path) -> None:
    path = _table(
        folder,
        "client_id;file;transcript;locale;id;offset;end;duration;age;text note\n"
        "eva;a.wav;hi;nl;one;0,25;0,75;;30;\n;a.wav;;;two;;;0.5;;\n",
    )
    one, two = table.read(path)
    assert (one.speaker, one.language, one.id, one.start_s, one.duration_s) == ("eva", "nl", "one", 0.25, 0.5)
    assert dict(one.extra) == {"age": "30"}
    assert (two.speaker, two.language, two.text, two.start_s, two.duration_s) == (None, None, "", 0.0, 0.5)


def test_the_more_telling_of_two_names_wins_and_keys_of_the_manifest_do_not_leak(folder: Path) -> None:
    (u,) = table.read(_table(folder, "label,wav,text,path,audio_filepath\nx,y,hi,z,a.wav\n"))
    assert (u.text, u.audio.name, dict(u.extra)) == ("hi", "a.wav", {"label": "x", "wav": "y", "path": "z"})


def test_two_columns_without_a_header(folder: Path) -> None:
    clips = table.read(_table(folder, "a.wav\thello there\nb ü.wav\tbye\n", "t.txt"))
    assert [u.text for u in clips] == ["hello there", "bye"]


def test_a_quotation_mark_alone_does_not_swallow_lines_of_a_tsv(folder: Path) -> None:
    clips = table.read(_table(folder, 'path\ttext\na.wav\t"hello\na.wav\t""\nb ü.wav\tyes"\n'))
    assert [u.text for u in clips] == ['"hello', "", 'yes"']
    with pytest.raises(ManifestError, match=r"clips\.csv:2: cannot tell where a cell ends"):
        table.read(_table(folder, 'path,text\na.wav,"hello\nb ü.wav,yes\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "clips.csv: the table is empty"),
        ("path,text\n", "clips.csv: the table holds no clips"),
        (
            "name,words\nx,y\n",
            r"clips.csv:1: found the columns 'name', 'words'; expected one for the sound file \(audio",
        ),
        ("path,text\na.wav,one,two\n", "clips.csv:2: expected 2 cells separated by commas, got 3; quote"),
        ("path,text\na.wav,x\n\na.wav\n", "clips.csv:4: expected 2 cells separated by commas, got 1; add"),
        ("path,text\na.wav,x\n,y\n", "clips.csv:3: the name of the sound file is empty"),
        ("path,text,start\na.wav,x,soon\n", "clips.csv:2: start must be a number of seconds, got 'soon'"),
        ("path,text,start,end\na.wav,x,2,1\n", r"clips.csv:2: the end, 1.0 s, is not after the start, 2.0 s"),
        ("path,text,duration\na.wav,x,-1\n", r"clips.csv:2: duration is -1.0 s, must be > 0"),
        ("path,text,id\na.wav,x,1\na.wav,y,1\n", "clips.csv:3: the id '1' is also on line 2"),
        ("path,text\nnot.wav,x\n", "clips.csv:2: no such file: .*not.wav, and none of the others exists"),
        (f"{'x' * 300},text\na.wav,x\n", "clips.csv:1: found the columns 'xxx"),
        (b"path,text\na.wav,\xfc\n", "clips.csv:2: not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        table.read(_table(folder, text))


def test_sound_in_a_folder_below_is_found_for_the_message(folder: Path) -> None:
    (folder / "deep" / "sound").mkdir(parents=True)
    write(folder / "deep" / "sound" / "rec 1.wav", np.full(8_000, 0.1, np.float32))
    below = Path("deep") / "sound"
    with pytest.raises(ManifestError, match=re.escape(f"lies in {below}: write {below / 'rec 1.wav'}, or move")):
        table.read(_table(folder, "path,text\nrec 1.wav,x\n"))
    for name in ("n" * 300, "a\0b", ".."):
        with pytest.raises(ManifestError, match="correct them or move the sound files there"):
            table.read(_table(folder, f"path,text\n{name}.wav,x\n"))


def test_a_missing_or_damaged_file_among_others_is_left_to_the_check(folder: Path) -> None:
    (folder / "empty.wav").write_bytes(b"")
    clips = table.read(_table(folder, "path,text\na.wav,x\ngone.wav,y\nempty.wav,z\n"))
    assert [u.duration_s for u in clips] == [1.0, None, None]


@pytest.mark.parametrize(
    ("column", "said"), [("audio_file", "Annotation"), ("wav_filename", "transcript"), ("audio_path", "text")]
)
def test_columns_as_other_tools_name_them(tmp_path: Path, column: str, said: str) -> None:
    write(tmp_path / "a.wav", np.full(8_000, 0.1, np.float32))
    (tmp_path / "t.csv").write_text(f"{column},wav_filesize,{said}\na.wav,16044,good morning\n", "utf-8")
    (clip,) = table.read(tmp_path / "t.csv")
    assert (clip.audio, clip.text) == (tmp_path / "a.wav", "good morning")


@pytest.mark.parametrize(
    ("line", "speaker"), [("a|good morning", None), ('a|No "1|good morning', None), ("a|eva|good morning", "eva")]
)
@pytest.mark.parametrize("folder", ["", "wavs", "wav"])
def test_bars_without_a_header(tmp_path: Path, line: str, speaker: str | None, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    write(tmp_path / folder / "a.wav", np.full(8_000, 0.1, np.float32))
    (tmp_path / "metadata.csv").write_text(f"{line}\n{line}\n", "utf-8")
    clips = table.read(tmp_path / "metadata.csv")
    assert [(u.audio, u.text, u.speaker) for u in clips] == [(tmp_path / folder / "a.wav", "good morning", speaker)] * 2
