"""Tables of the search for words, and of confidences."""

from collections.abc import Callable, Iterator
from pathlib import Path

from figures.markdown import Json, every, grouped, measured, percent, points, spread

SEARCHES = {"greedy": "the best path", "ngram": "letters", "words": "letters and words"}


def search(found: Json) -> Iterator[str]:
    """What each search brings on the same lattices."""
    rows = []
    for clips in every(found, "clips"):
        runs = [row for row in found["rows"] if row["clips"] == clips]
        for name, shown in SEARCHES.items():
            cells: list[object] = [clips, shown]
            for rate in ("cer", "wer"):
                gaps = [run[name][rate] - run["ngram"][rate] for run in runs]
                cells += [spread([run[name][rate] for run in runs]), "" if name == "ngram" else spread(gaps, points)]
            rows.append(cells)
    seeds = len(every(found, "seed"))
    text = (
        f"Rates in per cent, adapted from `{Path(found['rows'][0]['base']).name}`: median [lowest–highest] of {seeds} "
        "seeds, each with clips of its own; the difference to the search with letters alone, seed by seed."
    )
    yield from measured((">clips", "search", ">CER", ">to letters", ">WER", ">to letters"), rows, text, found)


TONGUES = {"de": "German", "fi": "Finnish", "eo": "Esperanto (no word list)"}


def search_spoken(found: Json) -> Iterator[str]:
    """The same in languages that join words, by a synthesiser: one run each."""
    rows = [
        [TONGUES[row["language"]], row["clips"], SEARCHES[name], percent(row[name]["cer"]), percent(row[name]["wer"])]
        for row in found["rows"]
        for name in SEARCHES
    ]
    text = "Spoken by espeak-ng, one draw each, rates in per cent; no text but the transcripts and the word list."
    yield from measured(("", ">clips", "search", ">CER", ">WER"), rows, text, found)


def text_size(found: Json) -> Iterator[str]:
    """What so much text brings."""
    rows = []
    for kb, listed in grouped(sorted(found["rows"], key=lambda row: (row["kb"], row["listed"])), "kb", "listed"):
        runs = [row for row in found["rows"] if (row["kb"], row["listed"]) == (kb, listed)]
        first = {row["seed"]: row for row in found["rows"] if (row["kb"], row["listed"]) == (0, listed)}
        cells: list[object] = ["none" if not kb else f"{kb} kB", "yes" if listed else "no"]
        for rate in ("cer", "wer"):
            gaps = [run[rate] - first[run["seed"]][rate] for run in runs]
            cells += [spread([run[rate] for run in runs]), spread(gaps, points) if kb else ""]
        rows.append(cells)
    text = (
        f"Rates in per cent, `{found['base']}` adapted to {every(found, 'clips')[0]} clips: median [lowest–highest] of "
        f"{len(every(found, 'seed'))} seeds; the difference to no text, seed by seed."
    )
    yield from measured((">text", "word list", ">CER", ">to none", ">WER", ">to none"), rows, text, found)


TURNS = {
    "before": "the search before, letters, 32 beginnings",
    "letters": "letters, 96 beginnings",
    "words": "letters and words, 96 beginnings",
    "flashlight": "flashlight-text 0.0.7, a closed list of words, 96 beginnings",
}


def search_speed(found: Json) -> Iterator[str]:
    """How fast searches are on the same lattices."""
    rows = [
        [
            TURNS[name],
            f"{row['times_real_time']:.0f} ×",
            f"{row['times_real_time'] / found['rows']['before']['times_real_time']:.1f} ×",
            f"{row['memory_mb']:.0f}",
            percent(row["cer"]),
            percent(row["wer"]),
        ]
        for name, row in found["rows"].items()
    ]
    columns = ("search", ">real time", ">the one before", ">MB", ">CER", ">WER")
    text = f"Medians of {found['turns']} turns; MB: what language model and search hold in the end."
    yield from measured(columns, rows, text, found)


def confidence(found: Json) -> Iterator[str]:
    """How far confidences are from the truth."""
    rows = []
    for name, shown in (("search", "with the language model"), ("best path", "the best path")):
        of = found["searches"][name]
        for key, clips in (("runs", "runs it was fitted on"), ("others", "real Czech, which it was not fitted on")):
            runs = list(of[key].values())
            if not runs:
                continue
            errors = [[run[when]["error"] for run in runs] for when in ("before", "after")]
            areas = [[run[when]["area"] for run in runs] for when in ("before", "after")]
            right = spread([run["after"]["right"] for run in runs])
            before, after = (spread(each, lambda value: f"{value:.3f}") for each in errors)
            told = [spread(each, lambda value: f"{value:.2f}") for each in areas]
            rows.append([shown, clips, len(runs), right, before, after, *told])
    columns = (
        "written by",
        "words of",
        ">runs",
        ">right, per cent",
        ">error before",
        ">error",
        ">area before",
        ">area",
    )
    text = (
        "Median [lowest–highest] over runs. Error: calibration error, of ten bins. Area: how likely a right word has a "
        "greater confidence than a wrong one (area under the ROC curve)."
    )
    yield from measured(columns, rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "confidence": confidence,
    "search_czech": search,
    "search_dutch": search,
    "search_dutch_longer": search,
    "search_speed": search_speed,
    "search_spoken": search_spoken,
    "text_size": text_size,
}
