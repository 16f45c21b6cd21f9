"""Encoders by name, and nothing is fetched: a stand-in for Hugging Face's library writes a folder, or fails."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from earful.encoder.hub import WANTED, fetch_pretrained
from earful.errors import CheckpointError

NAME = "facebook/wav2vec2-xls-r-300m"


class RepositoryNotFoundError(OSError):
    """Stands for the library's."""


class RevisionNotFoundError(OSError):
    """Stands for the library's."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """`hub(download)` installs a library whose `snapshot_download` is `download`."""

    def hub(download: Callable[..., Any]) -> None:
        library, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")
        library.snapshot_download = download  # type: ignore[attr-defined]
        for error in (RepositoryNotFoundError, RevisionNotFoundError):
            setattr(errors, error.__name__, error)
        monkeypatch.setitem(sys.modules, "huggingface_hub", library)
        monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)

    return hub


def failing(error: Exception) -> Callable[..., Any]:
    def download(*_: Any, **__: Any) -> str:
        raise error

    return download


@pytest.mark.parametrize("prefix", ["", "hf:"])
def test_a_folder_is_itself(prefix: str, tmp_path: Path, hub: Callable[..., None]) -> None:
    hub(failing(AssertionError("nothing is to be fetched")))
    assert fetch_pretrained(f"{prefix}{tmp_path}") == tmp_path
    assert fetch_pretrained(tmp_path) == tmp_path


def test_a_folder_comes_before_a_repository_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Callable[..., None]
) -> None:
    hub(failing(AssertionError("nothing is to be fetched")))
    monkeypatch.chdir(tmp_path)
    Path(NAME).mkdir(parents=True)
    assert fetch_pretrained(f"hf:{NAME}") == Path(NAME)


@pytest.mark.parametrize(
    ("name", "revision"), [(f"hf:{NAME}", None), (NAME, None), (f"hf:{NAME}@refs/pr/5", "refs/pr/5")]
)
@pytest.mark.parametrize("file", ["model.safetensors", "model-00001-of-00002.safetensors"])
def test_a_repository_is_fetched(
    name: str, revision: str | None, file: str, tmp_path: Path, hub: Callable[..., None]
) -> None:
    asked: list[Any] = []

    def download(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.extend((repository, revision, tuple(allow_patterns)))
        (tmp_path / file).touch()
        return str(tmp_path)

    hub(download)
    assert fetch_pretrained(name) == tmp_path
    assert asked == [NAME, revision, WANTED]


def test_no_safetensors(tmp_path: Path, hub: Callable[..., None]) -> None:
    hub(lambda *_, **__: str(tmp_path))
    (tmp_path / "config.json").touch()
    with pytest.raises(CheckpointError, match=r"has no safetensors; name a revision .*safe_serialization=True"):
        fetch_pretrained(f"hf:{NAME}")


def test_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r'not installed: pip install "\.\[hf\]"'):
        fetch_pretrained(f"hf:{NAME}")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RepositoryNotFoundError("404 Client Error"), "no such folder here and no such repository"),
        (RevisionNotFoundError("404 Client Error"), "the repository has no revision 'refs/pr/9'"),
        (ConnectionError("Name or service not known\nhttps://…"), r"\(Name or service not known\); check the network"),
        (RuntimeError(), r"cannot be fetched from huggingface.co \(RuntimeError\)"),
    ],
)
def test_what_can_go_wrong(error: Exception, message: str, hub: Callable[..., None]) -> None:
    hub(failing(error))
    with pytest.raises(CheckpointError, match=message) as raised:
        fetch_pretrained(f"hf:{NAME}@refs/pr/9")
    assert str(raised.value).startswith(NAME) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["hf:", "hf:xls-r", "hf:/no/such/folder", "./models", "../xls-r", "hf:a/b c"])
def test_what_is_no_name(name: str, hub: Callable[..., None]) -> None:
    hub(failing(AssertionError("nothing is to be fetched")))
    with pytest.raises(CheckpointError, match="no such folder, and not the name of a repository"):
        fetch_pretrained(name)


def test_it_speaks_to_the_real_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Told to stay offline, it has nothing in an empty cache."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"cannot be fetched from huggingface.co .*; check the network"):
        fetch_pretrained(f"hf:{NAME}")
