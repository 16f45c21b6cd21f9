"""Put the figures of bench/*.json into the documents, so that none is ever typed in.

A document marks a place by `<!-- figures: NAME -->` and `<!-- end -->`; NAME is a JSON file in this folder. What stands
between is replaced. A file that is not there yet leaves a sentence that says so.

    python bench/tables.py            # write
    python bench/tables.py --check    # only say whether something is out of date: exit status 1
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
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
    """K clips → error rates on the test set, with a base and without."""
    groups: dict[tuple[int, str], list[Json]] = {}
    for row in found["rows"]:
        groups.setdefault((row["clips"], row["base"]), []).append(row)
    columns = ("> clips", "> speech, s", "from", "> CER before", "> CER after", "> 95 %", "> WER after", "> s", "> MB")
    rows = [_kshot_row(*key, runs, found["before"]) for key, runs in sorted(groups.items(), key=_clips_then_base)]
    yield from table([name.replace("> ", ">") for name in columns], rows)
    seeds = len({row["seed"] for row in found["rows"]})
    yield ""
    yield (
        f"Rates in per cent on {found['test_clips']} test clips ({found['test_s'] / 60:.0f} minutes), greedy, no "
        f"language model; median [lowest–highest] of {seeds} seeds, each with clips of its own. 95 %: the bootstrap "
        f"interval over the test clips, of the median run. Time and peak memory of `earful adapt`: medians. "
        f"{on(found['machine'])}."
    )


def _clips_then_base(item: tuple[tuple[int, str], list[Json]]) -> tuple[int, bool]:
    (clips, base), _ = item
    return clips, base == "none"


def _kshot_row(clips: int, base: str, runs: list[Json], before: Json) -> list[object]:
    runs = sorted(runs, key=lambda run: run["test_cer"])
    low, high = runs[(len(runs) - 1) // 2]["interval_95"]
    return [
        clips,
        f"{statistics.median(run['speech_s'] for run in runs):.0f}",
        "nothing" if base == "none" else f"`{base}`",
        percent(before[base]["cer"] if base in before else None),
        spread([run["test_cer"] for run in runs], percent),
        f"{percent(low)}–{percent(high)}",
        percent(statistics.median(run["test_wer"] for run in runs)),
        f"{statistics.median(run['seconds'] for run in runs):.0f}",
        f"{statistics.median(run['peak_memory_mb'] for run in runs):.0f}",
    ]


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
    seeds = len({row["seed"] for row in found["rows"]})
    yield ""
    yield (
        f"Phone error rates in per cent after {found['budget_cpu_s']:.0f} processor seconds of training each; median "
        f"[lowest–highest] of {seeds} seeds. Trained on synthetic speech alone. {on(found['machine'])}."
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
        times = [f"{statistics.median(r['elapsed_s'] for r in runs[k]):.0f}" if runs[k] else "–" for k in sizes]
        rows.append([change, *rates, " / ".join(times)])
    yield from table(("plan", *(f">{k} clips" for k in sizes), ">seconds"), rows)
    seeds = len({row["seed"] for row in found["rows"]})
    yield ""
    yield (
        f"CER in per cent on {found['test_clips']} Dutch test clips, with a base that has never heard Dutch; median "
        f"[lowest–highest] of {seeds} seeds. {on(found['machine'])}."
    )


def base(found: Json) -> Iterator[str]:
    """The shipped base: what `bench/base.py` read from the log of its training."""
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
    yield from table(("`earful-base`", ""), rows)
    yield ""
    yield f"{on(found['machine'])}."


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "adapt_settings": adapt_settings,
    "base": base,
    "encoders": encoders,
    "features_speed": features_speed,
    "kshot_czech": kshot,
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
