"""TOML and JSON ↔ frozen dataclasses: an unknown key is named, and the nearest known one offered."""

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from earful.errors import ConfigError, EarfulError
from earful.reading import read_whole

T = TypeVar("T")
MOST = 10**15
"""Larger numbers are typing errors: no setting is so large, and sizes would fill any memory."""
INFINITE = ("clip_norm",)
"""Settings that may be infinite, which means no limit."""
MOST_SEED = 2**32 - 1


def read_toml(cls: type[T], path: str | Path) -> T:
    """Read the TOML file `path` into the dataclass `cls`.

    If `cls` has a method `unused(given)`, it gets the file's plain values, and names a given key that has no effect.

    Raises:
        ConfigError: naming the file, and the line or the key.
    """
    import tomllib  # most commands read none

    path = Path(path)
    try:
        mapping = tomllib.loads(read_whole(path).decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such recipe; give the path of a TOML file") from None
    except OSError as error:
        raise ConfigError(f"{path}: the recipe cannot be read: {error.strerror}; give a UTF-8 TOML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the recipe cannot be read ({error}); give a UTF-8 TOML file") from error
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, brackets without end
        raise ConfigError(f"{path}: not valid TOML: {error}; correct the file") from error
    made = from_mapping(cls, mapping, str(path))
    unused = getattr(made, "unused", None)
    if unused and (said := unused(mapping)):
        raise ConfigError(f"{path}: {said}")
    return made


def from_mapping(cls: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Build the dataclass `cls`, nested dataclasses included, from plain values.

    `where` opens every message: the file, and then the path of keys inside it.

    Raises:
        ConfigError: a key that is unknown (with the nearest known one), missing, or of the wrong type.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where}: expected a table of settings, got {_show(mapping)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key {key!r}; {_offer(key, fields)}")
    hints = typing.get_type_hints(cls)
    for name, field in fields.items():
        if name not in mapping and _is_required(field):
            raise ConfigError(f"{where}: the key {name!r} is missing; add it")
    values = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in mapping.items()}
    try:
        return cls(**values)
    except EarfulError as error:
        raise ConfigError(f"{where}: {error}") from error


def to_mapping(value: Any) -> Any:
    """Plain values (dict, list, str, numbers) of a dataclass, for JSON; `from_mapping` reads them back."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_mapping(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_mapping(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_mapping(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def check_seed(seed: int) -> int:
    """The seed itself. Raises ConfigError for a seed that random generators do not accept."""
    if not 0 <= seed <= MOST_SEED:
        raise ConfigError(f"seed is {_show(seed)}, must be a whole number from 0 to {MOST_SEED}")
    return seed


def finite(value: Any) -> Any:
    """Plain values with null for NaN and infinity, which JSON does not have, at all levels.

    >>> finite({"cer": float("nan"), "rates": (0.5, 1)})
    {'cer': None, 'rates': [0.5, 1]}
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _offer(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"the known keys are {', '.join(sorted(known))}"


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(arguments, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: expected one of {', '.join(map(repr, arguments))}, got {_show(value)}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: expected a list, got {_show(value)}")
        kinds = [arguments[0]] * len(value) if arguments[1:] == (...,) else list(arguments)
        if len(kinds) != len(value):
            raise ConfigError(f"{where}: expected {len(kinds)} values, got {len(value)}")
        return tuple(
            _convert(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table, got {_show(value)}")
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, where)  # type: ignore[arg-type]
    return _convert_plain(hint, value, where)


def _convert_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    rest = [kind for kind in kinds if kind is not type(None)]
    if isinstance(value, Mapping) and (named := {kind: names for kind in rest if (names := _kinds_of(kind))}):
        if "kind" in value:
            return _convert(_meant(value["kind"], named, rest, where), value, where)
        rest = [kind for kind in rest if kind not in named] or rest
    for kind in rest[:-1]:
        try:
            return _convert(kind, value, where)
        except ConfigError:
            continue
    return _convert(rest[-1], value, where)


def _kinds_of(cls: Any) -> tuple[str, ...]:
    """The possible `kind`s of a table that becomes the dataclass `cls`; none if it has no such key."""
    if not dataclasses.is_dataclass(cls):
        return ()
    kinds = typing.get_type_hints(cls).get("kind")
    return typing.get_args(kinds) if typing.get_origin(kinds) is typing.Literal else ()


def _meant(kind: Any, named: Mapping[Any, tuple[str, ...]], all_of: list[Any], where: str) -> Any:
    """The dataclass of this kind: errors are then about that class."""
    if found := next((cls for cls, kinds in named.items() if kind in kinds), None):
        return found
    known = ", ".join(repr(each) for kinds in named.values() for each in kinds)
    none = ", or none" if len(named) < len(all_of) else ""
    raise ConfigError(f"{where}: kind: expected one of {known}{none}, got {_show(kind)}")


def _convert_plain(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is Path and isinstance(value, str):
        return _path(value, where)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    endless = value == math.inf and where.endswith(INFINITE)
    if number and hint in (int, float) and not -MOST <= value <= MOST and not endless:  # NaN, too
        raise ConfigError(f"{where}: expected {_KIND[hint]} of at most {MOST:g}, got {_show(value)}")
    if hint is float and number:
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: expected {_KIND.get(hint, hint.__name__)}, got {_show(value)}")
    return value


def _path(value: str, where: str) -> Path:
    if not value or "\0" in value:
        raise ConfigError(f"{where}: expected the path of a file or folder, got {_show(value)}")
    return Path(value)


_KIND = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false", Path: "a path"}


def _show(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # a number of thousands of digits
        text = f"a {type(value).__name__} too long to be shown"
    return text if len(text) <= 60 else text[:57] + "…"
