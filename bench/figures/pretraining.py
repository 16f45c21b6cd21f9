"""Tables of training without transcripts."""

from collections.abc import Callable, Iterator

from figures.entrants import CORPORA
from figures.markdown import Json, every, grouped, measured, median, spread


def pretraining(found: Json) -> Iterator[str]:
    """The effect of each self-supervised objective: a linear probe, and CER after adaptation."""
    sizes, rows = every(found, "clips"), []
    for (start,), runs in grouped(found["rows"], "start").items():
        cells = [spread([row["probe"] for row in runs if "probe" in row])]
        for size in sizes:
            cers = [row["cer"] for row in runs if row.get("clips") == size]
            cells.append(spread(cers) if cers else "–")
        rows.append([start.replace("_", "-"), median(runs, "steps"), *cells])
    text = (
        f"{found['budget_s']:g} s of processor time for each training. Median [lowest–highest] of "
        f"{len(every(found, 'seed'))} seeds; a single figure is of one seed. Probe: frames of synthetic speech whose "
        f"phone a linear layer classifies correctly, in per cent. CER: real {CORPORA[found['corpus']]}, best path, the "
        "same clips for all."
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
        f"Hours of audio per hour of processor time: medians of {found['rounds']} interleaved steps on "
        f"{found['clips']} clips of {found['clip_s']:g} s; transformers {found['transformers']}."
    )
    yield from measured(("", "size", "step", "arithmetic", ">hours per hour", ">times transformers"), rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "pretraining": pretraining,
    "continued": pretraining,
    "pretraining_speed": pretraining_speed,
}
