"""The house: imports go down the floors and in no circle, files and functions stay small, some things are banned."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import earful

ROOT = Path(earful.__file__).parent
FILES = {
    ".".join(("earful", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text("utf-8")) for module, path in FILES.items()}

# A room and the highest floor it may import from; the rooms of one floor do not know each other, but for `ALSO`.
FLOORS = {
    **dict.fromkeys(
        ("errors", "alone", "trees", "config", "identity", "reading", "writing", "int8", "device", "processes"), 0
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
BANNED_CALLS = {"torch.load", "torch.save", "torch.serialization.load", "torch.serialization.save"}


def room(module: str) -> str:
    """The folder, or the file beside the folders, that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Every module of earful that a module imports, inside functions too, and the line."""
    for node in ast.walk(TREES[module]):
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


def test_it_sees_the_house() -> None:
    assert len(FILES) > 50 and any(True for _ in imports("earful.recognizer"))
    assert (
        not is_allowed("recognizer", "adapt") and not is_allowed("model", "data") and not is_allowed("ctc", "encoder")
    )


@pytest.mark.parametrize("module", FILES)
def test_imports_go_down(module: str) -> None:
    assert room(module) in FLOORS, f"{module} is on no floor: add its room to the table"
    for imported, line in imports(module):
        assert imported in FILES, f"{module}:{line} imports {imported}: give the full name of a module of earful"
        assert imported != "earful", f"{module}:{line} imports the package root; import the module that is meant"
        assert is_allowed(room(imported), room(module)), f"{module}:{line} imports {imported}, which is not below it"


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
    for module in FILES:
        speech = module.startswith("earful.metatrain.speech")
        if module in ("earful.adapt.descend", "earful.adapt.inner") or (room(module) == "metatrain" and not speech):
            foreign = {
                name
                for name, _ in imports(module)
                if room(name) not in ("adapt", "metatrain", "train", "identity", "processes", "trees", "errors")
            }
            assert not foreign, module


@pytest.mark.parametrize("module", FILES)
def test_sizes(module: str) -> None:
    lines = FILES[module].read_text("utf-8").count("\n")
    assert lines <= LONGEST_FILE, f"{module} has {lines} lines: there is a second idea in it"
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{module}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("module", FILES)
def test_what_is_banned(module: str) -> None:
    for node in ast.walk(TREES[module]):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & BANNED_MODULES, f"{module}: no pickle"
    for name, line in names_called(TREES[module]):
        assert name not in BANNED_CALLS, f"{module}:{line} calls {name}: safetensors and JSON hold what is saved"
        assert name != "print" or room(module) in ("cli", "kshot"), f"{module}:{line} prints: the library does not"
    assert "allow_pickle=True" not in ast.unparse(TREES[module])


@pytest.mark.parametrize("module", [module for module, path in FILES.items() if path.name == "__init__.py"])
def test_a_room_says_what_it_is_and_no_more(module: str) -> None:
    if module not in ("earful", "earful.metatrain"):  # these two are lists of public names
        (only,) = TREES[module].body
        assert isinstance(only, ast.Expr) and ast.get_docstring(TREES[module])
