"""The target `huggingface`: a folder for a hub, with the unchanged model and a card for people."""

import json
import shutil
from pathlib import Path
from typing import Any

from earful.errors import ExportError, install
from earful.export.place import write_json, write_text
from earful.export.source import NOTICE, Source, version
from earful.folders import FILES

CARD_OF_PEOPLE, SETTINGS, VOCABULARY = "README.md", "config.json", "vocab.json"


def write(source: Source, folder: Path) -> None:
    """Write the model's own files, the settings and vocabulary that hubs expect, and the card."""
    for name in sorted(FILES | {NOTICE}):
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, folder / name)
    symbols = ("<blk>", *source.writing.alphabet.symbols)
    write_json(folder / VOCABULARY, {symbol: number for number, symbol in enumerate(symbols)})
    settings = {"model_type": "earful", "earful_version": version(), "vocab_size": len(symbols), **source.config}
    write_json(folder / SETTINGS, settings)
    write_text(folder / CARD_OF_PEOPLE, card(source))


def card(source: Source) -> str:
    """The model card: the model's output, its data, its error rates, and the authors of its parts."""
    language, adapted = source.writing.rules.language, source.about.get("adapted") or {}
    front = ["---", "library_name: earful", "pipeline_tag: automatic-speech-recognition", "tags: [earful, ctc]"]
    front += [f"language: {json.dumps(language)}"] if language else []
    front += ["---"]
    return "\n".join(
        [
            *front,
            "",
            f"# {Path(source.name).name}",
            "",
            "A speech recogniser made by [earful]" + f" {version()}.",
            "",
            *_measured(adapted),
            *_usage(),
            *([source.licences, ""] if source.licences else []),
            "The licence of the recordings that it was adapted to is not known to earful: say it here.",
            "",
        ]
    )


def _measured(adapted: dict[str, Any]) -> list[str]:
    """Data and error rates, from the report of the adaptation."""
    if not adapted:
        return ["It is a base to be adapted.", ""]
    rows = []
    for name, rate, bounds in (
        ("CER, best path", "cer_after", "interval_95"),
        ("CER, with the language model", "cer_with_language", "language_interval_95"),
    ):
        if isinstance(adapted.get(rate), float):
            within = adapted.get(bounds)
            interval = f"{100 * within[0]:.1f} – {100 * within[1]:.1f}" if within else "–"
            rows.append(f"| {name} | {100 * adapted[rate]:.1f} % | {interval} |")
    told = [
        f"Adapted to {adapted.get('clips', '?')} clips, {adapted.get('speech_s', 0) / 60:.1f} minutes of speech.",
        "",
    ]
    if rows:
        told += ["| measured on " + str(adapted.get("measured", "clips")) + " clips | rate | 95 % interval |"]
        told += ["| --- | ---: | ---: |", *rows, ""]
    return told


def _usage() -> list[str]:
    return [
        "```sh",
        "earful transcribe FOLDER new.wav",
        "earful adapt my-clips --base hf-model:OWNER/NAME --out my-model",
        "```",
        "",
    ]


def push(folder: Path, name: str, *, private: bool = False) -> str:
    """Upload an exported folder to the hub as `OWNER/NAME`; returns its address. HF_ENDPOINT names the hub.

    Raises ExportError: the folder is no such export, the extra is missing, or the hub refuses.
    """
    if not (folder / SETTINGS).is_file() or not (folder / CARD_OF_PEOPLE).is_file():
        raise ExportError(f"{folder}: is no export for a hub; make one: earful export MODEL --to huggingface --out DIR")
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise ExportError(f"pushing needs a package that is not installed: {install('hf')}") from None
    try:
        api = HfApi()
        address = str(api.create_repo(name, private=private, exist_ok=True))
        api.upload_folder(repo_id=name, folder_path=folder, commit_message=f"earful {version()}")
    except Exception as error:  # which ones depends on the version's way to the network
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ExportError(
            f"{name}: the hub does not take it ({reason[:200]}); check the name, or log in with `hf auth login`"
        ) from error
    return address
