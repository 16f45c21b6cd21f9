"""`earful transcribe`: formats, folders, files that cannot be read, and places that are taken."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import write
from earful.cli.transcribe import destinations
from earful.errors import AudioError, quoted
from earful.writers.formats import FORMATS
from earful.writing import one_file


def test_one_file(earful, tiny_base: Path, clips: Path) -> None:
    run = earful("transcribe", tiny_base, clips / "clip0.wav")
    assert run.status == 0 and run.err == "" and run.out.count("\n") == 1


def test_several_files_have_a_header_each(earful, tiny_base: Path, clips: Path) -> None:
    run = earful("transcribe", tiny_base, clips / "clip0.wav", clips / "clip1.wav")
    assert run.out.startswith(f"==> {clips / 'clip0.wav'} <==\n") and f"\n\n==> {clips / 'clip1.wav'} <==\n" in run.out


def test_json_is_an_object_a_line(earful, tiny_base: Path, clips: Path) -> None:
    run = earful("transcribe", tiny_base, clips, "--json")
    rows = [json.loads(line) for line in run.out.splitlines()]
    assert [Path(row["audio"]).name for row in rows] == [f"clip{number}.wav" for number in range(8)]
    assert all(row["text"] == " ".join(word["text"] for word in row["words"]) for row in rows)


def test_words_to_listen_for_and_guesses(earful, tiny_base: Path, clips: Path) -> None:
    plain, hot = (
        json.loads(earful("transcribe", tiny_base, clips / "clip0.wav", "--json", "--guesses", "3", *more).out)
        for more in ((), ("--hot", "bab:30"))
    )
    assert plain["guesses"][0] == plain["text"] and len(plain["guesses"]) == len(set(plain["guesses"])) == 3
    assert "bab" not in plain["text"].split() and "bab" in hot["text"].split()
    bad = earful("transcribe", tiny_base, clips / "clip0.wav", "--hot", "abba:loud")
    assert bad.status == 2 and "--hot 'abba:loud': expected a number after the colon, such as abba:2" in bad.err
    for number in ("nan", "inf", "1,5x:"):
        assert earful("transcribe", tiny_base, clips / "clip0.wav", "--hot", f"abba:{number}").status == 2
    for empty in (":3", "abba,,", ""):
        nothing = earful("transcribe", tiny_base, clips / "clip0.wav", "--hot", empty)
        assert nothing.status == 2 and "got nothing in one place" in nothing.err
    foreign = earful("transcribe", tiny_base, clips / "clip0.wav", "--hot", "жук")
    assert foreign.status == 2 and "hot word 'жук': the model writes no ж к у" in foreign.err


def test_a_file_that_cannot_be_read_does_not_stop_the_others(
    earful, tiny_base: Path, clips: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF, or so")
    run = earful("transcribe", tiny_base, tmp_path / "none.wav", bad, clips / "clip0.wav", "--json")
    assert run.status == 2
    assert [json.loads(line)["audio"] for line in run.out.splitlines()] == [str(clips / "clip0.wav")]
    lines = run.err.splitlines()
    assert "none.wav" in lines[0] and "bad.wav" in lines[1] and "2 of 3 files" in lines[2] and len(lines) == 3


def test_a_header_that_lies_is_a_warning(earful, odd, tones, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "crashed.wav").write_bytes(odd.with_sizes(odd.encoded(tones("abba cab")), 0, 0))
    run = earful("transcribe", tiny_base, tmp_path, "--json")
    assert run.status == 0 and json.loads(run.out)["duration_s"] == pytest.approx(len(tones("abba cab")) / 16_000)
    assert run.err.startswith(f"earful: warning: {tmp_path / 'crashed.wav'}: its header promises 0 bytes")
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_folder_of_transcripts(earful, tiny_base: Path, clips: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    run = earful("transcribe", tiny_base, clips, "--out", out, "--format", name)
    assert (run.status, run.out, run.err) == (0, "", f"earful: 8 transcripts in {out}\n")
    suffix = FORMATS[name].suffix
    assert sorted(path.name for path in out.iterdir()) == [f"clip{number}{suffix}" for number in range(8)]


def test_transcripts_are_not_overwritten_unless_asked(earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    mine = tmp_path / "clip7.txt"
    mine.write_text("corrected by hand", "utf-8")
    run = earful("transcribe", tiny_base, clips, "--out", tmp_path)
    assert run.status == 2 and "--overwrite" in run.err and mine.read_text("utf-8") == "corrected by hand"
    assert list(tmp_path.iterdir()) == [mine], "nothing is written before all places are known to be free"
    assert earful("transcribe", tiny_base, clips, "--out", tmp_path, "--overwrite").status == 0
    assert mine.read_text("utf-8") != "corrected by hand"


def test_the_model_comes_first(earful, tiny_base: Path, clips: Path) -> None:
    clip = clips / "clip0.wav"
    forgotten, swapped = earful("transcribe", clip), earful("transcribe", clip, tiny_base)
    assert forgotten.status == swapped.status == 2
    assert f"no AUDIO to transcribe: {clip} is taken for the model" in forgotten.err
    assert forgotten.err.endswith(f"earful transcribe MODEL {quoted(clip)}\n")
    assert f"{clip}: is a file, and no model; the model comes first, then the recordings" in swapped.err


def test_two_recordings_of_one_name(tones, earful, tiny_base: Path, clips: Path, tmp_path: Path) -> None:
    write(tmp_path / "clip0.flac", tones("abba"))
    run = earful("transcribe", tiny_base, tmp_path / "clip0.flac", clips / "clip0.wav", "--out", tmp_path / "out")
    assert run.status == 2 and "would both go to" in run.err


def test_folders_keep_their_shape(tones, earful, tiny_base: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        write(tmp_path / "in" / folder / "x y ü.wav", tones("abba"))
    assert earful("transcribe", tiny_base, tmp_path / "in", "--out", tmp_path / "out").status == 0
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.txt"))
    assert found == ["a/x y ü.txt", "b/x y ü.txt"]


def test_a_folder_without_sound(earful, tiny_base: Path, tmp_path: Path) -> None:
    run = earful("transcribe", tiny_base, tmp_path)
    assert run.status == 2 and "holds no sound files" in run.err and run.err.count("\n") == 1


def test_what_is_not_read_in_a_folder_is_named(earful, write_clips, tiny_base: Path, tmp_path: Path) -> None:
    talks = write_clips(tmp_path / "talks", 1)
    for name in ("a.silk", "b.silk"):
        (talks / name).write_bytes(b"?")
    run = earful("transcribe", tiny_base, talks)
    assert run.status == 0 and run.err.startswith(
        f"earful: warning: {talks}: left out a.silk, b.silk: .silk is not read"
    )
    assert run.err.count("\n") == 1


def test_denoised(earful, tiny_base: Path, clips: Path) -> None:
    pytest.importorskip("webrtc_noise_gain")
    assert earful("transcribe", tiny_base, clips / "clip0.wav", "--denoise").status == 0


@pytest.mark.parametrize(
    ("subtype", "rate_hz", "channels"),
    [("PCM_U8", 8000, 1), ("PCM_24", 44_100, 2), ("FLOAT", 48_000, 1), ("PCM_16", 16_000, 2)],
)
def test_any_kind_of_sound(earful, tiny_base: Path, tmp_path: Path, subtype: str, rate_hz: int, channels: int) -> None:
    samples = 0.3 * np.sin(np.arange(rate_hz) * 0.1)
    soundfile.write(tmp_path / "a.wav", np.stack([samples] * channels, 1), rate_hz, subtype)
    row = json.loads(earful("transcribe", tiny_base, tmp_path / "a.wav", "--json").out)
    assert row["duration_s"] == pytest.approx(1.0, abs=0.01)


def test_one_frame_and_silence(earful, tiny_base: Path, tmp_path: Path) -> None:
    write(tmp_path / "frame.wav", np.full(160, 0.1, np.float32))
    write(tmp_path / "silence.wav", np.zeros(16_000, np.float32))
    run = earful("transcribe", tiny_base, tmp_path, "--json")
    assert run.status == 0 and len(run.out.splitlines()) == 2


def test_self_adapted_in_any_order(earful, tiny_base: Path, clips: Path) -> None:
    files = [clips / "clip0.wav", clips / "clip1.wav"]
    rows = {}
    for name, order in (("onward", files), ("backward", files[::-1])):
        run = earful("transcribe", tiny_base, *order, "--self-adapt", "--json")
        assert run.status == 0 and run.err == ""
        rows[name] = sorted(run.out.splitlines())
    plain = sorted(earful("transcribe", tiny_base, *files, "--json").out.splitlines())
    assert rows["onward"] == rows["backward"] and set(rows["onward"]).isdisjoint(plain)


def test_nan_is_refused(earful, tiny_base: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, "FLOAT")
    run = earful("transcribe", tiny_base, tmp_path / "nan.wav")
    assert run.status == 2 and "nan.wav" in run.err and run.out == ""


def stereo(folder: Path, left: np.ndarray, right: np.ndarray) -> Path:
    size = max(len(left), len(right))
    padded = [np.pad(one, (0, size - len(one))) for one in (left, right)]
    soundfile.write(folder / "two.wav", np.stack(padded, 1), 16_000)
    return folder / "two.wav"


def test_opposite_phase_is_heard_and_told(earful, tones, tiny_base: Path, tmp_path: Path) -> None:
    """The mix of these channels is silence."""
    path = stereo(tmp_path, tones("abba cab"), -tones("abba cab"))
    heard = {}
    for channel in ("auto", "left", "1", "mix"):
        run = earful("transcribe", tiny_base, path, "--channel", channel, "--json")
        heard[channel] = json.loads(run.out)["words"]
        assert ("cancel each other out" in run.err) == (channel == "auto") and run.status == 0
    assert heard["auto"] == heard["left"] == heard["1"] != heard["mix"]


def test_a_speaker_on_each_channel(earful, tones, tiny_base: Path, tmp_path: Path) -> None:
    path = stereo(tmp_path, tones("abba cab"), tones("cab abba bac"))
    row = json.loads(earful("transcribe", tiny_base, path, "--channel", "each", "--json").out)
    assert row["words"]
    for number in (1, 2):
        alone = json.loads(earful("transcribe", tiny_base, path, "--channel", number, "--json").out)["words"]
        assert [w for w in row["words"] if w["speaker"] == f"speaker {number}"] == [
            word | {"speaker": f"speaker {number}"} for word in alone
        ]


def test_a_channel_that_is_not_there(earful, tiny_base: Path, clips: Path) -> None:
    run = earful("transcribe", tiny_base, clips / "clip0.wav", "--channel", "right")
    assert run.status == 2 and "has 1 channel, not a channel 2" in run.err
    run = earful("transcribe", tiny_base, clips / "clip0.wav", "--channel", "middle")
    assert run.status == 2 and "channel is 'middle', must be one of" in run.err and run.err.count("\n") == 1


def test_guesses_are_of_one_channel(earful, tones, tiny_base: Path, tmp_path: Path) -> None:
    path = stereo(tmp_path, tones("abba cab"), tones("cab abba bac"))
    run = earful("transcribe", tiny_base, path, "--channel", "each", "--guesses", 2)
    assert run.status == 2 and "guesses are possible for one channel" in run.err and run.err.count("\n") == 1
    row = json.loads(earful("transcribe", tiny_base, path, "--channel", "left", "--guesses", 2, "--json").out)
    assert len(row["guesses"]) == 2 and row["guesses"][0] == row["text"]


def test_two_recordings_that_differ_in_capitals_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = [(Path("a/Talk.wav"), Path("Talk.wav")), (Path("b/talk.wav"), Path("talk.wav"))]
    assert destinations(files, tmp_path, ".txt", False) == [tmp_path / "Talk.txt", tmp_path / "talk.txt"]
    monkeypatch.setattr("earful.writing.one_file", partial(one_file, system="darwin"))
    with pytest.raises(AudioError, match="would both go to"):
        destinations(files, tmp_path, ".txt", False)
