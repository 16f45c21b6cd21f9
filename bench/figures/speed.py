"""Tables of time and memory: features, CTC, transcription, live words, the server, exports."""

from collections.abc import Callable, Iterator

from figures.markdown import Json, every, grouped, mean_gap, measured, percent, spread, table


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
            cers = (percent(row["cer"]), *(percent(row.get(f"cer_{at}")) for at in ("end", "transcribe")))
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
        "shown, was shown and stayed, and had settled: median and 95th percentile in seconds; CER of what settled, of "
        "the transcript at the end, and of `transcribe`; seconds of one "
        f"processor a second of sound. {'; '.join(texts)}. Processor time is the clock."
    )
    times = (">shown", ">95 %", ">stays", ">95 %", ">settled", ">95 %")
    columns = ("", "hop, behind, ahead", *times, ">CER", ">at the end", ">`transcribe`", ">load")
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
        f"On {found['clips']} clips of synthetic speech (`{found['language']}`). Same text: as the best path in "
        "float32 (`web`: as earful with its language model, if it has one). Times off: the largest difference. "
        "Different letters: in per cent. The last columns have the cost in points of CER, and the size."
    )
    columns = ("target", "model", "in", ">same text", ">times off", ">different letters", ">points of CER", ">MB")
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
        "Seconds of audio per second on short clips and on ten minutes, with one thread and with two. Then, for a "
        "program that transcribes one short clip, from its start to its end: seconds, processor seconds, and peak "
        f"memory in MB. In int8 ten minutes take at most {memory['ten minutes']} MB, two hours {memory['two hours']} "
        f"MB. Best paths, except in the row with the language model; {found['parameters'] / 1e6:.1f} M parameters; "
        f"medians of {found['repeats']} interleaved repeats, while other programs ran. faster-whisper: Whisper base, "
        "int8, greedy, the language named."
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
        f"{means['plain_hvp/hvp']:.1f} times as long as ours (50 and 200 frames, 40 symbols). Ours is slower on "
        f"{behind} of the {summary['rows']}; the worst ratio is {slowest['ratio']:.2f} ({shape(slowest)}). The largest "
        f"cost of the second order is {dearest['ratio']:.1f} ({shape(dearest)})."
    )
    yield from measured((">frames", ">labels", *columns), rows, text, found)
    yield ""
    yield "Memory beyond the input, for eight clips and 40 symbols:"
    yield ""
    megabytes = [
        (row["frames"], row["labels"], *(f"{row['bytes'][name] / 1e6:.1f}" for name in ("ours", "hvp")))
        for row in found["memory"]
    ]
    yield from table((">frames", ">labels", ">gradient, MB", ">with the Hessian-vector product, MB"), megabytes)


def shape(row: Json) -> str:
    clips = f"{row['batch']} clip{'s' * (row['batch'] != 1)}"
    return f"{row['frames']} frames, {clips}, {row['labels']} labels, {row['symbols']} symbols"


def check_speed(found: Json) -> Iterator[str]:
    """How long `earful check` takes a clip."""
    rows = [
        [row["kind"], row["clips"], f"{row['a_clip_ms']:.1f}", f"{1000 * row['processor_s'] / row['clips']:.1f}"]
        for row in found["rows"]
    ]
    text = "`earful check`, from the folder to the findings, all clips (4 s) heard; other work went on beside it."
    yield from measured(("", ">clips", ">ms a clip", ">of the processor"), rows, text, found)


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


def adapt_speed(found: Json) -> Iterator[str]:
    """An adaptation beside one by an earlier commit."""
    rows = []
    for (corpus, more, clips, threads), runs in grouped(found["rows"], "corpus", "more", "clips", "threads").items():
        speech = {"fillets-cs": "Czech", "fillets-nl": "Dutch"}.get(corpus, corpus) + f" (--{more})" * bool(more)
        times, peaks = (
            [spread([run[way][key] for run in runs], "{:.0f}".format) for way in ("before", "now")]
            for key in ("wall_s", "peak_mb")
        )
        faster = spread([run["before"]["wall_s"] / run["now"]["wall_s"] for run in runs], "{:.1f} ×".format)
        errors = mean_gap([(run["before"]["cer"], run["now"]["cer"]) for run in runs])
        rows.append((speech, clips, threads, len(runs), *times, faster, *peaks, errors))
    text = (
        f"`earful adapt` of commit {found['commit_before']} and of today on the same clips, interleaved: seconds and "
        "the most memory, medians [lowest–highest], and by how many points CER changes on "
        f"{found['test_clips']} test clips, mean and 95 % interval over the draws."
    )
    columns = (
        "real",
        ">clips",
        ">threads",
        ">draws",
        ">s before",
        ">s now",
        ">faster",
        ">MB before",
        ">MB now",
        ">CER",
    )
    yield from measured(columns, rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "adapt_speed": adapt_speed,
    "live": live,
    "check_speed": check_speed,
    "ctc": ctc,
    "features_speed": features_speed,
    "export": export,
    "export_speed": export_speed,
    "server_load": server_load,
    "transcribe_speed": transcribe_speed,
    "whisper_speed": whisper_speed,
}
