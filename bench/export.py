"""Exports held to what earful itself says: each target, three models, 50 clips of synthetic speech.

An export that says something else is not written, so what stands here is what was the same; with fewer bits, how much
was not. With `--targets` those alone are run, and what the file has of others stays.

    python bench/export.py --models earful-base earful-tiny MODEL --out bench/export.json
    python bench/export.py --models earful-base earful-tiny MODEL --targets web --out bench/export.json
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from earful.data.synthesis.speak import speak_corpus
from earful.errors import ExportError
from earful.export.export import Kind, Target, export
from earful.kshot.machine import machine

LANGUAGE, CLIPS = "nl", 50
WANTED: tuple[tuple[Target, Kind], ...] = (
    ("onnx", "float32"),
    ("sherpa-onnx", "float32"),
    ("onnx", "int8"),
    ("web", "float32"),
    ("web", "int8"),
)


def row(model: str, target: Target, kind: Kind, clips: Path, out: Path) -> dict[str, Any]:
    """What came of one export; a refused one says why."""
    asked = {"model": Path(model).name, "target": target, "arithmetic": kind}
    try:
        found = asdict(export(model, target, out, kind=kind, check=clips))
    except ExportError as error:
        return {**asked, "refused": str(error)}
    del found["folder"]
    print(asked, found, flush=True)
    return {**asked, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--targets", nargs="+", default=sorted({target for target, _ in WANTED}))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    wanted = [each for each in WANTED if each[0] in options.targets]
    before = json.loads(options.out.read_text("utf-8"))["rows"] if options.out.exists() else []
    with tempfile.TemporaryDirectory() as name:
        clips = Path(name) / "clips"
        speak_corpus([LANGUAGE], clips, clips=CLIPS, invented=0.0, seed=1)
        rows = [
            row(model, target, kind, clips / LANGUAGE, Path(name) / f"{number}-{target}-{kind}")
            for number, model in enumerate(options.models)
            for target, kind in wanted
        ]
    rows = [each for each in before if each["target"] not in options.targets] + rows
    result = {
        "what": "exports run by their targets, held to what earful says in float32",
        "language": LANGUAGE,
        "clips": CLIPS,
        "seed": 1,
        "rows": rows,
        "machine": machine(),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
