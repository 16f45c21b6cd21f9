"""The dialogue lines of a Lua script: `dialogId("id", "font", "English")`, then `dialogStr("what is said")`.

Only what such files hold is read: comments, strings in all of Lua's forms and escapes, `..` between them, and calls of
these two functions, with or without brackets around a single string (Lua 5.4 manual, section 3.1).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recipes.corpora.errors import CorpusError

_TOKEN = re.compile(
    rb"""
      (?P<comment>--\[(?P<deep>=*)\[.*?\](?P=deep)\] | --[^\n]*)
    | \[(?P<level>=*)\[\r?\n?(?P<long>.*?)\](?P=level)\]
    | "(?P<double>(?:[^"\\\n]|\\(?:z\s*+|\r\n|[^z]))*+)"
    | '(?P<single>(?:[^'\\\n]|\\(?:z\s*+|\r\n|[^z]))*+)'
    | (?P<name>[A-Za-z_]\w*)
    | (?P<mark>\.\.|\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(z\s*|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]+\}|[0-9]{1,3}|\r\n|.)", re.DOTALL)
_SIMPLE = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"\r\n": b"\n"}


@dataclass(frozen=True)
class Dialog:
    """One line of dialogue; `text` is None where the file gives none in its language."""

    id: str
    font: str
    text: str | None
    line: int


@dataclass(frozen=True)
class _Token:
    kind: str  # name, mark or text
    value: bytes
    line: int


def read_dialogs(path: Path) -> list[Dialog]:
    """The dialogues of one file, in order. Raises CorpusError that names the file and line of what is not Lua."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: cannot read: {error.strerror}") from error
    try:
        return parse_dialogs(source)
    except CorpusError as error:
        raise CorpusError(f"{path}:{error}") from None


def parse_dialogs(source: bytes) -> list[Dialog]:
    """The dialogues of a script. Raises CorpusError that begins with the line number.

    >>> parse_dialogs(b'dialogId("a", "font_big", "Hi") dialogStr("Hoi, " .. "jij")')
    [Dialog(id='a', font='font_big', text='Hoi, jij', line=1)]
    """
    dialogs: list[Dialog] = []
    tokens = list(_tokens(source))
    for place, token in enumerate(tokens):
        if token.kind != "name" or token.value not in (b"dialogId", b"dialogStr"):
            continue
        arguments = _arguments(tokens[place + 1 :])
        if token.value == b"dialogId" and len(arguments) >= 2 and arguments[0]:
            dialogs.append(Dialog(arguments[0], arguments[1] or "", None, token.line))
        elif token.value == b"dialogStr" and dialogs and len(arguments) == 1:
            last = dialogs.pop()
            dialogs.append(Dialog(last.id, last.font, arguments[0], last.line))
    return dialogs


def unescape(text: bytes) -> bytes:
    """Resolve the escapes of a quoted Lua string. Raises CorpusError where Lua knows no such escape."""
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code in (b"x", b"u"):
        raise CorpusError(f"\\{code.decode()} without its digits; expected \\x41 or \\u{{41}}")
    if code[:1] == b"z":
        return b""
    if code[:1] == b"x":
        return bytes([int(code[1:], 16)])
    if code[:1] == b"u":
        return chr(min(int(code[2:-1], 16), 0x10FFFF)).encode(errors="replace")
    if code.isdigit():
        return bytes([int(code) & 0xFF])
    return _SIMPLE.get(code, code)  # a quote, a backslash or a line end stands for itself


def _tokens(source: bytes) -> Iterator[_Token]:
    line, counted = 1, 0
    for match in _TOKEN.finditer(source.removeprefix(b"\xef\xbb\xbf")):
        line += match.string.count(b"\n", counted, match.start())
        counted = match.start()
        kind = match.lastgroup
        if kind in ("double", "single"):
            try:
                yield _Token("text", unescape(match[kind]), line)
            except CorpusError as error:
                raise CorpusError(f"{line}: {error}") from None
        elif match["long"] is not None:
            yield _Token("text", match["long"].replace(b"\r\n", b"\n"), line)
        elif match["mark"] is not None and match["mark"] in b"\"'":
            raise CorpusError(f"{line}: a string without an end; expected a closing {match['mark'].decode()}")
        elif match["comment"] is None:
            yield _Token("name" if match["name"] else "mark", match[0], line)


def _arguments(tokens: list[_Token]) -> list[str | None]:
    """The arguments of the call whose name came just before; one that is not a string is None."""
    if tokens and tokens[0].kind == "text":
        return [_decoded(tokens[0].value)]
    if not tokens or tokens[0].value != b"(":
        return []
    arguments: list[list[_Token]] = [[]]
    depth = 1
    for token in tokens[1:]:
        depth += (token.kind == "mark") * ((token.value == b"(") - (token.value == b")"))
        if depth == 0:
            return [_joined(parts) for parts in arguments]
        if depth == 1 and token.kind == "mark" and token.value == b",":
            arguments.append([])
        else:
            arguments[-1].append(token)
    raise CorpusError(f"{tokens[0].line}: a bracket without an end; expected a closing )")


def _joined(parts: list[_Token]) -> str | None:
    """Strings with `..` between them, as one; None if it is anything else."""
    texts, marks = parts[::2], parts[1::2]
    if len(parts) % 2 == 0 or any(part.kind != "text" for part in texts):
        return None
    return None if any(mark.value != b".." for mark in marks) else _decoded(b"".join(part.value for part in texts))


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")
