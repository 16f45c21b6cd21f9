"""The studio's routes, over real HTTP: from a recording to a transcript, and a job that makes a better model."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import soundfile
from lxml import etree

from earful.folders import CARD
from earful.server.settings import Settings

LONG_S = 240.0


def until(client: httpx.Client, path: str, states: tuple[str, ...]) -> dict[str, Any]:
    """What stands there, once it is so far."""
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        found = client.get(path).json()
        if found["state"] in states:
            return found
        time.sleep(0.2)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def project(client: httpx.Client) -> str:
    return client.post("/api/projects", json={"name": "Talks/../1", "language": "is"}).json()["id"]


@pytest.fixture(scope="module")
def spoken(tones, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("sound") / "talk.ogg"
    soundfile.write(place, tones("abba cab acca bac"), 16_000)
    return place.read_bytes()


@pytest.fixture(scope="module")
def recording(client: httpx.Client, project: str, spoken: bytes) -> dict[str, Any]:
    answer = client.post(f"/api/projects/{project}/recordings", files={"file": ("../talk one.ogg", spoken)})
    assert answer.status_code == 201 and answer.json()["state"] == "waiting"
    assert answer.json()["name"] == "talk one.ogg"
    return until(client, f"/api/recordings/{answer.json()['id']}", ("drafted", "failed"))


@pytest.fixture(scope="module")
def segment(client: httpx.Client, recording: dict[str, Any]) -> dict[str, Any]:
    """One that nothing found, with its draft."""
    made = client.post(f"/api/recordings/{recording['id']}/segments", json={"start_s": 0.1, "end_s": 1.0})
    assert made.status_code == 201 and made.json()["state"] == "empty"
    client.post(f"/api/recordings/{recording['id']}/drafts")
    until(client, f"/api/segments/{made.json()['id']}", ("draft",))
    return made.json()


def test_a_project_begins_with_the_model_that_was_given(client: httpx.Client, project: str) -> None:
    found = client.get(f"/api/projects/{project}").json()
    assert found["model"] == "tiny" and found["direction"] == "ltr"
    assert [each["id"] for each in client.get("/api/projects").json()] == [project]


@pytest.mark.parametrize(
    ("language", "some", "others"), [("ru", "яжы", "éα"), ("is", "þðáæ", "яβ"), ("", "éž", "я"), ("ko", "", "é한")]
)
def test_letters_of_a_base_are_those_of_the_script(client: httpx.Client, language: str, some: str, others: str) -> None:
    """As long as nothing is written: then they are those that are."""
    asked = {"name": "letters", "language": language, "model": "earful-base"}
    found = client.post("/api/projects", json=asked).json()
    assert set(some) <= set(found["letters"]) and not set(others) & set(found["letters"])
    assert bool(found["letters"]) == bool(some)
    chosen = client.patch(f"/api/projects/{found['id']}", json={"letters": ["ŋ"]}).json()
    assert chosen["letters"] == ["ŋ"]
    client.delete(f"/api/projects/{found['id']}")


def test_a_recording_is_heard(client: httpx.Client, recording: dict[str, Any], segment: dict[str, Any]) -> None:
    assert recording["state"] == "drafted" and recording["error"] is None
    found = client.get(f"/api/segments/{segment['id']}").json()
    assert found["draft"] == found["text"] and found["words"][0]["start_s"] >= 0.1


def test_the_same_sound_twice_is_one(
    client: httpx.Client, project: str, recording: dict[str, Any], spoken: bytes
) -> None:
    again = client.post(f"/api/projects/{project}/recordings", files={"file": ("other.ogg", spoken)})
    assert again.json()["id"] == recording["id"]


def test_its_sound_and_outline(client: httpx.Client, recording: dict[str, Any]) -> None:
    path = f"/api/recordings/{recording['id']}"
    whole = client.get(f"{path}/audio")
    samples_T, rate_hz = soundfile.read(io.BytesIO(whole.content), dtype="float32")
    assert rate_hz == 16_000 and samples_T.ndim == 1
    part = client.get(f"{path}/audio", headers={"Range": "bytes=44-143"})
    assert part.status_code == 206 and part.content == whole.content[44:144]
    for count in (1, 7, 1000):
        peaks = client.get(f"{path}/peaks", params={"count": count}).json()
        assert len(peaks) == count
        assert min(low for low, _ in peaks) == pytest.approx(float(samples_T.min()), abs=1e-4)
        assert max(high for _, high in peaks) == pytest.approx(float(samples_T.max()), abs=1e-4)


def test_an_edit_is_kept_with_who_made_it_and_taken_back(
    client: httpx.Client, project: str, segment: dict[str, Any]
) -> None:
    path = f"/api/segments/{segment['id']}"
    before = client.get(path).json()
    named = {"X-Earful-Who": "%C3%89va"}
    made = client.patch(path, json={"version": before["version"], "text": "abba cáb"}, headers=named).json()
    assert made["state"] == "corrected" and made["draft"] == before["draft"]
    assert client.get(f"/api/projects/{project}").json()["letters"] == ["á"]
    late = client.patch(path, json={"version": before["version"], "text": "late"})
    assert late.status_code == 409 and late.json()["segment"]["text"] == "abba cáb"
    assert client.post(f"{path}/undo").json()["text"] == before["text"]
    assert client.post(f"{path}/redo").json()["text"] == "abba cáb"
    assert client.get(f"{path}/history").json()[0]["who"] == "Éva"
    assert client.post(f"{path}/redo").status_code == 409


def test_a_transcript_in_every_format(client: httpx.Client, recording: dict[str, Any], segment: dict[str, Any]) -> None:
    path = f"/api/segments/{segment['id']}"
    client.patch(path, json={"version": client.get(path).json()["version"], "text": "abba cáb", "state": "accepted"})
    for format in ("txt", "srt", "vtt", "lrc", "TextGrid", "ctm", "stm", "flextext", "tsv", "json", "eaf"):
        answer = client.get(f"/api/recordings/{recording['id']}/transcript", params={"format": format})
        assert answer.status_code == 200 and "cáb" in answer.text, format
        assert "attachment" in answer.headers["content-disposition"]
    assert "file:///talk one.wav" in answer.text, "it links the recording by its name, and no place on this machine"
    assert client.get(f"/api/recordings/{recording['id']}/transcript?format=exe").status_code == 400


def test_all_of_it_can_be_taken_away(
    client: httpx.Client, project: str, segment: dict[str, Any], spoken: bytes
) -> None:
    packed = zipfile.ZipFile(io.BytesIO(client.get(f"/api/projects/{project}/export").content))
    names = ["recordings/talk one.wav", "recordings/talk one.eaf", "manifest.jsonl", "segments.jsonl", "edits.jsonl"]
    assert packed.namelist() == [*names[:2], "originals/talk one.ogg", *names[2:]]
    assert packed.read("originals/talk one.ogg") == spoken
    without = client.get(f"/api/projects/{project}/export", params={"originals": False})
    assert zipfile.ZipFile(io.BytesIO(without.content)).namelist() == names
    clips = [json.loads(line) for line in packed.read("manifest.jsonl").splitlines()]
    assert {"abba cáb"} == {each["text"] for each in clips if each["state"] == "accepted"}
    assert etree.fromstring(packed.read(names[1])).tag == "ANNOTATION_DOCUMENT"
    assert any(json.loads(line)["after"] == '"abba cáb"' for line in packed.read("edits.jsonl").splitlines())


def test_news_come_as_they_happen(client: httpx.Client, segment: dict[str, Any]) -> None:
    path, heard = f"/api/segments/{segment['id']}", list[dict[str, Any]]()

    def listen() -> None:
        with client.stream("GET", "/api/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    heard.append(json.loads(line.removeprefix("data: ")))
                    return

    listening = Thread(target=listen)
    listening.start()
    for number in range(50):
        client.patch(path, json={"version": client.get(path).json()["version"], "text": f"abba {number}"})
        listening.join(0.1)
        if heard:
            break
    assert heard and heard[0]["kind"] == "segment" and heard[0]["id"] == segment["id"]


def clips_of(folder: Path, count: int) -> tuple[list[tuple[str, tuple[str, bytes]]], str]:
    """Files and a manifest, as a client sends them."""
    wavs = sorted(folder.glob("*.wav"))[:count]
    lines = [
        {"audio_filepath": f"sub/{wav.name}", "text": wav.with_suffix(".txt").read_text("utf-8").strip()}
        for wav in wavs
    ]
    files = [("file", (wav.name, wav.read_bytes())) for wav in wavs]
    return files, "\n".join(map(json.dumps, lines))


def test_adaptation_as_a_request_makes_a_model(client: httpx.Client, clips: Path) -> None:
    files, manifest = clips_of(clips, 8)
    field, (name, sound) = files[0]
    end = sound.find(b"data") + 4
    files[0] = field, (name, sound[:end] + bytes(4) + sound[end + 4 :])  # a recorder whose battery was empty
    given = {"manifest": manifest, "effort": "quick", "name": "My tones"}
    job = client.post("/v1/models/tiny/adaptations", data=given, files=files)
    assert job.status_code == 202 and job.json()["state"] == "queued" and job.json()["kind"] == "adaptation"
    with client.stream("GET", f"/v1/jobs/{job.json()['id']}/events", timeout=LONG_S) as stream:
        lines = list(stream.iter_lines())
    assert "event: progress" in lines and lines[-3:][0] == "event: done", lines[-6:]
    done = client.get(f"/v1/jobs/{job.json()['id']}").json()
    result = done["result"]
    assert result["model"] == "my-tones" and result["clips"] == 8 and result["cer_after"] <= result["cer_before"]
    assert result["warnings"][0].startswith(f"{name}: its header promises 0 bytes of sound; ")
    assert result["kept_base"] in (True, False) and isinstance(result["curve"], list)
    listed = [model["id"] for model in client.get("/v1/models").json()["data"]]
    assert "my-tones" in listed and listed.index("tiny") < listed.index("my-tones")
    said = client.post("/v1/audio/transcriptions", data={"model": "my-tones"}, files=[files[0]])
    assert said.status_code == 200
    packed = zipfile.ZipFile(io.BytesIO(client.get("/api/models/my-tones/download").content))
    assert f"my-tones/{CARD}" in packed.namelist()
    assert client.get("/v1/jobs").json()["data"][0]["id"] == done["id"]


def test_a_project_gets_its_model_and_a_cancelled_job_leaves_nothing(
    client: httpx.Client, project: str, segment: dict[str, Any]
) -> None:
    path = f"/api/segments/{segment['id']}"
    client.patch(path, json={"version": client.get(path).json()["version"], "text": "abba", "state": "accepted"})
    first = client.post(f"/api/projects/{project}/adaptations", json={"effort": "quick"}).json()
    second = client.post("/v1/models/tiny/adaptations", json={"project": project, "effort": "usual"}).json()
    cancelled = client.post(f"/v1/jobs/{second['id']}/cancel").json()
    assert cancelled["state"] == "cancelled" and client.get(f"/v1/jobs/{second['id']}").json()["state"] == "cancelled"
    done = until(client, f"/v1/jobs/{first['id']}", ("done", "failed"))
    if done["state"] == "failed":  # of one clip nothing can be learned, and it says so
        assert "clip" in done["error"]
        return
    assert client.get(f"/api/projects/{project}").json()["model"] == done["result"]["model"]
    (made,) = client.get(f"/api/projects/{project}/models").json()
    assert made["name"] == done["result"]["model"] and made["clips"] == 1
    assert until(client, path, ("accepted",))["text"] == "abba"


def test_before_and_after_beside_each_other(client: httpx.Client, recording: dict[str, Any]) -> None:
    found = client.post(f"/api/recordings/{recording['id']}/compare", json={"models": ["tiny", "earful-tiny"]}).json()
    assert [each["model"] for each in found] == ["tiny", "earful-tiny"] and found[0]["text"]
    missing = client.post(f"/api/recordings/{recording['id']}/compare", json={"models": ["../tiny"]})
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("", "manifest: the manifest is empty"),
        ('{"audio_filepath": "missing.wav", "text": "a"}', "names missing.wav, but no such file"),
        ("no json", "manifest:1"),
        ('{"audio_filepath": "clip0.wav"}', "no line of the manifest has a text"),
    ],
)
def test_what_cannot_be_learned_from(client: httpx.Client, clips: Path, manifest: str, says: str) -> None:
    files, _ = clips_of(clips, 1)
    answer = client.post("/v1/models/tiny/adaptations", data={"manifest": manifest}, files=files)
    assert answer.status_code == 400 and says in answer.json()["error"]["message"], answer.text
    assert "/jobs/" not in answer.json()["error"]["message"]


def test_nothing_accepted_is_nothing_to_learn(client: httpx.Client) -> None:
    id = client.post("/api/projects", json={"name": "empty"}).json()["id"]
    answer = client.post(f"/api/projects/{id}/adaptations", json={})
    assert answer.status_code == 400 and "accepted" in answer.json()["error"]["message"]
    assert client.delete(f"/api/projects/{id}").status_code == 204
    assert client.get(f"/api/projects/{id}").status_code == 404


@pytest.fixture(scope="module")
def small(listen, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that takes little."""
    bounds: dict[str, Any] = {"upload_bytes": 200_000, "most_files": 3, "longest_s": 2.0}
    with listen(replace(settings, home=tmp_path_factory.mktemp("small"), **bounds)) as found:
        yield found


def test_uploads_are_bounded(small: httpx.Client, tones, clips: Path) -> None:
    asked = {"model": "tiny"}
    large = small.post("/v1/audio/transcriptions", data=asked, files={"file": ("a.wav", bytes(300_000))})
    assert large.status_code == 413
    sound = io.BytesIO()
    soundfile.write(sound, tones("abba cab abba cab acca"), 16_000, format="FLAC")
    long = small.post("/v1/audio/transcriptions", data=asked, files={"file": ("a.flac", sound.getvalue())})
    assert long.status_code == 400 and "lasts longer" in long.json()["error"]["message"]
    files = [("file", (f"{n}.wav", b"x")) for n in range(5)]
    many = small.post("/v1/models/tiny/adaptations", data={"manifest": "{}"}, files=files)
    assert many.status_code == 400 and many.json()["error"]["message"]
