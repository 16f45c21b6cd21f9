"""Fish Fillets: a tiny copy of the game's folders, packed and unpacked, into a manifest."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import read
from earful.data.manifest import Manifest, read_manifest
from earful.data.utterance import Utterance
from recipes.corpora import debian
from recipes.corpora.errors import CorpusError
from recipes.corpora.fillets import (
    DUPLICATE,
    NO_CLIP,
    NO_TRANSCRIPT,
    NO_WORDS,
    TWO_TRANSCRIPTS,
    fillets,
    split_levels,
)
from recipes.corpora.recordings import UNREADABLE

GAME = Path("usr/share/games/fillets-ng")
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is Debian's")


def put_sound(path: Path, pitch_hz: float, duration_s: float = 0.3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times_T = np.arange(round(duration_s * 22050)) / 22050
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch_hz * times_T), 22050, format="OGG")


def put_script(path: Path, *dialogs: tuple[str, str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f'dialogId("{id}", "{font}", "English")\ndialogStr("{text}")\n' for id, font, text in dialogs)
    path.write_text("\n".join(lines), "utf-8")


def put_game(folder: Path) -> Path:
    """A game of two levels and the shared jokes, with one clip for every reason to be left out."""
    sound, script = folder / "sound", folder / "script"
    for pitch, name in enumerate(["goed", "nog", "naamloos", "ruis", "strijdig"]):
        put_sound(sound / "cave" / "nl" / f"{name}.ogg", 200 + 50 * pitch)
    shutil.copy(sound / "cave" / "nl" / "goed.ogg", sound / "cave" / "nl" / "zelfde.ogg")
    put_sound(sound / "cave" / "en" / "goed.ogg", 900)
    put_sound(sound / "share" / "sp-bubles_00.ogg", 1000)
    put_sound(sound / "share" / "grapjes" / "nl" / "mop.ogg", 700, 0.5)
    put_sound(sound / "wreck" / "nl" / "leeg.ogg", 800)
    (sound / "wreck" / "nl" / "leeg.ogg").write_bytes(b"")
    put_script(
        script / "cave" / "dialogs_nl.lua",
        ("goed", "font_small", "Eén  goed clipje."),
        ("nog", "font_big", "Nog één."),
        ("ruis", "font_big", "...!"),
        ("strijdig", "font_big", "Zus."),
        ("zelfde", "font_small", "Een goed clipje."),
        ("stil", "font_poster", "Niemand zegt dit."),
        ("leegte", "font_poster", ""),
    )
    put_script(script / "cave" / "dialogs_en.lua", ("goed", "font_small", "One good clip."))
    put_script(script / "cave" / "demo_dialogs_nl.lua", ("strijdig", "font_big", "Zo."))
    put_script(script / "share" / "bore_dialogs_nl.lua", ("mop", "", "Wat een mop!"))
    put_script(script / "wreck" / "dialogs_nl.lua", ("leeg", "font_small", "Leeg."))
    return folder


def put_package(folder: Path, name: str, content: Path) -> Path:
    """Pack a folder as a .deb file."""
    (content / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (content / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: test\n"
    )
    package = folder / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", content, package], check=True, capture_output=True)
    shutil.rmtree(content / "DEBIAN")
    return package


@pytest.fixture
def game(tmp_path: Path) -> Path:
    put_game(tmp_path / "x" / GAME)
    return tmp_path / "x"


def test_the_manifest_holds_the_good_clips_and_stands_alone(game: Path, tmp_path: Path) -> None:
    out = tmp_path / "uit"
    seen: list[tuple[int, int]] = []
    manifest, _ = fillets("nl", out, source=game, progress=lambda *step: seen.append(step))
    shutil.rmtree(game)
    assert read_manifest(out / "manifest.jsonl") == manifest
    assert [u.id for u in manifest] == ["nl/cave/goed", "nl/cave/nog", "nl/share/grapjes/mop"]
    assert [u.text for u in manifest] == ["Eén goed clipje.", "Nog één.", "Wat een mop!"]
    assert [u.speaker for u in manifest] == ["nl-small", "nl-big", None]
    assert [u.extra["level"] for u in manifest] == ["cave", "cave", "share/grapjes"]
    assert manifest[0].audio.relative_to(out).as_posix() == "audio/cave/goed.ogg"
    for utterance in manifest:
        assert utterance.language == "nl"
        assert utterance.duration_s == pytest.approx(len(read(utterance.audio)) / 16_000, abs=1e-3)
    assert seen[-1] == (4, 4)
    assert "audio/cave/goed.ogg" in (out / "manifest.jsonl").read_text("utf-8").splitlines()[0]


def test_what_is_left_out_is_listed_by_reason(game: Path, tmp_path: Path) -> None:
    _, left_out = fillets("nl", tmp_path / "uit", source=game)
    assert left_out == {
        NO_TRANSCRIPT: ("nl/cave/naamloos",),
        NO_WORDS: ("nl/cave/ruis",),
        TWO_TRANSCRIPTS: ("nl/cave/strijdig",),
        DUPLICATE: ("nl/cave/zelfde",),
        NO_CLIP: ("nl/cave/stil",),
        UNREADABLE: ("nl/wreck/leeg",),
    }


@pytest.mark.parametrize("part", [".", "usr", "usr/share/games/fillets-ng"])
def test_the_folder_may_be_named_at_any_depth(game: Path, tmp_path: Path, part: str) -> None:
    manifest, _ = fillets("nl", tmp_path / "uit", source=game / part)
    assert len(manifest) == 3


@needs_dpkg
def test_packages_give_the_same_as_their_content(game: Path, tmp_path: Path) -> None:
    whole, _ = fillets("nl", tmp_path / "los", source=game)
    split = tmp_path / "split"
    for name, kind in (("fillets-ng-data", "script"), ("fillets-ng-data-nl", "sound")):
        (split / name / GAME).mkdir(parents=True)
        shutil.copytree(game / GAME / kind, split / name / GAME / kind)
        put_package(split, name, split / name)
        shutil.rmtree(split / name)
    packed, _ = fillets("nl", tmp_path / "pak", source=split)
    assert [(u.id, u.text, u.speaker, u.duration_s) for u in packed] == [
        (u.id, u.text, u.speaker, u.duration_s) for u in whole
    ]
    cached, _ = fillets("nl", tmp_path / "voorraad", cache=split)  # nothing to download
    assert [u.id for u in cached] == [u.id for u in whole]


@needs_dpkg
def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "fillets-ng-data_1_all.deb").write_bytes(b"not a package")
    with pytest.raises(CorpusError, match=r"fillets-ng-data_1_all.deb: cannot unpack"):
        fillets("nl", tmp_path / "uit", source=tmp_path)
    assert not (tmp_path / "uit").exists()


def test_a_folder_without_the_game_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"found 0 clips and 0 dialogues; name the folder .* fillets-ng-data-nl"):
        fillets("nl", tmp_path / "uit", source=tmp_path)
    with pytest.raises(CorpusError, match="no such folder"):
        fillets("nl", tmp_path / "uit", source=tmp_path / "nergens")
    with pytest.raises(CorpusError, match="must be one of cs, nl"):
        fillets("de", tmp_path / "uit", source=tmp_path)


def test_a_failing_download_says_what_to_do_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    apt = tools / "apt-get"
    apt.write_text("#!/bin/sh\necho half > fillets-ng-data_1_all.deb\necho 'E: no network' >&2\nexit 100\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/bin:/usr/bin")
    with pytest.raises(CorpusError, match=r"could not download .*E: no network.*--from FOLDER"):
        fillets("nl", tmp_path / "uit", cache=tmp_path / "voorraad")
    assert list((tmp_path / "voorraad").iterdir()) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match=r"needs apt-get, which is not here; .*--from FOLDER"):
        fillets("nl", tmp_path / "uit", cache=tmp_path / "voorraad")
    assert not (tmp_path / "uit").exists()


def test_only_missing_packages_are_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def download(names: list[str], folder: Path) -> None:
        asked.append(names)
        for name in names:
            (folder / f"{name}_2_all.deb").write_bytes(b"")

    monkeypatch.setattr(debian, "_run_apt", download)
    (tmp_path / "a_1_all.deb").write_bytes(b"")
    assert [path.name for path in debian.fetch_packages(["a", "b"], tmp_path)] == ["a_1_all.deb", "b_2_all.deb"]
    assert asked == [["b"]]


def test_the_cache_follows_the_xdg_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert debian.default_cache() == tmp_path / "earful"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert debian.default_cache() == Path.home() / ".cache" / "earful"


def test_every_sixth_level_is_for_testing() -> None:
    names = [f"level{letter}" for letter in "mlkjihgfedcba"]  # 13 levels, unsorted
    clips = Manifest(
        tuple(
            Utterance(f"{name}/{n}", Path(f"{name}-{n}.ogg"), extra={"level": name}) for name in names for n in (1, 2)
        )
    )
    train, test = split_levels(clips)
    assert {u.extra["level"] for u in test} == {"levelf", "levell"}
    assert len(train) + len(test) == len(clips) == 26
    assert {u.id for u in train}.isdisjoint(u.id for u in test)
    with pytest.raises(CorpusError, match="'x' has no level"):
        split_levels(Manifest((Utterance("x", Path("x.ogg")),)))
