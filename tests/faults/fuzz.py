"""Fuzz the parsers that are ours, led by coverage (atheris, group `fuzz`): they may raise EarfulError and no more.

    python -m faults.fuzz --seconds 600 --json bench/fuzz.json    # so much processor time for every parser
    python -m faults.fuzz --seconds 60 --only textgrid --keep

What is found is printed, and stays in `--corpus`, by default a temporary folder. `--keep` keeps the smallest inputs
that reached something new in `corpus/`, where each run begins, and which `test_corpus.py` parses again.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from faults.texts import TABLES

Target = Callable[[bytes], object]
KEPT = Path(__file__).parent / "corpus"
LONGEST, LARGEST_KEPT = 6000, 60_000  # bytes of one input; of the inputs of a parser in the repository
SLOWEST_S = 10.0  # of a processor, for one input
SUFFIXES = {
    "manifest": ".jsonl",
    "table": ".csv",
    "textgrid": ".TextGrid",
    "elan": ".eaf",
    "eaf": ".eaf",
    "flex": ".flextext",
    "transcriber": ".trs",
    "subtitles": ".srt",
    "vtt": ".vtt",
    "stm": ".stm",
    "ctm": ".ctm",
    "audacity": ".txt",
    "lhotse": ".jsonl",
    "recipe": ".toml",
    "lua": ".lua",
    "sounds_xml": ".xml",
    "riff": ".wav",
    "mpeg": ".mp3",
    "ogg": ".ogg",
    "flac": ".flac",
    "wave64": ".w64",
    "journal": ".jsonl",
}

FRAMES = ("riff", "mpeg", "ogg", "flac", "wave64")


def target_of(name: str, folder: Path) -> Target:
    """The parser by its name, as a function of bytes."""
    path = folder / ("journal.jsonl" if name == "journal" else f"clip0{SUFFIXES[name]}")
    parse = _parser(name)

    def run(content: bytes) -> None:
        from earful.errors import EarfulError

        path.write_bytes(content)
        with contextlib.suppress(EarfulError):
            parse(path)

    return run


def _parser(name: str) -> Callable[[Path], object]:
    if name in FRAMES:
        return _frames(name)
    if name == "recipe":
        from earful.config import read_toml
        from earful.pretrain.recipe import Recipe

        return lambda path: read_toml(Recipe, path)
    if name in ("lua", "sounds_xml", "journal"):
        return _corpora(name)
    if name == "manifest":
        from earful.data.manifest import read_manifest

        return read_manifest
    return _annotations(name)


def _frames(name: str) -> Callable[[Path], object]:
    from earful.audio.flac import flac_streams
    from earful.audio.mpeg import mpeg_streams
    from earful.audio.ogg import ogg_streams
    from earful.audio.riff import riff_streams
    from earful.audio.wave64 import wave64_streams

    readers = (riff_streams, mpeg_streams, ogg_streams, flac_streams, wave64_streams)
    found = dict(zip(FRAMES, readers, strict=True))[name]
    return lambda path: found(path, path.read_bytes())


def _corpora(name: str) -> Callable[[Path], object]:
    from earful.data.synthesis.journal import Journal
    from recipes.corpora.kde import read_sounds
    from recipes.corpora.lua import read_dialogs

    return {
        "lua": read_dialogs,
        "sounds_xml": lambda path: read_sounds(path, path.parent),
        "journal": lambda path: Journal(path.parent, {"a": 1})._file.close(),
    }[name]


def _annotations(name: str) -> Callable[[Path], object]:
    from earful.data.eaf import parse_eaf
    from earful.data.readers import audacity, elan, flex, lhotse, nist, subtitles, table, textgrid, transcriber

    modules = {"textgrid": textgrid, "elan": elan, "flex": flex, "transcriber": transcriber, "subtitles": subtitles}
    modules |= {"vtt": subtitles, "audacity": audacity, "lhotse": lhotse, "table": table}
    others = {"eaf": parse_eaf, "stm": nist.read_segments, "ctm": nist.read_words}
    return others[name] if name in others else modules[name].read


def seeds(name: str, folder: Path) -> None:
    """Valid beginnings, and what earlier runs kept."""
    folder.mkdir(parents=True, exist_ok=True)
    own = [text for file, text in TABLES.items() if Path(file).suffix == SUFFIXES[name]]
    extra = {
        "recipe": 'out = "a"\ncorpora = [{manifest = "b"}]\n[optimisation]\nsteps = 1\n',
        "lua": 'dialogId("a", "font", "x")\ndialogStr("abba")\n',
        "sounds_xml": '<k><language code="nl"><alpha><sound name="a" file="b.ogg"/></alpha></language></k>',
        "journal": '{"settings": {"a": 1}}\n{"id": "b", "phones": []}\n',
    }
    for number, text in enumerate([*own, *([extra[name]] if name in extra else [])]):
        (folder / f"seed{number}").write_text(text, "utf-8")
    if name in FRAMES:
        from faults.material import _sounds

        with tempfile.TemporaryDirectory() as place:
            _sounds(Path(place) / "sounds")
            for path in (Path(place) / "sounds").glob(f"*{SUFFIXES[name]}"):
                (folder / path.name).write_bytes(path.read_bytes()[:4000])
    for number, content in enumerate(kept(name)):
        (folder / f"kept{number}").write_bytes(content)


def kept(name: str) -> list[bytes]:
    """What the repository keeps of earlier runs, in order of size."""
    path = KEPT / f"{name}.zip"
    if not path.exists():
        return []
    with zipfile.ZipFile(path) as archive:
        return [archive.read(entry) for entry in archive.namelist()]


def keep(name: str, contents: list[bytes]) -> None:
    """Keep so many of them, the smallest first, as the bound allows: the same contents make the same bytes."""
    KEPT.mkdir(exist_ok=True)
    total = 0
    with zipfile.ZipFile(KEPT / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(sorted(set(contents), key=lambda each: (len(each), each))):
            total += len(content)
            if total > LARGEST_KEPT:
                return
            archive.writestr(zipfile.ZipInfo(f"{number:04}"), content, zipfile.ZIP_DEFLATED)


def fuzz(name: str, seconds: int, words: list[str]) -> None:
    """Run one target in this process for so much processor time; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["earful", "recipes"]):
        parse = target_of(name, Path(tempfile.mkdtemp(prefix="fuzz-")))
    runs = 0

    def run(content: bytes) -> None:
        nonlocal runs
        began = time.process_time()
        parse(content)
        runs, now = runs + 1, time.process_time()
        if now - began > SLOWEST_S:
            raise RuntimeError(f"{len(content)} bytes took {now - began:.0f} s")
        if now > seconds:
            print(json.dumps({"runs": runs, "processor_s": round(time.process_time())}), flush=True)
            os._exit(0)  # the fuzzer knows a limit of wall time alone, which a busy machine makes a short one

    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", "-timeout=7200", "-rss_limit_mb=2000", *words], run)
    atheris.Fuzz()


def one(name: str, seconds: int, corpus: Path, keeping: bool) -> dict[str, Any]:
    """Fuzz one parser in a process of its own: how often it ran, what it reached, and what it found."""
    seeds(name, corpus / name)
    found = _child(name, seconds, [str(corpus / name), f"-artifact_prefix={corpus}/found-{name}-"])
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", found.stderr)
    row: dict[str, Any] = {"parser": name, "seconds": seconds, "broken": int(found.returncode != 0)}
    row |= json.loads(found.stdout.splitlines()[-1]) if found.stdout.startswith("{") else {"runs": 0}
    if reached:
        row |= dict(zip(("lines", "features", "inputs"), map(int, reached[-1]), strict=True))
    if found.returncode:
        row["said"] = [*found.stdout.splitlines()[-30:], *found.stderr.splitlines()[-8:]]
    elif keeping:
        keep(name, [path.read_bytes() for path in (corpus / name).iterdir()])
    return row | {"kept": len(kept(name))}


def _child(name: str, seconds: int, words: list[str]) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        "-m",
        "faults.fuzz",
        "--target",
        name,
        "--seconds",
        str(seconds),
        "--words",
        json.dumps(words),
    ]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--only", action="append", choices=list(SUFFIXES))
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", type=Path, help="rows of other parsers that are there stay")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    parser.add_argument("--words", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.target:
        fuzz(asked.target, asked.seconds, asked.words)
        return 0
    corpus = asked.corpus or Path(tempfile.mkdtemp(prefix="corpus-"))
    rows = []
    with ThreadPoolExecutor(asked.workers) as pool:
        for row in pool.map(lambda name: one(name, asked.seconds, corpus, asked.keep), asked.only or SUFFIXES):
            print("\n".join([json.dumps({**row, "said": None}), *row.get("said", [])]), flush=True)
            rows.append(row)
            if asked.json:
                report(asked.json, rows)
    return 1 if any(row["broken"] for row in rows) else 0


def report(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows beside those of other parsers."""
    from earful.kshot.machine import machine

    before = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    names = {row["parser"] for row in rows}
    every = sorted(
        [*rows, *(row for row in before if row["parser"] not in names)],
        key=lambda row: list(SUFFIXES).index(row["parser"]),
    )
    found = {"rows": every, "machine": machine()}
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
