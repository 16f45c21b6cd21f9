"""The picture of a benchmark: CER against clips and against steps, a line per entrant, as SVG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earful.errors import ConfigError, install
from earful.kshot.interval import Summary
from earful.kshot.protocol import Steps
from earful.writing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL = (3.2, 3.0)
"""Inches."""


def draw(found: Sequence[Summary], path: Path) -> None:
    """Write the picture: above, a panel for each number of steps; below, for each number of clips; intervals shaded.

    Raises ConfigError if matplotlib is missing, or the file cannot be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(f"pictures need the optional package matplotlib: {install('plots')}") from None
    shots = sorted({each.shots for each in found})
    steps = list(dict.fromkeys(each.steps for each in found))
    above = [(step, "clips", [each for each in found if each.steps == step]) for step in steps]
    below = [(count, "steps", [each for each in found if each.shots == count]) for count in shots]
    columns = max(len(above), len(below))
    with rc_context({"svg.hashsalt": "earful", "font.size": 8}):  # the same figures, the same file
        figure = Figure((PANEL[0] * columns, PANEL[1] * 2), layout="constrained")
        axes = figure.subplots(2, columns, sharey=True, squeeze=False)
        for place in range(columns):
            for row, panels, ticks, key in ((0, above, shots, _shots), (1, below, steps, _steps)):
                if place < len(panels):
                    value, name, summaries = panels[place]
                    _panel(axes[row][place], summaries, ticks, key)
                    what = f"{value} steps" if name == "clips" else f"{value} clip{'s' * (value != 1)}"
                    axes[row][place].set(xlabel=name, title=what)
                else:
                    axes[row][place].set_axis_off()
        for row in (0, 1):
            axes[row][0].set_ylabel("CER, %")
        axes[0][0].set_ylim(bottom=0)
        figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        try:
            with replacing(path) as beside:
                figure.savefig(beside, format="svg", metadata={"Date": None})
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written ({error}); free some space") from error


def _panel(axes: "Axes", found: Sequence[Summary], ticks: Sequence[Steps], key: Callable[[Summary], Steps]) -> None:
    """Lines of all entrants over equally spaced ticks."""
    for number, entrant in enumerate(dict.fromkeys(each.entrant for each in found)):
        own = sorted((each for each in found if each.entrant == entrant), key=lambda each: ticks.index(key(each)))
        places, colour = [ticks.index(key(each)) for each in own], f"C{number}"
        bounds = [each.interval_95 or (each.cer, each.cer) for each in own]
        axes.plot(places, [100 * each.cer for each in own], marker=".", color=colour, label=entrant)
        axes.fill_between(
            places,
            [100 * low for low, _ in bounds],
            [100 * high for _, high in bounds],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axes.set_xticks(range(len(ticks)), [str(tick) for tick in ticks])


def _shots(summary: Summary) -> Steps:
    return summary.shots


def _steps(summary: Summary) -> Steps:
    return summary.steps
