"""The studio's whole walk, as long as it takes: recorded, brought, corrected, adapted, and a better text in the end.

With STUDIO_PICTURES=docs/figures it writes the pictures of docs/studio.md into that folder.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from earful.data.synthesis.espeak import speak
from earful.data.synthesis.speech import Voice
from earful.errors import SynthesisError
from earful.export import browser
from earful.folders import locate
from earful.server.settings import Settings
from earful.text.score import score

HEARD = ["La suno leviĝas super la montoj", "Mi havas du hundojn kaj unu katon", "La akvo estas tre malvarma hodiaŭ"]
BROUGHT = [
    "Kie estas la granda libro de mia patro", "Ni iros al la urbo morgaŭ matene", "La birdoj kantas en la arboj",
    "Mia fratino loĝas en malgranda domo", "Li skribis longan leteron al sia amiko", "La infanoj ludas sur la strato",
    "Hieraŭ vespere pluvis dum du horoj", "La patrino kuiras bonan supon", "Mi ne komprenas vian demandon",
    "La trajno alvenos je la oka horo", "Ŝi legas libron en la ĝardeno", "La vento blovas tra la fenestro",
]  # fmt: skip
NEVER = ["La katoj dormas en la domo", "Mia patro legas leteron", "Morgaŭ ni havos bonan akvon"]
PAUSE_S = 1.0


def spoken() -> str | None:
    """Why nothing can be said here."""
    try:
        speak("a", Voice("eo"))
    except SynthesisError as error:
        return str(error)
    return browser.missing()


pytestmark = [pytest.mark.slow, pytest.mark.skipif(spoken() is not None, reason=str(spoken()))]


@dataclass(frozen=True)
class Talk:
    """A recording, and where in it what is said."""

    path: Path
    said: tuple[tuple[float, float, str], ...]

    def between(self, start_s: float, end_s: float) -> str:
        """What somebody who hears a segment would write."""
        return " ".join(text for a, b, text in self.said if start_s < (a + b) / 2 < end_s)


def talk(path: Path, texts: list[str], voice: Voice) -> Talk:
    parts, said, at_s = list[Any](), list[tuple[float, float, str]](), 0.0
    for text in texts:
        samples_T = speak(text, voice).samples_T
        parts += [np.zeros(round(16_000 * PAUSE_S), np.float32), samples_T]
        at_s += PAUSE_S + len(samples_T) / 16_000
        said.append((at_s - len(samples_T) / 16_000, at_s, text.lower()))
    soundfile.write(path, np.concatenate(parts), 16_000, subtype="PCM_16")
    return Talk(path, tuple(said))


class Camera:
    """Pictures for the documents, where they are asked for."""

    def __init__(self, tab: Any) -> None:
        self._tab, folder = tab, os.environ.get("STUDIO_PICTURES")
        self._folder = Path(folder) if folder else None

    def take(self, name: str) -> None:
        if self._folder is None:
            return
        self._tab.wait_for_timeout(7000)  # what was told has gone
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tab.screenshot(path=self._folder / f"studio-{name}.png")


def test_from_the_microphone_to_a_better_text(listen: Any, settings: Settings, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    model = shutil.copytree(locate("earful-tiny"), tmp_path / "starter")
    heard = talk(tmp_path / "heard.wav", HEARD, Voice("eo"))
    brought = talk(tmp_path / "talk.wav", BROUGHT, Voice("eo"))
    never = talk(tmp_path / "new.wav", NEVER, Voice("eo"))
    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags.append(f"--use-file-for-fake-audio-capture={heard.path}%noloop")
    with listen(replace(settings, home=tmp_path / "home", models=(model,))) as client, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.chromium(), args=flags)
        tab = chromium.new_page(viewport={"width": 900, "height": 760}, locale="en-GB")
        tab.set_default_timeout(300_000)
        tab.goto(str(client.base_url))
        camera = Camera(tab)
        record(tab, camera, heard)
        tab.locator("#files").set_input_files([brought.path, never.path])
        tab.locator(".recordings a.button").nth(2).wait_for()
        project = client.get("/api/projects").json()[0]["id"]
        until_drafted(tab, client, project)
        camera.take("recordings")
        correct(tab, camera, client, project, brought)
        before, after = adapted(tab, camera)
        truth = [never.between(0, 1e9)]
        rates = [score(truth, [text]).cer for text in (before, after)]
        print(f"CER of a recording that it never learned from: {rates[0]:.3f} before, {rates[1]:.3f} after")
        assert rates[1] < 0.8 * rates[0]
        drafts = client.get(f"/api/projects/{project}/segments").json()
        assert {each["state"] for each in drafts} == {"accepted", "draft"}  # nobody's text was written over
        chromium.close()


def record(tab: Any, camera: Camera, heard: Talk) -> None:
    tab.get_by_label("Name of the project").fill("Rakontoj")
    tab.get_by_label("Language", exact=True).fill("Esperanto")
    tab.get_by_role("button", name="Create").click()
    tab.get_by_role("button", name="Record").click()
    tab.get_by_role("button", name="Pause").wait_for()
    tab.wait_for_timeout(2000)
    if os.environ.get("STUDIO_PICTURES"):
        tab.screenshot(path=Path(os.environ["STUDIO_PICTURES"]) / "studio-record.png")
    tab.wait_for_timeout(1000 * (heard.said[-1][1] + PAUSE_S) - 2000)
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("button", name="Keep it").click()
    tab.locator(".recordings a.button").wait_for()


def until_drafted(tab: Any, client: httpx.Client, project: str) -> None:
    while any(each["state"] != "drafted" for each in client.get(f"/api/projects/{project}/recordings").json()):
        tab.wait_for_timeout(300)


def correct(tab: Any, camera: Camera, client: httpx.Client, project: str, brought: Talk) -> None:
    """By the keyboard, what is said in each segment of the recording that was brought."""
    tab.locator(".recordings li", has_text="talk.wav").get_by_role("link", name="Correct").click()
    tab.locator(".wave .chosen").wait_for()
    camera.take("correct")
    field = tab.get_by_label("What is said")
    (id,) = [
        each["id"] for each in client.get(f"/api/projects/{project}/recordings").json() if each["name"] == "talk.wav"
    ]
    found = client.get(f"/api/recordings/{id}/segments").json()
    assert len(found) >= 4
    for n, segment in enumerate(found):
        tab.locator(".segments li").nth(n).and_(tab.locator("[aria-current]")).wait_for()
        field.fill(brought.between(segment["start_s"], segment["end_s"]))
        field.press("Enter")
    tab.get_by_text("All segments are done.").wait_for()
    tab.get_by_text(f"Accepted: {len(found)} of {len(found)}").wait_for()


def adapted(tab: Any, camera: Camera) -> tuple[str, str]:
    """The text of the recording that nobody corrected, by the recogniser of before and by the new one."""
    tab.get_by_role("link", name="Adapt").click()
    tab.get_by_label("Quick").check()
    tab.get_by_role("button", name="Adapt now").click()
    tab.get_by_role("progressbar").wait_for()
    tab.get_by_role("button", name="Cancel").wait_for()
    tab.wait_for_function("() => document.querySelector('progress')?.value > 0")
    camera.take("adapting")
    tab.locator(".result, .card > .warning").first.wait_for(timeout=2_400_000)  # a warning alone: it failed
    print(tab.locator(".result").inner_text())
    tab.locator(".curve .dot").first.wait_for()
    assert tab.locator(".curve .dot").count() == 2, "what it began with, and the first round"
    tab.get_by_label("Recording").select_option(label="new.wav")
    tab.get_by_role("button", name="Compare").click()
    tab.locator(".differing").nth(1).wait_for()
    tab.get_by_role("heading", name="Before and after").scroll_into_view_if_needed()
    camera.take("better")
    return tab.locator(".differing").nth(0).inner_text(), tab.locator(".differing").nth(1).inner_text()
