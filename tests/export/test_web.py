"""The folder with the page: what is in it, that it is built of its sources, and that the export proves it."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from earful.errors import ExportError
from earful.export import browser, proof, web
from earful.export.export import export
from earful.export.place import ABOUT
from earful.export.source import read_source
from earful.runtime.weights import Weight

SOURCES = Path(__file__).parents[2] / "web"
ALWAYS = {"index.html", "page.css", "page.js", "worker.js", "microphone.js", "runtime.wasm.gz", "LICENCES.txt"}
ALWAYS |= {"README.md", "recogniser.json", "model.onnx.gz", ABOUT}
here = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def sound(clips: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clips without their texts; and a model that has learned nothing may change its mind more often."""
    monkeypatch.setattr(proof, "MOST_OTHERWISE", 0.2)
    folder = tmp_path_factory.mktemp("sound")
    for clip in sorted(clips.glob("*.wav"))[:3]:
        (folder / clip.name).write_bytes(clip.read_bytes())
    return folder


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_page_is_built_of_its_sources() -> None:
    """`make web` was run after the last change, and nothing was changed by hand since."""
    built = web.page_built()
    names = ["package.json", "package-lock.json", "tsconfig.json", "build.mjs", "LICENCES.txt"]
    names += [f"src/{path.name}" for path in (SOURCES / "src").iterdir()]
    stamp = "".join(f"{name}\n{sha256((SOURCES / name).read_bytes())}\n" for name in sorted(names))
    assert built["sources"] == sha256(stamp.encode()), "the page is older than its sources; run: make web"
    files = {path.name: sha256(path.read_bytes()) for path in web.page_folder().iterdir()}
    del files[web.BUILT]
    assert files == built["files"], "a built file was changed; run: make web"
    wanted = json.loads((SOURCES / "package.json").read_text("utf-8"))["dependencies"]
    assert built["packages"].items() < wanted.items()  # the studio has others
    assert "resolved" not in (SOURCES / "package-lock.json").read_text("utf-8")


def test_the_page_allows_its_own_files_alone() -> None:
    text = (web.page_folder() / "index.html").read_text("utf-8")
    (policy,) = re.findall(r'"Content-Security-Policy" content="(.*?)"', text)
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed["default-src"] == "'none'" and allowed["connect-src"] == "'self'"
    assert {word for part in allowed.values() for word in part.split()} <= {
        "'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:",
    }  # fmt: skip
    assert "//" not in re.sub(r"<!--.*?-->|<!doctype html>", "", text, flags=re.S)


@here
@pytest.mark.parametrize("kind", ["float32", "int8", "float16"])
def test_an_export_is_proved(searcher: Path, sound: Path, tmp_path: Path, kind: Any) -> None:
    done = export(searcher, "web", tmp_path / "out", kind=kind, check=sound)
    assert names_in(tmp_path / "out") == ALWAYS | {"ngram.safetensors.gz", "words.safetensors.gz"}
    assert (done.recordings, done.proved_on, done.arithmetic) == (3, "your recordings", kind)
    assert done.off_s <= 0.02 and (done.same == 3 if kind == "float32" else done.otherwise <= 0.2)
    told = json.loads((tmp_path / "out" / "recogniser.json").read_text("utf-8"))
    assert (told["symbols"], told["hop_s"], told["arithmetic"]) == (list(" abcde"), pytest.approx(0.02), kind)
    assert told["bytes"] == {path.name: path.stat().st_size for path in (tmp_path / "out").glob("*.gz")}


def test_without_a_browser_it_says_so(
    talker: Path, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    monkeypatch.setattr(browser, "find_spec", lambda name: name)
    done = export(talker, "web", tmp_path / "out", check=sound)
    assert done.recordings == 0 and names_in(tmp_path / "out") == ALWAYS
    assert done.notes == (
        "it could not be proved by running it: there is no Chromium: apt-get install chromium",
    )  # fmt: skip
    monkeypatch.setattr(browser, "find_spec", lambda name: None)
    assert "playwright is not installed: pip install" in str(browser.missing())
    model = onnx.load_from_string(gzip.decompress((tmp_path / "out" / "model.onnx.gz").read_bytes()))
    onnx.checker.check_model(model, full_check=True)
    assert {each.domain for each in model.opset_import} == {""}


@here
def test_nothing_is_written_of_a_page_that_says_something_else(
    searcher: Path, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another network; and another bonus for letters, which the same numbers give away."""
    as_it_is, head = web.write, "heads.text.weight"

    def other_network(source: Any, folder: Path, kind: Any) -> None:
        other = Weight(source.weights[head].values[::-1].copy())
        as_it_is(replace(source, weights={**source.weights, head: other}), folder, kind)

    def other_language(source: Any, folder: Path, kind: Any) -> None:
        as_it_is(source, folder, kind)
        told = json.loads((folder / web.SETTINGS).read_text("utf-8"))
        (folder / web.SETTINGS).write_text(json.dumps({**told, "bonus": told["bonus"] - 4}), "utf-8")

    for write, message in (
        (other_network, "the export says"),
        (other_language, "from the same numbers the page writes"),
    ):
        monkeypatch.setattr(web, "write", write)
        with pytest.raises(ExportError, match=message):
            export(searcher, "web", tmp_path / "out", check=sound)
    assert not names_in(tmp_path)


@here
def test_from_right_to_left_and_without_a_microphone(
    write_talker: Callable[..., Path], clips: Path, tmp_path: Path
) -> None:
    web.write(read_source(write_talker(" אבגדה")), tmp_path, "float32")
    with browser.opened(tmp_path) as page:
        tab = page.page
        tab.get_by_role("button", name="Record", exact=True).click()
        tab.wait_for_selector("#problem:not(:empty)")
        assert re.match("No microphone was found|The microphone ", tab.get_by_role("alert").inner_text())
        tab.get_by_label("Choose a recording").set_input_files(clips / "clip1.wav")
        tab.wait_for_selector("#text p")
        assert tab.get_by_role("alert").inner_text() == ""
        assert tab.evaluate("getComputedStyle(document.querySelector('#text p span')).direction") == "rtl"
        tab.set_viewport_size({"width": 360, "height": 640})
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360


@here
def test_a_folder_that_was_copied_in_part(talker: Path, tmp_path: Path) -> None:
    web.write(read_source(talker), tmp_path, "float32")
    packed = (tmp_path / web.MODEL).read_bytes()
    (tmp_path / web.MODEL).write_bytes(packed[: len(packed) // 2])
    with pytest.raises(ExportError, match=r"the page does not load: files model\.onnx\.gz"), browser.opened(tmp_path):
        pass
