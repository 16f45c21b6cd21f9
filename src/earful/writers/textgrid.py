"""A transcript as a TextGrid, which Praat opens: tiers of phrases, words and confidences, for each speaker."""

from collections.abc import Iterable

from praatio.data_classes.interval_tier import IntervalTier
from praatio.utilities.textgrid_io import getTextgridAsStr

from earful.transcript import Transcript
from earful.writers.phrases import Source, by_speaker, in_milliseconds, phrases

Interval = tuple[float, float, str]


def textgrid(transcript: Transcript, source: Source) -> str:
    """Praat's long form; times are whole milliseconds. A speaker's name stands after `@` in the names of his tiers."""
    tiers, end_s = [], transcript.duration_s
    for speaker, words in (by_speaker(transcript.words) or {None: []}).items():
        timed = in_milliseconds(words, transcript.duration_s)
        spoken = [(p.words[0].start_s, p.words[-1].end_s, p.text) for p in phrases(timed)]
        said = [(w.start_s, w.end_s, w.text) for w in timed]
        sure = [(w.start_s, w.end_s, f"{w.confidence:.2f}") for w in timed]
        end_s = max(end_s, *(end for _, end, _ in spoken)) if spoken else end_s
        of = f"@{speaker}" if speaker else ""
        tiers += [(f"phrases{of}", spoken), (f"words{of}", said), (f"confidences{of}", sure)]
    return getTextgridAsStr(  # type: ignore[no-any-return]  # praatio has no types
        {"xmin": 0.0, "xmax": end_s, "tiers": [_tier(name, entries, end_s) for name, entries in tiers]},
        format="long_textgrid",
        includeBlankSpaces=True,
    )


def _tier(name: str, intervals: Iterable[Interval], end_s: float) -> dict[str, object]:
    """A tier as praatio has it before it is written; praatio checks that nothing overlaps."""
    tier = IntervalTier(name, intervals, 0.0, end_s)
    return {"class": tier.tierType, "name": name, "xmin": 0.0, "xmax": end_s, "entries": tier.entries}
