"""Tables of plans of fine-tuning: how many steps, how far, how long."""

import math
import statistics
from collections.abc import Callable, Iterator

from figures.markdown import Json, draws, every, grouped, log_gap, mean_gap, measured, spread


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


def plan_copies(found: Json) -> Iterator[str]:
    """Clips at another pace each time, beside augmented copies of them."""
    rows = []
    for (clips,), runs in grouped(found["rows"], "clips").items():
        pairs = [(run["plans"]["copies"], run["plans"]["pace"]) for run in runs]
        gaps = [mean_gap([(each[where], other[where]) for each, other in pairs]) for where in ("clean", "noisy")]
        rates = [spread([each[where] for each, _ in pairs]) for where in ("clean", "noisy")]
        rows.append((clips, len(runs), *(cell for pair in zip(rates, gaps, strict=True) for cell in pair)))
    text = (
        f"Real Dutch, which the base has not heard; best path, CER in per cent on {found['test_clips']} test clips, "
        "as they are and amid noise, in rooms and over lines: with copies, median [lowest–highest], and by how many "
        "points it changes with another pace instead, mean and 95 % interval."
    )
    columns = (">clips", ">draws", ">CER with copies", ">change", ">in noise, with copies", ">change")
    yield from measured(columns, rows, text, found)


def plan_last(found: Json) -> Iterator[str]:
    """What one more fine-tuning, of all clips, brings beside those that measure."""
    ways, rows = ("alone", "last", "mean", "with_last"), []
    for (clips,), runs in grouped(found["rows"], "clips").items():
        gap = mean_gap([(run["with_last"], run["mean"]) for run in runs])
        rows.append((clips, len(runs), *(spread([run[way] for run in runs]) for way in ways), gap))
    text = (
        f"Real Dutch, which the base has not heard; best path, CER in per cent on {found['test_clips']} test clips, "
        "median [lowest–highest]: of each fine-tuning that measures, of one of all clips, of the mean of the former, "
        "of the mean of all; and by how many points it changes without that of all clips, mean and 95 % interval."
    )
    columns = (">clips", ">draws", ">each", ">of all clips", ">mean of each", ">mean with that of all", ">change")
    yield from measured(columns, rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "effort_czech": effort,
    "effort_dutch": effort,
    "contended": contended,
    "plan_copies": plan_copies,
    "plan_last": plan_last,
    "plan_learned": plan_learned,
    "plan_moves": plan_moves,
    "plans_dutch": plans,
}
