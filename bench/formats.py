"""Which formats earful reads and writes, tried: files that other programs write are read, and ours are read by them.

Each program writes three spans with accents, quotes, & and <, which earful has to read as they are; and earful writes
them, for each program to read. Files that came with a package (--samples DIR, unpacked there, with its name and version
as the folder's) are read, and their texts compared with what another reader finds. A program that is not installed is
named as missing. Versions are those of the distributions.

    python bench/formats.py --samples samples --out bench/formats.json
"""

import argparse
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from formats_programs import LASTS_S, READERS, SAID, TIER, WRITERS, Span, every_interval

from earful.audio.files import write
from earful.data.clips import read_with_findings
from earful.data.readers import elan, textgrid, transcriber
from earful.data.tiers import Choice
from earful.kshot.machine import machine
from earful.transcript import Transcript, Word
from earful.writers.formats import render

Json = dict[str, Any]
# format → by which library earful reads it, and writes it; the format's name for --format
OURS: dict[str, tuple[str, str, str]] = {
    "ELAN `.eaf`": ("lxml", "lxml", "eaf"),
    "Praat `.TextGrid`": ("own code", "praatio", "textgrid"),
    "FLEx `.flextext`": ("lxml", "lxml", "flextext"),
    "Transcriber `.trs`": ("lxml", "", ""),
    "SubRip `.srt`": ("own code", "own code", "srt"),
    "WebVTT `.vtt`": ("own code", "own code", "vtt"),
    "NIST `.stm`": ("own code", "own code", "stm"),
    "NIST `.ctm`": ("own code", "own code", "ctm"),
    "Audacity's labels": ("own code", "", ""),
    "lhotse `.jsonl.gz`": ("own code", "", ""),
    "Kaldi": ("own code", "", ""),
    "Hugging Face data set": ("pyarrow", "", ""),
}
OUR_TIERS = {"ELAN `.eaf`": "earful phrases", "Praat `.TextGrid`": "phrases"}
SUFFIXES = {"textgrid": "TextGrid"}
CTM = "NIST `.ctm`"
NEAR_S = 0.002


def version(name: str) -> str | None:
    """The version of a distribution, or of a Debian package; None where it is not installed."""
    try:
        found = importlib.metadata.version(name)
        return f"{found} (Praat {_praat()})" if name == "praat-parselmouth" else found
    except importlib.metadata.PackageNotFoundError:
        program = shutil.which(name)
    if program is None:
        return None
    run = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, encoding="utf-8")
    return run.stdout or "of unknown version"


def _praat() -> str:
    import parselmouth

    return str(parselmouth.PRAAT_VERSION)


def verdict(wanted: Sequence[Span], found: Sequence[Span], *, whole: bool = False) -> str:
    """`right`, or what differs first; with `whole` the spans are clips of their own, and begin at 0."""
    if len(found) != len(wanted):
        return f"{len(found)} of {len(wanted)} spans"
    for (start_s, end_s, text), other in zip(wanted, found, strict=True):
        if " ".join(text.split()) != " ".join(other[2].split()):
            return f"{other[2]!r} for {text!r}"
        begin_s = 0.0 if whole else start_s
        if abs(begin_s - other[0]) + abs(end_s - start_s + begin_s - other[1]) > NEAR_S:
            return f"{other[0]:.3f}–{other[1]:.3f} s for {start_s:.3f}–{end_s:.3f} s"
    return "right"


def tried(run: Callable[[], str]) -> str:
    try:
        return run()
    except ImportError as error:
        return f"missing: {error}"
    except Exception as error:  # whatever another program fails by is what is to be said
        return f"fails: {type(error).__name__}: {str(error)[:120]}"


def recording(folder: Path) -> Path:
    folder.mkdir(parents=True)
    noise_T = np.random.default_rng(1).standard_normal(round(16_000 * LASTS_S)).astype(np.float32)
    write(folder / "talk.wav", 0.1 * noise_T)
    return folder


def read(form: str, place: Path, tier: str | None) -> list[Span]:
    """What earful reads of a tier."""
    choice = Choice(tier, drop="")
    clips = read_with_findings(place, choice).manifest
    return [(clip.start_s, clip.start_s + (clip.duration_s or 0.0), clip.text or "") for clip in clips]


def written_by_others(form: str, place: Path) -> Iterator[Json]:
    for program, kind, writes in WRITERS.get(form, ()):
        folder = recording(place / f"{program}-{kind or 'one'}".replace(" ", "-").replace(",", ""))

        def run(writes: Callable[[Path], Path] = writes, folder: Path = folder) -> str:
            wanted = _phrase(SAID) if form == CTM else SAID
            found = read(form, writes(folder), TIER if form in OUR_TIERS else None)
            return verdict(wanted, found, whole=form.startswith("Hugging"))

        yield {"program": program, "version": version(program), "kind": kind, "verdict": tried(run)}


def _phrase(said: Sequence[Span]) -> list[Span]:
    """Words that are near each other make one clip of a .ctm; in a word there are no spaces."""
    return [(said[0][0], said[-1][1], " ".join(text.replace(" ", "_") for _, _, text in said))]


def written_by_us(form: str, place: Path) -> Iterator[Json]:
    name = OURS[form][2]
    if not name:
        return
    folder = recording(place / "ours")
    words = []
    for start_s, end_s, text in SAID:
        parts = text.split()
        step_s = (end_s - start_s) / len(parts)
        words += [Word(part, start_s + n * step_s, start_s + (n + 1) * step_s, 0.9) for n, part in enumerate(parts)]
    said = Transcript(" ".join(text for _, _, text in SAID), tuple(words), 0.9, LASTS_S)
    for each in ("stm", "ctm") if name in ("stm", "ctm") else (name,):
        file = folder / f"talk.{SUFFIXES.get(each, each)}"
        file.write_text(render(said, each, str(folder / "talk.wav"), place=file), "utf-8")
    file = folder / f"talk.{SUFFIXES.get(name, name)}"
    again = read(form, _without_drafts(file), OUR_TIERS.get(form))
    yield {"program": "earful", "version": version("earful"), "verdict": _same_words(again)}
    for program, reads in READERS.get(form, ()):
        if version(program) is None:
            yield {"program": program, "version": None, "verdict": "missing"}
            continue
        outcome = tried(lambda reads=reads: _same_words(list(reads(file))))
        yield {"program": program, "version": version(program), "verdict": outcome}


def _without_drafts(file: Path) -> Path:
    """An ELAN file as if a person had written it: earful learns nothing from its own drafts."""
    if file.suffix == ".eaf":
        text = re.sub(r"<PROPERTY NAME=\"earful[^>]*>[^<]*</PROPERTY>", "", file.read_text("utf-8"))
        file = file.with_name("again.eaf")
        file.write_text(text, "utf-8")
    return file


def _same_words(found: Sequence[Span]) -> str:
    """Phrases are cut at pauses: what counts is where all begins and ends, and every word."""
    wanted = " ".join(text for _, _, text in SAID)
    text = " ".join(" ".join(span[2].split()) for span in found)
    if text != wanted:
        return f"{text!r} for {wanted!r}"
    ends = abs(found[0][0] - SAID[0][0]) + abs(found[-1][1] - SAID[-1][1])
    return "right" if ends <= NEAR_S else f"from {found[0][0]} s to {found[-1][1]} s"


SAMPLES: dict[str, tuple[str, Callable[[Path], Sequence[Any]]]] = {
    ".eaf": ("ELAN `.eaf`", elan.read),
    ".textgrid": ("Praat `.TextGrid`", textgrid.read),
    ".trs": ("Transcriber `.trs`", transcriber.read),
}


def samples(place: Path) -> Iterator[Json]:
    """Files that came with packages: every text that another reader finds has to be in what earful finds."""
    for package in sorted(path for path in place.iterdir() if path.is_dir()):
        for suffix, (form, reads) in SAMPLES.items():
            files = sorted(path for path in package.rglob("*") if path.suffix.lower() == suffix and path.is_file())
            if files:
                outcomes = [tried(lambda file=file, reads=reads: _all_there(file, reads)) for file in files]
                wrong = [f"{file.name}: {said}" for file, said in zip(files, outcomes, strict=True) if said != "right"]
                yield {"package": package.name, "format": form, "files": len(files), "wrong": wrong}


def _all_there(file: Path, reads: Callable[[Path], Sequence[Any]]) -> str:
    spans = [span for each in reads(file) for tier in each.tiers for span in (*tier.spans, *tier.lost)]
    ours = _plain(" ".join(span.text for span in spans))
    missing = [text for text in _texts(file) if text not in ours]
    return "right" if not missing else f"{len(missing)} texts are not there, such as {missing[0]!r}"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _texts(file: Path) -> list[str]:
    """What another reader finds: Praat in a TextGrid, the standard library in XML."""
    if file.suffix.lower() == ".textgrid":
        return [text for span in every_interval(file) if (text := _plain(span[2]))]
    from xml.etree import ElementTree

    root = ElementTree.parse(file).getroot()
    if file.suffix.lower() == ".eaf":
        return [text for each in root.iter("ANNOTATION_VALUE") if (text := _plain(each.text or ""))]
    return [text for turn in root.iter("Turn") for part in turn.itertext() if (text := _plain(part))]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=Path, help="a folder of unpacked packages with files of the real programs")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    found: Json = {"machine": machine(), "formats": {}, "samples": []}
    with tempfile.TemporaryDirectory() as place:
        for number, (form, (read_by, written_by, _)) in enumerate(OURS.items()):
            home = Path(place) / str(number)
            found["formats"][form] = {
                "read by": read_by,
                "written by": written_by,
                "others": list(written_by_others(form, home)),
                "ours": list(written_by_us(form, home)),
            }
    found["samples"] = list(samples(options.samples)) if options.samples else []
    options.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
