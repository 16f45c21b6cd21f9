"""Synthetic corpora: the same for any number of workers, resumable, and going on when espeak-ng dies."""

import json
from functools import partial
from pathlib import Path

import pytest

from earful.audio.files import read
from earful.data.manifest import read_manifest
from earful.data.synthesis import speak as room
from earful.data.synthesis.speak import CRASHED, EXCLUDED, speak_corpus
from earful.data.synthesis.worker import FOREIGN
from earful.data.synthesis.workers import COMMAND, Workers
from earful.errors import SynthesisError

# The real worker, but one word breaks espeak-ng.
FRAGILE = COMMAND[3].replace(
    "main()",
    """
import ctypes
import earful.data.synthesis.worker as worker
speak = worker.speak
worker.speak = lambda text, *rest: ctypes.string_at(0) if "бабах" in text else speak(text, *rest)
worker.main()
""".strip(),
)


def sounds(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.flac"))}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("spoken") / "twee"
    speak_corpus(["nl", "de"], out, clips=5, seed=3, workers=2)
    return out


def test_a_corpus_is_clips_and_a_manifest(spoken: Path) -> None:
    manifest = read_manifest(spoken / "manifest.jsonl")
    assert [u.language for u in manifest] == ["nl"] * 3 + ["de"] * 2
    for utterance in manifest:
        samples_T = read(utterance.audio)
        assert utterance.duration_s == pytest.approx(len(samples_T) / 16_000)
        starts = [start_s for _, start_s in utterance.extra["phones"]]
        assert starts == sorted(starts)
        assert 0 <= starts[0] < starts[-1] < utterance.duration_s
        assert utterance.speaker and utterance.speaker.startswith(f"{utterance.language}+")
        assert utterance.text and 3 <= len(utterance.text.split()) <= 12
    assert len(sounds(spoken)) == 5  # nothing that was begun beyond the goal is left


def test_the_number_of_workers_changes_nothing(spoken: Path, tmp_path: Path) -> None:
    speak_corpus(["nl", "de"], tmp_path, clips=5, seed=3, workers=1)
    assert sounds(tmp_path) == sounds(spoken)
    assert (tmp_path / "manifest.jsonl").read_bytes() == (spoken / "manifest.jsonl").read_bytes()


def test_another_seed_says_other_things(spoken: Path, tmp_path: Path) -> None:
    manifest, _ = speak_corpus(["nl"], tmp_path, clips=2, seed=4, workers=1)
    assert {u.text for u in manifest}.isdisjoint(u.text for u in read_manifest(spoken / "manifest.jsonl"))


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    def stop(done: float, total: float) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        speak_corpus(["nl"], tmp_path, clips=4, workers=1, progress=stop)
    assert not (tmp_path / "manifest.jsonl").exists()
    journal = tmp_path / "journal.jsonl"
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"id": "nl-0000')  # the power went off
    first = tmp_path / "nl" / "nl-000000.flac"
    stamp = first.stat().st_mtime_ns
    manifest, _ = speak_corpus(["nl"], tmp_path, clips=4, workers=1)
    assert len(manifest) == 4
    assert first.stat().st_mtime_ns == stamp
    assert all(json.loads(line) for line in journal.read_text("utf-8").splitlines())
    first.unlink()
    more, _ = speak_corpus(["nl"], tmp_path, clips=5, workers=1)
    assert len(more) == 5
    assert more[:4] == manifest
    assert first.exists()


def test_a_folder_of_other_settings_is_refused(spoken: Path) -> None:
    with pytest.raises(SynthesisError, match="other settings; choose another folder"):
        speak_corpus(["nl"], spoken, clips=5, seed=4, workers=1)


def test_hours_are_reached_and_reported(tmp_path: Path) -> None:
    reports: list[tuple[float, float]] = []
    manifest, _ = speak_corpus(["it"], tmp_path, hours=0.003, workers=1, progress=lambda *r: reports.append(r))
    assert manifest.duration_s >= 0.003 * 3600 > manifest.duration_s - (manifest[-1].duration_s or 0)
    assert reports[-1] == (pytest.approx(10.8), pytest.approx(10.8))


def test_a_given_text_is_said_once_whatever_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fragile = partial(Workers, command=(*COMMAND[:3], FRAGILE, COMMAND[4]))
    monkeypatch.setattr(room, "Workers", fragile)
    text = tmp_path / "zinnen.txt"
    text.write_text("Доброе утро. Слышен бабах!\nДом website дом.\nНе это. До встречи.", "utf-8")
    manifest, left_out = speak_corpus(["ru"], tmp_path / "uit", text=text, exclude=["Не это."], workers=1)
    assert [u.text for u in manifest] == ["Доброе утро.", "До встречи."]
    assert left_out == {CRASHED: ("ru-000001",), FOREIGN: ("ru-000002",), EXCLUDED: ("ru-000003",)}
    assert {path.name for path in (tmp_path / "uit").rglob("*.flac")} == {"ru-000000.flac", "ru-000004.flac"}


def test_a_text_starts_again_in_other_voices(tmp_path: Path) -> None:
    text = tmp_path / "zin.txt"
    text.write_text("Goedemorgen.", "utf-8")
    manifest, _ = speak_corpus(["nl"], tmp_path / "uit", text=text, clips=3, workers=1)
    assert [u.text for u in manifest] == ["Goedemorgen."] * 3
    assert len({u.audio.read_bytes() for u in manifest}) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"languages": []}, "no language given"),
        ({"languages": ["nl"]}, "how much to speak is missing"),
        ({"languages": ["nl"], "clips": 1, "hours": 1.0}, "both hours and clips"),
        ({"languages": ["nl"], "hours": 0.0}, "hours is 0.0, must be > 0"),
        ({"languages": ["nl"], "clips": 1, "invented": 1.5}, "invented is 1.5"),
        ({"languages": ["nl"], "clips": 1, "suffix": ".mp3"}, "suffix is '.mp3'"),
        ({"languages": ["qq"], "clips": 1}, "no language 'qq'"),
        ({"languages": ["cy"], "clips": 1}, "no word list for 'cy'.*--text FILE"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        speak_corpus(out=tmp_path / "uit", workers=1, **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "uit").exists()


def test_a_language_that_cannot_be_said_is_an_error(tmp_path: Path) -> None:
    text = tmp_path / "zin.txt"
    text.write_text("漢字", "utf-8")
    with pytest.raises(SynthesisError, match="none of the 1 sentences could be said in ja"):
        speak_corpus(["ja"], tmp_path / "uit", text=text, workers=1)
    assert not (tmp_path / "uit" / "manifest.jsonl").exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "uit").write_text("a file")
    with pytest.raises(SynthesisError, match="cannot write"):
        speak_corpus(["nl"], tmp_path / "uit", clips=1, workers=1)


def test_a_language_is_named_by_its_code(tmp_path: Path) -> None:
    manifest, _ = speak_corpus(["Icelandic", "isl"], tmp_path, clips=1, workers=1)
    assert [u.language for u in manifest] == ["is"] and manifest[0].audio.parent.name == "is"
