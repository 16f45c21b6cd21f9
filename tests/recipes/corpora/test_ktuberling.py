"""KTuberling: what the names of files say of the words, in the language or in English."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from recipes.corpora.errors import CorpusError
from recipes.corpora.kde import Sound
from recipes.corpora.ktuberling import ktuberling, labels, with_phones
from recipes.corpora.recordings import DUPLICATE

pytest.importorskip("wordfreq")

THEMES = {
    "sv": {"eye": "oga.wav", "nose": "nasa.wav", "hat": "hatt.wav", "spectacles": "glasogon.wav", "xx": "qqqq.wav"},
    "de": {"eye": "eye.ogg", "bow": "bow.ogg", "ball": "ball.ogg", "shoe": "Arm.ogg"},
    "sr": {"eye": "oko.ogg", "sunglasses": "naocare_za_sunce.ogg"},
    "sr@latin": {"eye": "oko.ogg", "sunglasses": "naocare_za_sunce.ogg"},
    "es": {"bow": "lazo.wav", "tie": "lazo.wav"},
    "cs": {"eye": "oko.wav"},
}


@pytest.fixture
def package(put_sound: Callable[[Path, float], None], tmp_path: Path) -> Path:
    root = tmp_path / "x" / "usr" / "share" / "ktuberling" / "sounds"
    for place, (code, files) in enumerate(THEMES.items()):
        for name in files.values():
            put_sound(root / code / name, 200 + 40 * place + len(name) + 7 * ord(name[0]) % 90)
        lines = [f'<sound name="{name}" file="{code}/{file}" />' for name, file in files.items()]
        (root / f"{code}.soundtheme").write_text(f'<language code="{code}">{"".join(lines)}</language>', "utf-8")
    for name in THEMES["sr"].values():
        (root / "sr@latin" / name).write_bytes((root / "sr" / name).read_bytes())
    return tmp_path / "x"


def test_words_of_the_language_are_spelled_and_english_names_are_not(package: Path, tmp_path: Path) -> None:
    manifest, left_out = ktuberling(tmp_path / "out", not_languages=["cs"], source=package)
    assert {u.id.removeprefix("ktuberling/"): u.text for u in manifest} == {
        "de/eye": None,
        "de/bow": None,
        "de/ball": None,
        "de/Arm": None,
        "es/lazo": "lazo",
        "sr/oko": "oko",
        "sr/naocare_za_sunce": "naočare za sunce",
        "sv/oga": "öga",
        "sv/nasa": "näsa",
        "sv/hatt": "hatt",
        "sv/glasogon": "glasögon",
        "sv/qqqq": None,
    }
    assert left_out == {DUPLICATE: ("ktuberling/sr/oko#2", "ktuberling/sr/naocare_za_sunce#2")}
    assert {u.speaker for u in manifest if u.language == "sr"} == {"ktuberling-sr"}
    assert dict(manifest[-1].extra) == {"kind": "word", "concept": "xx"}
    with pytest.raises(CorpusError, match="no sounds in fi"):
        ktuberling(tmp_path / "none", languages=["fi"], source=package)


def test_phones_of_the_words(package: Path, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    manifest, _ = ktuberling(tmp_path / "out", languages=["sv", "de"], source=package)
    told = {u.id: "".join(u.extra.get("ipa", ())) for u in with_phones(manifest)}
    assert told["ktuberling/sv/oga"] == "øːɡa" and told["ktuberling/sv/hatt"] == "hat"
    assert told["ktuberling/sv/qqqq"] == told["ktuberling/de/ball"] == ""


def said(language: str, names: Mapping[str, str]) -> list[str | None]:
    sounds = [Sound(language, "language", name, f"{language}/{stem}.ogg", Path()) for name, stem in names.items()]
    found = labels(sounds)
    return [found[sound] for sound in sounds]


def test_a_scene_that_nobody_translated_is_not_believed() -> None:
    egypt = {
        "egypt_road": "egypt_vej",
        "egypt_man": "egypt_mand",
        "egypt_girl": "egypt_pige",
        "egypt_oasis": "egypt_oase",
    }
    train = {"tv_car": "tv_bil", "tv_man": "tv_man", "tv_ball": "tv_ball", "tv_fire": "tv_fire"}
    moon = {
        "moon_hotel": "moon_hotel",
        "moon_rocket": "moon_raket",
        "moon_star": "moon_stjerne",
        "moon_sign": "moon_skilt",
    }
    tux = {name: name for name in ("tux-fish", "prince-tux", "tux-key", "tux-bow")}
    potato = {"hair": "haar", "nose": "naese"}
    found = said("da", egypt | train | moon | tux | potato)
    assert found[:4] == ["vej", "mand", "pige", "oase"]
    assert found[4:8] == [None] * 4 == found[12:16]
    assert found[8:12] == ["hotel", "raket", "stjerne", "skilt"]  # hotel is Danish here: the others are
    assert found[16:] == ["hår", "næse"]


def test_english_names_are_english_words() -> None:
    scene = {f"egypt_{word}": f"egypt_{word}" for word in ("palmtree", "sphynx", "girl", "camel")}
    assert said("en", scene) == ["palm tree", "sphinx", "girl", "camel"]
