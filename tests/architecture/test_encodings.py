"""Every text file is read and written in an encoding that is named, and with the same line ends on every system."""

import ast
from collections.abc import Iterator
from pathlib import Path

import earful

PACKAGE = Path(earful.__file__).parent
ROOT = PACKAGE.parent.parent
FILES = [path for folder in ("src", "bench", "recipes", "docs") for path in sorted((ROOT / folder).rglob("*.py"))]
NOT_FILES = ("av", "os", "tarfile", "zipfile", "wave", "webbrowser", "gzip", "lzma")
"""Whose `open` is another one."""


def faults(tree: ast.AST, *, line_ends: bool) -> Iterator[tuple[int, str]]:
    """Where text goes to or comes from files and processes in the locale's encoding; and written with its line ends."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        of = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        named = {each.arg: each.value for each in call.keywords}
        if name in ("read_text", "write_text") and of:
            text, places = True, {"read_text": 1, "write_text": 2}[name]
            writes = name == "write_text"
            encoded = "encoding" in named or len(call.args) >= places
        elif (name == "open" and of not in NOT_FILES) or name == "fdopen":
            place = 0 if of not in ("", "io", "os") else 1
            given = named.get("mode", call.args[place] if len(call.args) > place else None)
            mode = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else "r"
            text, writes, encoded = "b" not in mode, bool(set(mode) & set("wax+")), "encoding" in named
        elif name == "TextIOWrapper" or {"text", "universal_newlines"} & named.keys():
            text, writes, encoded = name == "TextIOWrapper" or name in ("run", "Popen"), False, "encoding" in named
        else:
            continue
        if text and not encoded:
            yield call.lineno, f"{ast.unparse(call.func)} in the locale's encoding"
        if text and writes and line_ends and "newline" not in named:
            yield call.lineno, f"{ast.unparse(call.func)} with the system's line ends"


def test_it_sees_what_is_wrong() -> None:
    wrong = """
path.read_text()
path.write_text("a")
open("a")
path.open("w")
io.open("a", mode="a")
os.fdopen(1, "w")
subprocess.run(["a"], text=True)
io.TextIOWrapper(file)
"""
    right = """
path.read_text("utf-8")
path.write_text("a", "utf-8")
path.write_text("a", encoding="utf-8")
open("a", "rb")
path.open("wb")
os.open("a", os.O_RDONLY)
open("a", encoding="ascii")
subprocess.run(["a"], text=True, encoding="utf-8")
check(clips, text=path)
"""
    assert [line for line, _ in faults(ast.parse(wrong), line_ends=False)] == list(range(2, 10))
    assert [line for line, _ in faults(ast.parse(right), line_ends=False)] == []
    assert [line for line, _ in faults(ast.parse(right), line_ends=True)] == [3, 4]


def test_no_text_file_in_the_locales_encoding() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {fault}; name an encoding, and newline where text is written"
        for path in FILES
        for line, fault in faults(ast.parse(path.read_text("utf-8")), line_ends=path.is_relative_to(PACKAGE))
    ]
    assert not found, "\n".join(["", *found])
