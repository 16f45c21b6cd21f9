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

from earful.text.interval import student

Json = dict[str, Any]

SHIPPED, ENGLISH = "earful-base", "the base before"
OF_ENGLISH = {
    *("ablation_czech", "averaged_czech", "beside_czech", "conditions", "forecast", "held_out", "kshot_bases"),
    *("mandarin", "rows", "self_adapt_czech", "stages_czech", "suggest_czech"),
}
"""What was measured when `earful-base` was what recipes/english makes, on an encoder that has heard English alone."""

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
    text = "\n".join(render(json.loads(path.read_text("utf-8"))))
    return text.replace(f"`{SHIPPED}`", ENGLISH) if name in OF_ENGLISH else text


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A Markdown table; a column whose name starts with > is set flush right."""
    yield f"| {' | '.join(name.removeprefix('>') for name in columns)} |"
    yield f"| {' | '.join('---:' if name.startswith('>') else '---' for name in columns)} |"
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


def measured(columns: Sequence[str], rows: Sequence[Sequence[object]], text: str, found: Json) -> Iterator[str]:
    """A table, and below it what its figures are and what they were measured on."""
    yield from table(columns, rows)
    yield ""
    yield f"{text} {on(found['machine'])}."


def percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}"


def points(gap: float) -> str:
    """A difference of two rates."""
    return f"{100 * gap:+.1f}"


def every(found: Json, key: str) -> list[Any]:
    """The values of `key` in the rows that have it, sorted."""
    return sorted({row[key] for row in found["rows"] if key in row})


def grouped(rows: Sequence[Json], *keys: str) -> dict[tuple[Any, ...], list[Json]]:
    """The rows by their values of `keys`, in the order in which these first come."""
    groups: dict[tuple[Any, ...], list[Json]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def spread(values: Sequence[float], show: Callable[[float], str] = percent) -> str:
    """The median, and the lowest and the highest where there are several."""
    if not values:
        return "–"
    middle = show(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} [{show(min(values))}–{show(max(values))}]"


def median(runs: Sequence[Json], key: str) -> str:
    """Of all runs, without decimals."""
    return f"{statistics.median(run[key] for run in runs):.0f}"


def on(machine: Json) -> str:
    """What it was measured on."""
    cores, threads = (machine.get(key) for key in ("cores", "threads"))
    parts = [machine["cpu"], f"{cores} cores"] + ([f"{threads} thread{'s' * (threads != 1)}"] if threads else [])
    return ", ".join([*parts, machine.get("gpu") or "no GPU", f"PyTorch {machine['torch']}"])


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
BASES = {
    "none": "nothing",
    "work/english": ENGLISH,
    "hf:work/whisper-tiny-en": "Whisper's encoder alone",
    "work/synthetic": "before any real voice",
    "work/without-dutch": "without any Dutch",
}


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


def encoders(found: Json) -> Iterator[str]:
    """Encoders after equal processor time."""
    rows = []
    for (kind,), runs in grouped(found["rows"], "kind").items():
        rates = [spread([run[key] for run in runs]) for key in ("per_synthetic", "per_dutch")]
        millions = f"{statistics.median(run['parameters'] for run in runs) / 1e6:.1f} M"
        rows.append([kind, millions, median(runs, "steps"), *rates, median(runs, "inference_xrt")])
    text = (
        f"Phone error rates in per cent after {found['budget_cpu_s']:.0f} processor seconds of training each; median "
        f"[lowest–highest] of {len(every(found, 'seed'))} seeds. Trained on synthetic speech alone, each on the same "
        "frozen encoder, whose time is not counted."
    )
    columns = ("encoder", ">parameters", ">steps", ">PER, synthetic", ">PER, real Dutch", ">s of audio a second")
    yield from measured(columns, rows, text, found)


def any_encoder(found: Json) -> Iterator[str]:
    """What a top for another encoder costs."""
    rows = [
        [
            row["encoder"],
            f"{row['parameters'] / 1e6:.0f} M",
            f"{row['hears_x_realtime']:.1f}",
            f"{row['train_core_h']:.1f}",
            f"{row['frames_gb']:.1f}",
            f"{row['hear_fifty_core_min']:.1f}",
            f"{row['peak_gb']:.1f}",
        ]
        for row in found["rows"]
    ]
    text = (
        f"Encoders of the published dimensions with random weights. Training: {found['speech_h']:.0f} hours of speech "
        "through the encoder once, then the recipe's steps; worked out of the time of a clip and of a step."
    )
    columns = (
        "encoder",
        ">parameters",
        ">s of audio a second",
        ">core hours to train a top",
        ">GB of frames on disk",
        ">core minutes to hear fifty clips for `adapt`",
        ">GB of memory",
    )
    yield from measured(columns, rows, text, found)


UNHEARD = {"eo": "Esperanto", "ga": "Irish", "ky": "Kyrgyz"}


def unheard(found: Json) -> Iterator[str]:
    """Languages that Whisper was not trained on: this base beside the one before."""
    rows = []
    bases = list(grouped(found["rows"], "entrant"))
    for (task, shots), runs in grouped(found["rows"], "task", "shots").items():
        cells = [spread([run["cer"] for run in runs if run["entrant"] == name]) for (name,) in bases]
        rows.append([UNHEARD[task], shots, *cells])
    text = (
        f"CER in per cent, best path, on 60 synthetic clips of each: median [lowest–highest] of "
        f"{len(every(found, 'seed'))} draws of clips."
    )
    columns = ("language", ">clips", *(f">{BASES.get(name, f'`{name}`')}" for (name,) in bases))
    yield from measured(columns, rows, text, found | {"machine": found["machines"][-1]})


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
    text = (
        f"{found['clips']} clips of {found['clip_s']:.0f} s, medians of {found['repeats']} interleaved repeats; the "
        f"largest difference of any bin is {found['max_difference']:.1e}."
    )
    yield from measured(("80 log-mel bins", ">s of audio a second", ">times Kaldi"), rows, text, found)


def transcribe_speed(found: Json) -> Iterator[str]:
    """Transcription beside reading and features alone."""
    names = {"short_clips": f"{found['clips']} short clips, one by one", "ten_minutes": "a recording of ten minutes"}
    speed = {(r["what"], r["audio"], r["threads"]): r["audio_seconds_per_second"] for r in found["rows"]}
    rows = [
        (shown, count, *(f"{speed[what, kind, count]:.0f}" for what in ("transcribe", "features_alone")))
        for kind, shown in names.items()
        for count in every(found, "threads")
    ]
    text = (
        f"Seconds of audio a second, from file to text, with `{found['model']}` "
        f"({found['parameters'] / 1e6:.1f} M parameters); medians of {found['repeats']} interleaved repeats."
    )
    yield from measured(("", ">threads", ">`transcribe`", ">reading and features alone"), rows, text, found)


def live(found: Json) -> Iterator[str]:
    """Live words: how late they are, what that costs, and how much of a processor's time."""
    names = {"slovene": "synthetic Slovene", "slovene3": "synthetic Slovene, twice as much", "czech": "real Czech"}
    rows, texts = [], list[str]()
    for name, run in found["runs"].items():
        speech = names.get(name, name)
        for row in run["rows"]:
            pace = row["pace"]
            times = [f"{row[kind][at]:.2f}" for kind in ("shown", "stays", "settled") for at in ("p50", "p95")]
            cers = (percent(row["cer"]), percent(row["cer_transcribe"]))
            setting = f"{pace['hop_s']:g}, {pace['behind_s']:g}, {pace['ahead_s']:g}"
            rows.append((speech, setting, *times, *cers, f"{row['load']:.2f}"))
        bias = (
            f", whose words end {1000 * run['end_bias_s']:+.0f} ms beside the synthesiser's"
            if "end_bias_s" in run
            else ""
        )
        audio = f"{run['audio_s'] / 60:.1f} minutes in {run['recordings']} recordings"
        texts.append(f"{speech}: {run['clips']} clips with {run['pause_s']:g} s between, {audio}{bias}")
    text = (
        "Hop, behind and ahead in seconds (`Pace`); how long after its end a word that was written right was first "
        "shown, was shown and stayed, and had settled: median and 95th percentile in seconds; CER live, and of "
        "`transcribe`; seconds of one "
        f"processor a second of sound. {'; '.join(texts)}. Processor time is the clock."
    )
    times = (">shown", ">95 %", ">stays", ">95 %", ">settled", ">95 %")
    columns = ("", "hop, behind, ahead", *times, ">CER", ">`transcribe`", ">load")
    yield from measured(columns, rows, text, found)


def server_load(found: Json) -> Iterator[str]:
    """The server under load, alone and beside an adaptation, and a rival behind the same route."""
    ours, theirs = found["earful"], found.get("faster_whisper")
    parts = [("earful, beside an adaptation", ours.get("beside_an_adaptation"), ours), ("earful", ours["alone"], ours)]
    parts += [("faster-whisper, base, int8", theirs["alone"], theirs)] if theirs else []
    rows = [
        (
            name,
            *(f"{part[key]:.1f}" for key in ("latency_p50_s", "latency_p95_s", "audio_seconds_a_second")),
            part["requests"],
            part["errors"],
            f"{whole['memory_start_mb']:.0f} / {whole['memory_end_mb']:.0f}",
        )
        for name, part, whole in parts
        if part
    ]
    text = (
        f"{found['clients']} clients, each sending the next clip when it has an answer, for "
        f"{ours['alone']['seconds']:.0f} s; {found['clips']} clips of real speech, "
        f"{found['clip_seconds'] / found['clips']:.1f} s in the mean. Memory in MB of the server and its children, "
        "before and after."
    )
    columns = ("", ">median wait, s", ">95 %, s", ">seconds of sound a second", ">answers", ">errors", ">memory")
    yield from measured(columns, rows, text, found)


def export(found: Json) -> Iterator[str]:
    """What was the same in each target."""
    rows = []
    for row in found["rows"]:
        exact = row["arithmetic"] == "float32"
        if "refused" in row:
            rows.append((row["target"], row["model"], row["arithmetic"], "refused", *["–"] * 4))
            continue
        same = f"{row['same']} of {row['recordings']}"
        off = f"{1000 * row['off_s']:.0f} ms" if exact else "–"
        cost = "–" if row["cost"] is None or exact else f"{100 * row['cost']:+.2f}"
        otherwise = "0.0" if exact else f"{100 * row['otherwise']:.1f}"
        rows.append(
            (row["target"], row["model"], row["arithmetic"], same, off, otherwise, cost, f"{row['megabytes']:.0f}")
        )
    text = (
        f"On {found['clips']} clips of synthetic speech (`{found['language']}`): texts that are those of the best path "
        "in float32 (`web`: those of earful with its language model, if it has one), how far times are off at most, "
        "letters that are others in per cent, and what that costs in points of CER."
    )
    columns = ("target", "model", "in", ">same text", ">times off", ">other letters", ">points of CER", ">MB")
    yield from measured(columns, rows, text, found)


def export_speed(found: Json) -> Iterator[str]:
    """Transcription by torch and by onnxruntime: throughput, a command from start to end, and memory."""
    shown = {"torch": "torch", "float32": "onnxruntime, float32", "int8": "onnxruntime, int8"}
    shown |= {"int8 with the language model": "the same, with the language model", "faster-whisper": "faster-whisper"}
    speed = {(r["way"], r["audio"], r["threads"]): r["audio_seconds_per_second"] for r in found["speed"]}
    cer = {r["way"]: f"{100 * r['cer']:.1f}" for r in found["rates"]}
    start = {r["way"]: r for r in found["cold"]}
    rows = []
    for way, name in shown.items():
        cells = [f"{speed[way, kind, n]:.1f}" for kind in ("short_clips", "ten_minutes") for n in (1, 2)]
        cold = start.get(way)
        alone = (f"{cold['wall_s']:.1f}", f"{cold['processor_s']:.1f}", str(cold["peak_mb"])) if cold else ("", "", "")
        rows.append((name, *cells, cer[way], *alone))
    memory = {row["audio"]: row["peak_mb"] for row in found["memory"]}
    text = (
        "Seconds of audio a second on short clips and on ten minutes, with one thread and with two; then a program "
        "that transcribes one short clip, from its start to its end: seconds, processor seconds, and most memory in "
        f"MB. In int8 ten minutes take at most {memory['ten minutes']} MB, two hours {memory['two hours']} MB. Best "
        f"paths but for one, {found['parameters'] / 1e6:.1f} M parameters, medians of {found['repeats']} interleaved "
        "repeats, beside other programs. faster-whisper: Whisper base, int8, greedy, the language named."
    )
    columns = (
        "",
        ">short, 1",
        ">short, 2",
        ">ten min, 1",
        ">ten min, 2",
        ">CER",
        ">start to end s",
        ">processor s",
        ">MB",
    )
    yield from measured(columns, rows, text, found)


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


def draws(found: Json) -> str:
    """How many draws of clips there were."""
    count = len(every(found, "seed"))
    return f"{count} draw{'s' * (count != 1)}"


def log_gap(runs: Sequence[tuple[float, float]]) -> str:
    """How much the errors change, in per cent, over runs `(before, after)`: mean of logarithms, Student's interval."""
    gaps = [math.log(max(after, 1e-4) / max(before, 1e-4)) for before, after in runs]
    middle = statistics.mean(gaps)
    if len(gaps) < 2:
        return f"{100 * math.expm1(middle):+.0f}"
    reach = student(len(gaps) - 1) * statistics.stdev(gaps) / math.sqrt(len(gaps))
    low, high = (100 * math.expm1(middle + sign * reach) for sign in (-1, 1))
    return f"{100 * math.expm1(middle):+.0f} [{low:+.0f}, {high:+.0f}]"


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


def plan_moves(found: Json) -> Iterator[str]:
    """What moves when a voice is new, by the number of clips: errors against none."""
    sizes = every(found, "clips")
    walks = [name for name, value in found["rows"][0].items() if isinstance(value, dict)]
    rows = []
    for walk in walks:
        pairs = [[(r["before"], r[walk]["cer"]) for r in found["rows"] if r["clips"] == k] for k in sizes]
        seconds = statistics.median(row[walk]["cpu_s"] for row in found["rows"])
        rows.append(
            [walk, *(log_gap(each) for each in pairs), log_gap([x for each in pairs for x in each]), f"{seconds:.0f}"]
        )
    kinds = ", ".join(every(found, "kind"))
    text = (
        "Errors after one fine-tuning, in per cent of those before, with a 95 % interval over voices and draws "
        f"({kinds}; {draws(found)}). Chosen on these, so tried on others."
    )
    yield from measured(("what moves", *(f">{k} clips" for k in sizes), ">all", ">processor s"), rows, text, found)


def plan_learned(found: Json) -> Iterator[str]:
    """What learning the plan came to: factors of rates, and the errors of trials against the plan before."""
    factors = found["rates"][-1]["factors"].values()
    rows = []
    for trial in found["trials"]:
        settings = trial["settings"]
        what = "the learned rates" if settings["strength"] else "the rates of before"
        gap = log_gap([(1.0, math.exp(ratio)) for ratio in trial["ratios"]])
        rows.append([what, f"{settings['batch']:g}", trial["tasks"], gap])
    text = (
        "Errors in per cent of those by the plan before, one fine-tuning each, with a 95 % interval over tasks. "
        f"{len(found['rates'])} rounds have learned rates of {min(factors):.2f} to {max(factors):.2f} times those "
        f"before, by group of weights; {len(found['trials'])} trials of the search have ended."
    )
    yield from measured(("rates", ">share of the batch", ">tasks", ">errors"), rows, text, found)


def plans(found: Json) -> Iterator[str]:
    """Two plans of fine-tuning, whole adaptations: errors and time, by the number of clips."""
    rows = []
    for (count,), runs in grouped(found["rows"], "clips").items():
        for way in [way for way in ("greedy", "searched") if way in runs[0]["plans"]["before"]]:
            before, after = ([run["plans"][name][way]["cer"] for run in runs] for name in ("before", "learned"))
            times = [statistics.median(run["plans"][name]["cpu_s"] for run in runs) for name in ("before", "learned")]
            gap = log_gap(list(zip(before, after, strict=True)))
            rows.append(
                [
                    count,
                    len(runs),
                    {"greedy": "best path"}.get(way, way),
                    spread(before),
                    spread(after),
                    gap,
                    f"{times[0]:.0f} → {times[1]:.0f}",
                ]
            )
    text = (
        f"CER in per cent on {found['test_clips']} test clips; median [lowest–highest] of "
        "the draws; errors in per cent draw by draw, with a 95 % interval."
    )
    columns = (">clips", ">draws", "best path or searched", ">plan before", ">learned", ">errors", ">processor s")
    yield from measured(columns, rows, text, found)


def contended(found: Json) -> Iterator[str]:
    """Adaptation beside busy programs: how long, by how threads wait."""
    rows = []
    for (count,), runs in grouped(found["rows"], "beside").items():
        times = [[r["seconds"] for r in runs if r["waits"] == waits] for waits in ("turning", "sleeping")]
        rows.append([count, *(f"{statistics.median(each):.0f} [{min(each):.0f}–{max(each):.0f}]" for each in times)])
    text = (
        f"Seconds of `earful adapt`, {found['clips']} clips, {found['steps']} steps; median [lowest–highest], in turn."
    )
    yield from measured((">busy programs beside", ">threads turn", ">threads sleep"), rows, text, found)


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
    groups, threads = grouped(found["rows"], "frames", "labels", "threads"), every(found, "threads")
    columns = [f">{what}, {n} thread{'s' * (n != 1)}" for what in ("torch ÷ ours", "second ÷ first") for n in threads]
    names = [(name, n) for name in ("native/ours", "hvp/ours") for n in threads]
    rows = []
    for frames, labels in sorted({key[:2] for key in groups}):
        ratios = ([row["ratios"][name] for row in groups[frames, labels, n]] for name, n in names)
        rows.append((frames, labels, *(spread(each, lambda x: f"{x:.1f}") for each in ratios)))
    means, summary = found["summary"]["geometric_means"], found["summary"]
    slowest, dearest = summary["least native/ours"], summary["largest hvp/ours"]
    behind = sum(row["ratios"]["native/ours"] < 1 for row in found["rows"])
    text = (
        "Medians of time ratios over 1, 8 and 32 clips and 40, 500 and 5,000 symbols [least–largest]; "
        f"{found['kernel']}. Geometric means over all {summary['rows']} shapes: torch's value and gradient take "
        f"{means['native/ours']:.1f} times as long as ours; value, gradient and Hessian-vector product together "
        f"{means['hvp/ours']:.1f} times as long as value and gradient; the same by autograd through tensor operations "
        f"{means['plain_hvp/hvp']:.1f} times as long as ours (50 and 200 frames, 40 symbols). Ours is the slower on "
        f"{behind} of the {summary['rows']}, at the worst {slowest['ratio']:.2f} ({shape(slowest)}); the second order "
        f"is dearest at {dearest['ratio']:.1f} ({shape(dearest)})."
    )
    yield from measured((">frames", ">labels", *columns), rows, text, found)
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
    both = [(ours[key], limits) for key, limits in printed.items() if key in ours]
    kept = sum(mine <= error + half for (mine, _), (error, half) in both)
    text = (
        f"Mean squared error on {found['test_sinusoids']} new sinusoids ± 1.96 standard errors, medians of "
        f"{len(found['seeds'])} seeds, after {found['outer_steps']:,} outer steps of {found['tasks']} tasks. "
        f"Printed: {found['printed']['source']}. It has {len(both)} cells, every K trained by every K tested; in "
        f"{kept} of them our error is within the printed interval or below it."
    )
    yield from measured(("sinusoids differ in", "learner", *heads), rows, text, found)


def _sinusoid_errors(rows: Sequence[Json]) -> dict[tuple[Any, ...], tuple[float, float]]:
    """(family, learner, K trained, K tested, steps) → error and half its interval: medians over seeds."""
    groups = grouped(rows, "family", "learner", "trained", "tested", "steps")
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


def hessian(found: Json) -> Iterator[str]:
    """Second derivatives through each encoder: forwards or backwards, with oneDNN and without."""
    ways = {
        "forwards": f"{found['products']} products with the Hessian, forwards",
        "backwards": "the same, backwards",
        "maml": "MAML, two steps",
    }
    kinds = list(dict.fromkeys(row["kind"] for row in found["rows"]))
    rows = []
    for way, told in ways.items():
        for onednn in (True, False):
            cells = []
            for kind in kinds:
                same = [r for r in found["rows"] if (r["kind"], r["way"], r["onednn"]) == (kind, way, onednn)]
                known = [r["cpu_s"] for r in same if r["round"] and r["cpu_s"] is not None]
                cells.append(spread(known, lambda value: f"{value:.2f}"))
            rows.append([told, "on" if onednn else "off", *cells])
    apart = max(row.get("apart", 0.0) for row in found["rows"])
    text = (
        f"Processor seconds, median [lowest–highest] of {found['rounds']} rounds; {found['layers']} layers, "
        f"{found['width']} wide, CTC of five clips of three seconds; – where PyTorch has no such derivative. What came "
        f"out differs by at most {_tiny(apart)} of its length."
    )
    yield from measured(("", "oneDNN", *(f">{kind}" for kind in kinds)), rows, text, found)


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
    moments = ["0", trained, "10", *(["usual"] if "usual" in found["rows"][0]["cer"] else [])]

    def mean(learner: str, clips: int, moment: str) -> str:
        return percent(statistics.fmean(cer[moment] for cer in cers[learner, clips].values()))

    rows = [[name, *(" / ".join(mean(name, k, moment) for moment in moments) for k in shots)] for name in learners]
    yield from table(("CER, %", *(f">K = {k}" for k in shots)), rows)
    told = [f"after {m} steps" if m.isdigit() else "after the usual fine-tuning" for m in moments]
    yield ""
    yield f"Each cell: {', '.join(told)}. {_meta_facts(found, cers)}"
    beside = "multitask" if "multitask" in learners else "fomaml"
    if beside not in learners:
        return
    yield ""
    rows = []
    for name in learners:
        if name not in (beside, "scratch"):
            pairs = [(cers[name, k], cers[beside, k], moment) for k in shots for moment in (trained, "10")]
            rows.append([name, *(_difference(*pair) for pair in pairs)])
    heads = [f">K = {k}, {moment} steps" for k in shots for moment in (trained, "10")]
    yield from table((f"points of CER beside {beside}", *heads), rows)
    yield ""
    yield f"Negative is better than {beside}. The clips are the same; 95 % intervals over seeds and tasks."


def meta_base(found: Json) -> Iterator[str]:
    """What meta-training a base of full size is worth: K clips of real speech, by the user's own command."""
    facts, rows = next(iter(found["about"].values())), []
    start = facts["start"]
    runs = {(row["wanted"], row["base"], row["seed"]): row["test"]["cer"] for row in found["rows"]}
    for wanted, base in grouped(found["rows"], "wanted", "base"):
        mine = {seed: cer for (k, name, seed), cer in runs.items() if (k, name) == (wanted, base)}
        gaps = [cer - runs[wanted, start, seed] for seed, cer in mine.items()]
        about = found["about"].get(str(Path(base).parent))
        named = _trained_by(Path(base).name, about) if about else ("the base itself", 0)
        rows.append([wanted, *named, spread(list(mine.values())), spread(gaps, points) if about else ""])
    text = (
        f"CER in per cent on {found['test_clips']} test clips of real {CORPORA[found['corpus']]}, best path; median "
        f"[lowest–highest] of {len(every(found, 'seed'))} draws of clips, differences draw by draw; each was trained "
        f"once, with {facts['tasks']} tasks in a step, for {facts['budget_s']:g} s of processor time."
    )
    columns = (">clips", "went on by", ">outer steps", ">CER", ">beside the base")
    yield from measured(columns, rows, text, found)


def meta_starts(found: Json) -> Iterator[str]:
    """Starts that were meta-trained, after all steps of `adapt`: errors beside the base's; what was moved, by layer."""
    runs = {(row["start"], row["clips"], row["draw"]): row for row in found["rows"]}
    rows: list[list[object]] = []
    for clips in every(found, "clips"):
        base = [row["searched"]["cer"] for (start, k, _), row in runs.items() if (start, k) == (found["base"], clips)]
        rows.append([clips, "the base itself", "", 1, spread(base), ""])
        learners = sorted({Path(start).name for start, k, _ in runs if k == clips and start != found["base"]})
        for learner in learners:
            own = {key: row for key, row in runs.items() if Path(key[0]).name == learner and key[1] == clips}
            pairs = [
                (runs[found["base"], clips, key[2]]["searched"]["cer"], row["searched"]["cer"])
                for key, row in own.items()
            ]
            about = next(found["about"][str(Path(start).parent)] for start, _, _ in own)
            steps, cers = _trained_by(learner, about)[1], [after for _, after in pairs]
            rows.append([clips, learner, steps, len({key[0] for key in own}), spread(cers), log_gap(pairs)])
    facts = next(iter(found["about"].values()))
    text = (
        f"CER in per cent on {found['test_clips']} test clips of real {CORPORA[found['corpus']]}, with the language "
        f"model, after all steps of `adapt`: median [lowest–highest] over {len(every(found, 'draw'))} draws of clips "
        "and the meta-trainings; errors beside the base's, draw by draw, in per cent, with a 95 % interval. "
        f"{facts['budget_s']:g} s of processor time for the gradients of each, {facts['tasks']} tasks in a step."
    )
    columns = (">clips", "went on by", ">outer steps", ">meta-trainings", ">CER", ">errors beside the base")
    yield from measured(columns, rows, text, found)
    yield ""
    apart = {"backbone", "heads"}  # what is heard amid, and rows that are made anew, move by no steps
    layers = sorted({layer for row in found["rows"] for layer in row["moved"]} - apart)
    names = sorted({Path(row["start"]).name for row in found["rows"] if row["start"] != found["base"]})
    cells = []
    for layer in layers:
        cell = [f"`{layer}`"]
        for name in names:
            moved = [
                row["moved"][layer]
                for row in found["rows"]
                if Path(row["start"]).name == name and layer in row["moved"]
            ]
            learned, then = (statistics.median(column) for column in zip(*moved, strict=True))
            cell.append(f"{100 * learned:.1f} / {100 * then:.1f}")
        cells.append(cell)
    yield from table(("moved by, % of the weights' size", *(f">{name}" for name in names)), cells)
    yield ""
    yield "Meta-training / then adaptation: the root of the squared change over that of the weights; medians."


USUAL = "usual"


def held_out(comparisons: Sequence[Json]) -> Iterator[str]:
    """What runs of `earful benchmark` measured: CER by task, K and base; and how bases differ from the first."""
    rows = [row for found in comparisons for row in found["rows"]]
    moments = sorted({row["steps"] for row in rows}, key=lambda steps: math.inf if steps == USUAL else steps)
    draws = {key: len({row["seed"] for row in own}) for key, own in grouped(rows, *CELL[:2]).items()}
    whole = {key: own for key, own in grouped(rows, *CELL).items() if len(own) == draws[key[:2]]}
    means = {key: statistics.fmean(row["cer"] for row in own) for key, own in whole.items()}
    first, *others = (base for (base,) in grouped(rows, "entrant"))
    others.sort(key=lambda base: Path(base).name != "start")
    known = grouped(rows, "shots", "entrant")
    names = {base: f"`{Path(base).name}`" for base in (first, *others)}
    cells = [
        [named_task(task), clips]
        + [" / ".join(percent(means.get((task, clips, base, each))) for each in moments) for base in names]
        for (task,) in grouped(rows, "task")
        for (clips,) in sorted(grouped([row for row in rows if row["task"] == task], "shots"))
    ]
    yield from table(("CER, %", ">K", *names.values()), cells)
    yield ""
    named = f"{', '.join(map(str, moments[:-1]))} and {moments[-1]}"
    yield f"Each cell: after {named} steps, the mean over all draws of clips; – where not all were made."
    yield ""
    gaps = [
        [names[base], clips, *(_beside_first(rows, clips, base, first, each) for each in moments)]
        for (clips,) in sorted(grouped(rows, "shots"))
        for base in others
        if (clips, base) in known
    ]
    heads = [f">{each} step{'s' * (each != 1)}" for each in moments]
    yield from table((f"points beside {names[first]}", ">K", *heads), gaps)
    yield ""
    yield (
        "Negative is better; 95 % intervals over tasks and draws, in brackets how many of both. "
        f"{on(comparisons[0]['machines'][0])}."
    )


CELL = ("task", "shots", "entrant", "steps")


def named_task(task: str) -> str:
    """A task that is a language alone is all that was recorded of it."""
    return {"cs": "Czech, all its levels"}.get(task, task)


def _beside_first(rows: Sequence[Json], clips: int, base: str, first: str, moment: object) -> str:
    """How a base differs from the first after so many steps; and from how many tasks and draws this is known."""
    ours, theirs = (
        {
            (row["seed"], row["task"]): {USUAL: row["cer"]}
            for row in rows
            if (row["shots"], row["entrant"], row["steps"]) == (clips, each, moment)
        }
        for each in (base, first)
    )
    tasks, met = {task for _, task in ours}, ours.keys() & theirs.keys()
    draws = [seed for seed in sorted({seed for seed, _ in met}) if all((seed, task) in met for task in tasks)]
    if not draws:
        return "–"
    whole = {key: cer for key, cer in ours.items() if key[0] in draws}
    return f"{_difference(whole, theirs, USUAL)} ({len(tasks)} × {len(draws)})"


STAGES = {
    "none": "nothing: random weights",
    "hf:work/whisper-tiny-en": "and Whisper's encoder, below",
    "work/synthetic": "and synthetic speech, supervised",
    "earful-base": "and real voices, supervised: `earful-base`",
}


def stages(found: Json) -> Iterator[str]:
    """What each stage of the learning path is worth to somebody who adapts; and further stages, beside the base."""
    sizes, rows = every(found, "wanted"), []
    groups = grouped(found["rows"], "base", "wanted")
    kept = {(base, k, run["seed"]): run["test"]["cer"] for (base, k), runs in groups.items() for run in runs}
    for (base,) in grouped(found["rows"], "base"):
        about = found["about"].get(str(Path(base).parent))
        cells = []
        for size in sizes:
            runs = groups.get((base, size), [])
            pairs = [(run["test"]["cer"], kept.get((SHIPPED, size, run["seed"]))) for run in runs]
            cells.append(spread([cer for cer, _ in pairs]))
            gaps = [cer - shipped for cer, shipped in pairs if shipped is not None and base != SHIPPED]
            cells.append(spread(gaps, points) if gaps else "")
        name = "and further: " + _trained_by(Path(base).name, about)[0] if about else STAGES[base]
        rows.append([name, *cells])
    text = (
        f"CER in per cent on {found['test_clips']} test clips of real {CORPORA[found['corpus']]}, best path; median "
        f"[lowest–highest] of up to {len(every(found, 'seed'))} draws of clips, and the difference to `{SHIPPED}`, "
        "draw by draw. Each base was trained once."
    )
    yield from measured(("learned from", *_by_size(sizes, "difference")), rows, text, found)


def _by_size(sizes: Sequence[int], beside: str) -> Iterator[str]:
    for size in sizes:
        yield from (f">{size} clip{'s' * (size > 1)}", f">{beside}")


def _trained_by(learner: str, about: Json) -> tuple[str, int]:
    """What a base went on by, in words, and by how many outer steps."""
    told = ["the base itself" if learner == "start" else learner]
    told += ["tasks are voices"] if about.get("by") == ["speaker"] else []
    also = " and ".join(Path(manifest).parent.name for manifest in about.get("also", []))
    told += [f"{'' if about.get('alone') else 'and '}{also}{' alone' if about.get('alone') else ''}"] if also else []
    told += [] if about["output"] == "heard" else [f"letters from {about['output']}"]
    told += [f"adapters of rank {about['adapters']} below"] if about.get("adapters") else []
    cost_s = about["cost_s"].get(learner)
    return ", ".join(told), round(about["budget_s"] / cost_s / about["tasks"]) if cost_s else 0


def _meta_facts(found: Json, cers: dict[tuple[str, int], dict[tuple[int, str], Json]]) -> str:
    seeds = len({seed for runs in cers.values() for seed, _ in runs})
    kinds = {"condition": "conditions", "speaker": "voices"}
    test = f"{len(found['test'])} {kinds[found['by']]}" if found["by"] in kinds else ", ".join(found["test"])
    told = f"{seeds} seeds; tested on {test}. {found['parameters'] / 1e6:.2f} M parameters move; "
    told += f"{found['budget_s']:g} s of processor time for each meta-training"
    if "cost_s" in found:
        costs = [cost for name, cost in found["cost_s"].items() if any(name == learner for learner, _ in cers)]
        steps = [round(found["budget_s"] / cost / found["tasks"]) for cost in costs]
        told += f" (from {min(steps)} to {max(steps)} steps of {found['tasks']} tasks)"
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


SPOILT = {
    "sounds": "sound files, probed and read whole, in part and in blocks, or checked",
    "manifests": "manifests, pipes and devices in their place",
    "tables": "tables, annotations, data folders",
    "models": "models, a file spoilt or not one at all",
    "recipes": "recipes of `train`, `pretrain`, `metatrain`",
    "options": "options and arguments of all commands",
    "states": "states of interrupted runs, and other runs that meet them",
    "disk": "a disk that is full from the n-th write on",
}


def faults(found: Json) -> Iterator[str]:
    """What came of spoilt input, by its kind."""
    rows = [
        [
            SPOILT[kind],
            *(each[key] for key in ("cases", "accepted", "refused", "broken")),
            f"{each['slowest_s']:.0f}",
            f"{each['peak_mb'] / 1000:.1f}",
        ]
        for kind, each in found["kinds"].items()
    ]
    text = (
        f"{found['cases']} cases in {found['seconds'] / 60:.0f} minutes, seed {found['seed']}. Accepted: exit status "
        "0, and what came was compared with the valid original or with another decoder. Refused: exit status 2 and one "
        "line. Broken: anything else."
    )
    columns = ("what was spoilt", ">cases", ">accepted", ">refused", ">broken", ">slowest, processor s", ">most GB")
    yield from measured(columns, rows, text, found)


def kills(found: Json) -> Iterator[str]:
    """What came of commands that were killed."""
    rows = [[f"`{row['command']}`", row["kills"], row["runs"], len(row["broken"])] for row in found["rows"]]
    text = (
        "Killed at random moments by `kill -9`, SIGTERM and Ctrl-C in turn, and run again to the end. Broken: another "
        "result than that of a run that nobody killed, byte by byte but for times, or anything left over."
    )
    yield from measured(("command", ">kills", ">runs", ">broken"), rows, text, found)


def odd_folders(found: Json) -> Iterator[str]:
    """Odd recordings and folders, how they are read, and by how many kinds they were read wrongly before."""
    outcomes = ("right", "refused", "wrong, told", "silently wrong")
    before = found.get("before", {}).get("kinds", {})
    rows = [
        [kind, *(counts[each] for each in outcomes), before.get(kind, {}).get("silently wrong", "–")]
        for kind, counts in found["kinds"].items()
    ]
    columns = ("", ">right", ">refused", ">wrong, and told", ">wrong without a word", ">before")
    text = (
        f"{found['recordings']} recordings of speech-like noise, and {found['folders']} folders, each read by three "
        "commands; each kind made anew by every seed. The last column: wrong without a word by the code of "
        f"{found['before']['commit'][:7]}."
    )
    yield from measured(columns, rows, text, found)


def formats(found: Json) -> Iterator[str]:
    """What is read and written, by which library, and with which programs that was tried."""
    rows = []
    for form, each in found["formats"].items():
        came = [sample for sample in found["samples"] if sample["format"] == form]
        with_files = [
            f"{each['files']} file{'s' * (each['files'] > 1)} in {each['package']}{_but(each['wrong'])}"
            for each in came
        ]
        others = _tried_programs(each["others"]) + with_files
        ours = _tried_programs([row for row in each["ours"] if row["program"] != "earful"])
        back = "; ".join(
            row["verdict"] for row in each["ours"] if row["program"] == "earful" and row["verdict"] != "right"
        )
        rows.append(
            [
                form,
                each["read by"] or "–",
                "; ".join(others) or "none",
                each["written by"] or "–",
                ("; ".join(ours) or ("earful alone" if each["ours"] else "–")) + (f"; earful: {back}" if back else ""),
            ]
        )
    columns = ("format", "read by", "tried with files of", "written by", "read back, right, by")
    text = (
        "Three spans with accents, quotes, `&` and `<`, written by each program and read by earful, and written by "
        "earful and read by each program and by earful again. Of files that came with a package, each text that "
        "another reader finds in them was found."
    )
    yield from measured(columns, rows, text, found)


def _tried_programs(rows: Sequence[Json]) -> list[str]:
    """Each program once, with what of it was not right."""
    programs: dict[str, list[Json]] = {}
    for row in rows:
        programs.setdefault(f"{row['program']} {row['version'] or ''}".strip(), []).append(row)
    return [
        name + _kinds(some) + _but([row["verdict"] for row in some if row["verdict"] != "right"])
        for name, some in programs.items()
    ]


def _kinds(rows: Sequence[Json]) -> str:
    kinds = "; ".join(row["kind"] for row in rows if row.get("kind"))
    return f" ({kinds})" if kinds else ""


def _but(wrong: Sequence[str]) -> str:
    return f" – but {'; '.join(wrong).replace('|', '/')}" if wrong else ""


def levels(found: Json) -> Iterator[str]:
    """What an offset, a level and clipping cost."""
    before = {row["change"]: row["cer"] for row in found["before"]}
    rows = [[row["change"], percent(before[row["change"]]), percent(row["cer"])] for row in found["rows"]]
    text = (
        f"CER in per cent on {found['clips']} clips of real {CORPORA[found['corpus']]} ({found['seconds']:.0f} s), "
        "each written to a file and read again; a recogniser that was adapted to fifty clips as they are."
    )
    yield from measured(("the recording", ">heard as it is", ">as it is heard now"), rows, text, found)


def check_speed(found: Json) -> Iterator[str]:
    """How long `earful check` takes a clip."""
    rows = [
        [row["kind"], row["clips"], f"{row['a_clip_ms']:.1f}", f"{1000 * row['processor_s'] / row['clips']:.1f}"]
        for row in found["rows"]
    ]
    text = "`earful check`, from the folder to the findings, all clips (4 s) heard; other work went on beside it."
    yield from measured(("", ">clips", ">ms a clip", ">of the processor"), rows, text, found)


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


def gap(found: Json) -> Iterator[str]:
    """What brings a base of synthetic speech nearer to real voices: differences to more of the same, draw by draw."""
    runs = {(row["arm"], row["seed"], row["clips"], row.get("draw")): row["cer"] for row in found["rows"]}
    rows = []
    for (arm,) in grouped(found["rows"], "arm"):
        cells: list[object] = ["nothing: the start itself" if arm == "start" else arm]
        for clips in every(found, "clips"):
            mine = {key: cer for key, cer in runs.items() if (key[0], key[2]) == (arm, clips)}
            same = {key: runs.get(("the same", *key[1:])) for key in mine}
            gaps = [cer - same[key] for key, cer in mine.items() if same[key] is not None]
            cells += [spread(list(mine.values())), spread(gaps, points) if gaps and arm != "the same" else ""]
        rows.append(cells)
    sizes = [
        name for clips in every(found, "clips") for name in (f">{clips} clips" if clips else ">as it is", ">difference")
    ]
    text = (
        f"CER in per cent, best path, on {found['test_clips']} test clips of real Dutch, which none has heard: median "
        f"[lowest–highest] over draws of clips; the difference to more of the same, draw by draw. {found['steps']} "
        f"steps from `{found['start']}`, each arm trained {_times(len(every(found, 'seed')))}."
    )
    yield from measured(("and in training", *sizes), rows, text, found)


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


def whisper_speed(found: Json) -> Iterator[str]:
    """Transcription beside faster-whisper."""
    theirs = {row["audio"]: row["audio_seconds_per_second"] for row in found["rows"] if row["way"].startswith("faster")}
    rows = [
        [
            row["audio"],
            row["way"],
            f"{row['audio_seconds_per_second']:.1f}",
            f"{row['audio_seconds_per_second'] / theirs[row['audio']]:.1f} ×",
            percent(row["cer"]),
        ]
        for row in sorted(found["rows"], key=lambda row: row["audio"], reverse=True)
    ]
    text = (
        "Real Czech, by a recogniser that was adapted to fifty clips, and by Whisper base as it is; medians of "
        f"{len(found['rows'][0]['seconds'])} interleaved repeats."
    )
    yield from measured(("", "", ">s of audio a second", ">times Whisper", ">CER"), rows, text, found)


CORPORA = {"fillets-cs": "Czech", "fillets-nl": "Dutch", "spoken-ka": "Georgian, by a synthesiser"}


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def pretraining(found: Json) -> Iterator[str]:
    """What each self-supervised objective is worth: a linear probe, and CER after adaptation."""
    sizes, rows = every(found, "clips"), []
    for (start,), runs in grouped(found["rows"], "start").items():
        cells = [spread([row["probe"] for row in runs if "probe" in row])]
        for size in sizes:
            cers = [row["cer"] for row in runs if row.get("clips") == size]
            cells.append(spread(cers) if cers else "–")
        rows.append([start.replace("_", "-"), median(runs, "steps"), *cells])
    text = (
        f"{found['budget_s']:g} s of processor time for each training; median [lowest–highest] of "
        f"{len(every(found, 'seed'))} seeds, a single figure is of one. Probe: phones of frames of synthetic speech "
        f"that a linear layer tells, in per cent. CER: real {CORPORA[found['corpus']]}, best path, the same clips."
    )
    yield from measured(("", ">steps", ">probe", *(f">CER, K = {size}" for size in sizes)), rows, text, found)


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
    text = (
        f"Hours of audio an hour of processor time: medians of {found['rounds']} interleaved steps on {found['clips']} "
        f"clips of {found['clip_s']:g} s; transformers {found['transformers']}."
    )
    yield from measured(("", "size", "step", "arithmetic", ">hours an hour", ">times transformers"), rows, text, found)


WAYS = {"suggested": "suggested", "random": "by chance", "as long": "by chance, as long", "unsure": "the most doubtful"}


def suggest(found: Json) -> Iterator[str]:
    """Suggested clips against those that chance picks."""
    runs = {(row["way"], row["wanted"], row["seed"]): row for row in found["rows"]}
    rows = []
    for wanted in every(found, "wanted"):
        for way, shown in WAYS.items():
            mine = [row for (w, k, _), row in runs.items() if (w, k) == (way, wanted)]
            if mine:
                gaps = [row["test"]["cer"] - runs["random", wanted, row["seed"]]["test"]["cer"] for row in mine]
                cer, away = (
                    spread([row["test"]["cer"] for row in mine]),
                    "" if way == "random" else spread(gaps, points),
                )
                rows.append([shown, median(mine, "clips"), median(mine, "speech_s"), cer, away])
    text = (
        f"CER in per cent, best path, on {found['test_clips']} test clips, adapted from `{found['base']}`: median "
        f"[lowest–highest] of {len(every(found, 'seed'))} seeds, each with {found['recordings']} "
        "recordings to choose from."
    )
    yield from measured(("clips", ">number", ">seconds", ">CER", ">beside chance"), rows, text, found)


def forecast(found: Json) -> Iterator[str]:
    """What was forecast, and what came."""
    rows = [
        [row["clips"], f"{row['times']} ×", percent(row["predicted"]), percent(row["measured"]),
         f"{100 * math.expm1(row['off']):.0f} %", f"{row['inside']} of {row['runs']}"]
        for row in found["summary"]
    ]  # fmt: skip
    text = (
        f"Means of {len(found['seeds'])} seeds; `{found['base']}` adapted, best path, {found['test_clips']} clips of "
        f"the same kind set aside; at most {found['minutes']:g} minutes for a forecast. Off by: the typical ratio of "
        "the two."
    )
    columns = (">clips", ">speech", ">CER forecast", ">CER measured", ">off by", ">inside the interval")
    yield from measured(columns, rows, text, found)


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


LOOP = {
    "before": "drafts by a model of 20 clips",
    "reviewed": "20 drafts corrected that `review` names",
    "random": "20 at random",
    "as long": "as much speech at random",
}


def loop(found: Json) -> Iterator[str]:
    """The loop of correcting: from the model that drafted, and from the base with all clips."""
    rows = []
    before = {run["seed"]: run for run in found["rows"] if run["way"] == "before"}
    for way, runs in ((way, runs) for (way,), runs in grouped(found["rows"], "way").items()):
        name, _, anew = way.partition(", ")
        label = f"{LOOP[name]}; all 40 clips, from the base" if anew else LOOP[name]
        gaps = [run["cer"] - before[run["seed"]]["cer"] for run in runs]
        cells = [spread([run[key] for run in runs]) for key in ("greedy", "cer", "wer")]
        rows.append([label, *cells, spread(gaps, points) if way != "before" else "–"])
    others = "levels" if "fillets" in found["corpus"] else "sentences"
    text = (
        f"Per cent on clips of other {others} of {CORPORA[found['corpus']]}: median [lowest–highest] of {len(before)} "
        "draws; the last column is the difference of CER to the drafts' model, draw by draw. Effort "
        f"`{found['effort']}`, {found['pool']} drafts, by the commands themselves."
    )
    columns = ("", ">CER, best path", ">CER", ">WER", ">points of CER")
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


STEPS = {
    "usual": "as usual",
    "longer": "and more steps, faster",
    "spoken": "and sentences that espeak-ng says",
    "recordings": "and recordings without transcripts",
    "averaged": "and the mean of two runs",
}


def effort(found: Json) -> Iterator[str]:
    """What each step of the best effort brings, one on top of the other."""
    rows = []
    for (clips, name), of in grouped(found["rows"], "clips", "name").items():
        greedy, search = ([row[part] for row in of] for part in ("test", "test_ngram"))
        cells = [spread([row["cer"] for row in greedy]), *(spread([row[k] for row in search]) for k in ("cer", "wer"))]
        rows.append([clips, STEPS[name], *cells, f"{statistics.median(row['seconds'] for row in of):.0f}"])
    text = (
        f"{found['test_clips']} test clips; medians of {len({row['seed'] for row in found['rows']})} draws, with the "
        f"lowest and the highest. {found['speak']} sentences, {found['recordings']} recordings; no text but the "
        "transcripts and the word list. Every step is kept; seconds of one core with other work beside it, without the "
        "dial's own measure, which takes three trainings more."
    )
    yield from measured((">clips", "step", ">CER", ">with a language model", ">WER", ">seconds"), rows, text, found)


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
    "live": live,
    "effort_czech": effort,
    "effort_dutch": effort,
    "coverage": coverage,
    "loop_czech": loop,
    "ablation_czech": ablation,
    "averaged_czech": ablation,
    "adapt_settings": adapt_settings,
    "adapt_steps": adapt_settings,
    "any_encoder": any_encoder,
    "base": base,
    "beside_czech": beside,
    "beside_dutch": beside,
    "company": company,
    "conditions": conditions,
    "contended": contended,
    "plan_learned": plan_learned,
    "plan_moves": plan_moves,
    "plans_dutch": plans,
    "voices": voices,
    "confidence": confidence,
    "check_speed": check_speed,
    "ctc": ctc,
    "encoders": encoders,
    "features_speed": features_speed,
    "forecast": forecast,
    "gap": gap,
    "hessian": hessian,
    "kshot_bases": kshot,
    "kshot_czech": kshot,
    "kshot_dutch": kshot,
    "levels": levels,
    "mandarin": mandarin,
    "meta_conditions": meta_learners,
    "meta_dutch": meta_base,
    "meta_real": meta_base,
    "meta_starts": meta_starts,
    "stages_czech": stages,
    "held_out": held_out,
    "few": few,
    "meta_output": meta_learners,
    "meta_speakers": meta_learners,
    "meta_czech": meta_learners,
    "meta_speech": meta_learners,
    "meta_speed": meta_speed,
    "odd_folders": odd_folders,
    "faults": faults,
    "kills": kills,
    "formats": formats,
    "pretraining": pretraining,
    "continued": pretraining,
    "pretraining_speed": pretraining_speed,
    "rows": rows,
    "search_czech": search,
    "search_dutch": search,
    "search_dutch_longer": search,
    "search_speed": search_speed,
    "self_adapt_czech": self_adapt,
    "silence": silence,
    "sinusoid": sinusoid,
    "suggest_czech": suggest,
    "search_spoken": search_spoken,
    "text_size": text_size,
    "tiny": base,
    "export": export,
    "export_speed": export_speed,
    "server_load": server_load,
    "transcribe_speed": transcribe_speed,
    "unheard": unheard,
    "whisper_czech": whisper,
    "whisper_dutch": whisper,
    "whisper_speed": whisper_speed,
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
