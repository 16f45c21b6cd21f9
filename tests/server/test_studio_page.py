"""The files of the studio's page: built of their sources, small, without strangers, each phrase in each language."""

import hashlib
import json
import re
from importlib import resources
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "web"
PAGE = Path(str(resources.files("earful"))) / "server" / "studio_page"
SHARED = ["package.json", "package-lock.json", "tsconfig.json", "build.mjs", "src/microphone.ts", "src/resample.ts"]
LARGEST = 400_000  # bytes, all files together: it is read over telephones, too


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def phrases(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((WEB / "studio" / "phrases" / f"{language}.json").read_text("utf-8"))
    return found


def test_the_page_is_built_of_its_sources() -> None:
    """`make web` was run after the last change, and nothing was changed by hand since."""
    built = json.loads((PAGE / "built.json").read_text("utf-8"))
    own = [str(path.relative_to(WEB)) for path in (WEB / "studio").rglob("*") if path.is_file()]
    stamp = "".join(f"{name}\n{sha256(WEB / name)}\n" for name in sorted(SHARED + own))
    assert built["sources"] == hashlib.sha256(stamp.encode()).hexdigest(), "the page is old; run: make web"
    files = {path.name: sha256(path) for path in PAGE.iterdir() if path.name != "built.json"}
    assert files == built["files"], "a built file was changed; run: make web"
    wanted = json.loads((WEB / "package.json").read_text("utf-8"))["dependencies"]
    exported = json.loads((PAGE.parents[1] / "export" / "web_page" / "built.json").read_text("utf-8"))["packages"]
    assert {**built["packages"], **exported} == wanted


def test_it_is_small_and_asks_nobody_else() -> None:
    assert sum(path.stat().st_size for path in PAGE.iterdir()) < LARGEST
    text = (PAGE / "index.html").read_text("utf-8")
    (policy,) = re.findall(r'"Content-Security-Policy" content="(.*?)"', text)
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert (allowed["default-src"], allowed["script-src"], allowed["connect-src"]) == ("'none'", "'self'", "'self'")
    assert {word for part in allowed.values() for word in part.split()} <= {"'none'", "'self'", "blob:", "data:"}
    assert not re.search(r"<script>|\son\w+=|\sstyle=|//", re.sub(r"<!--.*?-->|<!doctype html>", "", text, flags=re.S))
    assert not re.search(r"url\((?!data:)|@import|https?:", (PAGE / "studio.css").read_text("utf-8"))


@pytest.mark.parametrize("language", ["es", "fr"])
def test_each_phrase_is_translated(language: str) -> None:
    """With the same values in it; and no translation is left of a phrase that is gone."""
    english, other = phrases("en"), phrases(language)
    assert list(other) == list(english) == sorted(english)
    values = re.compile(r"\{\w+\}")
    for name, text in english.items():
        assert sorted(values.findall(other[name])) == sorted(values.findall(text)), name
        assert other[name].strip()
    same = [name for name, text in english.items() if other[name] == text and len(text) > 8]
    assert len(same) < 5, same


def test_every_phrase_is_said() -> None:
    """Each is named in the sources, whole or by what it begins with."""
    sources = "".join(path.read_text("utf-8") for path in (WEB / "studio").glob("*.ts"))
    begun = set(re.findall(r"[\"`]([a-z.]+\.)\$\{", sources))
    for name in phrases("en"):
        assert f'"{name}"' in sources or any(name.startswith(each) for each in begun), name
