"""Pictures of the comparisons of meta-learners, for docs/figures: CER against steps, and against clips, with intervals.

pip install matplotlib
python bench/plots.py
"""

import json
import random
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from tables import named_task

BENCH = Path(__file__).resolve().parent
FIGURES = BENCH.parent / "docs" / "figures"
LOOKS = {
    "start": ("0", ":", ""),
    "earful-base": ("0", "-", "."),
    "multitask": ("0.5", "--", ""),
    "fomaml": ("#0072B2", "-", "o"),
    "maml": ("#D55E00", "-", "s"),
    "meta-sgd": ("#009E73", "-", "^"),
    "maml++": ("#E69F00", "-", "v"),
    "anil": ("#56B4E9", "-", "D"),
    "boil": ("#CC79A7", "-", "P"),
    "reptile": ("#7A3B00", "-", "X"),
    "imaml": ("#8F8F00", "-", "*"),
}
"""Colour, line and marker: the same in all pictures, and no two alike; what is not meta-learned is grey or black."""
COLUMNS = 3
RESAMPLES = 2000

Cers = Mapping[tuple[int, str], float]
"""CER in per cent by seed and task."""


def interval(found: Cers) -> tuple[float, float]:
    """95 % of the means over resampled seeds and tasks."""
    seeds, tasks = (sorted({key[place] for key in found}) for place in (0, 1))
    chance, means = random.Random(0), []
    for _ in range(RESAMPLES):
        some, others = chance.choices(seeds, k=len(seeds)), chance.choices(tasks, k=len(tasks))
        drawn = [found[seed, task] for seed in some for task in others if (seed, task) in found]
        means += [statistics.fmean(drawn)] if drawn else []
    means.sort()
    return means[int(0.025 * len(means))], means[int(0.975 * len(means))]


def line(
    axes: Any, places: list[float], found: list[Cers], name: str, *, dodge: float = 0.0, bars: bool = True
) -> None:
    """Means as a line, their intervals as bars a little aside, so that those of many lines can be told apart."""
    colour, style, marker = LOOKS[name]
    means = [statistics.fmean(each.values()) for each in found]
    at = [place + dodge for place in places]
    axes.plot(at, means, label=name, color=colour, linestyle=style, marker=marker, markersize=4, linewidth=1.2)
    if bars:
        ends = [interval(each) for each in found]
        away = [[max(0.0, mean - low) for mean, (low, _) in zip(means, ends, strict=True)],
                [max(0.0, high - mean) for mean, (_, high) in zip(means, ends, strict=True)]]  # fmt: skip
        axes.errorbar(at, means, yerr=away, fmt="none", ecolor=colour, elinewidth=0.8, capsize=1.5, alpha=0.7)


def draw(found: dict[str, Any], clips: int) -> plt.Figure:
    """CER against inner steps; and by how much it differs from multitask training's, with intervals.

    These against inner steps too and, where there are several numbers of clips, against clips. The clips are the same,
    so differences tell more than levels do, whose intervals are those of the languages.
    """
    rows = [row for row in found["rows"] if row["learner"] != "scratch"]
    learners = list(dict.fromkeys(row["learner"] for row in rows))
    steps = [moment for moment in rows[0]["cer"] if moment.isdigit()]
    shots = sorted({row["clips"] for row in rows})

    def cers(learner: str, count: int, moment: str) -> dict[tuple[int, str], float]:
        own = [row for row in rows if row["learner"] == learner and row["clips"] == count]
        return {(row["seed"], row["task"]): 100 * row["cer"][moment] for row in own}

    def beside(learner: str, count: int, moment: str) -> dict[tuple[int, str], float]:
        other = cers("multitask", count, moment)
        return {key: cer - other[key] for key, cer in cers(learner, count, moment).items() if key in other}

    panels = 2 + (len(shots) > 1)
    figure, ((left, *others),) = plt.subplots(
        1, panels, figsize=(1.5 + 4 * panels, 4.2), layout="constrained", squeeze=False
    )
    for number, learner in enumerate(learners):
        numbers = [float(step) for step in steps]
        line(left, numbers, [cers(learner, clips, step) for step in steps], learner, bars=False)
        aside = (number - len(learners) / 2) * 0.06
        if learner != "multitask":
            line(others[0], numbers, [beside(learner, clips, step) for step in steps], learner, dodge=aside)
            for right in others[1:]:
                places = [float(place) for place in range(len(shots))]
                line(right, places, [beside(learner, k, steps[-1]) for k in shots], learner, dodge=aside)
    for axes in (left, others[0]):
        axes.axvline(found["steps"], color="0.85", zorder=0)
        axes.set(xlabel=f"inner steps (meta-trained with {found['steps']})", title=f"K = {clips} clips")
    left.set_ylabel("CER, %")
    for axes in others:
        axes.axhline(0, color=LOOKS["multitask"][0], linestyle="--", linewidth=1)
        axes.set_ylabel("points of CER beside multitask, 95 %")
    for right in others[1:]:
        right.set(xlabel="clips", title=f"{steps[-1]} inner steps", xticks=range(len(shots)), xticklabels=shots)
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize="small", frameon=False)
    return figure


def draw_tasks(comparisons: list[dict[str, Any]]) -> plt.Figure:
    """CER against steps of what `earful benchmark` measured, a task and number of clips in a panel, a line a base."""
    rows = [row for found in comparisons for row in found["rows"]]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    panels = sorted({(row["task"], row["shots"]) for row in rows}, key=lambda panel: (tasks.index(panel[0]), panel[1]))
    bases = list(dict.fromkeys(row["entrant"] for row in rows))
    lines = -(-len(panels) // COLUMNS)
    figure, grid = plt.subplots(lines, COLUMNS, figsize=(10, 2.6 * lines), layout="constrained", squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for (task, clips), axes in zip(panels, grid.flat, strict=False):
        own = [row for row in rows if (row["task"], row["shots"]) == (task, clips)]
        moments = sorted({row["steps"] for row in own}, key=lambda steps: float("inf" if steps == "usual" else steps))
        for number, base in enumerate(bases):
            cers: dict[Any, dict[tuple[int, str], float]] = {}
            for row in own:
                if row["entrant"] == base:
                    cers.setdefault(row["steps"], {})[row["seed"], task] = 100 * row["cer"]
            most = max(map(len, cers.values()), default=0)
            whole = [place for place, each in enumerate(moments) if len(cers.get(each, {})) == most > 0]
            if whole:
                aside = (number - len(bases) / 2) * 0.06
                line(
                    axes,
                    list(map(float, whole)),
                    [cers[moments[place]] for place in whole],
                    Path(base).name,
                    dodge=aside,
                )
        axes.set(title=f"{named_task(task)}, K = {clips}", xticks=range(len(moments)), xticklabels=moments)
    for axes in grid[:, 0]:
        axes.set_ylabel("CER, %")
    grid.flat[0].set_xlabel("steps")
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False)
    return figure


def main() -> None:
    plt.rcParams["svg.hashsalt"] = "earful"  # the same picture, the same file
    FIGURES.mkdir(exist_ok=True)
    for name in ("meta_speech", "meta_czech"):
        path = BENCH / f"{name}.json"
        if path.exists():
            figure = draw(json.loads(path.read_text("utf-8")), clips=10)
            figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
    figure = draw_tasks(json.loads((BENCH / "held_out.json").read_text("utf-8")))
    figure.savefig(FIGURES / "held_out.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
