"""The changes that mutation testing makes: what is changed into what, and what is left alone."""

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def mutations() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutations", BENCH / "mutations.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("x = a < b", ["a <= b", "a >= b"]),
        ("x = a == b", ["a != b"]),
        ("x = a in b", ["a not in b"]),
        ("x = a + b", ["a - b"]),
        ("x = a // b", ["a * b"]),
        ("x = -a", ["a"]),
        ("x = not a", ["a"]),
        ("x = a and b", ["a or b"]),
        ("x = a if b else c", ["a if True else c", "a if False else c"]),
        ("f(a, b, c)", ["pass", "f(b, a, c)"]),
        ("min(a, b)", ["pass"]),
        ("x = 3", ["4", "2"]),
        ("x = True", ["False"]),
        ("x += y", ["x -= y", "pass"]),
        ("x = [a for a in b if c]", ["for a in b"]),
        ("raise E(1 + 2)", ["pass"]),
        ("def f():\n    return g", ["return None"]),
        ("while a:\n    break", ["continue"]),
        ("if a:\n    b", ["if True:", "if False:"]),
    ],
)
def test_what_is_changed(mutations: ModuleType, code: str, changes: list[str]) -> None:
    assert [each.now for each in mutations.mutants_of(code)] == changes


@pytest.mark.parametrize(
    "code",
    [
        '"""a < b"""\nx = "text"',
        "x: int | None = None",
        "def f(a: list[1 + 2]) -> int | str: ...",
        "@d(1)\ndef f(): ...",
        "Alias = Callable[[int], 1]",
        '__all__ = ["a"]',
        "assert a < b",
        "import a",
        'x = f"{a + b}"',
    ],
)
def test_what_is_left_alone(mutations: ModuleType, code: str) -> None:
    assert mutations.mutants_of(code) == []


def test_each_change_is_made_alone_and_where_it_is_said(mutations: ModuleType) -> None:
    code = "LEAST = 4\n\n\ndef few(n, most=3):\n    if n < LEAST:\n        return most\n    return n - 1\n"
    found = mutations.mutants_of(code)
    assert [(each.line, each.was, each.now, each.inside) for each in found] == [
        (1, "4", "5", False),
        (1, "4", "3", False),
        (4, "3", "4", False),
        (4, "3", "2", False),
        (5, "if n < LEAST:", "if True:", True),
        (5, "if n < LEAST:", "if False:", True),
        (5, "n < LEAST", "n <= LEAST", True),
        (5, "n < LEAST", "n >= LEAST", True),
        (6, "return most", "return None", True),
        (7, "return n - 1", "return None", True),
        (7, "n - 1", "n + 1", True),
        (7, "1", "2", True),
        (7, "1", "0", True),
    ]
    texts = [ast.unparse(each.tree) for each in found]
    assert len(set(texts)) == len(texts) and ast.unparse(ast.parse(code)) not in texts
