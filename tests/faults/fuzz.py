"""Fuzz the parsers that are ours, led by coverage (atheris, group `fuzz`): they may raise EarfulError and no more.

    python -m faults.fuzz --seconds 600                 # every parser so long, one after the other
    python -m faults.fuzz --seconds 60 --only textgrid

What is found is printed; what it learned stays in `--corpus`, by default a temporary folder.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from faults.texts import TABLES

Target = Callable[[bytes], object]
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
    "journal": ".jsonl",
}


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
    if name in ("riff", "mpeg", "ogg", "flac"):
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

    found = {"riff": riff_streams, "mpeg": mpeg_streams, "ogg": ogg_streams, "flac": flac_streams}[name]
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
    """Valid beginnings."""
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
    if name in ("riff", "mpeg", "ogg", "flac"):
        from faults.material import _sounds

        with tempfile.TemporaryDirectory() as place:
            _sounds(Path(place) / "sounds")
            for path in (Path(place) / "sounds").glob(f"*{SUFFIXES[name]}"):
                (folder / path.name).write_bytes(path.read_bytes()[:4000])


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Run one target in this process; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["earful"]):
        run = target_of(name, Path(tempfile.mkdtemp(prefix="fuzz-")))
    words = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={seconds}",
        "-max_len=6000",
        "-timeout=20",
        "-rss_limit_mb=2000",
    ]
    atheris.Setup([*words, f"-artifact_prefix={corpus}/found-"], run)
    atheris.Fuzz()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--only", action="append", choices=list(SUFFIXES))
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    corpus = asked.corpus or Path(tempfile.mkdtemp(prefix="corpus-"))
    if asked.target:
        fuzz(asked.target, asked.seconds, corpus)
        return 0
    broken = 0
    for name in asked.only or SUFFIXES:
        seeds(name, corpus / name)
        words = [sys.executable, "-m", "faults.fuzz", "--target", name, "--seconds", str(asked.seconds)]
        run = subprocess.run([*words, "--corpus", str(corpus / name)], capture_output=True, text=True, check=False)
        lines = run.stderr.splitlines()
        executed = next(
            (line for line in reversed(lines) if "stat::number_of_executed_units" in line or "Done" in line), ""
        )
        print(json.dumps({"parser": name, "status": run.returncode, "said": executed.strip()}), flush=True)
        if run.returncode:
            broken += 1
            print("\n".join(lines[-40:]), flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
