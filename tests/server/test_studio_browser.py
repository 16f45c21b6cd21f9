"""The studio in a real Chromium, on a server that can be killed: what one records and types, and what becomes of it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
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

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SENTENCES = ["La suno leviĝas super la montoj", "Mi havas du hundojn kaj unu katon", "La akvo estas tre malvarma"]
STYLE = "inline style"  # wavesurfer's, which the page's policy forbids and the page puts in otherwise
WAIT_MS = 90_000
PIECES = """new Promise((done) => {
    const asked = indexedDB.open("earful");
    asked.onsuccess = () => {
        const count = asked.result.transaction("pieces").objectStore("pieces").count();
        count.onsuccess = () => done(count.result);
    };
})"""


FURTHEST = """() => {
    const sound = document.querySelector("audio");
    globalThis.furthest = 0;
    const look = () => {
        if (!sound.paused) furthest = Math.max(furthest, sound.currentTime);
        requestAnimationFrame(look);
    };
    look();
}"""


def spoken() -> str | None:
    """Why nothing can be said here."""
    try:
        speak("a", Voice("eo"))
    except SynthesisError as error:
        return str(error)
    return browser.missing()


pytestmark = pytest.mark.skipif(spoken() is not None, reason=str(spoken()))


class Server:
    """`earful serve` in a process of its own, on a port that it keeps when it is started again."""

    def __init__(self, model: Path, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        command = [sys.executable, "-m", "earful", "serve", str(model), "--home", str(home), "--port", str(self.port)]
        self._command, self._log = command, home.with_suffix(".log")

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 120
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if httpx.get(f"{self.address}v1/models", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError(self._log.read_text("utf-8"))

    def kill(self) -> None:
        """As a power cut would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sentences, with pauses, as the microphone hears them again and again."""
    parts = [np.concatenate([np.zeros(16_000, np.float32), speak(text, Voice("eo")).samples_T]) for text in SENTENCES]
    path = tmp_path_factory.mktemp("said") / "said.wav"
    soundfile.write(path, np.concatenate(parts), 16_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def server(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tiny_base, tmp_path_factory.mktemp("studio") / "home")
    found.start()
    yield found
    found.end()


@pytest.fixture(scope="module")
def chromium(sound: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        path = browser.chromium()
        yield playwright.chromium.launch(
            executable_path=path, args=[*flags, f"--use-file-for-fake-audio-capture={sound}"]
        )


@pytest.fixture
def tab(chromium: Any, server: Server) -> Iterator[Any]:
    """A page of the studio; in the end it has asked nobody else, and complained of nothing."""
    context = chromium.new_context(viewport={"width": 1000, "height": 800}, locale="en-GB")
    page, asked, wrong = context.new_page(), list[str](), list[str]()
    page.set_default_timeout(WAIT_MS)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.goto(server.address)
    yield page
    context.close()
    assert [url for url in asked if not url.startswith((server.address, "blob:", "data:"))] == []
    assert [line for line in wrong if STYLE not in line and "Failed to load" not in line] == []


@pytest.fixture(scope="module")
def project(server: Server, sound: Path) -> str:
    """A project with one recording, which was cut into segments."""
    made = httpx.post(f"{server.address}api/projects", json={"name": "Rakontoj", "language": "eo"}).json()
    place = f"{server.address}api/projects/{made['id']}"
    with sound.open("rb") as file:
        httpx.post(f"{place}/recordings", files={"file": ("said.wav", file)}, timeout=60).raise_for_status()
    until = time.monotonic() + 120
    while (state := httpx.get(f"{place}/recordings").json()[0]["state"]) != "drafted":
        assert time.monotonic() < until and state != "failed", state
        time.sleep(0.2)
    return str(made["id"])


def segments(server: Server, project: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{server.address}api/projects/{project}/segments").json()
    return found


def until_saved(server: Server, project: str, at: int, text: str) -> dict[str, Any]:
    """The segment, when the server has that text; it must come by itself."""
    until = time.monotonic() + 30
    while (found := segments(server, project)[at])["text"] != text:
        assert time.monotonic() < until, found
        time.sleep(0.1)
    return found


def until(tab: Any, expression: str) -> None:
    """Playwright's own waiting evaluates strings in the page, which the page's policy forbids."""
    limit = time.monotonic() + WAIT_MS / 1000
    while not tab.evaluate(expression):
        assert time.monotonic() < limit, expression
        tab.wait_for_timeout(50)


def corrects(tab: Any, server: Server, project: str) -> Any:
    """The field of the first segment that is not done."""
    tab.goto(f"{server.address}#/p/{project}/correct")
    tab.locator(".wave .chosen").wait_for()
    return tab.get_by_label("What is said")


def test_one_records_and_takes_it_again(tab: Any, server: Server) -> None:
    """A new project; the level moves; a pause is left out; the first take is thrown away, the second one kept."""
    tab.get_by_label("Name of the project").fill("Mia voĉo")
    tab.get_by_label("Language", exact=True).fill("Esperanto")
    tab.get_by_role("button", name="Create").click()
    tab.get_by_role("button", name="Record").click()
    tab.get_by_role("button", name="Pause").wait_for()
    level, levels = tab.get_by_label("Level"), []
    for _ in range(30):
        levels.append(float(level.evaluate("(meter) => meter.value")))
        tab.wait_for_timeout(100)
    assert max(levels) > 0.05 and min(levels) < max(levels) / 2
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("button", name="Take again").click()
    tab.get_by_role("button", name="Pause").click()
    tab.wait_for_timeout(1000)
    before = tab.locator("output").inner_text()
    tab.wait_for_timeout(1500)
    assert tab.locator("output").inner_text() == before
    tab.get_by_role("button", name="Go on").click()
    tab.wait_for_timeout(4000)
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("button", name="Keep it").click()
    tab.locator(".recordings a.button").wait_for()
    (project,) = [each for each in httpx.get(f"{server.address}api/projects").json() if each["name"] == "Mia voĉo"]
    (recording,) = httpx.get(f"{server.address}api/projects/{project['id']}/recordings").json()
    assert 3 < recording["duration_s"] < 7 and project["language"] == "eo"
    heard = httpx.get(f"{server.address}api/recordings/{recording['id']}/audio").content
    assert len(heard) > 3 * 32_000 and heard[:4] == b"RIFF"
    # Nothing is left on this device of what has arrived.
    assert tab.evaluate(PIECES) == 0


def test_one_corrects_by_keyboard_alone(tab: Any, server: Server, project: str, sound: Path) -> None:
    """Every edit is saved as it is typed; accepting goes on and plays; undo takes back; it comes in the transcripts."""
    field = corrects(tab, server, project)
    count = len(segments(server, project))
    assert count >= 2
    field.fill("la suno")
    assert until_saved(server, project, 0, "la suno")["state"] == "corrected"
    field.press("End")
    tab.keyboard.type(" leviĝas", delay=20)
    until_saved(server, project, 0, "la suno leviĝas")
    tab.keyboard.press("Enter")
    assert until_saved(server, project, 0, "la suno leviĝas")["start_s"] < 2
    tab.locator("li[aria-current]").nth(0).wait_for()
    assert tab.locator(".segments li").nth(1).get_attribute("aria-current") == "true"
    until(tab, "!document.querySelector('audio').paused")
    second = segments(server, project)[1]
    tab.evaluate(FURTHEST)
    until(tab, "document.querySelector('audio').paused")
    assert second["end_s"] - 0.1 < tab.evaluate("furthest") < second["end_s"] + 0.4  # not the next word
    assert segments(server, project)[0]["state"] == "accepted"
    tab.keyboard.press("Alt+l")
    until(tab, "!document.querySelector('audio').paused")
    assert tab.evaluate("document.querySelector('audio').playbackRate") == 0.75
    tab.keyboard.press("Alt+p")
    assert tab.evaluate("document.querySelector('audio').paused")
    tab.keyboard.press("Alt+s")
    tab.wait_for_timeout(1000)
    assert segments(server, project)[1]["state"] == "skipped"
    tab.keyboard.press("Alt+ArrowUp") if count > 2 else None
    tab.keyboard.press("Alt+z")
    tab.get_by_text("Undone.").wait_for()
    assert segments(server, project)[1]["state"] in ("draft", "empty")
    tab.keyboard.press("F1")
    assert tab.get_by_role("dialog").get_by_text("Play slowly").is_visible()
    tab.keyboard.press("Escape")
    tab.get_by_role("link", name="Take away").click()
    with tab.expect_download() as text:
        tab.get_by_role("link", name="said.wav: txt").click()
    assert "la suno leviĝas" in Path(text.value.path()).read_text("utf-8")
    with tab.expect_download() as everything:
        tab.get_by_role("link", name="Download everything").click()
    with zipfile.ZipFile(everything.value.path()) as packed:
        assert "leviĝas" in packed.read("manifest.jsonl").decode()


def test_what_is_typed_while_the_server_is_away_arrives(tab: Any, server: Server, project: str) -> None:
    """Killed, not stopped. It is told; another page finds what was typed; all of it is sent when there is a server."""
    field = corrects(tab, server, project)
    at = [each["state"] in ("accepted", "skipped") for each in segments(server, project)].index(False)
    server.kill()
    field.fill("neniu aŭskultas")
    tab.locator("#away").wait_for()
    assert "1" in tab.locator("#away").inner_text()
    tab.keyboard.type(" nun")
    tab.wait_for_timeout(1500)
    assert "neniu aŭskultas nun" in tab.evaluate("JSON.stringify(localStorage)")
    server.start()
    until_saved(server, project, at, "neniu aŭskultas nun")
    until(tab, "document.getElementById('away').hidden")
    assert "earful.edit" not in tab.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("mine", [True, False])
def test_two_people_change_one_segment(tab: Any, server: Server, project: str, mine: bool) -> None:
    """Neither text is lost: both are shown, and one chooses."""
    field = corrects(tab, server, project)
    at = [each["state"] in ("accepted", "skipped") for each in segments(server, project)].index(False)
    segment = segments(server, project)[at]
    change, headers = {"version": segment["version"], "text": f"de alia homo {mine}"}, {"X-Earful-Who": "Ana"}

    others = [change]

    def overtaken(route: Any) -> None:
        """The other's change arrives while the page's first is on its way."""
        if others:
            edit, place = others.pop(), f"{server.address}api/segments/{segment['id']}"
            httpx.patch(place, json=edit, headers=headers).raise_for_status()
        route.continue_()

    tab.route(f"**/api/segments/{segment['id']}", overtaken)
    field.fill(f"de mi {mine}")
    panel = tab.locator(".conflict")
    panel.wait_for()
    tab.unroute(f"**/api/segments/{segment['id']}")  # who waits below lets no route be taken
    assert f"alia homo {mine}" in panel.inner_text() and f"mi {mine}" in panel.inner_text()
    assert segments(server, project)[at]["text"] == change["text"]
    panel.get_by_role("button", name="Keep mine" if mine else "Take theirs").click()
    until_saved(server, project, at, f"de mi {mine}" if mine else change["text"])
    until(tab, "!document.querySelector('.conflict')")
    assert field.input_value() == (f"de mi {mine}" if mine else change["text"])
    tab.get_by_text("Who changed what").click()
    tab.get_by_text("Ana").first.wait_for()


def test_from_right_to_left_with_marks(tab: Any, server: Server, sound: Path) -> None:
    """The field runs from the right while it is empty, too; a mark from the bar joins the letter before the caret."""
    asked = {"name": "עברית", "language": "he", "letters": ["ש", "\u05b8"]}
    made = httpx.post(f"{server.address}api/projects", json=asked).json()
    with sound.open("rb") as file:
        place = f"{server.address}api/projects/{made['id']}/recordings"
        recording = httpx.post(place, files={"file": ("a.wav", file)}, timeout=60).json()
    cut = {"start_s": 1.0, "end_s": 2.0}
    httpx.post(f"{server.address}api/recordings/{recording['id']}/segments", json=cut).raise_for_status()
    field = corrects(tab, server, made["id"])
    field.fill("")
    direction = "(field) => getComputedStyle(field).direction"
    assert field.evaluate(direction) == "rtl"
    tab.get_by_role("button", name="ש", exact=True).click()
    tab.get_by_role("button", name="Mark U+05B8").click()
    field.press_sequentially("לום")
    assert field.input_value() == "שָלום" and field.evaluate(direction) == "rtl"
    # A caret within the letter and its mark would part them: what is put in comes after both.
    field.evaluate("(field) => field.setSelectionRange(1, 1)")
    tab.get_by_role("button", name="ש", exact=True).click()
    assert field.input_value() == "שָשלום"
    tab.wait_for_timeout(800)
    assert "שָשלום" in [each["text"] for each in segments(server, made["id"])]


def test_on_a_telephone_in_the_dark_in_other_languages(tab: Any, server: Server, project: str) -> None:
    """Nothing is wider than the narrowest screen; the page speaks as it is told to."""
    tab.set_viewport_size({"width": 320, "height": 640})
    tab.emulate_media(color_scheme="dark")
    for language, word in (("fr", "Projets"), ("es", "Proyectos")):
        tab.goto(f"{server.address}#/")
        tab.select_option("#lang", language)
        assert tab.locator("h1").inner_text() == word and tab.evaluate("document.documentElement.lang") == language
        for view in (
            "#/",
            "#/live",
            *(f"#/p/{project}/{each}" for each in ("recordings", "correct", "adapt", "files")),
        ):
            tab.goto(f"{server.address}{view}")
            tab.wait_for_timeout(700)
            assert tab.evaluate("document.documentElement.scrollWidth") <= 320, view
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", paper))) < 60


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci --prefix web")
def test_a_screen_reader_finds_its_way(tab: Any, server: Server, project: str) -> None:
    """No rule of axe-core's is broken, in any view."""
    run = "axe.run(document).then((found) => found.violations.map((each) => `${each.id}: ${each.nodes[0].html}`))"
    for view in ("#/", "#/live", *(f"#/p/{project}/{each}" for each in ("recordings", "correct", "adapt", "files"))):
        tab.goto(f"{server.address}{view}")
        tab.wait_for_timeout(1000)
        tab.evaluate(AXE.read_text("utf-8"))
        assert tab.evaluate(run) == [], view


def test_words_appear_while_one_speaks(tab: Any, server: Server) -> None:
    """And stay when one stops: nothing grey is left."""
    tab.goto(f"{server.address}#/live")
    tab.get_by_role("button", name="Start").click()
    until(tab, "document.querySelector('.live').textContent.trim().length > 0")
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_text("Stopped.").wait_for()
    assert tab.locator(".live .tail").inner_text() == ""
    assert re.search("[a-e]", tab.locator(".live").inner_text())


def test_two_tabs_do_not_offer_each_others_take(tab: Any, server: Server) -> None:
    """What one tab records, the other does not offer, nor take away; when the first has gone, it does."""
    made = httpx.post(f"{server.address}api/projects", json={"name": "Du langetoj", "language": "eo"}).json()
    place = f"{server.address}#/p/{made['id']}/recordings"
    tab.goto(place)
    tab.get_by_role("button", name="Record").click()
    tab.get_by_role("button", name="Pause").wait_for()
    tab.wait_for_timeout(4500)
    assert tab.evaluate(PIECES) > 0
    other = tab.context.new_page()
    other.goto(place)
    other.get_by_role("button", name="Record").wait_for()
    other.wait_for_timeout(1500)
    assert other.get_by_text("never sent").count() == 0
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("button", name="Keep it").wait_for()
    other.reload()
    other.wait_for_timeout(1500)
    assert other.get_by_text("never sent").count() == 0, "it is being listened to"
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.goto("about:blank")
    other.reload()
    other.get_by_text("never sent").wait_for()
    other.get_by_role("button", name="Keep it").click()
    other.locator(".recordings a.button").wait_for()
    assert other.evaluate(PIECES) == 0


def test_a_take_that_was_never_sent_is_found_again(tab: Any, server: Server) -> None:
    """The page went away while one recorded: what was said up to then is on this device, and can be kept."""
    made = httpx.post(f"{server.address}api/projects", json={"name": "Perdita", "language": "eo"}).json()
    place = f"{server.address}#/p/{made['id']}/recordings"
    tab.goto(place)
    tab.get_by_role("button", name="Record").click()
    tab.get_by_role("button", name="Pause").wait_for()
    tab.wait_for_timeout(5000)
    tab.on("dialog", lambda dialog: dialog.accept())  # the browser asks whether one means it
    tab.goto("about:blank")
    tab.goto(place)
    tab.get_by_text("never sent").wait_for()
    tab.get_by_role("button", name="Keep it").click()
    tab.locator(".recordings a.button").wait_for()
    (recording,) = httpx.get(f"{server.address}api/projects/{made['id']}/recordings").json()
    assert recording["duration_s"] > 1.9 and tab.evaluate(PIECES) == 0


def test_files_that_are_no_recordings_are_named(tab: Any, server: Server, sound: Path, tmp_path: Path) -> None:
    others = [tmp_path / f"notes{number}.pdf" for number in range(6)]
    for each in others:
        each.write_bytes(b"%PDF")
    made = httpx.post(f"{server.address}api/projects", json={"name": "Miksita", "language": "eo"}).json()
    tab.goto(f"{server.address}#/p/{made['id']}/recordings")
    tab.locator("#files").set_input_files([sound, *others])
    left_out = "notes0.pdf, notes1.pdf, notes2.pdf, notes3.pdf, notes4.pdf, …"
    tab.get_by_text(f"Files that are no recordings were left out (6): {left_out}.").wait_for()
    tab.locator(".recordings a.button").wait_for()
    assert len(httpx.get(f"{server.address}api/projects/{made['id']}/recordings").json()) == 1
