"""Runs the exported page in a real Chromium, from a local server, and compares it with earful."""

import base64
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any, final
from urllib.parse import urlsplit

import numpy as np

from earful.audio.files import SAMPLE_RATE_HZ
from earful.errors import ExportError, install
from earful.export.ears import Tape, Whole, as_file
from earful.export.proof import Run, Written
from earful.transcriber import Samples

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONGEST_S = 300
"""The time limit for loading the page, and for each recording."""
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".json": "application/json"}
_PACKED = """(values) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    let text = "";
    for (let n = 0; n < bytes.length; n += 32768) text += String.fromCharCode(...bytes.subarray(n, n + 32768));
    return btoa(text);
}"""
_WITHIN = f"""(promise) => Promise.race([promise, new Promise((_, fail) => {{
    setTimeout(() => fail(new Error("no answer in {LONGEST_S} s")), {1000 * LONGEST_S});
}})])"""
_READY = f"""() => globalThis.earful
    ? ({_WITHIN})(earful.ready).then(() => "", (error) => `${{error.what ?? ""}} ${{error.message}}`.trim())
    : "its script did not run"
"""
_HEAR = f"""async ([file, greedy]) => {{
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const said = await ({_WITHIN})(earful.hear(new Blob([bytes]), "check", {{ greedy, keep: true }}));
    if (!said) return {{ problem: document.getElementById("problem").textContent }};
    const packed = {_PACKED};
    const {{ logp, best, heard }} = said.tape;
    return {{ ...said, tape: {{ logp: packed(logp), best: packed(best), heard: packed(heard) }} }};
}}"""


def missing() -> str | None:
    """What is missing to run a page, and how to get it."""
    if not find_spec("playwright"):
        return f"playwright is not installed: {install('web')}"
    return None if chromium() else "there is no Chromium: apt-get install chromium"


def chromium() -> str | None:
    """The browser of this machine."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, on this machine alone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}  # noqa: RUF012

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@final
class Page:
    """An exported page that is open in Chromium, and every address that it requested."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self._address = page, address
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def load(self) -> None:
        """Load it. Raises ExportError: the page reports an error."""
        self.page.goto(self._address)
        if problem := self.page.evaluate(_READY):
            raise ExportError(f"the page does not load: {problem}; please report it")

    def hear(self, samples_T: Samples, *, greedy: bool = False) -> tuple[Written, Tape, float]:
        """The page's transcript of a recording, its log-probabilities, and the length that it finds."""
        file = base64.b64encode(as_file(samples_T)).decode()
        found = self.page.evaluate(_HEAR, [file, greedy])
        if "problem" in found:
            raise ExportError(f"the page says: {found['problem']}")
        words = tuple((word["text"], word["start"], word["end"]) for word in found["words"])
        heard = Written(" ".join(text for text, _, _ in words), (), words)
        return heard, tape_in(found["tape"]), float(found["duration"])

    def strangers(self) -> list[str]:
        """Requested addresses that are not its own."""
        own = urlsplit(self._address).netloc
        return [url for url in self.asked if urlsplit(url.removeprefix("blob:")).netloc not in ("", own)]


@contextmanager
def opened(folder: Path, *flags: str) -> Iterator[Page]:
    """The page of a folder, loaded. Raises ExportError: it cannot be opened."""
    from playwright.sync_api import Error, sync_playwright

    try:
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(flags))
            page = Page(browser.new_page(), address)
            page.page.set_default_timeout(1000 * LONGEST_S)
            page.load()
            yield page
            browser.close()
    except Error as error:
        line = " ".join(str(error).split())[:300]
        raise ExportError(f"Chromium does not run the page ({line}); install it again, or please report it") from error


def tape_in(packed: dict[str, str]) -> Tape:
    """The log-probabilities of a recording, as the page returns them."""
    kinds = {"logp": np.float16, "best": np.uint16, "heard": np.uint8}
    logp, best_F, heard_F = (np.frombuffer(base64.b64decode(packed[name]), kind) for name, kind in kinds.items())
    logp_FV = logp.reshape(len(best_F), len(logp) // max(len(best_F), 1))
    return Tape(logp_FV, best_F.astype(np.int64), heard_F.astype(np.bool_))


def runner(page: Page, ears: Whole) -> Run:
    """Run the page on recordings; `ears` get its log-probabilities and its transcripts.

    Raises ExportError if earful writes something else for the same log-probabilities, or if the page requested other
    addresses.
    """

    def run(recordings: Sequence[Samples]) -> list[Written]:
        return [_heard(page, ears, samples_T) for samples_T in recordings]

    return run


def _heard(page: Page, ears: Whole, samples_T: Samples) -> Written:
    heard, tape, duration_s = page.hear(samples_T)
    if abs(duration_s - len(samples_T) / SAMPLE_RATE_HZ) > 1e-6:
        raise ExportError(f"the page hears {duration_s:g} s of {len(samples_T) / SAMPLE_RATE_HZ:g}; please report it")
    ears.tapes[id(samples_T)] = tape, duration_s
    mine = ears.of(tape, duration_s)
    if mine.text != heard.text or not _same_times(mine, heard):
        raise ExportError(
            f"from the same numbers the page writes {heard.text!r}, earful {mine.text!r}; please report it"
        )
    if strangers := page.strangers():
        raise ExportError(f"the page asks for {strangers[0]}; please report it")
    return heard


def _same_times(mine: Written, theirs: Written) -> bool:
    pairs = zip(mine.words or (), theirs.words or (), strict=True)
    return all(np.allclose(a[1:], b[1:], atol=1e-6) for a, b in pairs)
