"""Tables of what is read and what is refused."""

from collections.abc import Callable, Iterator, Sequence

from figures.entrants import CORPORA
from figures.markdown import Json, measured, percent

SPOILT = {
    "sounds": "sound files, probed and read whole, in part and in blocks, or checked",
    "manifests": "manifests, pipes and devices in their place",
    "tables": "tables, annotations, data folders",
    "models": "models, a file spoilt or not one at all",
    "recipes": "recipes of `train`, `pretrain`, `metatrain`",
    "options": "options and arguments of all commands",
    "states": "states of interrupted runs, and other runs that meet them",
    "disk": "a disk that is full from the n-th write on",
}


def faults(found: Json) -> Iterator[str]:
    """What came of spoilt input, by its kind."""
    rows = [
        [
            SPOILT[kind],
            *(each[key] for key in ("cases", "accepted", "refused", "broken")),
            f"{each['slowest_s']:.0f}",
            f"{each['peak_mb'] / 1000:.1f}",
        ]
        for kind, each in found["kinds"].items()
    ]
    text = (
        f"{found['cases']} cases in {found['seconds'] / 60:.0f} minutes, seed {found['seed']}. Accepted: exit status "
        "0, and what came was compared with the valid original or with another decoder. Refused: exit status 2 and one "
        "line. Broken: anything else."
    )
    columns = ("what was spoilt", ">cases", ">accepted", ">refused", ">broken", ">slowest, processor s", ">most GB")
    yield from measured(columns, rows, text, found)


def kills(found: Json) -> Iterator[str]:
    """What came of commands that were killed."""
    rows = [[f"`{row['command']}`", row["kills"], row["runs"], len(row["broken"])] for row in found["rows"]]
    text = (
        "Killed at random moments by `kill -9`, SIGTERM and Ctrl-C in turn, and run again to the end. Broken: another "
        "result than that of a run that nobody killed, byte by byte but for times, or anything left over."
    )
    yield from measured(("command", ">kills", ">runs", ">broken"), rows, text, found)


def fuzz(found: Json) -> Iterator[str]:
    """What the fuzzers reached and found, by parser."""
    rows = [
        [
            f"`{row['parser']}`",
            row["seconds"],
            f"{row['runs'] / 1000:.0f}",
            row.get("features", 0),
            row["kept"],
            row["broken"],
        ]
        for row in found["rows"]
    ]
    text = (
        "Processor seconds; thousands of inputs; features of coverage, edges of the code with how often they are "
        "passed; inputs that are kept, and parsed again by every `make test`; inputs that raised another error than "
        "earful's own, took more than 10 s or 2 GB."
    )
    yield from measured(("parser", ">s", ">1000 inputs", ">features", ">kept", ">broken"), rows, text, found)


def odd_folders(found: Json) -> Iterator[str]:
    """Odd recordings and folders: how they are read, and how many were read wrongly before."""
    outcomes = ("right", "refused", "wrong, told", "silently wrong")
    before = found.get("before", {}).get("kinds", {})
    once = {kind: before.get(kind, {}).get("silently wrong", "–") for kind in found["kinds"]}
    kinds = {kind: [counts[each] for each in outcomes] for kind, counts in found["kinds"].items()}
    whole = [kind for kind, counts in kinds.items() if not any(counts[1:]) and not once[kind]]
    rows = [[kind, *counts, once[kind]] for kind, counts in kinds.items() if kind not in whole]
    columns = ("", ">right", ">refused", ">wrong, with a warning", ">wrong, without one", ">before")
    text = (
        f"All right, now and before: {_joined(whole)}. "
        f"{found['recordings']} recordings of speech-like noise, and {found['folders']} folders, each read by three "
        "commands. Every seed makes each kind anew. Before: wrong without a warning, by the code of "
        f"{found['before']['commit'][:7]}."
    )
    yield from measured(columns, rows, text, found)


def _joined(kinds: Sequence[str]) -> str:
    """Kinds in a list; those of a folder are read by several commands, and are named once."""
    commands: dict[str, list[str]] = {}
    for kind in kinds:
        what, _, command = kind.partition(": ")
        commands.setdefault(what, []).extend([command] * bool(command))
    every = max((len(each) for each in commands.values()), default=0)
    return "; ".join(
        what + (f" ({', '.join(each)})" if each and len(each) < every else "") for what, each in commands.items()
    )


def formats(found: Json) -> Iterator[str]:
    """Formats that are read and written, by which library, and the programs tried with them."""
    rows = []
    for form, each in found["formats"].items():
        came = [sample for sample in found["samples"] if sample["format"] == form]
        with_files = [
            f"{each['files']} file{'s' * (each['files'] > 1)} in {each['package']}{_but(each['wrong'])}"
            for each in came
        ]
        others = _tried_programs(each["others"]) + with_files
        ours = _tried_programs([row for row in each["ours"] if row["program"] != "earful"])
        back = "; ".join(
            row["verdict"] for row in each["ours"] if row["program"] == "earful" and row["verdict"] != "right"
        )
        rows.append(
            [
                form,
                each["read by"] or "–",
                "; ".join(others) or "none",
                each["written by"] or "–",
                ("; ".join(ours) or ("earful alone" if each["ours"] else "–")) + (f"; earful: {back}" if back else ""),
            ]
        )
    columns = ("format", "read by", "tried with files of", "written by", "read back, right, by")
    text = (
        "Each program wrote three spans with accents, quotes, `&` and `<`, and earful read them. earful wrote the "
        "same, and each program and earful itself read it. In files that came with a package, earful found every text "
        "that another reader finds."
    )
    yield from measured(columns, rows, text, found)


def _tried_programs(rows: Sequence[Json]) -> list[str]:
    """Each program once, with what of it was not right."""
    programs: dict[str, list[Json]] = {}
    for row in rows:
        programs.setdefault(f"{row['program']} {row['version'] or ''}".strip(), []).append(row)
    return [
        name + _kinds(some) + _but([row["verdict"] for row in some if row["verdict"] != "right"])
        for name, some in programs.items()
    ]


def _kinds(rows: Sequence[Json]) -> str:
    kinds = "; ".join(row["kind"] for row in rows if row.get("kind"))
    return f" ({kinds})" if kinds else ""


def _but(wrong: Sequence[str]) -> str:
    return f" – but {'; '.join(wrong).replace('|', '/')}" if wrong else ""


def levels(found: Json) -> Iterator[str]:
    """The cost of an offset, a level and clipping."""
    before = {row["change"]: row["cer"] for row in found["before"]}
    rows = [[row["change"], percent(before[row["change"]]), percent(row["cer"])] for row in found["rows"]]
    text = (
        f"CER in per cent on {found['clips']} clips of real {CORPORA[found['corpus']]} ({found['seconds']:.0f} s), "
        "each written to a file and read again, by a recogniser that was adapted to fifty unchanged clips."
    )
    yield from measured(("the recording", ">CER, unchanged", ">CER, as earful hears it now"), rows, text, found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "levels": levels,
    "odd_folders": odd_folders,
    "faults": faults,
    "fuzz": fuzz,
    "kills": kills,
    "formats": formats,
}
