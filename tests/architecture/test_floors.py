"""The house: imports go down the floors and in no circle, files and functions stay small, some things are banned."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import earful

ROOT = Path(earful.__file__).parent
FILES = {
    ".".join(("earful", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


@cache
def trees() -> dict[str, ast.Module]:
    """Every module, parsed: by whoever runs these tests, not by all workers that list them."""
    return {module: ast.parse(path.read_text("utf-8")) for module, path in FILES.items()}


# A room and the highest floor it may import from; the rooms of one floor do not know each other, but for `ALSO`.
FLOORS = {
    **dict.fromkeys(
        (
            "errors",
            "alone",
            "trees",
            "config",
            "identity",
            "reading",
            "writing",
            "int8",
            "device",
            "processes",
            "environment",
        ),
        0,
    ),
    **dict.fromkeys(("audio", "text"), 1),
    **dict.fromkeys(("features", "transcript"), 2),
    **dict.fromkeys(("encoder", "ctc", "runtime"), 3),
    **dict.fromkeys(("model", "checkpoint", "folders"), 4),
    **dict.fromkeys(("data", "train", "transcriber"), 5),
    **dict.fromkeys(("pretrain", "adapt", "runner", "live"), 6),
    "metatrain": 7,
    **dict.fromkeys(("recognizer", "evaluate", "writers"), 8),
    **dict.fromkeys(("export", "kshot", "cli", "server", "elan"), 9),
    **dict.fromkeys(("__main__", "earful"), 10),
}
LIMITS = {"data": 2, "train": 0}
ALSO = {
    ("config", "errors"),
    ("config", "reading"),
    ("device", "errors"),
    ("alone", "errors"),
    ("identity", "config"),
    ("processes", "errors"),
    ("checkpoint", "folders"),
    ("checkpoint", "model"),
    ("evaluate", "recognizer"),
    ("cli", "kshot"),
    ("cli", "elan"),
    ("cli", "export"),
    ("cli", "server"),
    ("server", "export"),
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BESIDE = {"recipes", "bench", "tests"}
"""Code of the checkout, which imports earful and is not installed with it."""
BANNED_CALLS = {"torch.load", "torch.save", "torch.serialization.load", "torch.serialization.save"}


def room(module: str) -> str:
    """The folder, or the file beside the folders, that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Every module of earful that a module imports, inside functions too, and the line."""
    for node in ast.walk(trees()[module]):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names if name.name.split(".")[0] == "earful")
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "a relative import", node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "earful":
            whole = {f"{node.module}.{name.name}" for name in node.names} & FILES.keys()
            yield from ((name, node.lineno) for name in whole or {node.module})


def is_allowed(lower: str, upper: str) -> bool:
    """Whether the room `upper` may import the room `lower`."""
    if lower == upper or (upper, lower) in ALSO:
        return True
    return FLOORS[lower] <= LIMITS.get(upper, FLOORS[upper] - 1)


def names_called(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def assert_none(wrong: Iterable[str]) -> None:
    """All that is wrong, at once."""
    found = list(wrong)
    assert not found, "\n".join(["", *found])


def test_it_sees_the_house() -> None:
    assert len(FILES) > 50 and any(True for _ in imports("earful.recognizer"))
    assert (
        not is_allowed("recognizer", "adapt") and not is_allowed("model", "data") and not is_allowed("ctc", "encoder")
    )


def misplaced(module: str) -> Iterator[str]:
    """What is wrong with the imports of a module."""
    if room(module) not in FLOORS:
        yield f"{module} is on no floor: add its room to the table"
        return
    for imported, line in imports(module):
        if imported not in FILES:
            yield f"{module}:{line} imports {imported}: give the full name of a module of earful"
        elif imported == "earful":
            yield f"{module}:{line} imports the package root; import the module that is meant"
        elif not is_allowed(room(imported), room(module)):
            yield f"{module}:{line} imports {imported}, which is not below it"


def test_imports_go_down() -> None:
    assert_none(wrong for module in FILES for wrong in misplaced(module))


def test_the_table_of_floors_names_only_what_is_there() -> None:
    rooms = {room(module) for module in FILES}
    assert_none(f"{name} is in the table and not in the house" for name in FLOORS if name not in rooms)
    pairs = {(room(module), room(name)) for module in FILES for name, _ in imports(module) if name in FILES}
    assert_none(f"{upper} may import {lower}, and does not" for upper, lower in ALSO if (upper, lower) not in pairs)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; none where there is no circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_goes_in_a_circle() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) and not circle({"a": {"b", "c"}, "b": {"c"}})
    found = circle({module: {imported for imported, _ in imports(module)} - {module} for module in FILES})
    assert not found, f"modules import each other in a circle: {' → '.join(found)}"


def test_adaptation_as_such_knows_nothing_of_speech() -> None:
    known = ("adapt", "metatrain", "train", "identity", "processes", "trees", "errors")
    pure = ["earful.adapt.descend", "earful.adapt.inner"]
    pure += [m for m in FILES if room(m) == "metatrain" and not m.startswith("earful.metatrain.speech")]
    assert_none(
        f"{module}:{line} imports {name}"
        for module in pure
        for name, line in imports(module)
        if room(name) not in known
    )


def oversized(path: Path) -> Iterator[str]:
    """The file or functions of it that are too long."""
    text = path.read_text("utf-8")
    if (lines := text.count("\n")) > LONGEST_FILE:
        yield f"{path} has {lines} lines: there is a second idea in it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{path}:{node.lineno} {node.name} has {length} lines"


def test_sizes() -> None:
    checkout = ROOT.parent.parent
    beside = [path for folder in ("recipes/corpora", "bench/figures") for path in (checkout / folder).rglob("*.py")]
    assert len(beside) > 20
    assert_none(wrong for path in (*FILES.values(), *beside) for wrong in oversized(path))


def banned(module: str) -> Iterator[str]:
    """What a module holds and must not."""
    for node in ast.walk(trees()[module]):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if {name.split(".")[0] for name in names} & BANNED_MODULES:
            yield f"{module}: no pickle"
        if {name.split(".")[0] for name in names} & BESIDE:
            yield f"{module}:{getattr(node, 'lineno', 0)} imports what is not installed with earful"
    for name, line in names_called(trees()[module]):
        if name in BANNED_CALLS:
            yield f"{module}:{line} calls {name}: safetensors and JSON hold what is saved"
        if name == "print" and room(module) != "cli":
            yield f"{module}:{line} prints: the library does not"
    if "allow_pickle=True" in ast.unparse(trees()[module]):
        yield f"{module}: no pickle in arrays"


def test_what_is_banned() -> None:
    assert_none(wrong for module in FILES for wrong in banned(module))


def test_a_room_says_what_it_is_and_no_more() -> None:
    lists = ("earful", "earful.metatrain")  # of public names
    bodies = {m: trees()[m].body for m, path in FILES.items() if path.name == "__init__.py" and m not in lists}
    assert_none(
        f"{module}: expected one docstring and no more"
        for module, body in bodies.items()
        if len(body) != 1 or not ast.get_docstring(trees()[module])
    )
