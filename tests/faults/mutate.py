"""Ways to spoil bytes, values and texts, all drawn from a generator: the same seed spoils the same way."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

NASTY_NUMBERS: tuple[Any, ...] = (
    *(0, -1, -0.0, 1e-300, 1e308, -1e308, 2**31, 2**63, -(2**63) - 1, 2**64 + 1, 10**23, 10**400),
    *(float("nan"), float("inf"), float("-inf"), True, None, 0.5, 1e15),
)
NASTY_TEXTS: tuple[Any, ...] = (
    *("", " ", "\0", "a\0b", "../../../etc/passwd", "/dev/zero", "/dev/full", "x" * 300, "x/" * 3000, "nan", "-1", "~"),
    *("\x1b[2J\x1b]0;t\x07", "\u202eabc", "\ud800", "é" * 200, "e\u0301\u0302" * 50, "\r\n\t", "'\"`$(x)", "%s%n{0}"),
    *("9" * 5000, "1e400", "🏳️‍🌈", "\ufeff", "null", "[]"),
)
NASTY: tuple[Any, ...] = (*NASTY_NUMBERS, *NASTY_TEXTS, [], {}, [[]], [1, "a"], {"a": {"b": 1}}, ["x"] * 2000)
ENDLESS = ("[" * 100_000, '{"a":' * 50_000, "9" * 5_000, "[" * 100_000 + "]" * 100_000)


def spoil(random_: random.Random, content: bytes, *, head: int = 256) -> tuple[bytes, str]:
    """The content with something done to it, and what; beginnings, where headers are, are preferred."""
    return random_.choice(WAYS)(random_, content, head)


def _flip(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    changed = bytearray(content)
    end = min(head, len(content)) if random_.random() < 0.6 else len(content)
    places = [random_.randrange(max(1, end)) for _ in range(random_.choice((1, 1, 2, 8)))]
    for place in places:
        if place < len(changed):
            changed[place] ^= 1 << random_.randrange(8)
    return bytes(changed), "flip"


def _overwrite(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    changed = bytearray(content)
    place = random_.randrange(max(1, min(head, len(content))))
    size = random_.choice((1, 2, 4, 8))
    value = random_.choice((b"\0", b"\xff", b"\x7f", b"\x80", b"\x01"))
    changed[place : place + size] = value * size
    return bytes(changed), "overwrite"


def _cut(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    most = len(content) if random_.random() < 0.7 else min(head, len(content))
    return content[: random_.randrange(max(1, most))], "cut"


def _drop(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    place = random_.randrange(max(1, len(content)))
    return content[:place] + content[place + random_.choice((1, 2, 4, 100, 4096)) :], "drop"


def _insert(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    place = random_.randrange(max(1, len(content)))
    return content[:place] + random_.randbytes(random_.choice((1, 2, 4, 100, 4096))) + content[place:], "insert"


def _double(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    begin = random_.randrange(max(1, len(content)))
    end = min(len(content), begin + random_.choice((4, 64, 4096, len(content))))
    return content[:end] + content[begin:end] + content[end:], "double"


def _noise(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    kept = content[: random_.choice((0, 4, 12, 64))]
    return kept + random_.randbytes(random_.choice((0, 1, 100, 10_000))), "noise"


def _blank(random_: random.Random, content: bytes, head: int) -> tuple[bytes, str]:
    begin = random_.randrange(max(1, len(content)))
    end = min(len(content), begin + random_.choice((16, 512, 8192)))
    return content[:begin] + bytes(end - begin) + content[end:], "blank"


WAYS: tuple[Callable[[random.Random, bytes, int], tuple[bytes, str]], ...] = (
    *(_flip, _flip, _overwrite, _overwrite, _cut, _cut),
    *(_drop, _insert, _double, _noise, _blank),
)


def places_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all leaves and branches of plain values."""
    if path:
        yield path
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from places_of(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:5]):
            yield from places_of(item, (*path, number))


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Plain values with another one at a place."""
    if not path:
        return by
    copy = dict(value) if isinstance(value, Mapping) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], by)
    return copy


def spoil_values(random_: random.Random, value: Any) -> tuple[Any, str]:
    """Plain values with one replaced by a nasty one, taken away, or put under another name."""
    path = random_.choice(list(places_of(value)))
    name = ".".join(map(str, path))
    way = random_.random()
    if way < 0.75:
        by = random_.choice(NASTY)
        return replaced(value, path, by), f"{name} = {str(by)[:20]!r}"
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    if isinstance(parent, Mapping):
        rest = {key: item for key, item in parent.items() if key != path[-1]}
        if way < 0.9:
            rest[f"{path[-1]}x"] = parent[path[-1]]
        return replaced(value, path[:-1], rest), f"{name} away or renamed"
    return replaced(value, path[:-1], [*parent, *parent]), f"{name} doubled"


def json_text(value: Any) -> str:
    """JSON, with NaN and infinity as Python writes them; lone surrogates as escapes."""
    return json.dumps(value, ensure_ascii=True)


def toml_text(value: Mapping[str, Any]) -> str:
    """A recipe of plain values as TOML, all tables inline; null as the text null, which TOML has not."""
    return "".join(f"{_key(key)} = {_toml(item)}\n" for key, item in value.items())


def _key(key: Any) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return "null" if value is None else json.dumps(str(value), ensure_ascii=True)
