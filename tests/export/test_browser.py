"""The exported page in a real Chromium: what a person does there, and the search that is held to earful's own."""

import base64
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.ctc.beam import Search
from earful.ctc.greedy import Numbers
from earful.export import browser, web
from earful.export.browser import Page, opened, runner
from earful.export.ears import Whole
from earful.export.proof import prove
from earful.export.recordings import Recording
from earful.export.source import Source, read_source
from earful.transcript import Transcript, Word
from earful.writers.formats import render

pytestmark = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
CELLS = "(row) => [...row.cells].map((cell) => cell.textContent)"
DECODE = """async ([packed, seconds, greedy]) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    return earful.decode(new Uint16Array(bytes.buffer), seconds, greedy);
}"""


@pytest.fixture(scope="module")
def source(searcher: Path) -> Source:
    return read_source(searcher)


@pytest.fixture(scope="module")
def ears(source: Source) -> Whole:
    return Whole(source)


@pytest.fixture(scope="module")
def page(source: Source, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of that model, which hears the first clip where it asks for the microphone."""
    folder = tmp_path_factory.mktemp("page")
    web.write(source, folder, "float32")
    with opened(folder, *FAKE, f"--use-file-for-fake-audio-capture={clips / 'clip1.wav'}%noloop") as found:
        yield found
    assert found.strangers() == [] and len(found.asked) >= 9


def lattice(seed: int, frames: int, sharp: float) -> Numbers:
    """Log-probabilities in which blanks and letters take turns, as half-precision numbers."""
    rng = np.random.default_rng(seed)
    logits_FV = sharp * rng.standard_normal((frames, 7))
    logits_FV[:, 0] += sharp * (rng.random(frames) < 0.6)
    logits_FV[rng.random(frames) < 0.1] = [12.0, *[-12.0] * 6]  # surely blank
    logits_FV[rng.random((frames, 7)) < 0.05] = -np.inf
    logits_FV[:, 1] = np.maximum(logits_FV[:, 1], -9.0)
    logp_FV = logits_FV - np.logaddexp.reduce(logits_FV, axis=1, keepdims=True)
    return logp_FV.astype(np.float16)


def spelt(page: Page, logp_FV: Numbers, *, greedy: bool = False) -> tuple[list[tuple[str, float, float]], list[float]]:
    """What the page makes of log-probabilities: words with times, and the scores."""
    packed = base64.b64encode(logp_FV.tobytes()).decode()
    found = page.page.evaluate(DECODE, [packed, 0.02 * len(logp_FV), greedy])
    return [(word["text"], word["start"], word["end"]) for word in found["words"]], found["scores"]


@pytest.mark.parametrize(
    ("frames", "sharp", "count"), [(1, 2.0, 3), (40, 1.0, 12), (60, 3.0, 12), (300, 2.0, 4), (2600, 4.0, 2)]
)
def test_it_searches_as_earful_does(
    page: Page, source: Source, ears: Whole, frames: int, sharp: float, count: int
) -> None:
    """The same text, at the same times, by the same score, also where a long recording is aligned in pieces."""
    language = source.writing.language
    assert language is not None
    search = Search(7, language.ngram, language.words, language.weight, language.bonus)
    for seed in range(count):
        logp_FV = lattice(seed, frames, sharp)
        heard = search.hear(logp_FV)
        transcript = ears._words((heard.emissions,), 0.02 * frames)
        words, scores = spelt(page, logp_FV)
        assert [word for word, _, _ in words] == [word.text for word in transcript]
        assert [times for _, *times in words] == [
            pytest.approx([word.start_s, word.end_s], abs=1e-9) for word in transcript
        ]
        assert scores == [pytest.approx(heard.guesses[0].score, abs=1e-5)]
        best = ears.transcript_of(logp_FV, 0.02 * frames)
        words, scores = spelt(page, logp_FV, greedy=True)
        assert [word for word, _, _ in words] == [word.text for word in best.words] and scores == []


def test_it_hears_what_earful_hears(page: Page, ears: Whole, clips: Path) -> None:
    """Clips; all of them with silences between; two and a pause: windows, the network, the search on top."""
    sounds = [read(path) for path in sorted(clips.glob("*.wav"))]
    hush = 1e-4 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE_HZ).astype(np.float32)
    long_T = np.concatenate([part for sound_T in sounds for part in (sound_T, hush)])
    paused_T = np.concatenate([sounds[0], hush[: round(1.4 * SAMPLE_RATE_HZ)], sounds[1]])
    recordings = [Recording(str(n), sound_T) for n, sound_T in enumerate([*sounds, long_T, hush[:70], paused_T])]
    proof = prove("clips", recordings, ears, runner(page, ears), lambda *_: None)
    assert proof.same >= len(recordings) - 1 and proof.off_s <= 0.02 and len(long_T) > 30 * SAMPLE_RATE_HZ
    silent_F = ~ears.tapes[id(long_T)][0].heard_F
    assert 0.3 < silent_F.mean() < 0.8
    tape = ears.tapes[id(paused_T)][0]
    assert (tape.logp_FV[:, 1] == 0).sum() == 1 and tape.heard_F.all(), "the pause is a space to the page, too"


def test_a_file_of_another_rate_in_stereo(page: Page, ears: Whole, clips: Path, tmp_path: Path) -> None:
    """It is brought to 16 kHz, a dead channel is left out, and soft sound made louder: as earful does it."""
    import soxr

    sound_T = soxr.resample(read(clips / "clip1.wav"), SAMPLE_RATE_HZ, 44100)
    soft_TC = np.stack([0.02 * sound_T / np.abs(sound_T).max(), np.zeros_like(sound_T)], axis=1)
    soundfile.write(tmp_path / "soft.wav", soft_TC, 44100, subtype="FLOAT")
    ears.transcribe(tmp_path / "soft.wav")
    mine = ears._last
    file = base64.b64encode((tmp_path / "soft.wav").read_bytes()).decode()
    said = page.page.evaluate(browser._HEAR, [file, False])
    theirs = browser.tape_in(said["tape"])
    assert mine is not None and theirs.logp_FV.shape == mine.logp_FV.shape
    assert np.abs(np.exp(theirs.logp_FV.astype(np.float64)) - np.exp(mine.logp_FV)).max() < 0.05


def test_one_presses_record_and_stop(page: Page) -> None:
    tab = page.page
    tab.get_by_role("button", name="Record", exact=True).click()
    tab.wait_for_selector("body[data-state=recording]")
    level = tab.get_by_label("Level")
    levels = []
    for _ in range(15):
        levels.append(float(level.evaluate("(meter) => meter.value")))
        tab.wait_for_timeout(100)
    assert max(levels) > 0.01
    begun = time.monotonic()
    tab.get_by_role("button", name="Stop").click()
    tab.wait_for_selector("#text p")
    print(f"first text {time.monotonic() - begun:.2f} s after Stop")
    assert "s of sound, heard in" in tab.get_by_role("status").inner_text()
    rows = tab.evaluate(f"[...document.querySelectorAll('#times tr')].map({CELLS})")
    assert rows and all(float(start) <= float(end) for start, end, _ in rows)
    with tab.expect_download() as txt:
        tab.get_by_role("link", name="Text").click()
    assert Path(txt.value.path()).read_text("utf-8").split() == [word for _, _, word in rows]
    assert txt.value.suggested_filename == "recording.txt"


def test_a_file_is_chosen_and_subtitles_come_back(page: Page, ears: Whole, clips: Path) -> None:
    tab = page.page
    tab.get_by_label("Choose a recording").set_input_files(clips / "clip2.wav")
    tab.wait_for_selector("#text p")
    tab.wait_for_selector("body[data-state=idle]")
    words = ears.transcribe(clips / "clip2.wav").words
    shown = tab.evaluate(f"[...document.querySelectorAll('#times tr')].map({CELLS})")
    assert [row[2] for row in shown] == [word.text for word in words]
    with tab.expect_download() as srt:
        tab.get_by_role("link", name="Subtitles").click()
    expected = render(Transcript("", tuple(replace(word, confidence=1.0) for word in words), 1.0, 9.0), "srt")
    assert Path(srt.value.path()).read_text("utf-8") == expected
    assert srt.value.suggested_filename == "clip2.srt"


def test_subtitles_break_where_earfuls_do(page: Page) -> None:
    """Long speech with pauses, in many cues of two lines."""
    rng = np.random.default_rng(3)
    logp_FV = np.full((3000, 7), -20.0, np.float16)
    for frame in range(3000):
        said = 1 if frame % 14 == 6 else int(rng.integers(2, 7)) if frame % 2 == 0 and frame % 400 < 320 else 0
        logp_FV[frame, said] = 0.0
    words, _ = spelt(page, logp_FV, greedy=True)
    assert len(words) > 100
    mine = render(Transcript("", tuple(Word(*word, 1.0) for word in words), 1.0, 60.0), "srt")
    named = [dict(zip(("text", "start", "end"), word, strict=True)) for word in words]
    theirs = page.page.evaluate("(words) => earful.srt(words)", named)
    assert theirs == mine and mine.count("-->") > 8


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no sound at all, but words", "cannot decode that file"), (b"", "The recording is empty")],
)
def test_what_is_no_recording(page: Page, content: bytes, problem: str) -> None:
    tab = page.page
    tab.get_by_label("Choose a recording").set_input_files(
        {"name": "new.wav", "mimeType": "audio/wav", "buffer": content}
    )
    tab.wait_for_selector("#problem:not(:empty)")
    assert problem in tab.get_by_role("alert").inner_text() and "\n" not in tab.get_by_role("alert").inner_text()
    assert not tab.is_visible("#result") and tab.get_attribute("body", "data-state") == "idle"


def test_nothing_was_recorded(page: Page) -> None:
    nothing = "() => earful.hear({ channels: [new Float32Array(0)], rate: 48000 }, 'recording')"
    assert page.page.evaluate(nothing) is None
    assert "The recording is empty" in page.page.get_by_role("alert").inner_text()


def test_one_thinks_better_of_it(page: Page) -> None:
    """A long recording is given up between two windows, and the next one is heard."""
    tab = page.page
    tab.evaluate("""() => {
        const tone = (n) => Math.sin(n * (0.05 + 0.03 * Math.sin(n / 9000))) * Math.sin(n / 3000);
        const sound = Float32Array.from({ length: 16000 * 300 }, (_, n) => 0.3 * tone(n));
        globalThis.long = earful.hear({ channels: [sound], rate: 16000 }, "long");
    }""")
    tab.get_by_role("status").filter(has_text="Listening").wait_for()
    assert re.fullmatch(r"Listening: \d:\d\d of 5:00", tab.get_by_role("status").inner_text())
    assert 0 < float(tab.get_by_role("progressbar").evaluate("(bar) => bar.value")) < 1
    tab.get_by_role("button", name="Cancel").click()
    assert tab.evaluate("long") is None and not tab.is_visible("#result")
    assert tab.get_by_role("alert").inner_text() == "" and tab.is_enabled("#record")
    said = tab.evaluate("earful.hear({ channels: [new Float32Array(16000).fill(0.1)], rate: 16000 }, 'next')")
    assert said["duration"] == 1.0


def test_nothing_can_be_fetched_from_elsewhere(page: Page) -> None:
    """Neither by the page nor by its worker: the policy of the page holds for both."""
    with browser.served(Path(__file__).parent) as elsewhere:
        ask = f"() => fetch('{elsewhere}conftest.py').then(() => 'came', () => 'refused')"
        assert page.page.evaluate(ask) == "refused"
        (worker,) = page.page.workers
        assert worker.evaluate(ask) == "refused"
    page.asked[:] = [url for url in page.asked if not url.startswith(elsewhere)]
