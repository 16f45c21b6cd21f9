"""Pictures of the comparison of meta-learners, for docs/figures: CER against inner steps, and against clips.

pip install matplotlib
python bench/plots.py
"""

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

BENCH = Path(__file__).resolve().parent
FIGURES = BENCH.parent / "docs" / "figures"
STYLES = {"start": ("0.6", ":"), "multitask": ("0.2", "--")}
"""The two that are not meta-learned: grey."""


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


def main() -> None:
    plt.rcParams["svg.hashsalt"] = "earful"  # the same picture, the same file
    FIGURES.mkdir(exist_ok=True)
    for name in ("meta_speech", "meta_czech"):
        path = BENCH / f"{name}.json"
        if path.exists():
            figure = draw(json.loads(path.read_text("utf-8")), clips=10)
            figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
