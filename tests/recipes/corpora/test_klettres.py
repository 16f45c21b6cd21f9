"""KLettres: letters have a name and no text, syllables are what is written; phones where they can be believed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from recipes.corpora.errors import CorpusError
from recipes.corpora.klettres import klettres, with_names
from recipes.corpora.recordings import TWO_TRANSCRIPTS

LISTS = {
    "it": ({"B": "alpha/b", "C": "alpha/c"}, {"ZA": "syllab/za", "GNA": "syllab/gna", "CI": "alpha/c"}),
    "pt_BR": ({}, {"ÇA\u0303": "syllab/ca"}),
    "ru": ({}, {"КO": "syllab/ko", "КА": "syllab/ka"}),  # the O is Latin, as in the package
    "ml": ({}, {"ക:": "syllab/kah"}),
    "cs": ({"Ř": "alpha/r"}, {}),
}


@pytest.fixture
def package(put_sound: Callable[[Path, float], None], tmp_path: Path) -> Path:
    root = tmp_path / "x" / "usr" / "share" / "klettres"
    for code, kinds in LISTS.items():
        body = ""
        for tag, files in zip(("alphabet", "syllables"), kinds, strict=True):
            lines = [f'<sound name="{name}" file="{code}/{file}.ogg"/>' for name, file in files.items()]
            body += f"<{tag}>{''.join(lines)}</{tag}>"
            for file in files.values():
                put_sound(root / code / f"{file}.ogg", 200 + 30 * len(list(root.rglob("*.ogg"))))
        (root / code / "sounds.xml").write_text(
            f'<klettres><language code="{code}"><menuitem/>{body}</language></klettres>', "utf-8"
        )
    return tmp_path / "x"


def test_letters_have_no_text_and_syllables_have(package: Path, tmp_path: Path) -> None:
    manifest, left_out = klettres(tmp_path / "out", not_languages=["cs"], source=package)
    told = {u.id: (u.language, u.text, dict(u.extra)) for u in manifest}
    assert told == {
        "klettres/it/b": ("it", None, {"kind": "letter", "letter": "b"}),
        "klettres/it/za": ("it", "za", {"kind": "syllable"}),
        "klettres/it/gna": ("it", "gna", {"kind": "syllable"}),
        "klettres/ml/kah": ("ml", "കഃ", {"kind": "syllable"}),
        "klettres/pt-br/ca": ("pt-br", "çã", {"kind": "syllable"}),
        "klettres/ru/ko": ("ru", None, {"kind": "syllable"}),
        "klettres/ru/ka": ("ru", "ка", {"kind": "syllable"}),
    }
    assert left_out == {TWO_TRANSCRIPTS: ("klettres/it/c", "klettres/it/c#2")}
    assert {u.speaker for u in manifest} == {"klettres-it", "klettres-ml", "klettres-pt-br", "klettres-ru"}


def test_languages_may_be_named(package: Path, tmp_path: Path) -> None:
    manifest, _ = klettres(tmp_path / "out", languages=["cs", "pt-br"], source=package / "usr" / "share" / "klettres")
    assert [u.id for u in manifest] == ["klettres/cs/r", "klettres/pt-br/ca"]
    with pytest.raises(CorpusError, match="no sounds in sk; there are some in cs, it, ml, pt-br, ru"):
        klettres(tmp_path / "none", languages=["sk"], source=package)
    assert not (tmp_path / "none").exists()
    with pytest.raises(CorpusError, match="no such folder; name the one that holds klettres-data"):
        klettres(tmp_path / "none", source=tmp_path / "nowhere")


def clip(language: str, text: str | None, letter: str | None = None) -> Utterance:
    name = f"{language}/{text or letter}"
    return Utterance(name, Path(name), text=text, language=language, extra={"letter": letter} if letter else {})


def test_phones_of_names_and_syllables() -> None:
    pytest.importorskip("espeakng_loader")
    rows = (clip("it", None, "b"), clip("it", "gna"), clip("hu", None, "dzs"), clip("en", "me"), clip("he", "לא"))
    rows += (clip("lt", None, "b"), clip("nl", "oog"))
    without = (
        clip("en", "ch"),  # would be spelled
        clip("uk", None, "з"),  # has no name in espeak-ng
        clip("he", "סל"),  # espeak-ng says nothing that is not written
        clip("nds", "oog"),  # is not among its languages
        clip("it", None),
        clip("nl", None, "d"),  # said /də/ in the package, not /deː/
        clip("lt", None, "i"),
    )
    told = with_names(Manifest(rows + without))
    assert ["".join(u.extra.get("ipa", ())) for u in told] == [
        *("bi", "ɲa", "dʒeː", "miː", "lo", "bʲee", "oːx"),
        *[""] * len(without),
    ]
    assert tuple(told)[len(rows) :] == without and all(u.text == row.text for u, row in zip(told, rows, strict=False))
