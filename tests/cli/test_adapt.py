"""`earful adapt`: the model, the report, what is left out, interruption and every kind of bad input."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from earful.alone import alone
from earful.audio.files import write
from earful.checkpoint import load_checkpoint

KEYS = {"model", "cer_before", "cer_after", "clips", "seconds", "peak_memory_mb"}
MORE = {
    "cer_with_language",
    "speech_seconds",
    "measured",
    "improved",
    "warnings",
    "left_out",
    "plan",
    "tuned",
    "inner_loop",
    "spoken",
    "believed",
    "effort",
    "steps",
    "interrupted",
    "advice",
    "cer_interval_95",
    "cer_with_language_interval_95",
    "voices",
}


def adapt_words(clips: Path, out: Path, base: Path, steps: int = 2, *, greedy: bool = True) -> tuple[object, ...]:
    """With a language model, which takes half of the time, where it is what a test is about."""
    return "adapt", clips, "--out", out, "--base", base, "--steps", steps, *(["--greedy"] if greedy else [])


def one_line(run) -> str:
    assert run.status == 2 and run.out == "" and run.err.count("\n") == 1 and run.err.startswith("earful: "), run
    return run.err


def test_json(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful(*adapt_words(clips, tmp_path / "m", tiny_base, greedy=False), "--json")
    row = json.loads(run.out)
    assert run.status == 0 and set(row) == KEYS | MORE
    assert row["model"] == str(tmp_path / "m") and row["clips"] == 8 and row["left_out"] == 0
    assert 0 <= row["cer_after"] <= row["cer_before"] and row["measured"] == "cross-validated"
    assert row["plan"]["steps"] == 2 and row["plan"]["masks"]["time_masks"] and row["tuned"] is None
    assert row["spoken"] is None and row["believed"] is None
    assert (row["effort"], row["steps"], row["interrupted"]) == ("usual", [], False)
    assert [path.name for path in tmp_path.iterdir()] == ["m"], "the state is removed"
    json.loads((tmp_path / "m" / "model.json").read_text(), parse_constant=pytest.fail)
    assert set(load_checkpoint(tmp_path / "m").config.alphabet.symbols) == set(" abc")


def test_for_people(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful(*adapt_words(clips, tmp_path / "m", tiny_base, greedy=False))
    assert run.out.startswith("CER before") and f"earful transcribe {tmp_path / 'm'}" in run.out
    assert "warning: few clips" in run.err


def test_a_metatrained_base_takes_its_own_steps_first(earful, clips: Path, meta_base: Path, tmp_path: Path) -> None:
    words = ("--overwrite",)
    both = earful(*adapt_words(clips, tmp_path / "m", meta_base), *words)
    own = earful(*adapt_words(clips, tmp_path / "m", meta_base, 0), *words)
    assert "2 steps in the way that the base has learned first\n" in both.out
    assert "2 steps in the way that the base has learned\n" in own.out
    row = json.loads(earful(*adapt_words(clips, tmp_path / "m", meta_base), *words, "--json").out)
    assert row["inner_loop"] == "learned" and (row["plan"]["first"]["steps"], row["plan"]["steps"]) == (2, 2)
    usual = earful(*adapt_words(clips, tmp_path / "m", meta_base), *words, "--usual", "--json")
    assert json.loads(usual.out)["inner_loop"] == "usual" and json.loads(usual.out)["plan"]["first"] is None


def test_no_steps(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    assert "steps is 0, must be at least 1" in one_line(earful(*adapt_words(clips, tmp_path / "m", tiny_base, 0)))


def test_text_rules(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    words = adapt_words(clips, tmp_path / "m", tiny_base, 1)
    assert earful(*words, "--case", "upper", "--language", "sw").status == 0
    config = load_checkpoint(tmp_path / "m").config
    assert (config.rules.case, config.rules.language, config.rules.punctuation) == ("upper", "sw", "remove")
    assert set(config.alphabet.symbols) == set(" ABC")


def test_a_language_by_its_name(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    words = adapt_words(clips, tmp_path / "m", tiny_base, 1)
    run = earful(*words, "--language", "Icelandic")
    assert run.status == 0 and "Icelandic" not in run.err
    assert load_checkpoint(tmp_path / "m").config.rules.language == "is"
    run = earful(*words, "--language", "Icelandicc", "--overwrite")
    assert "warning: 'Icelandicc' is not a known language, so there is no rule of spelling, no " in run.err
    assert "is (Icelandic)" in run.err
    assert run.err.startswith("earful: warning: 'Icelandicc'") and run.err.count("'Icelandicc'") == 1, "before the work"


def test_text_in_another_script_is_named_and_not_used(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("абба баба\n" * 20, "utf-8")
    words = adapt_words(clips, tmp_path / "m", tiny_base, 1, greedy=False)
    run = earful(*words, "--text", tmp_path / "text.txt", "--json")
    said = "the other text is not used: it is in CYRILLIC letters, the transcripts in LATIN; give text that is written"
    assert run.status == 0 and said in run.err and any(said in line for line in json.loads(run.out)["warnings"])
    assert not set("абв") & set(load_checkpoint(tmp_path / "m").config.alphabet.symbols)


def test_without_a_base(earful, clips: Path, tmp_path: Path) -> None:
    run = earful("adapt", clips, "--out", tmp_path / "m", "--base", "none", "--steps", 1, "--json")
    assert run.status == 0 and json.loads(run.out)["clips"] == 8


def test_an_interrupted_run_goes_on_and_is_the_same_run(
    earful, clips: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(stage: str, done: float, total: float, note: str = "") -> None:
        if stage == "adapting" and done == 7:
            raise KeyboardInterrupt

    @contextmanager
    def interrupting() -> Iterator[object]:
        yield interrupt

    whole = adapt_words(clips, tmp_path / "whole", tiny_base, 10)
    assert earful(*whole).status == 0
    words = adapt_words(clips, tmp_path / "m", tiny_base, 10)
    with monkeypatch.context() as patch:
        patch.setattr("earful.cli.adapt.progress", interrupting)
        run = earful(*words)
    assert run.status == 130 and run.err == "earful: interrupted; run the same command again to resume\n"
    assert not (tmp_path / "m").exists() and (tmp_path / ".m.adapting").is_dir()
    seen = []

    @contextmanager
    def watching() -> Iterator[object]:
        yield lambda stage, done, total, note="": seen.append((stage, done))

    monkeypatch.setattr("earful.cli.adapt.progress", watching)
    assert earful(*words).status == 0
    taken = [done for stage, done in seen if stage == "adapting"]
    assert taken == list(range(7, 3 * 10 + 1)), "it goes on after the last save"
    first, second = (load_checkpoint(tmp_path / name).params for name in ("whole", "m"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not (tmp_path / ".m.adapting").exists()


def test_clips_that_cannot_be_used_are_left_out(tones, write_clips, earful, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 5)
    write(clips / "fast.wav", tones("a"))
    (clips / "fast.txt").write_text("abcabc " * 40, "utf-8")
    write(clips / "silent.wav", np.zeros(16_000, np.float32))
    (clips / "silent.txt").write_text("abba", "utf-8")
    write(clips / "frame.wav", np.full(60, 0.1, np.float32))
    (clips / "frame.txt").write_text("a", "utf-8")
    write(clips / "empty.wav", tones("abba"))
    (clips / "empty.txt").write_text(" \n", "utf-8")
    soundfile.write(clips / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, "FLOAT")
    (clips / "nan.txt").write_text("abba", "utf-8")
    whole = (clips / "clip0.wav").read_bytes()
    (clips / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (clips / "cut.txt").write_text("abba", "utf-8")
    (clips / "noise.wav").write_bytes(b"no sound at all")
    (clips / "noise.txt").write_text("abba", "utf-8")
    run = earful(*adapt_words(clips, tmp_path / "m", tiny_base, 1), "--json")
    assert run.status == 0
    row = json.loads(run.out)
    assert (row["clips"], row["left_out"]) == (5, 7)
    left_out = [line for line in run.err.splitlines() if "left out" in line]
    for name in ("fast", "silent", "frame", "empty", "nan", "cut", "noise"):
        assert any(f"{name}.wav" in line for line in left_out), name


def test_no_clip_can_be_used(earful, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    write(tmp_path / "clips" / "a.wav", np.zeros(16_000, np.float32))
    (tmp_path / "clips" / "a.txt").write_text("abba", "utf-8")
    line = one_line(earful(*adapt_words(tmp_path / "clips", tmp_path / "m", tiny_base)))
    assert "of 1 clip none can be used" in line and "silent" in line
    assert not (tmp_path / "m").exists()


def manifest_of(clips: Path, count: int = 8) -> list[dict[str, object]]:
    return [
        {"audio_filepath": str(clips / f"clip{i}.wav"), "text": (clips / f"clip{i}.txt").read_text().strip()}
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (lambda rows: rows.insert(16, '{"audio_filepath": "x.wav", '), 17, "not JSON"),
        (lambda rows: rows.insert(2, '{"text": "abba"}'), 3, "audio_filepath"),
        (lambda rows: rows.insert(1, '{"audio_filepath": "x.wav", "duration": -0.2}'), 2, "-0.2"),
        (lambda rows: rows.extend(['{"audio_filepath": "x.wav", "id": "1"}'] * 2), 18, "id"),
    ],
)
def test_a_bad_line_is_named(
    earful, clips: Path, tiny_base: Path, tmp_path: Path, change, line: int, said: str
) -> None:
    rows = [json.dumps(row) for row in manifest_of(clips) * 2]
    change(rows)
    manifest = tmp_path / "train.jsonl"
    manifest.write_text("\n".join(rows), "utf-8")
    message = one_line(earful(*adapt_words(manifest, tmp_path / "m", tiny_base)))
    assert f"train.jsonl:{line}: " in message and said in message
    assert list(tmp_path.iterdir()) == [manifest]


@pytest.mark.parametrize(
    "text", ["שלום עולם", "नमस्ते दुनिया", "你好世界", "Grüße 👋🏽 ça", "اَلسَّلامُ"], ids=["he", "hi", "zh", "emoji", "ar"]
)
def test_any_script(write_clips, earful, tiny_base: Path, tmp_path: Path, text: str) -> None:
    clips = write_clips(tmp_path / "ein Ordner mit ü", 4)
    (clips / "clip0.txt").write_text(text, "utf-8")
    assert earful(*adapt_words(clips, tmp_path / "Modell ü", tiny_base, 1, greedy=False)).status == 0
    letters = set(load_checkpoint(tmp_path / "Modell ü").config.alphabet.symbols)
    assert any(ord(letter) > 127 for letter in letters) and "👋" not in letters
    assert earful("transcribe", tmp_path / "Modell ü", clips / "clip0.wav").status == 0


def test_an_output_folder_that_exists(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    shutil.copytree(tiny_base, out)
    before = (out / "model.json").read_text()
    assert "exists already" in one_line(earful(*adapt_words(clips, out, tiny_base)))
    assert (out / "model.json").read_text() == before
    assert earful(*adapt_words(clips, out, tiny_base, 1), "--overwrite").status == 0
    assert (out / "model.json").read_text() != before


def test_a_folder_that_is_no_model_is_never_overwritten(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").touch()
    line = one_line(earful(*adapt_words(clips, tmp_path / "photos", tiny_base), "--overwrite"))
    assert "no model" in line and (tmp_path / "photos" / "1.jpg").exists()


def test_a_parent_that_is_a_file(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "nothing can be written" in one_line(earful(*adapt_words(clips, tmp_path / "file" / "m", tiny_base)))


def test_clips_or_base_that_are_not_there(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    assert "nowhere" in one_line(earful(*adapt_words(tmp_path / "nowhere", tmp_path / "m", tiny_base)))
    assert "nothing" in one_line(earful(*adapt_words(clips, tmp_path / "m", tmp_path / "nothing")))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_at_the_end_keeps_the_work(
    earful, clips: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    words = adapt_words(clips, tmp_path / "m", tiny_base, greedy=False)
    with monkeypatch.context() as patch:
        patch.setattr("earful.checkpoint.save_file", full)
        run = earful(*words)
    assert run.status == 2 and "No space left" in run.err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == [".m.adapting"], "nothing half-written, and nothing lost"
    assert earful(*words).status == 0


def test_a_full_disk_in_the_middle(
    earful, clips: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: Path, *arguments: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("earful.train.save_file", full)
    line = one_line(earful(*adapt_words(clips, tmp_path / "m", tiny_base)))
    assert "No space left" in line and not (tmp_path / "m").exists()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_mandarin_in_characters_and_in_pinyin(write_clips, earful, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    for number in range(4):
        (clips / f"clip{number}.txt").write_text("我们去银行", "utf-8")
    words = ("--base", tiny_base, "--steps", 1, "--language", "zh", "--no-words")
    run = earful("adapt", clips, "--out", tmp_path / "m", *words)
    assert run.status == 0 and "The rates are of pinyin" in run.out and "only 5 words are known" in run.err
    loaded = load_checkpoint(tmp_path / "m")
    assert loaded.config.rules.writing == "characters" and loaded.lexicon is not None
    assert earful("score", tmp_path / "m", clips, "--json").status == 0
    run = earful("adapt", clips, "--out", tmp_path / "p", *words, "--writing", "pinyin")
    assert run.status == 0 and load_checkpoint(tmp_path / "p").lexicon is None
    reference = json.loads(earful("score", tmp_path / "p", clips, "--errors", 1, "--json").out)["worst"][0]["reference"]
    assert reference == "wǒ men qù yín háng"


def test_two_runs_to_one_model(clips: Path, earful, tiny_base: Path, tmp_path: Path) -> None:
    words = adapt_words(clips, tmp_path / "m", tiny_base)
    with alone(tmp_path / ".m.adapting", "the first"):
        run = earful(*words)
    assert run.status == 2 and run.err.count("\n") == 1 and not (tmp_path / "m").exists()
    assert ".m.adapting: another run of earful is at work there" in run.err and "(--out)" in run.err
    assert earful(*words).status == 0 and [p.name for p in tmp_path.iterdir()] == ["m"]
