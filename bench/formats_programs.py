"""What other programs write and read, for `formats.py`: a function a program and format, by its own functions.

What writes takes a folder, in which the recording `talk.wav` lies, and answers with the file, or folder, that is to be
read; what reads takes a file and answers with (start, end, text) of each span. An ImportError says that it is missing.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

Span = tuple[float, float, str]
SAID: tuple[Span, ...] = (
    (0.25, 1.5, "góðan dag, „vinur“"),
    (1.5, 2.75, 'hann sagði "já" & 3 < 4'),
    (3.0, 4.25, "það er þá svo"),
)
LASTS_S = 5.0
TIER = "said"


def pympi_eaf(folder: Path) -> Path:
    from pympi import Elan

    document = Elan.Eaf(author="")
    document.add_linked_file(str(folder / "talk.wav"), "./talk.wav", "audio/x-wav")
    document.add_tier(TIER)
    for start_s, end_s, text in SAID:
        document.add_annotation(TIER, round(start_s * 1000), round(end_s * 1000), text)
    document.to_file(str(folder / "talk.eaf"))
    return folder / "talk.eaf"


def speach_eaf(folder: Path) -> Path:
    from speach import elan

    document = elan.create(media_file=str(folder / "talk.wav"), relative_media_url="./talk.wav")
    kind = next(iter(document.linguistic_types)).ID
    tier = document.new_tier(TIER, kind)
    for start_s, end_s, text in SAID:
        tier.new_annotation(text, round(start_s * 1000), round(end_s * 1000))
    document.save(str(folder / "talk.eaf"))
    return folder / "talk.eaf"


def praat_textgrid(folder: Path, command: str = "Save as text file", encoding: str = "UTF-8") -> Path:
    import parselmouth
    from parselmouth.praat import call

    parselmouth.praat.run(f'Text writing preferences: "{encoding}"')
    made = call("Create TextGrid", 0, LASTS_S, TIER, "")
    for start_s, end_s, _ in SAID:
        for at_s in (start_s, end_s):
            if call(made, "Get interval edge from time", 1, at_s) == 0:
                call(made, "Insert boundary", 1, at_s)
    for start_s, end_s, text in SAID:
        call(made, "Set interval text", 1, call(made, "Get interval at time", 1, (start_s + end_s) / 2), text)
    call(made, command, str(folder / "talk.TextGrid"))
    return folder / "talk.TextGrid"


def praat_short(folder: Path) -> Path:
    return praat_textgrid(folder, "Save as short text file", "UTF-16")


def praat_binary(folder: Path) -> Path:
    return praat_textgrid(folder, "Save as binary file")


def praatio_textgrid(folder: Path, form: str = "long_textgrid") -> Path:
    from praatio import textgrid

    made = textgrid.Textgrid(0, LASTS_S)
    made.addTier(textgrid.IntervalTier(TIER, list(SAID), 0, LASTS_S))
    made.save(str(folder / "talk.TextGrid"), form, includeBlankSpaces=True)
    return folder / "talk.TextGrid"


def praatio_short(folder: Path) -> Path:
    return praatio_textgrid(folder, "short_textgrid")


def textgrid_textgrid(folder: Path) -> Path:
    import textgrid

    tier = textgrid.IntervalTier(TIER, 0, LASTS_S)
    for span in SAID:
        tier.add(*span)
    made = textgrid.TextGrid(maxTime=LASTS_S)
    made.append(tier)
    made.write(str(folder / "talk.TextGrid"))
    return folder / "talk.TextGrid"


def tgt_textgrid(folder: Path) -> Path:
    import tgt

    tier = tgt.IntervalTier(0, LASTS_S, TIER, [tgt.Interval(*span) for span in SAID])
    made = tgt.TextGrid()
    made.add_tier(tier)
    tgt.write_to_file(made, str(folder / "talk.TextGrid"), format="long")
    return folder / "talk.TextGrid"


def pympi_textgrid(folder: Path) -> Path:
    from pympi import Praat

    made = Praat.TextGrid(xmax=LASTS_S)
    tier = made.add_tier(TIER)
    for span in SAID:
        tier.add_interval(*span)
    made.to_file(str(folder / "talk.TextGrid"))
    return folder / "talk.TextGrid"


def pysrt_srt(folder: Path) -> Path:
    import pysrt

    items = [
        pysrt.SubRipItem(number, pysrt.SubRipTime(seconds=start_s), pysrt.SubRipTime(seconds=end_s), text)
        for number, (start_s, end_s, text) in enumerate(SAID, 1)
    ]
    pysrt.SubRipFile(items).save(str(folder / "talk.srt"), encoding="utf-8")
    return folder / "talk.srt"


def pysubs2_any(folder: Path, suffix: str) -> Path:
    import pysubs2

    made = pysubs2.SSAFile()
    made.events = [pysubs2.SSAEvent(round(start_s * 1000), round(end_s * 1000), text) for start_s, end_s, text in SAID]
    made.save(str(folder / f"talk{suffix}"))
    return folder / f"talk{suffix}"


def pysubs2_srt(folder: Path) -> Path:
    return pysubs2_any(folder, ".srt")


def pysubs2_vtt(folder: Path) -> Path:
    return pysubs2_any(folder, ".vtt")


def webvtt_vtt(folder: Path) -> Path:
    import webvtt

    made = webvtt.WebVTT()
    for start_s, end_s, text in SAID:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # as the format wants it
        made.captions.append(webvtt.Caption(f"00:00:{start_s:06.3f}", f"00:00:{end_s:06.3f}", escaped))
    made.save(str(folder / "talk.vtt"))
    return folder / "talk.vtt"


def _lhotse(folder: Path) -> tuple[Any, Any]:
    from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet

    recording = Recording.from_file(folder / "talk.wav", recording_id="talk")
    said = [
        SupervisionSegment(f"talk-{place}", "talk", start_s, end_s - start_s, text=text, language="is")
        for place, (start_s, end_s, text) in enumerate(SAID)
    ]
    return RecordingSet.from_recordings([recording]), SupervisionSet.from_segments(said)


def lhotse_supervisions(folder: Path) -> Path:
    recordings, supervisions = _lhotse(folder)
    recordings.to_file(folder / "recordings.jsonl.gz")
    supervisions.to_file(folder / "supervisions.jsonl.gz")
    return folder


def lhotse_cuts(folder: Path) -> Path:
    from lhotse import CutSet

    CutSet.from_manifests(*_lhotse(folder)).to_file(folder / "cuts.jsonl.gz")
    return folder


def lhotse_kaldi(folder: Path) -> Path:
    from lhotse.kaldi import export_to_kaldi

    export_to_kaldi(*_lhotse(folder), folder / "kaldi")
    return folder / "kaldi"


def lhotse_ctm(folder: Path) -> Path:
    from lhotse.supervision import AlignmentItem

    _, supervisions = _lhotse(folder)
    aligned = [
        each.with_alignment("word", [AlignmentItem(each.text.replace(" ", "_"), each.start, each.duration)])
        for each in supervisions
    ]
    type(supervisions).from_segments(aligned).write_alignment_to_ctm(folder / "talk.ctm", "word")
    return folder / "talk.ctm"


def _datasets(folder: Path) -> Any:
    import pyarrow as pa
    import soundfile
    from datasets import Audio, Dataset

    sound_T, rate_hz = soundfile.read(folder / "talk.wav")
    cells = []
    for place, (start_s, end_s, _) in enumerate(SAID):
        part = folder / f"part{place}.flac"
        soundfile.write(part, sound_T[round(start_s * rate_hz) : round(end_s * rate_hz)], rate_hz)
        cells.append({"bytes": part.read_bytes(), "path": part.name})
        part.unlink()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    plain = pa.table({"audio": pa.array(cells, kind), "sentence": [text for _, _, text in SAID]})
    return Dataset(plain).cast_column("audio", Audio())


def datasets_saved(folder: Path) -> Path:
    from datasets import DatasetDict

    DatasetDict({"train": _datasets(folder)}).save_to_disk(str(folder / "saved"), num_shards={"train": 2})
    return folder / "saved"


def datasets_parquet(folder: Path) -> Path:
    (folder / "hub" / "data").mkdir(parents=True)
    _datasets(folder).to_parquet(str(folder / "hub" / "data" / "train-00000-of-00001.parquet"))
    return folder / "hub"


def pympi_reads_eaf(path: Path) -> list[Span]:
    from pympi import Elan

    spans = Elan.Eaf(str(path)).get_annotation_data_for_tier("earful phrases")
    return [(each[0] / 1000, each[1] / 1000, each[2]) for each in spans]


def speach_reads_eaf(path: Path) -> list[Span]:
    from speach import elan

    tier = elan.read_eaf(str(path))["earful phrases"]
    return [(each.from_ts.sec, each.to_ts.sec, each.value) for each in tier.annotations]


def praat_reads_textgrid(path: Path) -> list[Span]:
    import parselmouth
    from parselmouth.praat import call

    found = parselmouth.read(str(path))
    names = [call(found, "Get tier name", place + 1) for place in range(call(found, "Get number of tiers"))]
    return [span for span in _intervals(found, names.index("phrases") + 1) if span[2]]


def every_interval(path: Path) -> Iterator[Span]:
    """What Praat reads in all tiers of intervals of a TextGrid."""
    import parselmouth
    from parselmouth.praat import call

    found = parselmouth.read(str(path))
    for number in range(1, call(found, "Get number of tiers") + 1):
        if call(found, "Is interval tier", number):
            yield from _intervals(found, number)


def _intervals(found: Any, number: int) -> Iterator[Span]:
    from parselmouth.praat import call

    for place in range(1, call(found, "Get number of intervals", number) + 1):
        times = (call(found, f"Get {which} time of interval", number, place) for which in ("start", "end"))
        yield (*times, call(found, "Get label of interval", number, place))


def praatio_reads_textgrid(path: Path) -> list[Span]:
    from praatio import textgrid

    tier = textgrid.openTextgrid(str(path), includeEmptyIntervals=False).getTier("phrases")
    return [tuple(entry) for entry in tier.entries]


def textgrid_reads_textgrid(path: Path) -> list[Span]:
    import textgrid

    tier = textgrid.TextGrid.fromFile(str(path)).getFirst("phrases")
    return [(each.minTime, each.maxTime, each.mark) for each in tier if each.mark]


def tgt_reads_textgrid(path: Path) -> list[Span]:
    import tgt

    tier = tgt.read_textgrid(str(path)).get_tier_by_name("phrases")
    return [(float(each.start_time), float(each.end_time), each.text) for each in tier]


def pysrt_reads_srt(path: Path) -> list[Span]:
    import pysrt

    found = pysrt.open(str(path), encoding="utf-8")
    return [(each.start.ordinal / 1000, each.end.ordinal / 1000, each.text) for each in found]


def pysubs2_reads(path: Path) -> list[Span]:
    import pysubs2

    return [(each.start / 1000, each.end / 1000, each.plaintext) for each in pysubs2.load(str(path))]


def webvtt_reads_vtt(path: Path) -> list[Span]:
    import html

    import webvtt

    found = webvtt.read(str(path))
    return [(_seconds(each.start), _seconds(each.end), html.unescape(each.text)) for each in found]


def _seconds(written: str) -> float:
    hours, minutes, seconds = written.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def sclite_reads(path: Path) -> list[Span]:
    """NIST's sclite scores our .ctm by our .stm: it takes each for its format, and all words are there."""
    files = [str(path.with_suffix(".stm")), "stm", "-h", str(path.with_suffix(".ctm")), "ctm"]
    command = ["sctk", "sclite", "-r", *files, "-o", "sum", "stdout"]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60)
    sums = next((line.replace("|", " ").split() for line in run.stdout.splitlines() if "Sum/Avg" in line), [])
    words = sum(len(text.split()) for _, _, text in SAID)
    if sums[2:6] == [str(words), "100.0", "0.0", "0.0"]:  # words, and per cent right, substituted, deleted
        return list(SAID)
    raise ValueError(f"sclite says {' '.join(sums) or run.stderr.strip()[:80] or 'nothing'}")


Writes = Callable[[Path], Path]
Reads = Callable[[Path], Sequence[Span]]

# format → program (its distribution), what it writes
WRITERS: dict[str, tuple[tuple[str, str, Writes], ...]] = {
    "ELAN `.eaf`": (("pympi-ling", "", pympi_eaf), ("speach", "", speach_eaf)),
    "Praat `.TextGrid`": (
        ("praat-parselmouth", "long, UTF-8", praat_textgrid),
        ("praat-parselmouth", "short, UTF-16", praat_short),
        ("praat-parselmouth", "binary", praat_binary),
        ("praatio", "long", praatio_textgrid),
        ("praatio", "short", praatio_short),
        ("textgrid", "", textgrid_textgrid),
        ("tgt", "", tgt_textgrid),
        ("pympi-ling", "", pympi_textgrid),
    ),
    "SubRip `.srt`": (("pysrt", "", pysrt_srt), ("pysubs2", "", pysubs2_srt)),
    "WebVTT `.vtt`": (("webvtt-py", "", webvtt_vtt), ("pysubs2", "", pysubs2_vtt)),
    "NIST `.ctm`": (("lhotse", "", lhotse_ctm),),
    "lhotse `.jsonl.gz`": (("lhotse", "cuts", lhotse_cuts), ("lhotse", "supervisions", lhotse_supervisions)),
    "Kaldi": (("lhotse", "", lhotse_kaldi),),
    "Hugging Face data set": (
        ("datasets", "save_to_disk, two splits of files", datasets_saved),
        ("datasets", "parquet", datasets_parquet),
    ),
}
READERS: dict[str, tuple[tuple[str, Reads], ...]] = {
    "ELAN `.eaf`": (("pympi-ling", pympi_reads_eaf), ("speach", speach_reads_eaf)),
    "Praat `.TextGrid`": (
        ("praat-parselmouth", praat_reads_textgrid),
        ("praatio", praatio_reads_textgrid),
        ("textgrid", textgrid_reads_textgrid),
        ("tgt", tgt_reads_textgrid),
    ),
    "SubRip `.srt`": (("pysrt", pysrt_reads_srt), ("pysubs2", pysubs2_reads)),
    "WebVTT `.vtt`": (("webvtt-py", webvtt_reads_vtt), ("pysubs2", pysubs2_reads)),
    "NIST `.stm`": (("sctk", sclite_reads),),
    "NIST `.ctm`": (("sctk", sclite_reads),),
}
