"""Tables of what to transcribe next, and what more clips would bring."""

import math
from collections.abc import Callable, Iterator

from figures.entrants import CORPORA
from figures.markdown import Json, every, grouped, measured, median, percent, points, spread

WAYS = {"suggested": "suggested", "random": "random", "as long": "random, as long", "unsure": "the least certain"}


def suggest(found: Json) -> Iterator[str]:
    """Suggested clips beside random ones."""
    runs = {(row["way"], row["wanted"], row["seed"]): row for row in found["rows"]}
    rows = []
    for wanted in every(found, "wanted"):
        for way, shown in WAYS.items():
            mine = [row for (w, k, _), row in runs.items() if (w, k) == (way, wanted)]
            if mine:
                gaps = [row["test"]["cer"] - runs["random", wanted, row["seed"]]["test"]["cer"] for row in mine]
                cer, away = (
                    spread([row["test"]["cer"] for row in mine]),
                    "" if way == "random" else spread(gaps, points),
                )
                rows.append([shown, median(mine, "clips"), median(mine, "speech_s"), cer, away])
    text = (
        f"CER in per cent, best path, on {found['test_clips']} test clips, adapted from `{found['base']}`: median "
        f"[lowest–highest] of {len(every(found, 'seed'))} seeds, each with {found['recordings']} "
        "recordings to choose from."
    )
    yield from measured(("clips", ">number", ">seconds", ">CER", ">minus random"), rows, text, found)


def forecast(found: Json) -> Iterator[str]:
    """Forecasts, and the measurements that followed."""
    rows = [
        [row["clips"], f"{row['times']} ×", percent(row["predicted"]), percent(row["measured"]),
         f"{100 * math.expm1(row['off']):.0f} %", f"{row['inside']} of {row['runs']}"]
        for row in found["summary"]
    ]  # fmt: skip
    text = (
        f"Means of {len(found['seeds'])} seeds, adapted from `{found['base']}`, best path, on {found['test_clips']} "
        f"held-out clips of the same kind; at most {found['minutes']:g} minutes for a forecast. Off by: the typical "
        "ratio of the two."
    )
    columns = (">clips", ">speech", ">CER forecast", ">CER measured", ">off by", ">inside the interval")
    yield from measured(columns, rows, text, found)


LOOP = {
    "before": "drafts by a model of 20 clips",
    "reviewed": "20 drafts corrected that `review` names",
    "random": "20 at random",
    "as long": "as much speech at random",
}


def loop(found: Json) -> Iterator[str]:
    """Learning from corrected drafts: from the model that wrote them, and from the base with all clips."""
    rows = []
    before = {run["seed"]: run for run in found["rows"] if run["way"] == "before"}
    for way, runs in ((way, runs) for (way,), runs in grouped(found["rows"], "way").items()):
        name, _, anew = way.partition(", ")
        label = f"{LOOP[name]}; all 40 clips, from the base" if anew else LOOP[name]
        gaps = [run["cer"] - before[run["seed"]]["cer"] for run in runs]
        cells = [spread([run[key] for run in runs]) for key in ("greedy", "cer", "wer")]
        rows.append([label, *cells, spread(gaps, points) if way != "before" else "–"])
    others = "levels" if "fillets" in found["corpus"] else "sentences"
    text = (
        f"Per cent on clips of other {others} of {CORPORA[found['corpus']]}: median [lowest–highest] of {len(before)} "
        "draws; the last column is the difference of CER to the drafts' model, draw by draw. Effort "
        f"`{found['effort']}`, {found['pool']} drafts, by the commands themselves."
    )
    columns = ("", ">CER, best path", ">CER", ">WER", ">points of CER")
    yield from measured(columns, rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "loop_czech": loop,
    "forecast": forecast,
    "suggest_czech": suggest,
}
