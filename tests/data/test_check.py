from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from earful.audio.files import write
from earful.data.check import Inspection, inspect, usable
from earful.data.check_text import frames_needed, script
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.text.normalize import TextRules

WORDS = "de kat zit op het dak en kijkt naar de maan boven het oude huis van oma".split()  # noqa: SIM905


def _noise(seconds: float, seed: int, gain: float = 0.1) -> np.ndarray:
    return (gain * np.random.default_rng(seed).standard_normal(int(16_000 * seconds))).astype(np.float32)


def _clip(folder: Path, name: str, seconds: float = 1.0, text: str | None = "hallo", **known: object) -> Utterance:
    path = folder / f"{name}.wav"
    if not path.exists():
        write(path, _noise(seconds, seed=sum(map(ord, name)) * 31 + len(name)))
    return Utterance(name, path, text=text, **known)  # type: ignore[arg-type]


def _good(folder: Path, count: int = 20) -> list[Utterance]:
    """Clips of two to five seconds, of about eight characters a second."""
    clips = []
    for i in range(count):
        text = " ".join(WORDS[(i + j) % len(WORDS)] for j in range(4 + (i * 7) % 6))
        clips.append(_clip(folder, f"good{i:02}", len(text) / 8, text, language="nl", speaker=f"s{i % 2}"))
    return clips


def _kinds(inspection: Inspection, id: str | None = None) -> set[str]:
    return {f.kind for f in inspection.findings if f.utterance_id == id}


def test_good_data_has_no_errors_and_a_summary(tmp_path: Path) -> None:
    manifest = Manifest(tuple(_good(tmp_path)))
    calls: list[int] = []
    inspection = inspect(manifest, progress=calls.append)
    assert [f for f in inspection.findings if f.severity != "note"] == [
        f for f in inspection.findings if f.kind == "too little data"
    ]
    assert (inspection.clips, inspection.usable_clips, sum(calls)) == (20, 20, 20)
    assert inspection.speakers == ("s0", "s1")
    assert inspection.languages == ("nl",)
    assert inspection.characters == sum(len(u.text or "") for u in manifest) == sum(inspection.alphabet.values())
    assert inspection.characters_per_s == pytest.approx(8.0, rel=1e-3)
    assert inspection.hours == pytest.approx(inspection.characters / 8 / 3600, rel=1e-3)
    assert usable(manifest, inspection.findings) == manifest


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    good = _clip(tmp_path, "good")
    content = good.audio.read_bytes()
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not sound " * 50)
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2])
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan] * 800, np.float32), 16_000, subtype="FLOAT")
    names = ["missing", "empty", "text", "cut", "nan"]
    clips = [Utterance(name, tmp_path / f"{name}.wav", text="x") for name in names]
    outside = Utterance("outside", good.audio, 0.5, 3.0, "x")
    manifest = Manifest((good, *clips, outside))
    inspection = inspect(manifest)
    found = {f.utterance_id: f for f in inspection.findings if f.severity == "error"}
    assert set(found) == {*names, "outside"}
    assert found["missing"].kind == "missing file"
    assert {found[id].kind for id in found if id != "missing"} == {"unreadable sound"}
    for finding in found.values():
        assert finding.message and finding.remedy and finding.where.endswith(".wav")
        assert finding.where not in finding.message
    assert "ends at 1.00 s" in found["outside"].message
    assert usable(manifest, inspection.findings) == Manifest((good,))
    assert inspection.usable_clips == 1


def test_silence_clipping_and_lengths(tmp_path: Path) -> None:
    write(tmp_path / "zero.wav", np.zeros(16_000, np.float32))
    write(tmp_path / "quiet.wav", _noise(1, 1, 1e-4))
    write(tmp_path / "loud.wav", _noise(1, 2, 3.0))
    write(tmp_path / "tiny.wav", _noise(0.03, 3))
    write(tmp_path / "short.wav", _noise(0.08, 4))
    write(tmp_path / "long.wav", _noise(31, 5))
    names = ("zero", "quiet", "loud", "tiny", "short", "long")
    manifest = Manifest(tuple(Utterance(name, tmp_path / f"{name}.wav", text="a") for name in names))
    inspection = inspect(manifest)
    for name, kind in zip(names, ("silence", "silence", "clipping", "too short", "too short", "too long"), strict=True):
        assert _kinds(inspection, name) == {kind}, name
    assert {u.id for u in usable(manifest, inspection.findings)} == {"loud", "short", "long"}
    unheard = inspect(manifest, decode=False)
    assert not _kinds(unheard, "zero") | _kinds(unheard, "loud")
    assert _kinds(unheard, "tiny") == {"too short"}


def test_a_part_of_a_file_is_what_is_heard(tmp_path: Path) -> None:
    write(tmp_path / "half.wav", np.concatenate([np.zeros(16_000, np.float32), _noise(1, 1)]))
    clips = (
        Utterance("silent", tmp_path / "half.wav", 0.0, 1.0, "hallo"),
        Utterance("loud", tmp_path / "half.wav", 1.0, 1.0, "hallo daar"),
    )
    inspection = inspect(Manifest(clips))
    assert _kinds(inspection, "silent") == {"silence"}
    assert _kinds(inspection, "loud") == set()


def test_equal_sound(tmp_path: Path) -> None:
    first = _clip(tmp_path, "a", text="hallo")
    for name in ("b", "c"):
        (tmp_path / f"{name}.wav").write_bytes(first.audio.read_bytes())
    inspection = inspect(Manifest((first, _clip(tmp_path, "b", text="Hallo!"), _clip(tmp_path, "c", text="dag"))))
    assert _kinds(inspection, "a") == set()
    assert _kinds(inspection, "b") == {"equal sound"}
    assert _kinds(inspection, "c") == {"equal sound, other text"}


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_narrow_band(tmp_path: Path, rate_hz: int) -> None:
    import soxr

    noise = soxr.resample(_noise(1, 1), 16_000, 8_000)
    sound = noise if rate_hz == 8_000 else soxr.resample(noise, 8_000, 16_000, quality="VHQ")
    soundfile.write(tmp_path / "a.wav", sound, rate_hz)
    inspection = inspect(Manifest((_clip(tmp_path, "a"), _clip(tmp_path, "wide"))))
    (finding,) = [f for f in inspection.findings if f.kind == "narrow band"]
    assert finding.where == "a"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, "no transcript"),
        (" \n", "no transcript"),
        ("?! 🎉", "empty transcript"),
        ("a" * 13, "transcript too long"),  # 13 labels and 12 blanks are 25 frames; 24 there are in 0.96 s
        ("abcdefghijklmnopqrstuvwxy", "transcript too long"),
    ],
)
def test_transcripts_that_cannot_be_learned(tmp_path: Path, text: str | None, kind: str) -> None:
    manifest = Manifest((_clip(tmp_path, "a", 0.96, text),))
    inspection = inspect(manifest)
    assert _kinds(inspection, "a") == {kind}
    assert len(usable(manifest, inspection.findings)) == 0


def test_the_longest_transcript_that_fits(tmp_path: Path) -> None:
    manifest = Manifest((_clip(tmp_path, "a", 1.0, "a" * 13),))
    assert not inspect(manifest).count("error")
    assert inspect(manifest, frame_s=0.041).count("error") == 0  # 24.4 frames are 25
    assert inspect(manifest, frame_s=0.042).count("error") == 1


@given(st.text("ab", max_size=20))
def test_frames_needed_is_between_once_and_twice_the_labels(text: str) -> None:
    assert len(text) <= frames_needed(text) <= max(0, 2 * len(text) - 1)
    assert frames_needed(text) == len(text) or "aa" in text or "bb" in text


def test_one_wrong_transcript_stands_out(tmp_path: Path) -> None:
    clips = _good(tmp_path)
    clips[5] = Utterance("good05", clips[5].audio, text="de", language="nl")
    inspection = inspect(Manifest(tuple(clips)))
    assert {f.utterance_id for f in inspection.findings if f.kind == "speaking rate"} == {"good05"}
    assert "shifted" not in _kinds(inspection)


def test_pauses_around_short_words_are_not_suspicious(tmp_path: Path) -> None:
    texts = [" ".join(WORDS[i : i + 1 + i % 7]) for i in range(14)]
    clips = [_clip(tmp_path, f"c{i:02}", 1.4 + len(text) / 16, text) for i, text in enumerate(texts)]
    assert "speaking rate" not in {f.kind for f in inspect(Manifest(tuple(clips))).findings}


def test_a_list_that_slipped_by_one(tmp_path: Path) -> None:
    clips = _good(tmp_path)
    texts = [clips[-1].text, *(u.text for u in clips[:-1])]
    slipped = [Utterance(u.id, u.audio, text=text) for u, text in zip(clips, texts, strict=True)]
    (finding,) = [f for f in inspect(Manifest(tuple(slipped))).findings if f.kind == "shifted"]
    assert "before them" in finding.message


def test_letters(tmp_path: Path) -> None:
    clips = _good(tmp_path)
    clips += [
        _clip(tmp_path, "mixed", 1.0, "m\u0430an", language="nl"),
        _clip(tmp_path, "once", 1.0, "quiz", language="nl"),
        _clip(tmp_path, "digits", 1.0, "om 3 uur", language="nl"),
    ]
    inspection = inspect(Manifest(tuple(clips)))
    by_kind = {f.kind: f for f in inspection.findings}
    assert by_kind["mixed scripts"].utterance_id == "mixed"
    assert "cyrillic small letter a" in by_kind["mixed scripts"].message
    assert by_kind["foreign letters"].where == "mixed"
    assert by_kind["digits"].where == "digits"
    assert {"mixed", "once", "digits"} == set(by_kind["seen once"].where.split(", "))
    assert "3, q" in by_kind["seen once"].message


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["mba'e", "so\u02bco", "ne'e"], "' (apostrophe) 2, ʼ (modifier letter apostrophe) 1"),
        (["mba'e", "so\u2019o", "ne'e"], None),  # normalised to one
        (["mba\u02bce", "so\u02bco"], None),
    ],
)
def test_one_letter_that_was_typed_in_two_ways(tmp_path: Path, texts: list[str], said: str | None) -> None:
    clips = [_clip(tmp_path, f"c{n}", 1.0, text, language="gn") for n, text in enumerate(texts)]
    found = [each for each in inspect(Manifest(tuple(clips))).findings if each.kind == "look alike"]
    assert [(each.where, each.message.split(": ")[1]) for each in found] == ([("c1", said)] if said else [])


def test_a_language_in_two_scripts_is_named_with_their_shares(tmp_path: Path) -> None:
    texts = ["dobar dan svima", "добар дан свима", "hvala lepo", "хвала лепо"]
    clips = [_clip(tmp_path, f"c{n}", 2.0, text, language="sr") for n, text in enumerate(texts)]
    (found,) = [each for each in inspect(Manifest(tuple(clips))).findings if each.kind == "several scripts"]
    assert found.message == "letters of 2 scripts in 'sr': Latin 50%, Cyrillic 50%"
    assert found.where == "c1, c3" and found.severity == "warning"


def test_languages_may_have_different_scripts(tmp_path: Path) -> None:
    clips = [
        _clip(tmp_path, "nl", 2.0, "een huis", language="nl"),
        _clip(tmp_path, "ru", 2.0, "дом и сад", language="ru"),
        _clip(tmp_path, "ja", 2.0, "東京のカラオケ", language="ja"),
    ]
    inspection = inspect(Manifest(tuple(clips)))
    assert not {"foreign letters", "mixed scripts", "several scripts"} & {f.kind for f in inspection.findings}
    assert [script(letter) for letter in "aдのケ東한ʼ3 "] == [
        "LATIN",
        "CYRILLIC",
        "CJK",
        "CJK",
        "CJK",
        "CJK",
        *[None] * 3,
    ]


def test_the_rules_of_the_model_are_used(tmp_path: Path) -> None:
    inspection = inspect(Manifest((_clip(tmp_path, "a", text="Ja, ja!"),)), TextRules(case="keep", punctuation="keep"))
    assert dict(inspection.alphabet) == {"a": 2, "J": 1, ",": 1, " ": 1, "j": 1, "!": 1}


def test_nothing_at_all() -> None:
    inspection = inspect(Manifest())
    assert (inspection.clips, inspection.characters_per_s, inspection.count("error")) == (0, None, 0)


def test_channels_and_levels(tmp_path: Path) -> None:
    """Each kind of them is named, and heard."""
    loud = _noise(2.0, 1) * np.repeat(np.tile([1.0, 0.001], 8), 2_000)
    apart = np.repeat([1.0, 0.0], 16_000)
    made = {
        "phase": np.stack([loud, -loud], 1),
        "dead": np.stack([loud, 0 * loud], 1),
        "interview": np.stack([loud * apart, loud * apart[::-1]], 1),
        "fine": np.stack([loud, loud], 1),
        "integers": loud * 32_768,
        "quiet": loud * 0.005,
        "offset": loud + 0.1,
    }
    expected = {
        "phase": ("channels", "its channels cancel"),
        "dead": ("channels", "channel 2 is silent"),
        "interview": ("channels", "the channels hold different speech"),
        "integers": ("channels", "are taken for integers"),
        "quiet": ("quiet", "is very quiet (peak -5"),
        "offset": ("offset", "its samples lie around 0.10"),
    }
    for name, samples in made.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000, "FLOAT")
    clips = [Utterance(name, tmp_path / f"{name}.wav", text="hallo") for name in made]
    inspection = inspect(Manifest(tuple(clips)))
    found = {
        f.utterance_id: (f.kind, f.message) for f in inspection.findings if f.utterance_id and f.kind != "equal sound"
    }
    assert found.keys() == expected.keys()
    assert all((found[name][0] == kind and found[name][1].startswith(said)) or said in found[name][1]
               for name, (kind, said) in expected.items())  # fmt: skip
    assert inspection.usable_clips == len(made)
    named = Utterance("named", tmp_path / "dead.wav", text="hallo", extra={"channel": "right"})
    assert "silence" in _kinds(inspect(Manifest((named,))), "named")


def test_a_channel_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "one", extra={"channel": 2})
    (found,) = [f for f in inspect(Manifest((clip,))).findings if f.severity == "error"]
    assert (found.kind, found.message) == ("unreadable sound", "has 1 channel, not a channel 2")


def test_one_recording_in_two_formats(tmp_path: Path) -> None:
    first, second = _clip(tmp_path, "a"), _clip(tmp_path, "b", text="dag")
    write(tmp_path / "a.flac", _noise(1.0, 9))
    copy = Utterance("a#2", tmp_path / "a.flac", 0.0, None, "hallo")
    part = Utterance("a-part", first.audio, 0.0, 0.5, "hal")
    inspection = inspect(Manifest((first, second, copy, part)))
    assert "equal name" in _kinds(inspection, "a#2")
    assert not any("equal name" in _kinds(inspection, id) for id in ("a", "b", "a-part"))
