"""Tables of what becomes of a server that is killed, and of one whose disk is full."""

from collections import Counter
from collections.abc import Callable, Iterator
from statistics import median

from figures.markdown import Json, measured


def server_kills(found: Json) -> Iterator[str]:
    """What was lost by kills amid edits and adaptations."""
    jobs, begun = Counter(found["jobs"]), len(found["jobs"])
    rows = [
        ("kills", found["kills"], "of these during an adaptation", found["killed_while_adapting"]),
        ("edits that were answered", found["edits"], "lost, or the database not whole", len(found["lost"])),
        ("adaptations begun", begun, "done, and their models served", jobs["done"]),
        ("files left half-written", len(found["left"]), "seconds to start again", f"{median(found['restart_s']):.1f}"),
    ]
    text = (
        f"Each server lived {found['longest_s']:.0f} s at most; adaptations of `{found['model']}` to {found['clips']} "
        "clips of real speech; the start in the median, beside all else that the machine did"
    )
    yield from measured(("", ">", "", ">"), rows, f"{text}.", found)


def server_full_disk(found: Json) -> Iterator[str]:
    """What was answered while there was no room."""
    rows = [
        (what, sum(n for code, n in codes.items() if code.startswith("2")), codes.get("507", 0))
        for what, codes in found["answers"].items()
    ]
    starts, jobs = Counter(found["starts"]), Counter(found["jobs"])
    text = (
        f"{found['rounds']} times a disk of {found['megabytes']} MB was filled, and room made again. Of "
        f"{sum(starts.values())} servers that were killed while it was full, {starts['began']} started on it. "
        f"Adaptations that ran then: {', '.join(f'{n} {state}' for state, n in jobs.items())}. "
        f"Edits lost, recordings not whole, files half-written, other errors: {len(found['wrong'])}"
    )
    yield from measured(("", ">done", ">507: no room"), rows, f"{text}.", found)


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {
    "server_full_disk": server_full_disk,
    "server_kills": server_kills,
}
