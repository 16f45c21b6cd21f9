"""The languages and voice variants that espeak-ng's data folder holds, read from its files (no C code runs)."""

import difflib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from earful.errors import SynthesisError, install
from earful.text.languages import canonical, shortened, tag_of
from earful.text.pinyin import is_mandarin

REMEDY = install("speak")

# Robots, monsters, whispering and creaking: not what people who record clips sound like.
_UNNATURAL = ("robo", "robot", "demonic", "whisper", "croak", "fast", "serious")


@dataclass(frozen=True)
class Language:
    """A language of espeak-ng: `code` is how people name it ("en-us"), `file` how espeak-ng finds it ("gmw/en-US").

    `phonemes` is the name of its phoneme table.
    """

    code: str
    name: str
    file: str
    aliases: tuple[str, ...]
    phonemes: str


def loader() -> Any:
    """The module `espeakng_loader`. Raises SynthesisError that says how to install it."""
    try:
        return importlib.import_module("espeakng_loader")
    except ImportError as error:
        what = "speaking needs the package espeakng-loader, which is not installed"
        raise SynthesisError(f"{what}; run: {REMEDY}") from error


@lru_cache(maxsize=1)
def languages() -> tuple[Language, ...]:
    """All languages of espeak-ng, sorted by code. Raises SynthesisError where espeak-ng is not installed."""
    folder = Path(loader().get_data_path()) / "lang"
    found = [_read(path, path.relative_to(folder).as_posix()) for path in folder.rglob("*") if path.is_file()]
    if not found:
        raise SynthesisError(f"{folder}: expected espeak-ng's language files, found none; run: {REMEDY}")
    return tuple(sorted(found, key=lambda language: language.code))


def find_language(name: str) -> Language:
    """The language by espeak-ng's own code, or by any other code or name; without country or script where it has none.

    Raises SynthesisError that names the nearest ones.

    >>> find_language("fr").name, find_language("Icelandic").code, find_language("sr-Latn-RS").code  # doctest: +SKIP
    ('French (France)', 'is', 'sr')
    """
    table = _table()
    language = table.get(name.lower()) or next((table[tag] for tag in _tags(name) if tag in table), None)
    if language is None:
        near = nearest(name)
        hint = f"near it: {', '.join(near)}" if near else f"among them: {', '.join(list(table)[:8])} …"
        raise SynthesisError(f"espeak-ng has no language {name!r}; it has {len(languages())}, {hint}")
    return language


def code_of(name: str) -> str:
    """A code by which espeak-ng knows a language: as it is given, where that is one. Raises as `find_language`."""
    return name if name.lower() in _table() else find_language(name).code


def nearest(name: str, most: int = 4) -> tuple[str, ...]:
    """Codes of espeak-ng whose spelling, or name, is near; the codes first."""
    sought = name.lower()
    names = {entry.name.lower(): entry.code for entry in reversed(languages())}
    near = difflib.get_close_matches(sought, _table(), n=most, cutoff=0.5)
    alike = difflib.get_close_matches(sought, names, n=most, cutoff=0.7)
    holding = [known for known in names if sought and sought in known][:most]
    return tuple(dict.fromkeys([*near, *(names[known] for known in (*alike, *holding))]))


def _tags(name: str) -> list[str]:
    """What espeak-ng may know a language by, the most exact first; Chinese that is not Mandarin is not taken for it."""
    if is_mandarin(name):
        return [canonical(name).lower(), "cmn"]
    tags = shortened(canonical(name).lower())
    return [tag for tag in tags if tag != "zh"]


@lru_cache(maxsize=1)
def variants() -> tuple[str, ...]:
    """The names of the voice variants that sound like people, sorted; "" (the plain voice) is not among them."""
    folder = Path(loader().get_data_path()) / "voices" / "!v"
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return tuple(name for name in names if not any(word in name.lower() for word in _UNNATURAL))


def _read(path: Path, file: str) -> Language:
    lines = [line.split("//")[0].split() for line in path.read_text("utf-8", errors="replace").splitlines()]
    name = next((" ".join(words[1:]) for words in lines if words[:1] == ["name"]), path.name)
    codes = [words[1].lower() for words in lines if words[:1] == ["language"] and len(words) > 1]
    base = path.name.lower()
    # the file's name where people use it (fr, not fr-fr), else the first code
    code = base if base in codes or not codes else codes[0]
    table = next((words[1] for words in lines if words[:1] == ["phonemes"] and len(words) > 1), "")
    phonemes = table or next(iter(codes), base).split("-")[0]  # as espeak-ng's voices.c has it
    return Language(code, name, file, tuple(dict.fromkeys([*codes, base])), phonemes)


@lru_cache(maxsize=1)
def _table() -> dict[str, Language]:
    """Codes to languages: a language's own code wins over another's alias, and both over what they are elsewhere."""
    own = {language.code: language for language in reversed(languages())}
    written = dict(_aliases()) | own
    elsewhere = {tag.lower(): language for code, language in own.items() if (tag := tag_of(code))}
    return elsewhere | written


def _aliases() -> Iterator[tuple[str, Language]]:
    for language in reversed(languages()):
        yield from ((alias, language) for alias in language.aliases)
