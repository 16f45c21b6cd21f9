"""Tables of the tests themselves: which changes to the code they notice, and which branches they take."""

from collections.abc import Callable, Iterator

from figures.markdown import Json, measured, table


def mutants(found: Json) -> Iterator[str]:
    """Of each file, the changes that were made and what came of them; below, what survived and may not."""
    rows = [
        [
            f"`{name}`",
            each["changes"],
            each["drawn"],
            each["killed"] + each["timeouts"],
            sum("why" in survivor for survivor in each["survivors"]),
            sum("why" not in survivor for survivor in each["survivors"]),
        ]
        for name, each in found["files"].items()
    ]
    total = ["all", *(sum(row[column] for row in rows) for column in range(1, 6))]
    yield from table(("file", ">changes", ">tried", ">noticed", ">equivalent", ">survived"), [*rows, total])
    yield ""
    yield (
        f"Of a file's changes at most {max(row[2] for row in rows)} are tried, drawn by seed {found['seed']}. "
        f"Noticed: a test fails, or takes more than {found['factor']} times as long. Equivalent: nobody could tell it "
        "from the original; `bench/mutants_argued.toml` says why."
    )
    left = [
        [f"`{name}`, line {each['line']}", f"`{each['code']}`", f"`{each['was']}` → `{each['now']}`"]
        for name, of_file in found["files"].items()
        for each in of_file["survivors"]
        if "why" not in each and "|" not in each["code"] + each["was"] + each["now"]
    ]
    if left:
        yield ""
        yield from table(("what survived", "the code", "the change"), left)


def covered(found: Json) -> Iterator[str]:
    """The files of which most is not run, and the whole package above them."""
    rows = [
        [f"`{each['file']}`", each["statements"], f"{each['percent']:.0f}", each["missing"]] for each in found["least"]
    ]
    whole = ["the package", found["statements"], f"{found['percent']:.1f}", found["missing"]]
    yield from measured(
        ("file", ">statements", ">run, %", ">not run"),
        [whole, *rows],
        f"{found['tests']} tests, of whom the processor has {found['cpu_s'] / 60:.0f} minutes of work. Branches count "
        "beside statements; what is compiled for the processor or the GPU is not seen.",
        found,
    )


FIGURES: dict[str, Callable[[Json], Iterator[str]]] = {"mutants": mutants, "covered": covered}
