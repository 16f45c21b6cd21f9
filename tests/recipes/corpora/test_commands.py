"""`python -m recipes.corpora`: manifests of real speech, and of languages that nobody speaks."""

import json
from pathlib import Path

import pytest

from earful.audio.files import write
from earful.data.manifest import read_manifest
from earful.data.synthesis import languages
from earful.errors import SynthesisError


def test_fillets(corpora, write_game, tmp_path: Path) -> None:
    game = write_game(tmp_path / "game", "nl", levels=7, clips=2)
    run = corpora("fillets-ng", "--language", "nl", "--out", tmp_path / "nl", "--from", game)
    assert run.status == 0 and run.out.startswith("14 clips")
    assert "left out 1: transcript without a recording" in run.err
    whole, train, test = (read_manifest(tmp_path / "nl" / f"{n}.jsonl") for n in ("manifest", "train", "test"))
    assert (len(whole), len(train), len(test)) == (14, 12, 2)
    assert {u.extra["level"] for u in test} == {"level5"}
    assert all(u.audio.exists() for u in test)


def test_json(corpora, write_game, tmp_path: Path) -> None:
    game = write_game(tmp_path / "game", "cs", levels=6, clips=1)
    run = corpora("fillets-ng", "--language", "cs", "--out", tmp_path / "cs", "--from", game, "--json")
    row = json.loads(run.out)
    assert row["clips"] == 6 and row["speakers"] == 1 and row["left_out"] == {"transcript without a recording": 1}


def test_phones_of_the_transcripts(corpora, write_game, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    game = write_game(tmp_path / "game", "nl", levels=6, clips=1)
    words = ("fillets-ng", "--language", "nl", "--out", tmp_path / "nl", "--from", game)
    run = corpora(*words, "--pronounce")
    assert run.status == 0 and run.out.startswith("6 clips"), run.err
    for name in ("manifest", "train", "test"):
        lines = [json.loads(line) for line in (tmp_path / "nl" / f"{name}.jsonl").read_text("utf-8").splitlines()]
        assert all(line["text"].startswith("abba") and line["ipa"][:3] == ["ɑ", "b", "aː"] for line in lines), name
    assert corpora(*words).status == 0
    assert "ipa" not in (tmp_path / "nl" / "train.jsonl").read_text("utf-8"), "only where it is asked for"


def test_phones_need_the_synthesiser(corpora, write_game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "loader", missing)
    for cached in (languages.languages, languages._table):
        cached.cache_clear()
    game = write_game(tmp_path / "game", "nl", levels=6, clips=1)
    words = ("fillets-ng", "--language", "nl", "--out", tmp_path / "nl", "--from", game)
    run = corpora(*words, "--pronounce")
    assert run.status == 2 and "is not here" in run.err and not (tmp_path / "nl").exists()
    assert corpora(*words).status == 0, "without phones, nothing is missing"


def missing() -> None:
    raise SynthesisError("the package is not here")


def test_fillets_of_another_language(corpora, tmp_path: Path) -> None:
    run = corpora("fillets-ng", "--language", "de", "--out", tmp_path / "x", "--from", tmp_path)
    assert run.status == 2 and "must be one of cs, nl" in run.err and not (tmp_path / "x").exists()


def test_klettres(corpora, tones, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    for number, (code, names) in enumerate({"it": "BZA", "cs": "ŘBE", "nds": "AAL"}.items()):
        lines = [f'<sound name="{names[0]}" file="{code}/a.wav"/>', f'<sound name="{names[1:]}" file="{code}/b.wav"/>']
        (tmp_path / "in" / code).mkdir(parents=True)
        for name in "ab":
            write(tmp_path / "in" / code / f"{name}.wav", tones(name * 3, 1 + number / 9))
        body = f"<alphabet>{lines[0]}</alphabet><syllables>{lines[1]}</syllables>"
        (tmp_path / "in" / code / "sounds.xml").write_text(f'<k><language code="{code}">{body}</language></k>', "utf-8")
    (tmp_path / "in" / "other.ogg").write_bytes(b"what tells an unpacked package")
    words = ("klettres", "--not-language", "cs", "--from", tmp_path / "in", "--out")
    run = corpora(*words, tmp_path / "told", "--pronounce")
    assert run.status == 0 and run.out.startswith("4 clips") and "2 speakers" in run.out, run.err
    lines = [json.loads(line) for line in (tmp_path / "told" / "manifest.jsonl").read_text("utf-8").splitlines()]
    assert [(line.get("text"), line.get("ipa")) for line in lines] == [
        (None, ["b", "i"]),
        ("za", ["dz", "a"]),
        (None, None),  # Low Saxon: unknown to espeak-ng
        ("al", None),
    ]
    row = json.loads(corpora(*words, tmp_path / "plain", "--language", "it", "--json").out)
    assert row["clips"] == 2 and "ipa" not in (tmp_path / "plain" / "manifest.jsonl").read_text("utf-8")
    run = corpora(*words, tmp_path / "x", "--language", "sk")
    assert run.status == 2 and "no sounds in sk; there are some in cs, it, nds" in run.err


def test_ktuberling(corpora, tones, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    pytest.importorskip("wordfreq")
    (tmp_path / "in" / "da").mkdir(parents=True)
    for pitch, name in enumerate(("oeje", "naese", "zzqx"), start=1):
        write(tmp_path / "in" / "da" / f"{name}.wav", tones("ab", pitch))
    (tmp_path / "in" / "mark.ogg").write_bytes(b"what tells an unpacked package")
    lines = [f'<sound name="{n}" file="da/{f}.wav"/>' for n, f in {"eye": "oeje", "nose": "naese", "x": "zzqx"}.items()]
    (tmp_path / "in" / "da.soundtheme").write_text(f'<language code="da">{"".join(lines)}</language>')
    run = corpora("ktuberling", "--pronounce", "--from", tmp_path / "in", "--out", tmp_path / "da")
    assert run.status == 0 and run.out.startswith("3 clips"), run.err
    told = read_manifest(tmp_path / "da" / "manifest.jsonl")
    assert [(u.text, "ipa" in u.extra) for u in told] == [("øje", True), ("næse", True), (None, False)]


def test_phones_in_languages_need_the_synthesiser(corpora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "loader", missing)
    languages.languages.cache_clear()
    run = corpora("klettres", "--pronounce", "--from", tmp_path, "--out", tmp_path / "x")
    assert run.status == 2 and "is not here" in run.err and not (tmp_path / "x").exists()


def test_prompts(corpora, tones, tmp_path: Path) -> None:
    pytest.importorskip("G722")
    for voice, names in {"it_IT_f_Menardi": ("hello", "beep"), "fr_CA_f_June": ("hello",)}.items():
        (tmp_path / voice).mkdir()
        for name in names:
            write(tmp_path / voice / f"{name}.wav", tones("abba cab"))
    words = ("prompts", "--from", tmp_path, "--out")
    run = corpora(*words, tmp_path / "both")
    assert run.status == 0 and run.out.startswith("2 clips"), run.err
    assert "left out 1: tones or noises instead of speech, such as prompts/it-menardi/beep" in run.err
    assert {u.language for u in read_manifest(tmp_path / "both" / "manifest.jsonl")} == {"it", "fr"}
    row = json.loads(corpora(*words, tmp_path / "it", "--language", "it", "--json").out)
    assert row["clips"] == 1 and row["left_out"] == {"tones or noises instead of speech": 1}
    run = corpora(*words, tmp_path / "x", "--language", "de")
    assert run.status == 2 and "languages are de, must be of it, fr" in run.err and not (tmp_path / "x").exists()


def test_invent(corpora, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    words = ("invent", "--count", "2", "--clips", "3", "--not-host", "nl", "--out", tmp_path / "x")
    run = corpora(*words)
    assert run.status == 0 and run.out.startswith("3 clips"), run.err
    manifest = read_manifest(tmp_path / "x" / "manifest.jsonl")
    assert {u.language for u in manifest} == {"x-inv-0-0000", "x-inv-0-0001"} and manifest[0].extra["phones"]
    row = json.loads(corpora(*words, "--json").out)
    assert row["clips"] == 3 and row["left_out"] == {}, "run again, it keeps what is there"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--count", "0", "--clips", "1"), "greater than or equal to 1"),
        (("--count", "1"), "give hours or clips"),
        (("--count", "1", "--clips", "1", "--hours", "1"), "both hours and clips given"),
    ],
)
def test_what_cannot_be_invented(corpora, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    run = corpora("invent", *words, "--out", tmp_path / "x")
    assert run.status == 2 and message in run.err and run.err.count("\n") == 1
    assert not (tmp_path / "x").exists()
