"""`earful score`: the keys of its JSON, groups, the worst clips, and what cannot be scored."""

import json
from pathlib import Path

KEYS = {
    "cer",
    "wer",
    "utterances",
    "characters",
    "words",
    "substitutions",
    "deletions",
    "insertions",
    "interval_95",
}


def manifest_in(folder: Path, clips: Path, **more: object) -> Path:
    rows = [
        {"audio_filepath": str(clips / f"clip{i}.wav"), "text": (clips / f"clip{i}.txt").read_text(), "speaker": s}
        for i, s in enumerate("abab")
    ]
    path = folder / "test.jsonl"
    path.write_text("\n".join(json.dumps(row | more) for row in rows), "utf-8")
    return path


def test_json(earful, tiny_base: Path, clips: Path) -> None:
    run = earful("score", tiny_base, clips, "--json")
    row = json.loads(run.out)
    assert run.status == 0 and set(row) >= KEYS and row["utterances"] == 8
    wrong = row["substitutions"] + row["deletions"] + row["insertions"]
    assert row["cer"] == wrong / row["characters"] and len(row["interval_95"]) == 2
    assert earful("score", tiny_base, clips, "--json").out.split(', "seconds"')[0] == run.out.split(', "seconds"')[0]


def test_self_adapted(earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    path = manifest_in(tmp_path, clips)
    fitted, again, plain = (
        json.loads(earful("score", tiny_base, path, "--errors", 4, "--json", *more).out)["worst"]
        for more in (["--self-adapt"], ["--self-adapt"], [])
    )
    assert fitted == again and fitted != plain


def test_groups(earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    path = manifest_in(tmp_path, clips)
    groups = json.loads(earful("score", tiny_base, path, "--by", "speaker", "--json").out)["groups"]
    assert {name: group["utterances"] for name, group in groups.items()} == {"a": 2, "b": 2}
    shown = earful("score", tiny_base, path, "--by", "speaker").out
    assert "speaker" in shown and " a " in shown and " b " in shown


def test_the_worst_come_first(earful, tiny_base: Path, clips: Path) -> None:
    row = json.loads(earful("score", tiny_base, clips, "--errors", 3, "--json").out)
    errors = [clip["errors"] for clip in row["worst"]]
    assert len(errors) == 3 and errors == sorted(errors, reverse=True)
    shown = earful("score", tiny_base, clips, "--errors", 3).out
    assert row["worst"][0]["clip"] in shown and row["worst"][0]["reference"] in shown


def test_transcripts_are_scored_in_the_models_own_case(earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    quiet = json.loads(earful("score", tiny_base, manifest_in(tmp_path, clips, text="abba cab"), "--json").out)
    loud = json.loads(earful("score", tiny_base, manifest_in(tmp_path, clips, text="Abba, CAB!"), "--json").out)
    assert quiet["cer"] == loud["cer"]


def test_nothing_to_score(earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    run = earful("score", tiny_base, manifest_in(tmp_path, clips, text=None))
    assert run.status == 2 and "no utterance" in run.err and run.err.count("\n") == 1


def test_a_missing_clip_is_named(earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    run = earful("score", tiny_base, manifest_in(tmp_path, clips, audio_filepath="gone.wav"))
    assert run.status == 2 and "gone.wav" in run.err and run.out == ""


def test_a_model_that_is_none(earful, clips: Path, tmp_path: Path) -> None:
    run = earful("score", tmp_path, clips)
    assert run.status == 2 and "not a model" in run.err


def test_one_bad_file_does_not_stop_the_others(earful, write_clips, tiny_base: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 4)
    before = json.loads(earful("score", tiny_base, clips, "--json").out)
    (clips / "bad.wav").write_bytes(b"no sound")
    (clips / "bad.txt").write_text("abba", "utf-8")
    (clips / "more.silk").write_bytes(b"?")
    run = earful("score", tiny_base, clips, "--json")
    row = json.loads(run.out)
    assert run.status == 0 and (before["left_out"], row["left_out"]) == (0, 1)
    assert row | {"left_out": 0, "seconds": 0} == before | {"seconds": 0}
    unread, bad = run.err.splitlines()
    assert "left out more.silk: .silk is not read" in unread and "left out clip 'bad'" in bad and "bad.wav" in bad
