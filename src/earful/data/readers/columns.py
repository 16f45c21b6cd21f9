"""Which columns of a data set hold sound, text and the rest, by what `datasets` says of them, their types and names.

Format: Hugging Face, "Datasets: Features": JSON under "huggingface" in the metadata of the schema.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from earful.data.finding import listed
from earful.data.manifest import KEYS
from earful.data.readers.table import COLUMNS, roles_of
from earful.errors import ManifestError

Kind = Literal["text", "number", "bytes", "sound", "samples", "other"]


class Columns(NamedTuple):
    """The column of sound; those of text, speaker and so on, by what they are; others whose values JSON has.

    `names` are those of the values of a column of classes, which holds their numbers.
    """

    audio: str
    roles: Mapping[str, str]
    extra: tuple[str, ...]
    names: Mapping[str, list[str]]

    @property
    def all(self) -> list[str]:
        """Each column that is read, once."""
        return list(dict.fromkeys((self.audio, *self.roles.values(), *self.extra)))


def columns_of(file: Path, schema: Any) -> Columns:
    """Tell the columns of a file apart. Raises ManifestError where there is none of sound, or none of text."""
    kinds = {name: kind_of(schema.field(name).type) for name in schema.names}
    features = _features(schema)
    audio = _audio(kinds, features)
    texts = dict(roles_of(_of(kinds, "text", but=audio)))
    if audio is None or "text" not in texts:
        lacks = "sound, a struct of bytes and path, or a path" if audio is None else "text"
        usual = listed(COLUMNS["audio" if audio is None else "text"], 4)
        there = listed([f"{name!r} ({schema.field(name).type})" for name in kinds], 8)
        raise ManifestError(f"{file}: no column of {lacks}; there are {there}; name it {usual}")
    plain = _of(kinds, "text", "number", but=audio)
    told = {role: name for role, name in roles_of(plain) if role not in ("audio", "text")} | {"text": texts["text"]}
    extra = tuple(name for name in plain if name not in (*told.values(), *KEYS))
    names = {name: each["names"] for name, each in features.items() if isinstance(each.get("names"), list)}
    return Columns(audio, told, extra, names)


def kind_of(type: Any) -> Kind:
    """What a column of this type of pyarrow's may hold."""
    import pyarrow as pa

    is_a = pa.types
    if is_a.is_dictionary(type):
        return kind_of(type.value_type)
    if is_a.is_string(type) or is_a.is_large_string(type) or is_a.is_string_view(type):
        return "text"
    if is_a.is_binary(type) or is_a.is_large_binary(type) or is_a.is_binary_view(type):
        return "bytes"
    if is_a.is_integer(type) or is_a.is_floating(type) or is_a.is_boolean(type):
        return "number"
    if is_a.is_struct(type):
        fields = {type.field(place).name for place in range(type.num_fields)}
        return "sound" if fields & {"bytes", "array"} else "other"
    return "samples" if is_a.is_list(type) or is_a.is_large_list(type) else "other"


def _of(kinds: Mapping[str, Kind], *wanted: Kind, but: str | None = None) -> list[str]:
    return [name for name, kind in kinds.items() if kind in wanted and name != but]


def _features(schema: Any) -> dict[str, Mapping[str, Any]]:
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return {name: each for name, each in found.items() if isinstance(each, dict)} if isinstance(found, dict) else {}


def _audio(kinds: Mapping[str, Kind], features: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What `datasets` calls Audio, or else a struct; of several, and where there is none, what has a usual name."""
    types = {name: features.get(name, {}).get("_type") for name in kinds}
    told = [name for name in kinds if types[name] == "Audio"]
    structs = [name for name in _of(kinds, "sound") if types[name] in (None, "Audio")]
    for candidates in (told, structs):
        if candidates:
            return dict(roles_of(candidates)).get("audio", candidates[0])
    return dict(roles_of(_of(kinds, "text", "bytes", "samples"))).get("audio")
