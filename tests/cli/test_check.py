"""`earful check`: findings, the summary and the exit status."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earful.adapt.start import start_from, untrained
from earful.audio.files import write
from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.cli.check import within, written_by


def test_summary(earful, clips: Path, tiny_base: Path) -> None:
    run = earful("check", clips, "--base", tiny_base)
    assert run.status == 0 and run.err == ""
    assert "8 clips" in run.out and "4 letters: a " in run.out and "8 can be used" in run.out


def test_json(earful, clips: Path, tiny_base: Path) -> None:
    row = json.loads(earful("check", clips, "--base", tiny_base, "--json").out)
    assert (row["clips"], row["usable_clips"], row["errors"]) == (8, 8, 0)
    assert set(row["alphabet"]) == set(" abc") and row["warnings"] == 1
    assert {"severity", "kind", "where", "message", "remedy"} <= set(row["findings"][0])


def test_errors_are_shown_and_some_clips_remain(write_clips, earful, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    write(clips / "silent.wav", np.zeros(16_000, np.float32))
    (clips / "silent.txt").write_text("abba", "utf-8")
    run = earful("check", clips, "--base", tiny_base)
    assert run.status == 0 and "error" in run.out and "silent.wav" in run.out.replace("\n", "")


def test_no_clip_can_be_used(earful, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"audio_filepath": "gone.wav", "text": "abba"}', "utf-8")
    run = earful("check", tmp_path / "m.jsonl", "--base", tiny_base)
    assert run.status == 2 and "gone.wav" in run.out


def test_what_is_too_long_for_adaptation_is_an_error(
    tones, write_clips, earful, tiny_base: Path, tmp_path: Path
) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    write(clips / "long.wav", np.tile(tones("abba"), 70))
    (clips / "long.txt").write_text("abba " * 70, "utf-8")
    row = json.loads(earful("check", clips, "--base", tiny_base, "--json").out)
    assert [f["kind"] for f in row["findings"] if f["severity"] == "error"] == ["too long"]
    adapted = earful("adapt", clips, "--base", tiny_base, "--out", tmp_path / "m", "--steps", 1, "--json")
    assert json.loads(adapted.out)["left_out"] == 1 and "long.wav" in adapted.err


def test_no_clips_at_all(earful, tiny_base: Path, tmp_path: Path) -> None:
    run = earful("check", tmp_path, "--base", tiny_base)
    assert run.status == 2 and "an empty folder" in run.err and run.err.count("\n") == 1


def test_mandarin_is_judged_by_its_pinyin(write_clips, earful, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    for number, text in enumerate(("我们去", "银行", "老师", "他们是")):
        (clips / f"clip{number}.txt").write_text(text, "utf-8")
    words = ("check", clips, "--base", tiny_base, "--json")
    row = json.loads(earful(*words, "--language", "zh-CN").out)
    assert set(row["alphabet"]) == set(" womenquyihaglstˇˋˊˉ") and row["alphabet"]["ˇ"] == 2
    assert not any(finding["kind"] == "digits" for finding in row["findings"])
    assert "我" in json.loads(earful(*words).out)["alphabet"]
    run = earful(*words, "--language", "ja", "--writing", "pinyin")
    assert run.status == 2 and "is for Mandarin" in run.err and run.err.count("\n") == 1


def test_what_is_odd_is_a_warning_and_what_is_bad_is_left_out(
    tones, odd, write_clips, earful, tiny_base: Path, tmp_path: Path
) -> None:
    """One clip of a recorder that crashed, one of a telephone's codec, one that is no sound: the others go on."""
    clips = write_clips(tmp_path / "clips", 4)
    made = {
        "crashed.wav": odd.with_sizes(odd.encoded(tones("abba")), 0, 0),
        "gsm.wav": odd.encoded(tones("cab"), 8_000, subtype="GSM610"),
        "m4a.mp3": odd.m4a(),
    }
    for name, content in made.items():
        (clips / name).write_bytes(content)
        (clips / name).with_suffix(".txt").write_text("abba", "utf-8")
    row = json.loads(earful("check", clips, "--base", tiny_base, "--json").out)
    found = {(f["severity"], f["kind"], Path(f["where"]).name) for f in row["findings"] if f["utterance_id"]}
    assert {("warning", "odd file", "crashed.wav"), ("error", "unreadable sound", "m4a.mp3")} <= found
    assert (row["clips"], row["usable_clips"]) == (7, 6)
    run = earful("adapt", clips, "--base", tiny_base, "--out", tmp_path / "m", "--steps", 1, "--json")
    assert run.status == 0 and json.loads(run.out)["left_out"] == 1 and "m4a.mp3" in run.err


def test_what_lies_beside_the_clips_is_named(write_clips, earful, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    (clips / "a.silk").write_bytes(b"?")
    (clips / "b.txt").write_text("abba", "utf-8")
    row = json.loads(earful("check", clips, "--base", tiny_base, "--json").out)
    found = {f["where"]: f["message"] for f in row["findings"] if f["kind"] == "left out"}
    said = {"a.silk": ".silk is not read", "b.txt": "no recording beside it"}
    assert found == {name: f"1 file left out: {why}" for name, why in said.items()}
    run = earful("adapt", clips, "--base", tiny_base, "--out", tmp_path / "m", "--steps", 1)
    assert run.status == 0 and all(f"{clips}: left out {name}: {why}" in run.err for name, why in said.items())


def test_a_folder_of_what_is_not_read_says_so(earful, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "a.silk").write_bytes(b"?")
    for command in (("check", tmp_path), ("score", tiny_base, tmp_path), ("forecast", tiny_base, tmp_path)):
        run = earful(*command)
        unread, error = run.err.splitlines()
        assert run.status == 2 and "left out a.silk: .silk is not read" in unread and "and no sound" in error


def test_many_of_a_kind_are_one_row(earful, tiny_base: Path, tmp_path: Path) -> None:
    """A row for each of 40 missing files would hide the one clip that is silent."""
    write(tmp_path / "a.wav", np.zeros(16_000, np.float32))
    names = ["a.wav", *(f"gone{number}.wav" for number in range(40))]
    rows = [json.dumps({"audio_filepath": name, "text": "abba"}) for name in names]
    (tmp_path / "m.jsonl").write_text("\n".join(rows), "utf-8")
    run = earful("check", tmp_path / "m.jsonl", "--base", tiny_base)
    assert "missing file, 40 clips" in run.out and "gone0.wav, gone1.wav" in run.out and "and 35 more" in run.out
    assert run.out.count("gone") < 20 and "is silent" in run.out
    row = json.loads(earful("check", tmp_path / "m.jsonl", "--base", tiny_base, "--json").out)
    missing, silent = (next(f for f in row["findings"] if f["kind"] == kind) for kind in ("missing file", "silence"))
    assert row["errors"] >= 41 and len(missing["clips"]) == 40 and missing["utterance_id"] is None
    assert silent["clips"] == [silent["utterance_id"]] and len(row["findings"]) < 10


def test_every_sign_of_the_transcripts_is_accounted_for(write_clips, earful, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    for number, text in enumerate(("«aʼab»", "a’b, 'ab", "abba\u00ad", "'ab'")):
        (clips / f"clip{number}.txt").write_text(text, "utf-8")
    run = earful("check", clips, "--base", tiny_base)
    assert "kept as letters: ʼ 1  ’ 1\n" in run.out
    assert "dropped as punctuation: ' 3  U+00AD 1  « 1  » 1  , 1\n" in run.out
    row = json.loads(earful("check", clips, "--base", tiny_base, "--json").out)
    assert row["kept"] == {"ʼ": 1, "’": 1} and row["dropped"]["'"] == 3
    (edge,) = [f for f in row["findings"] if f["kind"] == "edge apostrophes"]  # the pair around the last is no letter
    assert edge["message"].endswith("quotation marks: 1") and edge["where"].endswith("clip1") and "ʼ" in edge["remedy"]


def test_clips_name_their_language_anyhow(tones, earful, tiny_base: Path, tmp_path: Path) -> None:
    rows = []
    for number, language in enumerate(("tr", "tur", "Turkish")):
        write(tmp_path / f"{number}.wav", tones("abba"))
        rows.append(json.dumps({"audio_filepath": f"{number}.wav", "text": "ABBAI", "language": language}))
    (tmp_path / "m.jsonl").write_text("\n".join(rows), "utf-8")
    row = json.loads(earful("check", tmp_path / "m.jsonl", "--base", tiny_base, "--json").out)
    assert row["languages"] == ["tr"] and row["alphabet"]["ı"] == 3


def test_text_beside_clips(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abba cab. Daba!\n", "utf-8")
    run = earful("check", clips, "--text", text, "--base", tiny_base)
    assert run.status == 0 and "8 can be used" in run.out and "2 sentences, 3 words, 3 of them different" in run.out
    assert "letters that are in no clip" in run.out and "d 1" in run.out
    row = json.loads(earful("check", clips, "--text", text, "--base", tiny_base, "--json").out)
    assert row["clips"] == 8 and row["text"]["likeness"]["unheard"] == {"d": 1}
    text.write_text("абба", "utf-8")
    run = earful("check", clips, "--text", text, "--base", tiny_base)
    assert run.status == 2 and "CYRILLIC" in run.out


def test_text_alone_needs_no_base(earful, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Een zin.\nNog een zin.\n", "utf-8")
    run = earful("check", "--text", text, "--base", "nowhere", "--language", "Dutch")
    assert (run.status, run.err) == (0, "") and "Nothing is wrong with the text." in run.out
    assert json.loads(earful("check", "--text", text, "--json").out)["text"]["sentences"] == 2
    run = earful("check", "--text", text, "--language", "Icelandicc")
    assert run.status == 0 and "warning: 'Icelandicc' is not a known language" in run.err
    for content, said in (
        (b"", "the file is empty"),
        (b"\xff\xfea\0", "UTF-16"),
        (b"a\n\xe9", "text.txt:2: the text is"),
    ):
        text.write_bytes(content)
        run = earful("check", "--text", text)
        assert run.status == 2 and said in run.err and run.err.count("\n") == 1
    run = earful("check")
    assert run.status == 2 and "give CLIPS, --text FILE, or both" in run.err


def test_the_command_imports_no_torch(clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abba cab. Daba!\n", "utf-8")
    for words in (
        ["--text", str(text)],
        [str(clips), "--text", str(text), "--base", str(tiny_base), "--language", "nl"],
    ):
        code = (
            "import sys; from earful.cli.main import main; "
            f"print(main({['check', *words, '--json']!r}), sorted({{'torch', 'numba'}} & sys.modules.keys()))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
        assert done.stdout.splitlines()[-1] == "0 []", done.stderr
        assert json.loads(done.stdout.splitlines()[0])["text"]["sentences"] == 2


def test_the_card_says_what_the_loaded_model_does(tiny_base: Path, tmp_path: Path) -> None:
    """Rules and frames are read without torch; they are those that `adapt` starts with."""
    base = load_checkpoint(tiny_base)
    rules = replace(base.config.rules, language="nl", case="keep")
    adapted = untrained(replace(base.config, rules=rules, upsampling=1))
    save_checkpoint(tmp_path / "adapted", replace(adapted, about={"adapted": {}}))
    for name in (str(tiny_base), str(tmp_path / "adapted"), "earful-tiny", "earful-base", "none"):
        for texts, given in ((["我们"], {"language": "zh"}), (["abba"], {"writing": "given"}), (["abba"], {})):
            config = start_from(name, texts, given).config
            assert written_by(name, texts, given) == (config.rules, pytest.approx(config.output_hop_s)), name


def test_a_base_that_is_not_there_or_is_damaged_is_named(earful, clips: Path, tiny_base: Path, tmp_path: Path) -> None:
    run = earful("check", clips, "--base", tmp_path / "nowhere")
    assert run.status == 2 and "nowhere: no such folder" in run.err and run.err.count("\n") == 1
    card = json.loads((tiny_base / "model.json").read_text("utf-8"))
    del card["config"]["alphabet"]
    (tmp_path / "model.json").write_text(json.dumps(card), "utf-8")
    run = earful("check", clips, "--base", tmp_path)
    assert run.status == 2 and "model.json" in run.err and run.err.count("\n") == 1


@pytest.mark.parametrize(("separator", "where"), [("/", "clips/a/x.wav:3"), ("\\", "clips\\a\\x.wav:3")])
def test_paths_are_shown_without_the_folder(monkeypatch: pytest.MonkeyPatch, separator: str, where: str) -> None:
    monkeypatch.setattr("os.sep", separator)
    assert within(Path("clips/table.csv"), where) == separator.join(("a", "x.wav:3"))
