"""Tables of the learners themselves: on sinusoids, their time and their Hessian."""

import math
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from figures.markdown import Json, grouped, measured, on, spread, table

VARYING = {"finn": "amplitude, phase", "li": "amplitude, phase, frequency"}


def sinusoid(found: Json) -> Iterator[str]:
    """Learners on sinusoids, meta-trained and tested with the same K, beside published figures."""
    ours, printed = _sinusoid_errors(found["rows"]), _sinusoid_errors(found["printed"]["rows"])
    columns = sorted({(steps, k) for _, _, k, _, steps in ours})
    rows = []
    for family, learner in dict.fromkeys(key[:2] for key in ours):
        for name, errors in ((learner, ours), (f"{learner}, as printed", printed)):
            cells = [errors.get((family, learner, k, k, steps)) for steps, k in columns]
            if any(cells):
                rows.append([VARYING[family], name, *("" if cell is None else _plus_minus(*cell) for cell in cells)])
    heads = (f">K = {k}, {steps} step{'s' * (steps != 1)}" for steps, k in columns)
    both = [(ours[key], limits) for key, limits in printed.items() if key in ours]
    kept = sum(mine <= error + half for (mine, _), (error, half) in both)
    text = (
        f"Mean squared error on {found['test_sinusoids']} new sinusoids ± 1.96 standard errors: medians of "
        f"{len(found['seeds'])} seeds, after {found['outer_steps']:,} outer steps of {found['tasks']} tasks. "
        f"Printed: {found['printed']['source']}. That table has {len(both)} cells, every trained K with every tested "
        f"K. In {kept} of them our error is within the printed interval or below it."
    )
    yield from measured(("sinusoids differ in", "learner", *heads), rows, text, found)


def _sinusoid_errors(rows: Sequence[Json]) -> dict[tuple[Any, ...], tuple[float, float]]:
    """(family, learner, K trained, K tested, steps) → error and half its interval: medians over seeds."""
    groups = grouped(rows, "family", "learner", "trained", "tested", "steps")
    return {key: (_median(runs, "mse"), _median(runs, "interval")) for key, runs in groups.items()}


def _median(runs: Sequence[Json], name: str) -> float:
    """The median over runs; a run that diverged counts as infinite."""
    return statistics.median(math.inf if run[name] is None else run[name] for run in runs)


def _plus_minus(error: float, half: float) -> str:
    return f"{error:.2f} ± {half:.2f}" if math.isfinite(error) else "diverges"


def meta_speed(found: Json) -> Iterator[str]:
    """MAML beside other libraries: meta-steps a second and memory; rows are cases, columns libraries."""
    libraries = found["libraries"]
    used = [name for name in dict.fromkeys(n for row in found["rows"] for n in row["median_s"]) if name != MIXED]
    columns = ["task", ">inner steps", *(f">{name}" for name in used), ">times the fastest other"]
    rows = []
    for row in found["rows"]:
        speeds = [f"{1 / row['median_s'][name]:.2f}" for name in used]
        times = [row["times_fastest_other"][name] for name in OURS] if "times_fastest_other" in row else []
        ratios = " / ".join(f"{ratio:.2f}" for ratio in times) or "–"
        rows.append([_meta_task(row), row["steps"], *speeds, ratios])
    yield from table(columns, rows)
    reached = {kind: _meta_best(found["rows"], kind) for kind in found["aims"]}
    exact, single = (
        [{**row, "differences": row["relative"]} for row in found["differences_float64"].values()],
        found["rows"],
    )
    yield ""
    yield (
        f"Meta-steps of {found['tasks']} tasks per second of processor time, second order: medians of "
        f"{min(row['rounds'] for row in found['rows'])} rounds or more. The last column has `earful` task by task / by "
        f"`vmap`. "
        + " ".join(
            f"The aim on {MANY[kind]} is {aim:.0f} times the fastest of the others. The better of our two ways reaches "
            f"{' to '.join(dict.fromkeys(f'{x:.2f}' for x in (min(reached[kind]), max(reached[kind]))))}."
            for kind, aim in found["aims"].items()
            if reached[kind]
        )
    )
    mixed = [row["times_fastest_other"][MIXED] for row in found["rows"] if MIXED in row.get("times_fastest_other", {})]
    if mixed:
        yield f"higher with earful's loss reaches {spread(mixed, lambda x: f'{x:.2f}')} on clips."
    yield ""
    if any("fastest_other" in row for row in found["rows"]):
        apart = ((_tiny(_meta_apart(some, kind, libraries)), MANY[kind]) for some in (exact, single) for kind in MANY)
        told = [f"{part} on {many}" for part, many in apart]
        yield (
            f"The others' meta-gradients differ from earful's by at most {' and '.join(told[:2])} of its norm in "
            f"float64 ({exact[0]['steps']} inner steps, small nets), and by {' and '.join(told[2:])} in float32."
        )
    own = [max(_meta_apart(some, kind, OURS) for kind in MANY) for some in (exact, single)]
    yield f"`vmap` differs from earful's own loop by at most {_tiny(own[0])} in float64 and {_tiny(own[1])} in float32."
    yield f"{', '.join(f'{name} {said}' for name, said in libraries.items())}. {on(found['machine'])}."
    yield ""
    yield "Peak growth of the process in two meta-steps, in MB:"
    yield ""
    sizes = [
        [_meta_task(row), row["steps"], *(f"{row['bytes'][n] / 1e6:.0f}" for n in used)] for row in found["memory"]
    ]
    yield from table(columns[:-1], sizes)


OURS, MIXED = ("earful", "earful, vmap"), "higher, earful's loss"

MANY = {"images": "images", "ctc": "clips"}


def _tiny(part: float) -> str:
    return f"{part:.0e}" if part else "0"


def meta_bounds(found: Json) -> Iterator[str]:
    """What the kernels and the net cost, whatever library calls them: the greatest speed-up that is left."""
    rows = []
    for row in found["rows"]:
        taken_s = row["median_s"]
        if "shares" in row:
            shares = {kind: share for kind, share in row["shares"].items() if kind != "other"}
            cells = [f"{kind} {share:.0%}" for kind, share in shares.items()]
            rows.append([_meta_task(row), row["steps"], ", ".join(cells), f"{1 / sum(shares.values()):.1f}"])
        else:
            ways = {"plain": "plain CTC", "earful": "earful's CTC", "free": "a loss that costs nothing"}
            cells = [f"{told} {taken_s[way]:.3f} s" for way, told in ways.items()]
            rows.append([_meta_task(row), row["steps"], ", ".join(cells), f"{taken_s['plain'] / taken_s['free']:.1f}"])
    text = (
        "Images: shares of torch's kernels in a meta-gradient of four tasks; times if only these were left. Clips: "
        f"processor seconds, medians of {found['rounds']} interleaved rounds; times by which a loss that costs nothing "
        "would be faster than plain CTC."
    )
    yield from measured(("task", ">inner steps", "what takes the time", ">times at most"), rows, text, found)


def hessian(found: Json) -> Iterator[str]:
    """Second derivatives through each encoder: forwards or backwards, with oneDNN and without."""
    ways = {
        "forwards": f"{found['products']} products with the Hessian, forwards",
        "backwards": "the same, backwards",
        "maml": "MAML, two steps",
    }
    kinds = list(dict.fromkeys(row["kind"] for row in found["rows"]))
    rows = []
    for way, told in ways.items():
        for onednn in (True, False):
            cells = []
            for kind in kinds:
                same = [r for r in found["rows"] if (r["kind"], r["way"], r["onednn"]) == (kind, way, onednn)]
                known = [r["cpu_s"] for r in same if r["round"] and r["cpu_s"] is not None]
                cells.append(spread(known, lambda value: f"{value:.2f}"))
            rows.append([told, "on" if onednn else "off", *cells])
    apart = max(row.get("apart", 0.0) for row in found["rows"])
    text = (
        f"Processor seconds, median [lowest–highest] of {found['rounds']} rounds; {found['layers']} layers, "
        f"{found['width']} wide, CTC of five clips of three seconds; – where PyTorch has no such derivative. The "
        f"results differ by at most {_tiny(apart)} of their norm."
    )
    yield from measured(("", "oneDNN", *(f">{kind}" for kind in kinds)), rows, text, found)


def _meta_task(row: Json) -> str:
    if row["kind"] == "images":
        return f"images, {row['shots']}-shot, {row['filters']} filters"
    net = f"Transformer of {row['layers']} layers" if row["layers"] else "linear map"
    return f"CTC, {row['frames']} frames, {row['labels']} labels, {net}"


def _meta_best(rows: Sequence[Json], kind: str) -> list[float]:
    """The better of our two ways in each row of that kind, as a multiple of the fastest other."""
    having = [row["times_fastest_other"] for row in rows if row["kind"] == kind and "times_fastest_other" in row]
    return [max(times[name] for name in OURS) for times in having]


def _meta_apart(rows: Sequence[Json], kind: str, among: Collection[str]) -> float:
    found = [x for row in rows if row["kind"] == kind for name, x in row["differences"].items() if name in among]
    return max(found, default=math.nan)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "hessian": hessian,
    "meta_bounds": meta_bounds,
    "meta_speed": meta_speed,
    "sinusoid": sinusoid,
}
