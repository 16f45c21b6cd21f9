"""Pre-trained encoders by name: a local folder, or a repository on huggingface.co, fetched once and kept."""

import re
from collections.abc import Sequence
from pathlib import Path

from earful.errors import CheckpointError, install

PREFIX, MODEL_PREFIX = "hf:", "hf-model:"
MODEL_FILES = (
    *("model.json", "lexicon.json", "NOTICE"),
    *("model.safetensors", "ngram.safetensors", "words.safetensors", "inner.safetensors"),
)
WANTED = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)
"""Not `*.safetensors`, because a repository of MMS has an adapter for each of its thousand languages."""

_NAME = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\S+))?")


def fetch_pretrained(name_or_folder: str | Path) -> Path:
    """The folder of `hf:FOLDER`, or of `hf:OWNER/NAME` or `hf:OWNER/NAME@REVISION`, which is fetched if needed.

    The prefix may be left out. Fetching needs the extra `hf`; fetched files stay in Hugging Face's cache.

    Raises:
        CheckpointError: no such folder or repository, no network, no extra, or no safetensors there.
    """
    name = str(name_or_folder).removeprefix(PREFIX)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return folder
    if (match := _NAME.fullmatch(name)) is None:
        raise CheckpointError(
            f"{name}: no such folder, and not the name of a repository; give hf:FOLDER or hf:OWNER/NAME"
        )
    fetched = _download(name, match["repository"], match["revision"])
    if not any(fetched.glob("model*.safetensors")):
        raise CheckpointError(
            f"{name}: the repository has no safetensors; name a revision that has (hf:OWNER/NAME@refs/pr/1, say: its "
            "page shows proposed ones), or load it with transformers, save it with "
            "`save_pretrained(folder, safe_serialization=True)` and give hf:FOLDER"
        )
    return fetched


def fetch_model(name: str) -> Path:
    """The folder of `hf-model:OWNER/NAME` or `hf-model:OWNER/NAME@REVISION`, a model of earful's (`earful push`).

    Raises CheckpointError as `fetch_pretrained`.
    """
    repository = name.removeprefix(MODEL_PREFIX)
    if (match := _NAME.fullmatch(repository)) is None:
        raise CheckpointError(f"{name}: is no name of a repository; give {MODEL_PREFIX}OWNER/NAME")
    return _download(repository, match["repository"], match["revision"], MODEL_FILES)


def _download(name: str, repository: str, revision: str | None, wanted: Sequence[str] = WANTED) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    except ImportError:
        raise CheckpointError(
            f"{name}: no such folder, and fetching it from huggingface.co needs a package that is not installed: "
            f"{install('hf')}"
        ) from None
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(wanted)))
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{name}: no such folder here and no such repository on huggingface.co, or one that asks for consent; "
            "check the name, or log in with `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{name}: the repository has no revision {revision!r}; leave it out") from error
    except Exception as error:  # which ones depends on the version's way to the network
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{name}: cannot be fetched from huggingface.co ({reason}); check the network, or fetch it elsewhere "
            "and give hf:FOLDER"
        ) from error
