"""Spoilt manifests, tables and annotations."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

from faults.judge import Case
from faults.mutate import ENDLESS, NASTY, json_text, spoil, spoil_values

TABLES: dict[str, str] = {
    "clips.csv": "path,text\nclip0.wav,abba ba\nclip1.wav,cab abba\n",
    "clips.tsv": "path\tsentence\tspeaker\nclip0.wav\tabba\ts\nclip1.wav\tcab\ts\n",
    "metadata.jsonl": '{"file_name": "clip0.wav", "text": "abba"}\n{"file_name": "clip1.wav", "text": "cab"}\n',
    "clip0.srt": "1\n00:00:00,100 --> 00:00:00,900\nabba\n\n2\n00:00:01,000 --> 00:00:01,400\ncab\n",
    "clip0.vtt": "WEBVTT\n\n00:00.100 --> 00:00.900\nabba\n\n00:01.000 --> 00:01.400\ncab\n",
    "all.stm": "clip0 1 s 0.10 0.90 abba\nclip1 1 s 0.10 0.80 cab\n",
    "all.ctm": "clip0 1 0.10 0.40 abba\nclip0 1 0.60 0.30 ba\n",
    "clip0.txt": "0.100000\t0.900000\tabba\n1.000000\t1.400000\tcab\n",
    "clip0.TextGrid": (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1.5\ntiers? <exists>\nsize = 1\n'
        'item []:\n    item [1]:\n        class = "IntervalTier"\n        name = "words"\n        xmin = 0\n'
        "        xmax = 1.5\n        intervals: size = 2\n        intervals [1]:\n            xmin = 0\n"
        '            xmax = 0.9\n            text = "abba"\n        intervals [2]:\n            xmin = 0.9\n'
        '            xmax = 1.5\n            text = "cab"\n'
    ),
    "clip0.eaf": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T00:00:00+00:00" '
        'FORMAT="3.0" VERSION="3.0"><HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR '
        'MEDIA_URL="clip0.wav" MIME_TYPE="audio/x-wav" RELATIVE_MEDIA_URL="clip0.wav"/></HEADER><TIME_ORDER>'
        '<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="100"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="900"/></TIME_ORDER>'
        '<TIER LINGUISTIC_TYPE_REF="t" TIER_ID="text"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" '
        'TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>abba</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
        '</ANNOTATION></TIER><LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="t" TIME_ALIGNABLE="true"/></ANNOTATION_DOCUMENT>\n'
    ),
    "clip0.flextext": (
        '<?xml version="1.0" encoding="utf-8"?><document version="2"><interlinear-text guid="x"><paragraphs><paragraph>'
        '<phrases><phrase begin-time-offset="100" end-time-offset="900" media-file="m"><item type="txt" lang="nl">abba'
        '</item></phrase></phrases></paragraph></paragraphs><media-files offset-type="milliseconds"><media guid="m" '
        'location="clip0.wav"/></media-files></interlinear-text></document>'
    ),
    "clip0.trs": (
        '<?xml version="1.0" encoding="UTF-8"?><Trans audio_filename="clip0" version="1"><Speakers><Speaker id="s1" '
        'name="s"/></Speakers><Episode><Section type="report" startTime="0" endTime="1.5"><Turn speaker="s1" '
        'startTime="0.1" endTime="1.5"><Sync time="0.1"/>abba<Sync time="0.9"/>cab</Turn></Section></Episode></Trans>'
    ),
    "cuts.jsonl": (
        '{"id": "c", "start": 0.1, "duration": 0.8, "channel": 0, "recording": {"id": "r", "sources": [{"type": "file"'
        ', "channels": [0], "source": "clip0.wav"}], "sampling_rate": 16000, "num_samples": 24000, "duration": 1.5}, '
        '"supervisions": [{"id": "s", "recording_id": "r", "start": 0.0, "duration": 0.8, "text": "abba"}]}\n'
    ),
    "wav.scp": "u1 clip0.wav\nu2 clip1.wav\n",
    "text": "u1 abba ba\nu2 cab abba\n",
    "segments": "u1 u1 0.1 0.9\nu2 u2 0.1 0.8\n",
}
KALDI = ("wav.scp", "text", "segments")


def _impossible(row: dict[str, object]) -> bool:
    """Whether a line of a manifest says what cannot be, whatever the sound is."""
    duration, offset, audio = row.get("duration"), row.get("offset", 0.0), row.get("audio_filepath")
    number = lambda value: isinstance(value, int | float) and not isinstance(value, bool)  # noqa: E731
    if not isinstance(audio, str) or not audio or "\0" in audio:
        return True
    if duration is not None and not (number(duration) and 0 < duration < float("inf")):
        return True
    return offset is not None and not (number(offset) and 0 <= offset < float("inf"))


def manifests(random_: random.Random, place: Path, material: Path) -> Case:
    """One line of a valid manifest with a value that cannot be, or its bytes spoilt, or no file at all."""
    file, lines = place / "some.jsonl", (material / "clips.jsonl").read_text("utf-8").splitlines()
    way, named = random_.random(), file.name
    if way < 0.03:
        os.mkfifo(file)
        return Case("a pipe", ["check", str(file)], refused=True, named=named)
    if way < 0.06:
        other = random_.choice(("/dev/zero", "/dev/null", "/dev/full"))
        return Case(other, ["check", other], refused=True, named=other)
    if way < 0.12:
        lines[2] = random_.choice(ENDLESS)
        file.write_text("\n".join(lines), "utf-8")
        return Case("without end", ["check", str(file)], refused=True, named=f"{named}:3")
    if way < 0.7:
        row, what = spoil_values(random_, json.loads(lines[2]) | {"offset": 0.0})
        lines[2] = json_text(row) if random_.random() < 0.9 else random_.choice(("[]", "null", "3", '"a"', "{}"))
        file.write_text("\n".join(lines) + "\n", "utf-8")
        refused = not lines[2].startswith("{") or lines[2] == "{}" or (isinstance(row, dict) and _impossible(row))
        return Case(what, ["check", str(file), "--json"], refused=refused, named=f"{named}:3" if refused else "")
    content, what = spoil(random_, (material / "clips.jsonl").read_bytes(), head=2000)
    file.write_bytes(content)
    return Case(what, ["check", str(file), "--json"])


def tables(random_: random.Random, place: Path, material: Path) -> Case:
    """A table, annotations or a data folder with its bytes, a word or a line spoilt."""
    name = random_.choice(sorted(TABLES))
    for wav in ("clip0.wav", "clip1.wav"):
        (place / wav).write_bytes((material / "clips" / wav).read_bytes())
    for each in KALDI if name in KALDI else (name,):
        (place / each).write_bytes(TABLES[each].encode())
    content, what = random_.choice(_WAYS)(random_, TABLES[name])
    (place / name).write_bytes(content)
    target = place if random_.random() < 0.5 or name in KALDI else place / name
    return Case(f"{name} {what}", ["check", str(target), "--json"])


def _word(random_: random.Random, text: str) -> tuple[bytes, str]:
    """A number or a word replaced by a nasty one."""
    import re

    found = random_.choice(list(re.finditer(r"[\w.:,]+", text)))
    by = str(random_.choice(NASTY))[:6000]
    return (text[: found.start()] + by + text[found.end() :]).encode("utf-8", "surrogatepass"), f"word {by[:12]!r}"


def _line(random_: random.Random, text: str) -> tuple[bytes, str]:
    lines = text.split("\n")
    place = random_.randrange(len(lines))
    lines[place : place + 1] = random_.choice(([], [lines[place]] * 2, ["\t" * 50], ["\x1b[31m" + lines[place]]))
    return random_.choice(("\n", "\r\n", "\r")).join(lines).encode(), "line"


def _coded(random_: random.Random, text: str) -> tuple[bytes, str]:
    return text.encode(random_.choice(("utf-16", "utf-16-be", "utf-8-sig", "utf-32"))), "coded"


def _bytes(random_: random.Random, text: str) -> tuple[bytes, str]:
    return spoil(random_, text.encode(), head=len(text))


_WAYS: tuple[Callable[[random.Random, str], tuple[bytes, str]], ...] = (
    _bytes,
    _bytes,
    _word,
    _word,
    _word,
    _line,
    _coded,
)
