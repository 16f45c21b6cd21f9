"""Put the figures of bench/*.json into the documents, so that none is ever typed in.

A document marks a place by `<!-- figures: NAME -->` and `<!-- end -->`; NAME is a JSON file in this folder. What stands
between is replaced. A file that is not there yet leaves a sentence that says so.

    python bench/tables.py            # write
    python bench/tables.py --check    # only say whether something is out of date: exit status 1
"""

import argparse
import json
import math
import random
import re
import statistics
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/*.md", "recipes/*/README.md")
PLACE = re.compile(r"(?P<head><!-- figures: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)", re.DOTALL)


def documents(root: Path = ROOT) -> Iterator[Path]:
    """Every document that may hold figures."""
    for pattern in DOCUMENTS:
        yield from sorted(root.glob(pattern))


def filled(text: str, bench: Path = BENCH) -> str:
    """A document with its marked places filled from the JSON files in `bench`."""
    return PLACE.sub(lambda match: match["head"] + rendered(match["name"], bench) + "\n" + match["end"], text)


def rendered(name: str, bench: Path = BENCH) -> str:
    """The Markdown of one JSON file. Raises KeyError for a name that nothing here renders."""
    render = FIGURES[name]
    path = bench / f"{name}.json"
    if not path.exists():
        return f"*Not measured yet: `bench/{name}.json` is not there.*"
    return "\n".join(render(json.loads(path.read_text("utf-8"))))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A Markdown table; a column whose name starts with > is set flush right."""
    yield f"| {' | '.join(name.removeprefix('>') for name in columns)} |"
    yield f"| {' | '.join('---:' if name.startswith('>') else '---' for name in columns)} |"
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


def percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}"


def points(gap: float) -> str:
    """A difference of two rates."""
    return f"{100 * gap:+.1f}"


def seeds_of(found: Json) -> int:
    """How many seeds the rows are of."""
    return len({row["seed"] for row in found["rows"]})


def spread(values: Sequence[float], show: Callable[[float], str]) -> str:
    """The median, and the lowest and the highest where there are several."""
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{show(min(values))}–{show(max(values))}]"


def on(machine: Json) -> str:
    """What it was measured on."""
    cores, threads = (machine.get(key) for key in ("cores", "threads"))
    parts = [machine["cpu"], f"{cores} cores"] + ([f"{threads} thread{'s' * (threads != 1)}"] if threads else [])
    return ", ".join([*parts, machine.get("gpu") or "no GPU", f"PyTorch {machine['torch']}"])


def kshot(found: Json) -> Iterator[str]:
    """K clips → error rates on the test set, from several bases."""
    groups: dict[tuple[int, str], list[Json]] = {}
    for row in found["rows"]:
        groups.setdefault((row["wanted"], row["base"]), []).append(row)
    names = ("> clips", "> speech, s", "from", "> CER before", "> CER", "> CER, n-gram", "> WER, n-gram", "> s", "> MB")
    bases = list(dict.fromkeys(row["base"] for row in found["rows"]))
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], bases.index(item[0][1])))
    yield from table(
        [n.replace("> ", ">") for n in names], [_kshot_row(b, r, found["before"]) for (_, b), r in ordered]
    )
    yield ""
    yield (
        f"Rates in per cent on {found['test_clips']} test clips ({found['test_s'] / 60:.0f} minutes): of the best path "
        f"and of the search with the character n-gram of transcripts, free text and the word list; median "
        f"[lowest–highest] of up to {seeds_of(found)} seeds, each with clips of its own. "
        f"Time and peak memory of `earful adapt`: medians. {on(found['machine'])}."
    )


BASES = {
    "none": "nothing",
    "hf:work/whisper-tiny-en": "Whisper's encoder alone",
    "work/synthetic": "before any real voice",
}


def _kshot_row(base: str, runs: list[Json], before: Json) -> list[object]:
    searched = [run["test_ngram"] for run in runs if "test_ngram" in run]
    return [
        f"{statistics.median(run['clips'] for run in runs):.0f}",
        f"{statistics.median(run['speech_s'] for run in runs):.0f}",
        BASES.get(base, f"`{base}`"),
        percent(before[base]["cer"] if base in before else None),
        spread([run["test"]["cer"] for run in runs], percent),
        spread([each["cer"] for each in searched], percent) if searched else "–",
        percent(statistics.median(each["wer"] for each in searched)) if searched else "–",
        f"{statistics.median(run['seconds'] for run in runs):.0f}",
        f"{statistics.median(run['peak_memory_mb'] for run in runs):.0f}",
    ]


def ablation(found: Json) -> Iterator[str]:
    """What each ingredient is worth: the difference to the full recipe, seed by seed."""
    sizes = sorted({row["clips"] for row in found["rows"]})
    cer = {(row["variant"], row["clips"], row["seed"]): row["cer"] for row in found["rows"]}
    rows = []
    for variant in dict.fromkeys(row["variant"] for row in found["rows"]):
        cells = []
        for clips in sizes:
            seeds = [seed for v, k, seed in cer if (v, k) == (variant, clips)]
            if not seeds:
                cells += ["–", ""]
                continue
            rates = [cer[variant, clips, seed] for seed in seeds]
            gaps = [cer[variant, clips, seed] - cer["all", clips, seed] for seed in seeds]
            cells.append(percent(statistics.median(rates)))
            cells.append("" if variant == "all" else spread(gaps, points))
        rows.append([variant, *cells])
    yield from table(("", *(name for k in sizes for name in (f">{k} clips", ">difference"))), rows)
    yield ""
    yield (
        f"CER in per cent on {found['test_clips']} test clips, adapted from `{found['base']}`: medians of "
        f"{seeds_of(found)} seeds; and the difference to all ingredients, best path, "
        f"seed by seed: median [lowest–highest]. {on(found['machine'])}."
    )


def encoders(found: Json) -> Iterator[str]:
    """Encoders after equal processor time."""
    kinds = dict.fromkeys(row["kind"] for row in found["rows"])
    rows = []
    for kind in kinds:
        runs = [row for row in found["rows"] if row["kind"] == kind]
        median = {key: statistics.median(run[key] for run in runs) for key in ("parameters", "steps", "inference_xrt")}
        rates = [spread([run[key] for run in runs], percent) for key in ("per_synthetic", "per_dutch")]
        millions = f"{median['parameters'] / 1e6:.1f} M"
        rows.append([kind, millions, f"{median['steps']:.0f}", *rates, f"{median['inference_xrt']:.0f}"])
    columns = ("encoder", ">parameters", ">steps", ">PER, synthetic", ">PER, real Dutch", ">s of audio a second")
    yield from table(columns, rows)
    seeds = seeds_of(found)
    yield ""
    yield (
        f"Phone error rates in per cent after {found['budget_cpu_s']:.0f} processor seconds of training each; median "
        f"[lowest–highest] of {seeds} seeds. Trained on synthetic speech alone, each on the same frozen encoder, whose "
        f"time is not counted. {on(found['machine'])}."
    )


def features_speed(found: Json) -> Iterator[str]:
    """The filterbank beside kaldi-native-fbank."""
    names = {
        "kaldi_native_fbank": f"kaldi-native-fbank {found['kaldi_native_fbank_version']}",
        "earful_one_by_one": "earful, clip by clip",
        "earful_batch": "earful, a batch of equal length",
        "earful_padded_batch": "earful, a batch of different lengths",
    }
    speeds, times = found["audio_seconds_per_second"], found["times_kaldi_native_fbank"]
    rows = [(shown, speeds[name], f"{times[name]:.1f} ×") for name, shown in names.items()]
    yield from table(("80 log-mel bins", ">s of audio a second", ">times Kaldi"), rows)
    yield ""
    yield (
        f"{found['clips']} clips of {found['clip_s']:.0f} s, medians of {found['repeats']} interleaved repeats; the "
        f"largest difference of any bin is {found['max_difference']:.1e}. {on(found['machine'])}."
    )


def transcribe_speed(found: Json) -> Iterator[str]:
    """Transcription beside reading and features alone."""
    names = {"short_clips": f"{found['clips']} short clips, one by one", "ten_minutes": "a recording of ten minutes"}
    speed = {(r["what"], r["audio"], r["threads"]): r["audio_seconds_per_second"] for r in found["rows"]}
    threads = sorted({row["threads"] for row in found["rows"]})
    rows = [
        (shown, count, *(f"{speed[what, kind, count]:.0f}" for what in ("transcribe", "features_alone")))
        for kind, shown in names.items()
        for count in threads
    ]
    yield from table(("", ">threads", ">`transcribe`", ">reading and features alone"), rows)
    yield ""
    yield (
        f"Seconds of audio a second, from file to text, with `{found['model']}` "
        f"({found['parameters'] / 1e6:.1f} M parameters); medians of {found['repeats']} interleaved repeats. "
        f"{on(found['machine'])}."
    )


def adapt_settings(found: Json) -> Iterator[str]:
    """What changes of the plan do, by the number of clips."""
    sizes = sorted({row["clips"] for row in found["rows"]})
    rows = []
    for change in dict.fromkeys(row["change"] for row in found["rows"]):
        runs = {k: [r for r in found["rows"] if (r["change"], r["clips"]) == (change, k)] for k in sizes}
        rates = [spread([r["cer"] for r in runs[k]], percent) if runs[k] else "–" for k in sizes]
        times = [f"{statistics.median(r['cpu_s'] for r in runs[k]):.0f}" if runs[k] else "–" for k in sizes]
        rows.append([change, *rates, " / ".join(times)])
    yield from table(("plan", *(f">{k} clips" for k in sizes), ">processor seconds"), rows)
    seeds = seeds_of(found)
    yield ""
    yield (
        f"CER in per cent on {found['test_clips']} Dutch test clips, with a base that has never heard Dutch; median "
        f"[lowest–highest] of {seeds} seeds. {on(found['machine'])}."
    )


KINDS = {"nl-small": "the first speaker", "nl-big": "the second speaker"}


def conditions(found: Json) -> Iterator[str]:
    """A new speaker and an unseen noise: before and after adaptation, by the number of clips."""
    sizes = sorted({row["clips"] for row in found["rows"]})
    rows = []
    for kind in dict.fromkeys(row["kind"] for row in found["rows"]):
        runs = [row for row in found["rows"] if row["kind"] == kind]
        after = [[row["after"] for row in runs if row["clips"] == k] for k in sizes]
        shown = KINDS.get(kind, f"voices at {kind}")
        rows.append([shown, percent(runs[0]["before"]), *(spread(rates, percent) if rates else "–" for rates in after)])
    yield from table(("", ">before", *(f">{k} clips" for k in sizes)), rows)
    worse = sum(row["after"] > row["before"] for row in found["rows"])
    yield ""
    yield (
        f"CER in per cent, best path, on the Dutch test clips of that kind; median [lowest–highest] of "
        f"{seeds_of(found)} seeds. After adaptation {worse} of {len(found['rows'])} runs "
        f"were worse than before. {on(found['machine'])}."
    )


def base(found: Json) -> Iterator[str]:
    """A shipped base: what `bench/base.py` read from the log of its training."""
    hours, minutes = divmod(round(found["seconds"] / 60), 60)
    losses = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in found["losses"].items())
    rows: list[tuple[str, object]] = [
        ("parameters", f"{found['parameters'] / 1e6:.2f} M"),
        ("letters that it writes", found["symbols"]),
        ("phones that it knows", found["phones"]),
        ("steps", found["steps"]),
        ("training", f"{hours} h {minutes} min" if hours else f"{minutes} min"),
        ("losses at the end", losses),
    ]
    yield from table((f"`{found['model']}`", ""), rows)
    yield ""
    yield f"{on(found['machine'])}."


def ctc(found: Json) -> Iterator[str]:
    """CTC in first and second order, beside torch's loss and plain tensor operations."""
    groups: dict[tuple[int, int, int], dict[str, list[float]]] = {}
    for row in found["rows"]:
        ratios = groups.setdefault((row["frames"], row["labels"], row["threads"]), {})
        for name, ratio in row["ratios"].items():
            ratios.setdefault(name, []).append(ratio)
    threads = sorted({row["threads"] for row in found["rows"]})
    columns = [f">{what}, {n} thread{'s' * (n != 1)}" for what in ("torch ÷ ours", "second ÷ first") for n in threads]
    names = [(name, n) for name in ("native/ours", "hvp/ours") for n in threads]
    rows = []
    for frames, labels in sorted({key[:2] for key in groups}):
        cells = [spread(groups[frames, labels, n][name], lambda x: f"{x:.1f}") for name, n in names]
        rows.append((frames, labels, *cells))
    yield from table((">frames", ">labels", *columns), rows)
    means, summary = found["summary"]["geometric_means"], found["summary"]
    slowest, dearest = summary["least native/ours"], summary["largest hvp/ours"]
    behind = sum(row["ratios"]["native/ours"] < 1 for row in found["rows"])
    yield ""
    yield (
        "Medians of time ratios over 1, 8 and 32 clips and 40, 500 and 5,000 symbols [least–largest]; "
        f"{found['kernel']}. Geometric means over all {summary['rows']} shapes: torch's value and gradient take "
        f"{means['native/ours']:.1f} times as long as ours; value, gradient and Hessian-vector product together "
        f"{means['hvp/ours']:.1f} times as long as value and gradient; the same by autograd through tensor operations "
        f"{means['plain_hvp/hvp']:.1f} times as long as ours (50 and 200 frames, 40 symbols). Ours is the slower on "
        f"{behind} of the {summary['rows']}, at the worst {slowest['ratio']:.2f} ({shape(slowest)}); the second order "
        f"is dearest at {dearest['ratio']:.1f} ({shape(dearest)}). {on(found['machine'])}."
    )
    yield ""
    yield "Memory beyond the input, of eight clips and 40 symbols:"
    yield ""
    megabytes = [
        (row["frames"], row["labels"], *(f"{row['bytes'][name] / 1e6:.1f}" for name in ("ours", "hvp")))
        for row in found["memory"]
    ]
    yield from table((">frames", ">labels", ">gradient, MB", ">with the Hessian-vector product, MB"), megabytes)


def shape(row: Json) -> str:
    clips = f"{row['batch']} clip{'s' * (row['batch'] != 1)}"
    return f"{row['frames']} frames, {clips}, {row['labels']} labels, {row['symbols']} symbols"


VARYING = {"finn": "amplitude, phase", "li": "amplitude, phase, frequency"}


def sinusoid(found: Json) -> Iterator[str]:
    """Learners on sinusoids, meta-trained and tested with the same K, beside what a paper printed."""
    ours, printed = _sinusoid_errors(found["rows"]), _sinusoid_errors(found["printed"]["rows"])
    columns = sorted({(steps, k) for _, _, k, _, steps in ours})
    rows = []
    for family, learner in dict.fromkeys(key[:2] for key in ours):
        for name, errors in ((learner, ours), (f"{learner}, as printed", printed)):
            cells = [errors.get((family, learner, k, k, steps)) for steps, k in columns]
            if any(cells):
                rows.append([VARYING[family], name, *("" if cell is None else _plus_minus(*cell) for cell in cells)])
    heads = (f">K = {k}, {steps} step{'s' * (steps != 1)}" for steps, k in columns)
    yield from table(("sinusoids differ in", "learner", *heads), rows)
    both = [(ours[key], limits) for key, limits in printed.items() if key in ours]
    kept = sum(mine <= error + half for (mine, _), (error, half) in both)
    yield ""
    yield (
        f"Mean squared error on {found['test_sinusoids']} new sinusoids ± 1.96 standard errors, medians of "
        f"{len(found['seeds'])} seeds, after {found['outer_steps']:,} outer steps of {found['tasks']} tasks. "
        f"Printed: {found['printed']['source']}. It has {len(both)} cells, every K trained by every K tested; in "
        f"{kept} of them our error is within the printed interval or below it. "
        f"{on(found['machine'])}."
    )


def _sinusoid_errors(rows: Sequence[Json]) -> dict[tuple[str, str, int, int, int], tuple[float, float]]:
    """(family, learner, K trained, K tested, steps) → error and half its interval: medians over seeds."""
    groups: dict[tuple[str, str, int, int, int], list[Json]] = {}
    for row in rows:
        key = (row["family"], row["learner"], row["trained"], row["tested"], row["steps"])
        groups.setdefault(key, []).append(row)
    return {key: (_median(runs, "mse"), _median(runs, "interval")) for key, runs in groups.items()}


def _median(runs: Sequence[Json], name: str) -> float:
    """Over runs; infinite in those where it diverged."""
    return statistics.median(math.inf if run[name] is None else run[name] for run in runs)


def _plus_minus(error: float, half: float) -> str:
    return f"{error:.2f} ± {half:.2f}" if math.isfinite(error) else "diverges"


def meta_speed(found: Json) -> Iterator[str]:
    """MAML beside other libraries: meta-steps a second and memory; rows are cases, columns libraries."""
    libraries = found["libraries"]
    used = [name for name in dict.fromkeys(n for row in found["rows"] for n in row["median_s"]) if name != MIXED]
    columns = ["task", ">inner steps", *(f">{name}" for name in used), ">times the fastest other"]
    rows = []
    for row in found["rows"]:
        speeds = [f"{1 / row['median_s'][name]:.2f}" for name in used]
        times = [row["times_fastest_other"][name] for name in OURS] if "times_fastest_other" in row else []
        ratios = " / ".join(f"{ratio:.2f}" for ratio in times) or "–"
        rows.append([_meta_task(row), row["steps"], *speeds, ratios])
    yield from table(columns, rows)
    reached = {kind: _meta_best(found["rows"], kind) for kind in found["aims"]}
    exact, single = (
        [{**row, "differences": row["relative"]} for row in found["differences_float64"].values()],
        found["rows"],
    )
    yield ""
    yield (
        f"Meta-steps of {found['tasks']} tasks a second of processor time, second order, medians of "
        f"{min(row['rounds'] for row in found['rows'])} rounds or more; in the last column `earful` task by task / by "
        f"`vmap`. "
        + " ".join(
            f"The aim on {MANY[kind]} is {aim:.0f} times the fastest of the others; the better of ours comes to "
            f"{' to '.join(dict.fromkeys(f'{x:.2f}' for x in (min(reached[kind]), max(reached[kind]))))}."
            for kind, aim in found["aims"].items()
            if reached[kind]
        )
    )
    mixed = [row["times_fastest_other"][MIXED] for row in found["rows"] if MIXED in row.get("times_fastest_other", {})]
    if mixed:
        yield f"With earful's loss inside, higher comes to {spread(mixed, lambda x: f'{x:.2f}')} on clips."
    yield ""
    if any("fastest_other" in row for row in found["rows"]):
        apart = ((_tiny(_meta_apart(some, kind, libraries)), MANY[kind]) for some in (exact, single) for kind in MANY)
        told = [f"{part} on {many}" for part, many in apart]
        yield (
            f"The others' meta-gradients differ from earful's by at most {' and '.join(told[:2])} of its norm in "
            f"float64 ({exact[0]['steps']} inner steps, small nets), and by {' and '.join(told[2:])} in float32."
        )
    own = [max(_meta_apart(some, kind, OURS) for kind in MANY) for some in (exact, single)]
    yield f"`vmap` differs from earful's own loop by at most {_tiny(own[0])} in float64 and {_tiny(own[1])} in float32."
    yield f"{', '.join(f'{name} {said}' for name, said in libraries.items())}. {on(found['machine'])}."
    yield ""
    yield "By how much a process grows at its peak in two meta-steps, in MB:"
    yield ""
    sizes = [
        [_meta_task(row), row["steps"], *(f"{row['bytes'][n] / 1e6:.0f}" for n in used)] for row in found["memory"]
    ]
    yield from table(columns[:-1], sizes)


OURS, MIXED = ("earful", "earful, vmap"), "higher, earful's loss"
MANY = {"images": "images", "ctc": "clips"}


def _tiny(part: float) -> str:
    return f"{part:.0e}" if part else "0"


def _meta_task(row: Json) -> str:
    if row["kind"] == "images":
        return f"images, {row['shots']}-shot, {row['filters']} filters"
    net = f"Transformer of {row['layers']} layers" if row["layers"] else "linear map"
    return f"CTC, {row['frames']} frames, {row['labels']} labels, {net}"


def _meta_best(rows: Sequence[Json], kind: str) -> list[float]:
    """The better of our two ways, in times the fastest other, of every row of that kind."""
    having = [row["times_fastest_other"] for row in rows if row["kind"] == kind and "times_fastest_other" in row]
    return [max(times[name] for name in OURS) for times in having]


def _meta_apart(rows: Sequence[Json], kind: str, among: Collection[str]) -> float:
    found = [x for row in rows if row["kind"] == kind for name, x in row["differences"].items() if name in among]
    return max(found, default=math.nan)


def meta_learners(found: Json) -> Iterator[str]:
    """Meta-learners on speech: CER after 0, as many steps as were trained, and 10; and how that differs."""
    cers: dict[tuple[str, int], dict[tuple[int, str], Json]] = {}
    for row in found["rows"]:
        cers.setdefault((row["learner"], row["clips"]), {})[row["seed"], row.get("task", "")] = row["cer"]
    learners, shots = (list(dict.fromkeys(key[place] for key in cers)) for place in (0, 1))
    trained = str(found["steps"])
    moments = ["0", trained, "10", *(["usual"] if "usual" in next(iter(cers.values())).popitem()[1] else [])]
    for row in found["rows"]:  # what popitem took
        cers[row["learner"], row["clips"]][row["seed"], row.get("task", "")] = row["cer"]

    def mean(learner: str, clips: int, moment: str) -> str:
        return percent(statistics.fmean(cer[moment] for cer in cers[learner, clips].values()))

    rows = [[name, *(" / ".join(mean(name, k, moment) for moment in moments) for k in shots)] for name in learners]
    yield from table(("CER, %", *(f">K = {k}" for k in shots)), rows)
    told = [f"after {m} steps" if m.isdigit() else "after the usual fine-tuning" for m in moments]
    yield ""
    yield f"Each cell: {', '.join(told)}. {_meta_facts(found, cers)}"
    if "multitask" not in learners:
        return
    yield ""
    rows = []
    for name in learners:
        if name not in ("multitask", "scratch"):
            pairs = [(cers[name, k], cers["multitask", k], moment) for k in shots for moment in (trained, "10")]
            rows.append([name, *(_difference(*pair) for pair in pairs)])
    heads = [f">K = {k}, {moment} steps" for k in shots for moment in (trained, "10")]
    yield from table(("points of CER beside multitask", *heads), rows)
    yield ""
    yield "Negative is better than multitask training. The clips are the same; 95 % intervals over seeds and tasks."


def _meta_facts(found: Json, cers: dict[tuple[str, int], dict[tuple[int, str], Json]]) -> str:
    seeds = len({seed for runs in cers.values() for seed, _ in runs})
    test = f"{len(found['test'])} conditions" if found["by"] == "condition" else ", ".join(found["test"])
    told = f"{seeds} seeds; tested on {test}. {found['parameters'] / 1e6:.2f} M parameters move; "
    told += f"{found['budget_s']:g} s of processor time for each meta-training"
    if "cost_s" in found:
        steps = {name: round(found["budget_s"] / cost / found["tasks"]) for name, cost in found["cost_s"].items()}
        told += f" (from {min(steps.values())} to {max(steps.values())} steps of {found['tasks']} tasks)"
    return f"{told}, {found['steps']} inner steps. {on(found['machine'])}."


def _difference(ours: dict[tuple[int, str], Json], theirs: dict[tuple[int, str], Json], moment: str) -> str:
    """The mean difference in points, and its interval."""
    seeds, tasks = (sorted({key[place] for key in ours if key in theirs}) for place in (0, 1))
    away = {key: 100 * (ours[key][moment] - theirs[key][moment]) for key in ours if key in theirs}
    chance, drawn = random.Random(0), []
    for _ in range(2000):
        some, others = chance.choices(seeds, k=len(seeds)), chance.choices(tasks, k=len(tasks))
        drawn.append(statistics.fmean(away[seed, task] for seed in some for task in others if (seed, task) in away))
    drawn.sort()
    return f"{statistics.fmean(away.values()):+.1f} [{drawn[50]:+.1f}, {drawn[1949]:+.1f}]"


BESIDE = {
    "usual": "the clips alone",
    "more steps": "the clips alone, more steps",
    "spoken": "and sentences that espeak-ng says",
    "unlabelled": "and recordings without transcripts",
    "both": "and both",
}


def beside(found: Json) -> Iterator[str]:
    """What other speech beside the clips is worth."""
    sizes = sorted({row["clips"] for row in found["rows"]})
    runs = {(row["variant"], row["clips"], row["seed"]): row for row in found["rows"]}
    rows = []
    for variant, shown in BESIDE.items():
        for clips in sizes:
            seeds = [seed for v, k, seed in runs if (v, k) == (variant, clips) and ("usual", k, seed) in runs]
            if not seeds:
                continue
            mine, usual = ([runs[v, clips, seed] for seed in seeds] for v in (variant, "usual"))
            cells: list[object] = [shown, clips]
            for key in ("cer", "cer_ngram"):
                gaps = [a[key] - b[key] for a, b in zip(mine, usual, strict=True)]
                cells.append(spread([row[key] for row in mine], percent))
                cells.append("" if variant == "usual" else spread(gaps, points))
            cells += [f"{statistics.median(row[key] for row in mine) / 60:.0f}" for key in ("spoken_s", "believed_s")]
            rows.append([*cells, f"{statistics.median(row['process_s'] for row in mine):.0f}"])
    columns = ("learned from", ">K", ">CER", ">difference", ">CER, n-gram", ">difference")
    yield from table((*columns, ">min spoken", ">min believed", ">processor s"), rows)
    yield ""
    yield (
        f"CER in per cent on {found['test_clips']} test clips, adapted from `{found['base']}`: median [lowest–highest] "
        f"of {seeds_of(found)} seeds; differences seed by seed. Time without measuring. "
        f"{on(found['machine'])}."
    )


def pretraining(found: Json) -> Iterator[str]:
    """What each self-supervised objective is worth: a linear probe, and CER after adaptation."""
    sizes = sorted({row["clips"] for row in found["rows"] if "clips" in row})
    rows = []
    for start in dict.fromkeys(row["start"] for row in found["rows"]):
        runs = [row for row in found["rows"] if row["start"] == start]
        cells = [spread([row["probe"] for row in runs if "probe" in row], percent)]
        cells += [spread([row["cer"] for row in runs if row.get("clips") == size], percent) for size in sizes]
        rows.append([start.replace("_", "-"), f"{statistics.median(row['steps'] for row in runs):.0f}", *cells])
    yield from table(("", ">steps", ">probe", *(f">CER, K = {size}" for size in sizes)), rows)
    yield ""
    yield (
        f"{found['budget_s']:g} s of processor time each; {seeds_of(found)} seeds. Probe: "
        f"phones of frames of synthetic speech that a linear layer tells, in per cent; CER: real Czech, best path. "
        f"{on(found['machine'])}."
    )


def pretraining_speed(found: Json) -> Iterator[str]:
    """Steps of wav2vec 2.0 beside those of transformers."""
    rows = [
        [
            f"{row['who']} ({row['weights'] / 1e6:.0f} M)",
            "{1} layers of {0}".format(*row["size"]),
            row["part"],
            row["arithmetic"],
            row["hours_per_hour"],
            f"{row['times_transformers']:.1f} ×",
        ]
        for row in found["rows"]
    ]
    yield from table(("", "size", "step", "arithmetic", ">hours an hour", ">times transformers"), rows)
    yield ""
    yield (
        f"Hours of audio an hour of processor time: medians of {found['rounds']} interleaved steps on {found['clips']} "
        f"clips of {found['clip_s']:g} s; transformers {found['transformers']}. {on(found['machine'])}."
    )


WAYS = {"suggested": "suggested", "random": "by chance", "as long": "by chance, as long", "unsure": "the most doubtful"}


def suggest(found: Json) -> Iterator[str]:
    """Suggested clips against those that chance picks."""
    runs = {(row["way"], row["wanted"], row["seed"]): row for row in found["rows"]}
    rows = []
    for wanted in sorted({row["wanted"] for row in found["rows"]}):
        for way, shown in WAYS.items():
            mine = [row for (w, k, _), row in runs.items() if (w, k) == (way, wanted)]
            if mine:
                gaps = [row["test"]["cer"] - runs["random", wanted, row["seed"]]["test"]["cer"] for row in mine]
                clips, speech = (f"{statistics.median(row[key] for row in mine):.0f}" for key in ("clips", "speech_s"))
                cer = spread([row["test"]["cer"] for row in mine], percent)
                away = "" if way == "random" else spread(gaps, points)
                rows.append([shown, clips, speech, cer, away])
    yield from table(("clips", ">number", ">seconds", ">CER", ">beside chance"), rows)
    yield ""
    yield (
        f"CER in per cent, best path, on {found['test_clips']} test clips, adapted from `{found['base']}`: median "
        f"[lowest–highest] of {seeds_of(found)} seeds, each with {found['recordings']} "
        f"recordings to choose from. {on(found['machine'])}."
    )


def forecast(found: Json) -> Iterator[str]:
    """What was forecast, and what came."""
    rows = [
        [row["clips"], f"{row['times']} ×", percent(row["predicted"]), percent(row["measured"]),
         f"{100 * math.expm1(row['off']):.0f} %", f"{row['inside']} of {row['runs']}"]
        for row in found["summary"]
    ]  # fmt: skip
    yield from table((">clips", ">speech", ">CER forecast", ">CER measured", ">off by", ">inside the interval"), rows)
    yield ""
    yield (
        f"Means of {len(found['seeds'])} seeds; `{found['base']}` adapted, best path, {found['test_clips']} clips of "
        f"the same kind set aside; at most {found['minutes']:g} minutes for a forecast. Off by: the typical ratio of "
        f"the two. {on(found['machine'])}."
    )


def self_adapt(found: Json) -> Iterator[str]:
    """A recogniser that fits itself to each recording, beside itself without that."""
    groups: dict[tuple[str, int, str, str], list[Json]] = {}
    for row in found["rows"]:
        groups.setdefault((row["base"], row["adapted_to"], row["kind"], row["search"]), []).append(row)
    rows = []
    for (base, clips, kind, search), runs in groups.items():
        before, after = ([run[key]["cer"] for run in runs] for key in ("without", "with"))
        gaps = [b - a for a, b in zip(before, after, strict=True)]
        cells = [spread(rates, percent) for rates in (before, after)]
        slower = statistics.median(run["with"]["seconds"] / run["without"]["seconds"] for run in runs)
        away = spread(gaps, points)
        rows.append([f"`{base}`", clips, kind, search.replace("ngram", "n-gram"), *cells, away, f"{slower:.1f} ×"])
    columns = ("from", ">K", "sound", "search", ">CER without", ">CER with", ">difference", ">time")
    yield from table(columns, rows)
    yield ""
    yield (
        f"CER in per cent on {found['test_clips']} test clips: median [lowest–highest] of {len(found['seeds'])} seeds; "
        f"the difference seed by seed. {on(found['machine'])}."
    )


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "ablation_czech": ablation,
    "adapt_settings": adapt_settings,
    "base": base,
    "beside_czech": beside,
    "beside_dutch": beside,
    "conditions": conditions,
    "ctc": ctc,
    "encoders": encoders,
    "features_speed": features_speed,
    "forecast": forecast,
    "kshot_bases": kshot,
    "kshot_czech": kshot,
    "meta_conditions": meta_learners,
    "meta_czech": meta_learners,
    "meta_speech": meta_learners,
    "meta_speed": meta_speed,
    "pretraining": pretraining,
    "pretraining_speed": pretraining_speed,
    "self_adapt_czech": self_adapt,
    "sinusoid": sinusoid,
    "suggest_czech": suggest,
    "tiny": base,
    "transcribe_speed": transcribe_speed,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if something would change")
    options = parser.parse_args()
    stale = [path for path in documents() if filled(path.read_text("utf-8")) != path.read_text("utf-8")]
    for path in stale:
        if not options.check:
            path.write_text(filled(path.read_text("utf-8")), "utf-8")
        print(f"{path.relative_to(ROOT)}: {'out of date' if options.check else 'written'}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
