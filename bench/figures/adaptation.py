"""Tables of what an adaptation is made of."""

import statistics
from collections.abc import Callable, Iterator, Sequence

from figures.markdown import Json, draws, every, grouped, log_gap, measured, median, percent, points, spread


def ablation(found: Json) -> Iterator[str]:
    """What each ingredient is worth: the difference to the full recipe, seed by seed."""
    sizes = every(found, "clips")
    cer = {(row["variant"], row["clips"], row["seed"]): row["cer"] for row in found["rows"]}
    rows = []
    for (variant,) in grouped(found["rows"], "variant"):
        cells = []
        for clips in sizes:
            seeds = [seed for v, k, seed in cer if (v, k) == (variant, clips)]
            gaps = [cer[variant, clips, seed] - cer["all", clips, seed] for seed in seeds]
            cells.append(percent(statistics.median(cer[variant, clips, seed] for seed in seeds) if seeds else None))
            cells.append(spread(gaps, points) if seeds and variant != "all" else "")
        rows.append([variant, *cells])
    text = (
        f"CER in per cent on {found['test_clips']} test clips, adapted from `{found['base']}`: medians of "
        f"{len(every(found, 'seed'))} seeds; and the difference to all ingredients, best path, "
        "seed by seed: median [lowest–highest]."
    )
    yield from measured(("", *(name for k in sizes for name in (f">{k} clips", ">difference"))), rows, text, found)


def adapt_settings(found: Json) -> Iterator[str]:
    """What changes of the plan do, by the number of clips."""
    sizes = every(found, "clips")
    rows = []
    for (change,), all_runs in grouped(found["rows"], "change").items():
        runs = [[run for run in all_runs if run["clips"] == size] for size in sizes]
        times = [median(some, "cpu_s") if some else "–" for some in runs]
        batch = " / ".join(f"{seconds:g}" for seconds in every({"rows": all_runs}, "batch_s"))
        rows.append([change, batch, *(spread([run["cer"] for run in some]) for some in runs), " / ".join(times)])
    text = (
        f"CER in per cent on {found['test_clips']} Dutch test clips, with a base that has never heard Dutch; median "
        f"[lowest–highest] of up to {len(every(found, 'seed'))} seeds."
    )
    columns = ("plan", ">seconds in a batch", *(f">{k} clips" for k in sizes), ">processor seconds")
    yield from measured(columns, rows, text, found)


KINDS = {"nl-small": "the first speaker", "nl-big": "the second speaker"}


def conditions(found: Json) -> Iterator[str]:
    """A new speaker and an unseen noise: before and after adaptation, by the number of clips."""
    sizes = every(found, "clips")
    rows = []
    for (kind,), runs in grouped(found["rows"], "kind").items():
        after = [spread([run["after"] for run in runs if run["clips"] == k]) for k in sizes]
        rows.append([KINDS.get(kind, f"voices at {kind}"), percent(runs[0]["before"]), *after])
    worse = sum(row["after"] > row["before"] for row in found["rows"])
    text = (
        "CER in per cent, best path, on the Dutch test clips of that kind; median [lowest–highest] of "
        f"{len(every(found, 'seed'))} seeds. After adaptation {worse} of {len(found['rows'])} runs "
        "were worse than before."
    )
    yield from measured(("", ">before", *(f">{k} clips" for k in sizes)), rows, text, found)


def voices(found: Json) -> Iterator[str]:
    """Voices that a recogniser has not met: before and after adaptation, by the number of clips."""
    sizes, rows, fewer, worse = every(found, "clips"), [], 0, 0
    for (speaker, kind), runs in grouped(found["rows"], "speaker", "kind").items():
        by_size = {k: [run for run in runs if run["clips"] == k] for k in sizes}
        after = [spread([run["after"]["cer"] for run in by_size[k]]) for k in sizes]
        pairs = [(run["before"]["cer"], run["after"]["cer"]) for run in runs]
        fewer += statistics.mean(b - a for b, a in pairs) > 0
        worse += sum(run["after"]["cer"] > run["before"]["interval_95"][1] for run in runs)
        name = f"{KINDS[speaker]}, {kind}"
        rows.append([name, percent(runs[0]["before"]["cer"]), *after, log_gap(pairs)])
    text = (
        f"CER in per cent, best path, on {found['rows'][0]['test_clips']} clips of that voice; median [lowest–highest] "
        f"of {draws(found)}; errors over all in per cent, with a 95 % interval. Fewer errors "
        f"in {fewer} of {len(rows)} voices; {worse} of {len(found['rows'])} adaptations are above the interval of the "
        "rate before."
    )
    yield from measured(("voice", ">before", *(f">{k} clips" for k in sizes), ">errors"), rows, text, found)


BESIDE = {
    "usual": "the clips alone",
    "more steps": "the clips alone, more steps",
    "spoken": "and sentences that espeak-ng says",
    "unlabelled": "and recordings without transcripts",
    "both": "and both",
}


def beside(found: Json) -> Iterator[str]:
    """What other speech beside the clips is worth."""
    runs = {(row["variant"], row["clips"], row["seed"]): row for row in found["rows"]}
    rows = []
    for variant, shown in BESIDE.items():
        for clips in every(found, "clips"):
            seeds = [seed for v, k, seed in runs if (v, k) == (variant, clips) and ("usual", k, seed) in runs]
            if not seeds:
                continue
            mine, usual = ([runs[v, clips, seed] for seed in seeds] for v in (variant, "usual"))
            cells: list[object] = [shown, clips]
            for key in ("cer", "cer_ngram"):
                gaps = [a[key] - b[key] for a, b in zip(mine, usual, strict=True)]
                cells.append(spread([row[key] for row in mine]))
                cells.append("" if variant == "usual" else spread(gaps, points))
            cells += [f"{statistics.median(row[key] for row in mine) / 60:.0f}" for key in ("spoken_s", "believed_s")]
            rows.append([*cells, median(mine, "process_s")])
    columns = ("learned from", ">K", ">CER", ">difference", ">CER, n-gram", ">difference")
    text = (
        f"CER in per cent on {found['test_clips']} test clips, adapted from `{found['base']}`: median [lowest–highest] "
        f"of {len(every(found, 'seed'))} seeds; differences seed by seed. Time without measuring."
    )
    yield from measured((*columns, ">min spoken", ">min believed", ">processor s"), rows, text, found)


def company(found: Json) -> Iterator[str]:
    """How well frames tell phones, by how a clip is shown to the encoder; and what showing costs."""
    names = [name for (name,) in grouped(found["rows"], "encoder")]
    of = {(row["encoder"], row["way"], row["seed"]): row for row in found["rows"]}
    rows = []
    for (way,) in grouped(found["rows"], "way"):
        cells: list[object] = [way]
        for name in names:
            runs = [row for (encoder, shown, _), row in of.items() if (encoder, shown) == (name, way)]
            alone = [of[name, "alone", row["seed"]] for row in runs]
            times = [row["processor_s"] / other["processor_s"] for row, other in zip(runs, alone, strict=True)]
            cells += [spread([row["accuracy"] for row in runs]), f"{statistics.median(times):.2f} ×" if times else "–"]
        rows.append(cells)
    columns = [part for name in names for part in (f">{name.removeprefix('whisper-')}: phones, %", ">time")]
    text = (
        f"Share of frames with the right phone by a probe, on {found['clips'][1]} test clips of real Dutch; the probe "
        f"learned from {found['clips'][0]}. {_seeds(found)}; processor time in times that of clips alone."
    )
    yield from measured(("how a clip is shown", *columns), rows, text, found)


def _seeds(found: Json) -> str:
    """What stands in the cells of a table, by how many seeds there are."""
    count = len(every(found, "seed"))
    return "One seed" if count == 1 else f"Median [lowest–highest] of {count} seeds"


def self_adapt(found: Json) -> Iterator[str]:
    """A recogniser that fits itself to each recording, beside itself without that."""
    rows = []
    groups = grouped(found["rows"], "base", "adapted_to", "kind", "search")
    for (base, clips, kind, search), runs in groups.items():
        before, after = ([run[key]["cer"] for run in runs] for key in ("without", "with"))
        gaps = [b - a for a, b in zip(before, after, strict=True)]
        cells = [spread(before), spread(after), spread(gaps, points)]
        slower = statistics.median(run["with"]["seconds"] / run["without"]["seconds"] for run in runs)
        rows.append([f"`{base}`", clips, kind, search.replace("ngram", "n-gram"), *cells, f"{slower:.1f} ×"])
    text = (
        f"CER in per cent on {found['test_clips']} test clips: median [lowest–highest] of {len(found['seeds'])} seeds; "
        "the difference seed by seed."
    )
    columns = ("from", ">K", "sound", "search", ">CER without", ">CER with", ">difference", ">time")
    yield from measured(columns, rows, text, found)


LANGUAGES = {"eo": "Esperanto", "ka": "Georgian", "kn": "Kannada"}

STARTS = {
    "random": "chance",
    "like": "the likest letters",
    "heard": "what is heard",
    "rules": "rules alone, words of the clips",
    "heard and rules": "what is heard, and rules",
    "heard and rules, more text": "and rules, words of more text",
}


def rows(found: Json) -> Iterator[str]:
    """Where the rows of new letters start from: CER before any step, and after those of the plan."""
    sizes, lines = every(found, "clips"), []
    for language, start in sorted(grouped(found["rows"], "language", "start"), key=_order_of_start):
        cells = []
        for size in sizes:
            same = [row for row in found["rows"] if (row["language"], row["clips"]) == (language, size)]
            mine, seeds = [row for row in same if row["start"] == start], _tuned_seeds(same)
            cells.append(spread([row["cer_before"] for row in mine]))
            cells.append(spread([row["cer_after"] for row in mine if row["seed"] in seeds and "cer_after" in row]))
        lines.append([LANGUAGES[language], STARTS[start], *cells])
    text = (
        f"CER in per cent, best path, from `{found['base']}`: median [lowest–highest] of up to "
        f"{len(every(found, 'seed'))} seeds, each with clips of its own; a single figure is of one seed, a dash was "
        "not measured. Speech of espeak-ng: the voice follows the very rules that the letters start from."
    )
    columns = [name for size in sizes for name in (f">{size} clips, no step", ">the plan's steps")]
    yield from measured(("", "rows from", *columns), lines, text, found)


def _tuned_seeds(runs: Sequence[Json]) -> set[int]:
    """The seeds with which all starts took the plan's steps that did so with any: only these can be compared."""
    tuned = grouped([row for row in runs if "cer_after" in row], "start")
    seeds = [{row["seed"] for row in mine} for mine in tuned.values()]
    return set.intersection(*seeds) if seeds else set()


def _order_of_start(key: tuple[str, str]) -> tuple[int, int]:
    return list(LANGUAGES).index(key[0]), list(STARTS).index(key[1])


def mandarin(found: Json) -> Iterator[str]:
    """Mandarin learned character by character, and through pinyin and a lexicon."""
    groups = grouped(found["rows"], "wanted", "way")
    rows = []
    for wanted, way in sorted(groups, key=lambda key: (key[0], key[1] != "given")):
        runs = groups[wanted, way]
        cells = [spread([run[key] for run in runs if key in run]) for key in ("cer", "pinyin", "toneless")]
        shown = "characters, one by one" if way == "given" else "pinyin, and a lexicon"
        rows.append([wanted, median(runs, "speech_s"), shown, median(runs, "letters"), *cells, len(runs)])
    text = (
        f"Error rates in per cent on {found['test_clips']} test clips ({found['test_s'] / 60:.0f} minutes) of "
        f"espeak-ng, adapted from `{found['base']}`, with the language model of `earful adapt`: of characters, of "
        "pinyin with its accents, and of its letters alone; median [lowest–highest] of seeds, each with other clips. "
        f"From pinyin without an error the lexicon alone has a CER of {percent(found['perfect'])}."
    )
    columns = (">clips", ">speech, s", "learned", ">symbols", ">CER", ">pinyin", ">without tones", ">seeds")
    yield from measured(columns, rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "ablation_czech": ablation,
    "averaged_czech": ablation,
    "adapt_settings": adapt_settings,
    "adapt_steps": adapt_settings,
    "beside_czech": beside,
    "beside_dutch": beside,
    "company": company,
    "conditions": conditions,
    "voices": voices,
    "mandarin": mandarin,
    "rows": rows,
    "self_adapt_czech": self_adapt,
}
