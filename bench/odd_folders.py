"""How many odd recordings and folders of them are read wrongly without a word, by check, transcribe and adapt.

Recordings are those of `odd_sound.py`: each kind is made once a seed. Folders hold recordings with their transcripts
and what else lies in folders of people: files of other kinds, texts without a recording, broken files among good ones,
names with quotes and line ends. Each is read as `earful check`, `earful transcribe` and `earful adapt` read it, in this
process. It is silently wrong where a good clip is not used, with its own text and sound, or where a file that is not
used is not named; refused where all of it is refused with a reason.

    python bench/odd_folders.py --seeds 8 --before COMMIT --out bench/odd_folders.json
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import odd_files as odd
from numpy.typing import NDArray
from odd_sound import is_right, made, talk

from earful.audio.channels import survey
from earful.audio.files import blocks, probe, read
from earful.checkpoint import load_checkpoint
from earful.cli.adapt import name_left_out, sift
from earful.cli.leftovers import clips_of
from earful.cli.transcribe import sound_files
from earful.data.check import inspect, usable
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.data.readers.leftovers import left_over
from earful.errors import EarfulError
from earful.kshot.machine import machine

Sound = NDArray[np.float64]
OUTCOMES = ("right", "refused", "wrong, told", "silently wrong")
WORDS = ("kala", "mina", "tolo", "seka", "rami", "duna", "pelo", "suti")
ROOT = Path(__file__).resolve().parent.parent


class Good(NamedTuple):
    """A clip that is to be used: what it says, and how it sounds."""

    text: str
    sound_T: Sound


class Folder(NamedTuple):
    """What a folder holds: clips to be used, and names of files that are to be told of, both relative to it.

    `unheard` are of no use to who only transcribes: texts.
    """

    good: dict[str, Good]
    odd: frozenset[str] = frozenset()
    unheard: frozenset[str] = frozenset()


class Maker:
    """Puts clips and other files into a folder, and remembers what is what."""

    def __init__(self, place: Path, rng: np.random.Generator) -> None:
        self.place, self.rng = place, rng
        self.good: dict[str, Good] = {}
        self.odd: set[str] = set()
        self.unheard: set[str] = set()

    def clip(self, name: str, kind: str = "WAV", text: str | None = None) -> Good:
        """A good clip and its text."""
        found = Good(text or " ".join(self.rng.choice(WORDS, 4)), talk(self.rng))
        self.file(name, odd.encoded(found.sound_T, kind=kind), None)
        self.file(str(Path(name).with_suffix(".txt")), found.text.encode(), None)
        self.good[name] = found
        return found

    def file(self, name: str, content: bytes, told: bool | None, *, heard: bool = True) -> None:
        """A file; if `told`, one that is to be told of, by transcribe too where it is to be `heard`."""
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if told:
            self.odd.add(name)
            if not heard:
                self.unheard.add(name)

    def done(self) -> Folder:
        return Folder(self.good, frozenset(self.odd), frozenset(self.unheard))


def plain(m: Maker) -> None:
    for number in range(3):
        m.clip(f"{number}.wav")


def other_kinds(m: Maker) -> None:
    plain(m)
    m.file("a.m4a", odd.m4a(), True)
    m.file("b.amr", b"#!AMR\n" + bytes(400), True)
    m.file("c.raw", bytes(4_000), True)
    m.file("d.lab", b"kala", True, heard=False)
    m.file("e.docx", b"PK\3\4", True, heard=False)
    m.file("f", odd.encoded(talk(m.rng)), True)


def texts_alone(m: Maker) -> None:
    plain(m)
    m.file("alone.txt", b"kala mina", True, heard=False)


def sound_alone(m: Maker) -> None:
    plain(m)
    m.file("alone.wav", odd.encoded(talk(m.rng)), True, heard=False)


def one_broken(m: Maker) -> None:
    plain(m)
    whole = odd.encoded(talk(m.rng))
    broken = (whole[: len(whole) // 3], b"RIFF", whole[:44], bytes(m.rng.integers(0, 256, 900, np.uint8)))
    m.file("broken.wav", broken[int(m.rng.integers(len(broken)))], True)
    m.file("broken.txt", b"kala mina", None)


def nested(m: Maker) -> None:
    for name in ("1.wav", "a/1.wav", "a/b/1.wav", "a.wav/2.wav"):
        m.clip(name)


def formats(m: Maker) -> None:
    for name, kind in (("a.wav", "WAV"), ("b.FLAC", "FLAC"), ("c.ogg", "OGG"), ("d.mp3", "MP3"), ("e.aiff", "AIFF")):
        m.clip(name, kind)
    m.clip("f.Wav", "WAV")
    m.clip("g.wav", "FLAC")


def twice(m: Maker) -> None:
    plain(m)
    m.file("copy.wav", (m.place / "1.wav").read_bytes(), True, heard=False)
    m.file("copy.txt", b"duna pelo", None)


def names(m: Maker) -> None:
    for name in ("a b.wav", "it's.wav", 'say "x".wav', "two\nlines.wav", "-n.wav", "50%.wav", "#1.wav", "a.b.c.wav"):
        m.clip(name)
    m.clip(unicodedata.normalize("NFD", "é.wav"))


def empty_files(m: Maker) -> None:
    plain(m)
    m.file("sound.wav", b"", True)
    m.file("sound.txt", b"kala mina", None)
    m.file("text.wav", odd.encoded(talk(m.rng)), True, heard=False)
    m.file("text.txt", b"", None)


def very_short(m: Maker) -> None:
    plain(m)
    m.file("short.wav", odd.encoded(talk(m.rng)[: int(m.rng.integers(1, 300))]), True, heard=False)
    m.file("short.txt", b"kala mina", None)


def silent(m: Maker) -> None:
    plain(m)
    m.file("silent.wav", odd.encoded(np.zeros(32_000)), True, heard=False)
    m.file("silent.txt", b"kala mina", None)


def no_sound(m: Maker) -> None:
    plain(m)
    m.file("page.wav", b"<html>404 not found</html>" * 20, True)
    m.file("page.txt", b"kala mina", None)


def dangling(m: Maker) -> None:
    plain(m)
    (m.place / "gone.wav").symlink_to("nowhere.wav")
    m.file("gone.txt", b"kala mina", True, heard=False)


def two_of_one_name(m: Maker) -> None:
    plain(m)
    m.file("0.flac", odd.encoded(m.good["0.wav"].sound_T, kind="FLAC"), None)
    m.odd.add("0.wav")  # the second of two that are the same is named
    m.unheard.add("0.wav")


def encodings(m: Maker) -> None:
    plain(m)
    m.file("0.txt", b"\xef\xbb\xbf" + m.good["0.wav"].text.encode() + b"\r\n", None)
    m.file("1.txt", m.good["1.wav"].text.replace(" ", "\n").encode(), None)
    m.file("old.wav", odd.encoded(talk(m.rng)), None)
    m.file("old.txt", "kala mïna".encode("latin-1"), True, heard=False)


def listed(m: Maker) -> None:
    """A table beside the sound: a row for each clip, one of a file that is not there, one without a text."""
    rows = ["path,text"]
    for number in range(3):
        found = m.clip(f"clips/{number}.wav")
        (m.place / f"clips/{number}.txt").unlink()
        rows.append(f'clips/{number}.wav,"{found.text}"')
    m.file("clips/bare.wav", odd.encoded(talk(m.rng)), True, heard=False)
    m.file("clips/unlisted.wav", odd.encoded(talk(m.rng)), True, heard=False)
    m.file("table.csv", "\n".join([*rows, "clips/gone.wav,kala mina", "clips/bare.wav,", ""]).encode(), None)
    m.odd.add("clips/gone.wav")
    m.unheard.add("clips/gone.wav")


FOLDERS: dict[str, Callable[[Maker], None]] = {
    "a folder as it should be": plain,
    "files of other kinds": other_kinds,
    "texts without a recording": texts_alone,
    "recordings without a text": sound_alone,
    "a broken file among good ones": one_broken,
    "folders in folders, equal names": nested,
    "all formats, odd suffixes": formats,
    "a recording twice, with two texts": twice,
    "names with spaces, quotes, line ends": names,
    "empty files": empty_files,
    "very short clips": very_short,
    "silent clips": silent,
    "a web page named .wav": no_sound,
    "links to nothing": dangling,
    "two recordings of one name": two_of_one_name,
    "texts in other encodings": encodings,
    "a table with gaps": listed,
}


def used_rightly(folder: Path, holds: Folder, used: Manifest) -> bool:
    """Whether each good clip is used, with its own text and sound."""
    found = {os.path.relpath(u.audio, folder): u for u in used}
    for name, good in holds.good.items():
        if name not in found or " ".join((found[name].text or "").split()) != good.text:
            return False
        if not is_right(read(found[name].audio), good.sound_T):
            return False
    return True


def checked(folder: Path, holds: Folder) -> tuple[bool, str]:
    """What `earful check` uses and says."""
    manifest = read_clips(folder)
    findings = inspect(manifest).findings
    told = [" ".join((each.where, each.message, each.utterance_id or "")) for each in findings]
    told += map(str, left_over(folder, manifest))
    return used_rightly(folder, holds, usable(manifest, findings)), "\n".join(told)


def adapted(folder: Path, holds: Folder) -> tuple[bool, str]:
    """What `earful adapt` uses and says, before it learns. Warnings of what it does use are those of check."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        manifest = clips_of(folder)
        used, findings = sift(manifest, TINY, lambda *told, **more: None)
        name_left_out(manifest, used, findings)
    kept = {os.path.relpath(u.audio, folder) for u in used}
    return used_rightly(folder, holds, used), said.getvalue() + "\n".join(kept & holds.odd)


def transcribed(folder: Path, holds: Folder) -> tuple[bool, str]:
    """What `earful transcribe` hears and says: it goes on after a file that it cannot read."""
    said, heard = io.StringIO(), dict[str, NDArray[np.float32]]()
    with contextlib.redirect_stderr(said):
        for file, name in sound_files([folder]):
            try:
                heard[str(name)] = np.concatenate(list(blocks(file, 15.0)))
            except (EarfulError, OSError) as error:
                print(f"earful: {error}", file=sys.stderr)
    right = all(name in heard and is_right(heard[name], good.sound_T) for name, good in holds.good.items())
    return right, said.getvalue()


TINY = load_checkpoint("earful-tiny")
WAYS = {"check": checked, "transcribe": transcribed, "adapt": adapted}


def outcome(way: str, folder: Path, holds: Folder) -> tuple[str, str]:
    """How a folder is read in one way, and what is wrong with that."""
    try:
        right, told = WAYS[way](folder, holds)
    except EarfulError as error:
        told = str(error)
        named = any(Path(name).name in told for name in holds.odd)
        return ("refused", "") if named or not holds.good else ("silently wrong", f"refused: {told}")
    wanted = holds.odd - holds.unheard if way == "transcribe" else holds.odd
    silent = [name for name in sorted(wanted) if Path(name).name not in told]
    if silent:
        return "silently wrong", f"not named: {silent}"
    return ("right", "") if right else ("silently wrong", "a good clip is not used as it is")


def folders(seeds: int) -> Iterator[tuple[str, str, str]]:
    """(kind, outcome, what is wrong) of each folder, in each way."""
    for seed in range(seeds):
        for kind, fill in FOLDERS.items():
            with tempfile.TemporaryDirectory() as place:
                maker = Maker(Path(place) / "my clips", np.random.default_rng(seed))
                fill(maker)
                for way in WAYS:
                    yield f"{kind}: {way}", *outcome(way, maker.place, maker.done())


def recordings(seeds: int) -> Iterator[tuple[str, str, str]]:
    """The same of single recordings, as `odd_sound.py` has them."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "odd"
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            for kind, content, held_T in made(talk(rng), rng):
                path.write_bytes(content)
                try:
                    told = probe(path).warnings + survey(path).warnings
                    right = is_right(read(path), held_T)
                    yield kind, "right" if right else "wrong, told" if told else "silently wrong", "another sound"
                except EarfulError:
                    yield kind, "refused", ""


def counted(seeds: int) -> dict[str, dict[str, int]]:
    """Outcomes by kind; what is silently wrong is told on stderr."""
    rows: dict[str, dict[str, int]] = {}
    for kind, found, why in (*recordings(seeds), *folders(seeds)):
        rows.setdefault(kind, dict.fromkeys(OUTCOMES, 0))[found] += 1
        if found == "silently wrong":
            print(f"{kind}: {why}", file=sys.stderr, flush=True)
    return rows


def counted_at(commit: str, seeds: int) -> dict[str, dict[str, int]]:
    """The same by the code of another commit, in a work tree of its own."""
    with tempfile.TemporaryDirectory() as place:
        tree, out = Path(place) / "tree", Path(place) / "out.json"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", tree, commit], cwd=ROOT, check=True)
        try:
            command = [sys.executable, str(Path(__file__).resolve()), "--seeds", str(seeds), "--out", str(out)]
            subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tree / "src")}, check=True)
            found: dict[str, dict[str, int]] = json.loads(out.read_text("utf-8"))["kinds"]
            return found
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def main() -> None:
    """Make, read, count, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--before", help="count by the code of this commit, too", metavar="COMMIT")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    rows = counted(asked.seeds)
    total, wrong = (sum(row[name] for row in rows.values() for name in names) for names in (OUTCOMES, OUTCOMES[-1:]))
    files = asked.seeds * sum(":" not in kind for kind in rows)
    found = {"machine": machine(), "seeds": asked.seeds, "recordings": files, "folders": asked.seeds * len(FOLDERS)}
    found |= {"readings": total, "silently_wrong": wrong, "kinds": rows}
    if asked.before:
        commit = subprocess.run(
            ["git", "rev-parse", asked.before], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
        ).stdout.strip()
        found["before"] = {"commit": commit, "kinds": counted_at(commit, asked.seeds)}
    asked.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(f"{wrong} of {total} readings silently wrong")


if __name__ == "__main__":
    main()
