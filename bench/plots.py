"""Pictures of the comparisons of meta-learners, for docs/figures: CER against steps, and against clips.

pip install matplotlib
python bench/plots.py
"""

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from tables import named_task

BENCH = Path(__file__).resolve().parent
FIGURES = BENCH.parent / "docs" / "figures"
STYLES = {"start": ("0.6", ":"), "multitask": ("0.2", "--"), "earful-base": ("0", ":")}
"""Those that are not meta-learned: grey or black."""
COLUMNS = 3


def mean(rows: list[dict[str, Any]], learner: str, clips: int, moment: str) -> float:
    return 100 * statistics.fmean(
        row["cer"][moment] for row in rows if row["learner"] == learner and row["clips"] == clips
    )


def draw(found: dict[str, Any], clips: int) -> plt.Figure:
    """CER against inner steps and, where there are several numbers of clips, against these, on one vertical axis."""
    rows = [row for row in found["rows"] if row["learner"] != "scratch"]
    learners = list(dict.fromkeys(row["learner"] for row in rows))
    steps = [moment for moment in rows[0]["cer"] if moment.isdigit()]
    shots = sorted({row["clips"] for row in rows})
    panels = 1 + (len(shots) > 1)
    figure, ((left, *others),) = plt.subplots(
        1, panels, figsize=(1 + 4 * panels, 4), sharey=True, layout="constrained", squeeze=False
    )
    for learner in learners:
        colour, line = STYLES.get(learner, (None, "-"))
        settings = {"label": learner, "linestyle": line, "color": colour}
        left.plot([int(step) for step in steps], [mean(rows, learner, clips, step) for step in steps], **settings)
        for right in others:
            right.plot(range(len(shots)), [mean(rows, learner, k, steps[-1]) for k in shots], marker=".", **settings)
    left.axvline(found["steps"], color="0.85", zorder=0)
    left.set(xlabel=f"inner steps (meta-trained with {found['steps']})", ylabel="CER, %", title=f"K = {clips} clips")
    for right in others:
        right.set(xlabel="clips", title=f"{steps[-1]} inner steps", xticks=range(len(shots)), xticklabels=shots)
    figure.axes[-1].legend(fontsize="small", frameon=False)
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
            cers: dict[Any, list[float]] = {}
            for row in own:
                if row["entrant"] == base:
                    cers.setdefault(row["steps"], []).append(100 * row["cer"])
            most = max(map(len, cers.values()), default=0)
            whole = [place for place, each in enumerate(moments) if len(cers.get(each, [])) == most > 0]
            if not whole:
                continue
            drawn = [(place, statistics.fmean(cers[moments[place]])) for place in whole]
            colour, line = STYLES.get(Path(base).name, (f"C{number}", "-"))
            axes.plot(*zip(*drawn, strict=True), marker=".", label=Path(base).name, linestyle=line, color=colour)
        axes.set(title=f"{named_task(task)}, K = {clips}", xticks=range(len(moments)), xticklabels=moments)
    for axes in grid[:, 0]:
        axes.set_ylabel("CER, %")
    grid.flat[0].set_xlabel("steps")
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
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
