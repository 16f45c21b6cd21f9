"""Debian packages are what Debian published: against apt's index, else against the hash noted at the download."""

import hashlib
from pathlib import Path

import pytest

from recipes.corpora import debian
from recipes.corpora.errors import CorpusError

NAME = "some-sounds_1%3a2.0-1_all.deb"
CONTENT = b"!<arch>\nnot much of a package"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def tool(folder: Path, name: str, lines: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{lines}\n", "utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `apt-cache` that knows two versions of one package."""
    stanzas = [
        f"Package: some-sounds\nVersion: 1:2.0-1\nArchitecture: all\nSHA256: {DIGEST}\nDescription: x",
        f"Package: some-sounds\nVersion: 1:1.0-1\nArchitecture: all\nSHA256: {'0' * 64}\n",
    ]
    (tmp_path / "stanzas").write_text("\n\n".join(stanzas), "utf-8")
    tool(tmp_path / "bin", "apt-cache", f'[ "$3" = some-sounds ] && /bin/cat {tmp_path}/stanzas')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_a_package_is_compared_with_the_index(index: Path) -> None:
    (index / NAME).write_bytes(CONTENT)
    debian.check_hash(index / NAME)
    (index / NAME).write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(CorpusError, match=r"is not what Debian published \(SHA-256 .*delete it and run again"):
        debian.check_hash(index / NAME)
    (index / NAME.replace("2.0", "1.0")).write_bytes(CONTENT)  # under the name of another version
    with pytest.raises(CorpusError, match="not what Debian published"):
        debian.unpack([index / NAME.replace("2.0", "1.0")], index)
    (index / NAME.replace("2.0", "3.0")).write_bytes(b"neither knows this one")
    debian.check_hash(index / NAME.replace("2.0", "3.0"))


def test_what_was_downloaded_is_compared_with_its_hash_of_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    tool(tmp_path / "bin", "apt-get", f"echo -n PACKAGE > '{NAME}'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (package,) = debian.fetch_packages(["some-sounds"], cache)
    assert (cache / (NAME + ".sha256")).read_text().split() == [hashlib.sha256(b"PACKAGE").hexdigest(), NAME]
    debian.check_hash(package)
    package.write_bytes(b"damaged")
    assert debian.fetch_packages(["some-sounds"], cache) == [package]
    with pytest.raises(CorpusError, match="not what Debian published"):
        debian.check_hash(package)
