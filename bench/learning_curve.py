"""The picture of README and the line below it: the error on real Czech by the number of clips (bench/kshot_czech.json).

    pip install matplotlib
    python bench/learning_curve.py

Whisper base as it is, the better of its two searches, is a line across (bench/whisper_czech.json).
"""

import json
import re
import statistics
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
README = BENCH.parent / "README.md"
PICTURE = BENCH.parent / "docs" / "figures" / "learning_curve.svg"
NAMED = (10, 50, 200)
LINE = re.compile(r"^Real Czech, acted.*$", re.MULTILINE)
WAYS = {"test": ("earful, best path", "#0072B2", "s"), "test_ngram": ("earful, with a language model", "#D55E00", "o")}


def points(rows: list[dict[str, Any]], way: str) -> dict[int, list[float]]:
    """CER in per cent of every seed by the number of clips, of the shipped base."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if row["base"] == "earful-base":
            found.setdefault(row["clips"], []).append(100 * row[way]["cer"])
    return dict(sorted(found.items()))


def sentence(kshot: dict[str, Any]) -> str:
    """The medians with a language model, in one line."""
    found = points(kshot["rows"], "test_ngram")
    said = [f"{statistics.median(found[clips]):.1f} % after {clips} clips" for clips in NAMED if clips in found]
    rates = ", ".join(said)
    return f"Real Czech, acted, with a language model of other text: a character error rate (CER) of {rates} (medians)."


def draw(kshot: dict[str, Any], whisper: dict[str, Any], picture: Path) -> None:
    """Medians as lines, the lowest and highest seed as bands; the clips on a logarithmic axis."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "earful"  # the same picture, the same file
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for way, (label, colour, marker) in WAYS.items():
        found = points(kshot["rows"], way)
        middle, low, high = ([edge(cers) for cers in found.values()] for edge in (statistics.median, min, max))
        axes.plot([*found], middle, color=colour, marker=marker, label=label)
        axes.fill_between([*found], low, high, color=colour, alpha=0.2)
    best = min(row["all"]["cer"] for row in whisper["rows"])
    axes.axhline(100 * best, color="0.4", linestyle="--", label="Whisper base as it is, no clips")
    axes.set_xscale("log")
    axes.set_xticks([*found], [*map(str, found)])
    axes.minorticks_off()
    axes.set(xlabel="clips of real Czech to learn from", ylabel="characters wrong, %", ylim=(0, 50))
    axes.legend(frameon=False)
    figure.savefig(picture, metadata={"Date": None})


def main() -> None:
    kshot, whisper = (
        json.loads((BENCH / f"{name}.json").read_text("utf-8")) for name in ("kshot_czech", "whisper_czech")
    )
    draw(kshot, whisper, PICTURE)
    README.write_text(LINE.sub(sentence(kshot), README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
