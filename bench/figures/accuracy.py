"""Tables of error rates: of few clips, beside Whisper, and how far a printed rate can be believed."""

import statistics
from collections.abc import Callable, Iterator

from figures.entrants import BASES, CORPORA
from figures.markdown import Json, draws, every, grouped, mean_gap, measured, median, percent, points, spread


def kshot(found: Json) -> Iterator[str]:
    """K clips → error rates on the test set, from several bases."""
    groups, bases = grouped(found["rows"], "wanted", "base"), list(grouped(found["rows"], "base"))
    ordered = sorted(groups, key=lambda key: (key[0], bases.index(key[1:])))
    rows = [_kshot_row(base, groups[wanted, base], found["before"]) for wanted, base in ordered]
    text = (
        f"Rates in per cent on {found['test_clips']} test clips ({found['test_s'] / 60:.0f} minutes): of the best path "
        f"and of the search with a language model of transcripts, {'free text ' * found.get('free_text', True)}"
        f"and the word list ({WORDED[found.get('words', False)]}); "
        "median "
        f"[lowest–highest] of up to {len(every(found, 'seed'))} seeds, each with clips of its own. "
        "Time of `earful adapt`: medians."
    )
    columns = (">clips", ">speech, s", "from", ">CER before", ">CER", ">CER, searched", ">WER, searched", ">s")
    yield from measured(columns, rows, text, found)


WORDED = {True: "of letters and words; the base before: of letters alone", False: "of letters alone"}


def _kshot_row(base: str, runs: list[Json], before: Json) -> list[object]:
    searched = [run["test_ngram"] for run in runs if "test_ngram" in run]
    return [
        median(runs, "clips"),
        median(runs, "speech_s"),
        BASES.get(base, f"`{base}`"),
        percent(before[base]["cer"] if base in before else None),
        spread([run["test"]["cer"] for run in runs]),
        spread([each["cer"] for each in searched]),
        percent(statistics.median(each["wer"] for each in searched)) if searched else "–",
        median(runs, "seconds"),
    ]


WRITTEN = {
    "clips": "of the clips alone",
    "language": "and of the language",
    "rarer": "and of the language, as likely as among those of their sound",
}


def few(found: Json) -> Iterator[str]:
    """One clip to ten: the letters that are written, by the rate of the steps."""
    sizes, rows = every(found, "clips"), []
    for (rate, written), runs in grouped(found["rows"], "rate", "written").items():
        by_size = grouped(runs, "clips")
        rows.append([f"{1e4 * rate:g}", WRITTEN[written], *(spread([r["cer"] for r in by_size[k,]]) for k in sizes)])
    text = (
        f"CER in per cent on {found['test_clips']} test clips of real Dutch, best path, with a base that has never "
        f"heard any; median [lowest–highest] of {len(every(found, 'seed'))} seeds."
    )
    columns = (">rate, 10⁻⁴", "letters", *(f">{k} clip{'s' * (k > 1)}" for k in sizes))
    yield from measured(columns, rows, text, found)


def silence(found: Json) -> Iterator[str]:
    """What is written in silences, and what leaving them out costs."""
    rows = []
    for (condition,), runs in grouped(found["rows"], "condition").items():
        ways = {row["way"]: row for row in runs}
        cells = [
            [percent(ways[way]["cer"]), ways[way]["invented"]] if way in ways else ["–", "–"]
            for way in ("left out", "heard")
        ]
        low, high = (percent(bound) for bound in ways["left out"]["added_95"])
        more = f"{percent(ways['left out']['added'])} [{low}–{high}]" if condition.startswith("amid") else "–"
        rows.append([condition, *cells[0], more, *cells[1]])
    text = (
        f"CER in per cent on {found['clips']} clips of real {CORPORA[found['corpus']]} ({found['seconds']:.0f} s), as "
        "they are, amid noise, and with "
        f"{found['padding_s']:g} s of nothing before and after each; what that adds, with its 95 % interval; words "
        f"written where nobody speaks, by over {found['edge_s']:g} s. A recogniser that was adapted to fifty clips."
    )
    columns = ("", ">silences left out", ">words invented", ">added", ">silences heard", ">words invented")
    yield from measured(columns, rows, text, found)


def pauses(found: Json) -> Iterator[str]:
    """Clips joined by pauses: errors where a pause ends a word, and where it does not."""
    rows = []
    for (name, clips, begin, end), runs in grouped(
        [row | {"begin": row["pause_s"][0], "end": row["pause_s"][1]} for row in found["rows"]],
        "name",
        "clips",
        "begin",
        "end",
    ).items():
        rates = list[str]()
        for rate in ("cer", "wer"):
            joined = statistics.mean(run["unparted"][rate] for run in runs)
            gap = mean_gap([(run["unparted"][rate], run["parted"][rate]) for run in runs])
            rates += [percent(runs[0]["alone"][rate]), percent(joined), gap]
        rows.append([f"{name}, {clips} clips", f"{begin:g}–{end:g} s", *rates])
    columns = ("", ">pauses", ">CER one by one", ">joined", ">now", ">WER one by one", ">joined", ">now")
    text = (
        f"Per cent, {found['together']} clips joined into a recording, with pauses of faint noise; the mean of "
        f"{draws(found)} of orders and pauses. Joined: when only a space of the model's ended a word. Now: by how many "
        "points that changes, with its 95 % interval. Recognisers that were adapted to other clips of the kind."
    )
    yield from measured(columns, rows, text, found)


def whisper(found: Json) -> Iterator[str]:
    """The whole Whisper, as it is, on the test clips."""
    rows = []
    for row in found["rows"]:
        cells = [
            [row[part]["clips"], percent(row[part]["cer"]), percent(row[part]["wer"])]
            for part in ("all", "without_digits")
        ]
        how = "greedy" if row["beam"] == 1 else f"a beam of {row['beam']}"
        rows.append([how, *cells[0], *cells[1], f"{row['processor_s']:.0f}"])
    columns = (">clips", ">CER", ">WER", ">without digits", ">CER", ">WER", ">processor s")
    text = (
        f"`{found['model']}` by faster-whisper ({found['compute_type']}), {CORPORA[found['corpus']]} named as the "
        "language, normalised as ours are. “Without digits” are the clips in which it writes no number in digits."
    )
    yield from measured(("search", *columns), rows, text, found)


def coverage(found: Json) -> Iterator[str]:
    """How often intervals hold the rate of all other clips."""
    rows = [
        [
            row["clips"],
            f"{100 * row['interval_inside']:.0f} %",
            f"{100 * row['interval_width']:.0f}",
            f"{100 * row['bootstrap_inside']:.0f} %",
            f"{100 * row['bootstrap_width']:.0f}",
        ]
        for row in found["scores"]
    ]
    text = (
        f"Of {found['scores'][0]['draws']} draws from scores of real Dutch, nine recognisers: how often the rate of "
        "all other clips is inside, and the median width in points; this interval, and the percentiles of a bootstrap."
    )
    columns = (">clips that measure", ">inside", ">wide", ">bootstrap: inside", ">wide")
    yield from measured(columns, rows, text, found)
    if not found["rows"]:
        return
    yield ""
    rows = []
    for (count,), of in grouped(sorted(found["rows"], key=lambda row: row["clips"]), "clips").items():
        cells: list[object] = [count, len(of)]
        for name in ("best_path", "language"):
            known = [row[name] for row in of if row[name]["interval_95"]]
            widths = sorted(row["interval_95"][1] - row["interval_95"][0] for row in known)
            cells += [
                f"{sum(row['inside'] for row in known)} of {len(known)}",
                points(statistics.median(row["printed"] - row["others"] for row in known)) if known else "–",
                f"{100 * statistics.median(widths):.0f}" if known else "–",
            ]
        rows.append(cells)
    text = (
        "What `earful adapt` printed of clips drawn anew, against the rate of its recogniser on others of the corpus "
        "(real Dutch, a base without Dutch): how often that is inside, the printed rate less the true one (median, "
        "points), and the interval's width."
    )
    best, language = ("best path: inside", ">off", ">wide"), ("with the language model: inside", ">off", ">wide")
    yield from measured((">clips", ">draws", *best, *language), rows, text, found)


CASES = {
    "twenty_by_two": "20 sentences, each by 2 voices",
    "four_by_three": "4 sentences, each by 3 voices",
    "copies_of_ten": "10 sentences, 3 of them 5 times (MP3, Ogg, FLAC, quieter; one with another transcript)",
    "one_recording": "one recording, cut into 30 that overlap a little",
    "a_third_again": "40 clips of 3 voices, a third of the sentences again",
}


def believed(found: Json) -> Iterator[str]:
    """Printed rates of clips that have much in common, beside those of new sentences."""
    rows = []
    for (case,), of in grouped(found["rows"], "case").items():
        cells: list[object] = [CASES[case], of[0]["clips"]]
        for name in ("best_path", "language"):
            known = [row[name] for row in of if row[name]["interval_95"]]
            cells += [
                spread([row["printed"] for row in known]),
                spread([row["new_sentences"] for row in known]),
                f"{sum(row['inside'] for row in known)} of {len(known)}",
            ]
        rows.append(cells)
    text = (
        f"Finnish by espeak-ng, {len(every(found, 'seed'))} draws; “inside” are those whose printed interval holds "
        "the rate on new sentences."
    )
    both = (">best path: printed", ">new sentences", "inside", ">language model: printed", ">new sentences", "inside")
    yield from measured(("clips", ">", *both), rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "believed": believed,
    "coverage": coverage,
    "kshot_bases": kshot,
    "kshot_czech": kshot,
    "kshot_dutch": kshot,
    "few": few,
    "pauses": pauses,
    "silence": silence,
    "whisper_czech": whisper,
    "whisper_dutch": whisper,
}
