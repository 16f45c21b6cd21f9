"""Tables of bases, and of the encoders that they stand on."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from figures.entrants import BASES, CORPORA, SHIPPED
from figures.markdown import Json, every, grouped, measured, median, on, points, spread, table
from figures.meta_learning import trained_by


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
    """The cost of training layers on another encoder."""
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
        "through the encoder once, then the recipe's steps; computed from the time of a clip and of a step."
    )
    columns = (
        "encoder",
        ">parameters",
        ">s of audio a second",
        ">core hours to train the upper layers",
        ">GB of frames on disk",
        ">core minutes to hear fifty clips for `adapt`",
        ">GB of memory",
    )
    yield from measured(columns, rows, text, found)


UNHEARD = {"eo": "Esperanto", "ga": "Irish", "ky": "Kyrgyz"}


def unheard(found: Json) -> Iterator[str]:
    """Languages that Whisper was not trained on: this base beside the earlier one."""
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
        name = "and further: " + trained_by(Path(base).name, about)[0] if about else STAGES[base]
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


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "any_encoder": any_encoder,
    "base": base,
    "encoders": encoders,
    "gap": gap,
    "stages_czech": stages,
    "tiny": base,
    "unheard": unheard,
}
