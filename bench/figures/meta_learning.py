"""Tables of meta-trained bases."""

import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from figures.entrants import CORPORA
from figures.markdown import Json, every, grouped, log_gap, measured, on, percent, points, spread, table


def meta_learners(found: Json) -> Iterator[str]:
    """Meta-learners on speech: CER after 0 steps, the trained number of steps and 10; and the differences in CER."""
    cers: dict[tuple[str, int], dict[tuple[int, str], Json]] = {}
    for row in found["rows"]:
        cers.setdefault((row["learner"], row["clips"]), {})[row["seed"], row.get("task", "")] = row["cer"]
    learners, shots = (list(dict.fromkeys(key[place] for key in cers)) for place in (0, 1))
    trained = str(found["steps"])
    moments = ["0", trained, "10", *(["usual"] if "usual" in found["rows"][0]["cer"] else [])]

    def mean(learner: str, clips: int, moment: str) -> str:
        return percent(statistics.fmean(cer[moment] for cer in cers[learner, clips].values()))

    rows = [[name, *(" / ".join(mean(name, k, moment) for moment in moments) for k in shots)] for name in learners]
    yield from table(("CER, %", *(f">K = {k}" for k in shots)), rows)
    told = [f"after {m} steps" if m.isdigit() else "after the usual fine-tuning" for m in moments]
    yield ""
    yield f"Each cell holds the CER {' / '.join(told)}. {_meta_facts(found, cers)}"
    beside = "multitask" if "multitask" in learners else "fomaml"
    if beside not in learners:
        return
    yield ""
    rows = []
    for name in learners:
        if name not in (beside, "scratch"):
            pairs = [(cers[name, k], cers[beside, k], moment) for k in shots for moment in (trained, "10")]
            rows.append([name, *(difference(*pair) for pair in pairs)])
    heads = [f">K = {k}, {moment} steps" for k in shots for moment in (trained, "10")]
    yield from table((f"CER minus that of {beside}, points", *heads), rows)
    yield ""
    yield f"Negative means better than {beside}, on the same clips. In brackets: 95 % intervals over seeds and tasks."


def meta_base(found: Json) -> Iterator[str]:
    """The effect of meta-training a base of full size: K clips of real speech, by the user's own command."""
    facts, rows = next(iter(found["about"].values())), []
    start = facts["start"]
    runs = {(row["wanted"], row["base"], row["seed"]): row["test"]["cer"] for row in found["rows"]}
    for wanted, base in grouped(found["rows"], "wanted", "base"):
        mine = {seed: cer for (k, name, seed), cer in runs.items() if (k, name) == (wanted, base)}
        gaps = [cer - runs[wanted, start, seed] for seed, cer in mine.items()]
        about = found["about"].get(str(Path(base).parent))
        named = trained_by(Path(base).name, about) if about else ("the base itself", 0)
        rows.append([wanted, *named, spread(list(mine.values())), spread(gaps, points) if about else ""])
    text = (
        f"CER in per cent on {found['test_clips']} test clips of real {CORPORA[found['corpus']]}, best path: median "
        f"[lowest–highest] of {len(every(found, 'seed'))} draws of clips. Differences are taken draw by draw. Each "
        f"base was trained once, with {facts['tasks']} tasks in a step, for {facts['budget_s']:g} s of processor time."
    )
    columns = (">clips", "trained further by", ">outer steps", ">CER", ">minus the base")
    yield from measured(columns, rows, text, found)


def meta_starts(found: Json) -> Iterator[str]:
    """Meta-trained starts after all steps of `adapt`: errors relative to the base's; how far each layer moved."""
    runs = {(row["start"], row["clips"], row["draw"]): row for row in found["rows"]}
    rows: list[list[object]] = []
    for clips in every(found, "clips"):
        base = [row["searched"]["cer"] for (start, k, _), row in runs.items() if (start, k) == (found["base"], clips)]
        rows.append([clips, "the base itself", "", 1, spread(base), ""])
        learners = sorted({Path(start).name for start, k, _ in runs if k == clips and start != found["base"]})
        for learner in learners:
            own = {key: row for key, row in runs.items() if Path(key[0]).name == learner and key[1] == clips}
            pairs = [
                (runs[found["base"], clips, key[2]]["searched"]["cer"], row["searched"]["cer"])
                for key, row in own.items()
            ]
            about = next(found["about"][str(Path(start).parent)] for start, _, _ in own)
            steps, cers = trained_by(learner, about)[1], [after for _, after in pairs]
            rows.append([clips, learner, steps, len({key[0] for key in own}), spread(cers), log_gap(pairs)])
    facts = next(iter(found["about"].values()))
    text = (
        f"CER in per cent on {found['test_clips']} test clips of real {CORPORA[found['corpus']]}, with the language "
        f"model, after all steps of `adapt`: median [lowest–highest] over {len(every(found, 'draw'))} draws of clips "
        "and over the meta-trainings. Change of the errors from the base's, draw by draw, in per cent, with a 95 % "
        f"interval. Each learner had {facts['budget_s']:g} s of processor time for its gradients, with "
        f"{facts['tasks']} tasks in a step."
    )
    columns = (">clips", "trained further by", ">outer steps", ">meta-trainings", ">CER", ">change of errors, %")
    yield from measured(columns, rows, text, found)
    yield ""
    apart = {"backbone", "heads"}  # no step moves these: the bed, and output rows that are made anew
    layers = sorted({layer for row in found["rows"] for layer in row["moved"]} - apart)
    names = sorted({Path(row["start"]).name for row in found["rows"] if row["start"] != found["base"]})
    cells = []
    for layer in layers:
        cell = [f"`{layer}`"]
        for name in names:
            moved = [
                row["moved"][layer]
                for row in found["rows"]
                if Path(row["start"]).name == name and layer in row["moved"]
            ]
            learned, then = (statistics.median(column) for column in zip(*moved, strict=True))
            cell.append(f"{100 * learned:.1f} / {100 * then:.1f}")
        cells.append(cell)
    yield from table(("movement, % of the weights' size", *(f">{name}" for name in names)), cells)
    yield ""
    yield "By meta-training / then by adaptation: the norm of the change over the norm of the weights; medians."


USUAL = "usual"


def held_out(comparisons: Sequence[Json]) -> Iterator[str]:
    """Runs of `earful benchmark`: CER by task, K and base; and how bases differ from the first."""
    rows = [row for found in comparisons for row in found["rows"]]
    moments = sorted({row["steps"] for row in rows}, key=lambda steps: math.inf if steps == USUAL else steps)
    draws = {key: len({row["seed"] for row in own}) for key, own in grouped(rows, *CELL[:2]).items()}
    whole = {key: own for key, own in grouped(rows, *CELL).items() if len(own) == draws[key[:2]]}
    means = {key: statistics.fmean(row["cer"] for row in own) for key, own in whole.items()}
    first, *others = (base for (base,) in grouped(rows, "entrant"))
    others.sort(key=lambda base: Path(base).name != "start")
    known = grouped(rows, "shots", "entrant")
    names = {base: f"`{Path(base).name}`" for base in (first, *others)}
    cells = [
        [named_task(task), clips]
        + [" / ".join(percent(means.get((task, clips, base, each))) for each in moments) for base in names]
        for (task,) in grouped(rows, "task")
        for (clips,) in sorted(grouped([row for row in rows if row["task"] == task], "shots"))
    ]
    yield from table(("CER, %", ">K", *names.values()), cells)
    yield ""
    named = f"{', '.join(map(str, moments[:-1]))} and {moments[-1]}"
    yield f"Each cell holds the CER after {named} steps: the mean over all draws of clips, – where draws are missing."
    yield ""
    gaps = [
        [names[base], clips, *(_beside_first(rows, clips, base, first, each) for each in moments)]
        for (clips,) in sorted(grouped(rows, "shots"))
        for base in others
        if (clips, base) in known
    ]
    heads = [f">{each} step{'s' * (each != 1)}" for each in moments]
    yield from table((f"CER minus that of {names[first]}, points", ">K", *heads), gaps)
    yield ""
    yield (
        "Negative means better. In brackets: the 95 % interval over tasks and draws, then the numbers of both. "
        f"{on(comparisons[0]['machines'][0])}."
    )


CELL = ("task", "shots", "entrant", "steps")


def named_task(task: str) -> str:
    """A task named by a language alone holds all recordings of it."""
    return {"cs": "Czech, all its levels"}.get(task, task)


def _beside_first(rows: Sequence[Json], clips: int, base: str, first: str, moment: object) -> str:
    """The difference of a base from the first after so many steps, and the numbers of tasks and draws behind it."""
    ours, theirs = (
        {
            (row["seed"], row["task"]): {USUAL: row["cer"]}
            for row in rows
            if (row["shots"], row["entrant"], row["steps"]) == (clips, each, moment)
        }
        for each in (base, first)
    )
    tasks, met = {task for _, task in ours}, ours.keys() & theirs.keys()
    draws = [seed for seed in sorted({seed for seed, _ in met}) if all((seed, task) in met for task in tasks)]
    if not draws:
        return "–"
    whole = {key: cer for key, cer in ours.items() if key[0] in draws}
    return f"{difference(whole, theirs, USUAL)} ({len(tasks)} × {len(draws)})"


def trained_by(learner: str, about: Json) -> tuple[str, int]:
    """How a base was trained further, in words, and by how many outer steps."""
    told = ["the base itself" if learner == "start" else learner]
    told += ["tasks are voices"] if about.get("by") == ["speaker"] else []
    also = " and ".join(Path(manifest).parent.name for manifest in about.get("also", []))
    told += [f"{'' if about.get('alone') else 'and '}{also}{' alone' if about.get('alone') else ''}"] if also else []
    told += [] if about["output"] == "heard" else [f"letters from {about['output']}"]
    told += [f"adapters of rank {about['adapters']} below"] if about.get("adapters") else []
    cost_s = about["cost_s"].get(learner)
    return ", ".join(told), round(about["budget_s"] / cost_s / about["tasks"]) if cost_s else 0


def _meta_facts(found: Json, cers: dict[tuple[str, int], dict[tuple[int, str], Json]]) -> str:
    seeds = len({seed for runs in cers.values() for seed, _ in runs})
    kinds = {"condition": "conditions", "speaker": "voices"}
    test = f"{len(found['test'])} {kinds[found['by']]}" if found["by"] in kinds else ", ".join(found["test"])
    told = f"{seeds} seeds, tested on {test}. {found['parameters'] / 1e6:.2f} M parameters are trained. "
    told += f"Each meta-training had {found['budget_s']:g} s of processor time"
    if "cost_s" in found:
        costs = [cost for name, cost in found["cost_s"].items() if any(name == learner for learner, _ in cers)]
        steps = [round(found["budget_s"] / cost / found["tasks"]) for cost in costs]
        told += f" (from {min(steps)} to {max(steps)} steps of {found['tasks']} tasks)"
    return f"{told}, {found['steps']} inner steps. {on(found['machine'])}."


@cache
def draws(seeds: int, tasks: int) -> list[tuple[list[int], list[int]]]:
    """Which seeds and which tasks are drawn each time, with replacement; the same for all that is compared."""
    chance = random.Random(0)
    return [(chance.choices(range(seeds), k=seeds), chance.choices(range(tasks), k=tasks)) for _ in range(2000)]


def difference(ours: dict[tuple[int, str], Json], theirs: dict[tuple[int, str], Json], moment: str) -> str:
    """The mean difference in points, and its interval."""
    seeds, tasks = (sorted({key[place] for key in ours if key in theirs}) for place in (0, 1))
    away = {key: 100 * (ours[key][moment] - theirs[key][moment]) for key in ours if key in theirs}
    rows = [[away.get((seed, task)) for task in tasks] for seed in seeds]
    drawn = sorted(
        statistics.fmean([each for s in some for t in others if (each := rows[s][t]) is not None])
        for some, others in draws(len(seeds), len(tasks))
    )
    return f"{statistics.fmean(away.values()):+.1f} [{drawn[50]:+.1f}, {drawn[1949]:+.1f}]"


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "meta_conditions": meta_learners,
    "meta_dutch": meta_base,
    "meta_real": meta_base,
    "meta_starts": meta_starts,
    "held_out": held_out,
    "meta_output": meta_learners,
    "meta_speakers": meta_learners,
    "meta_czech": meta_learners,
    "meta_speech": meta_learners,
}
