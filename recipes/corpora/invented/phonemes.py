"""The phonemes of espeak-ng's voices: their names, which its data file lists, and what they are in IPA.

espeak-ng keeps for each voice a table of phonemes with short ASCII names (`tS`, `A:`), and says what is written with
them between [[ and ]]. Their IPA names come out of small programs that depend on the neighbours; so they are asked for:
one utterance says every phoneme in a few places, and what keeps its name there is a `Sound`.
"""

import re
import struct
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from earful.data.synthesis.languages import find_language, loader
from earful.data.synthesis.speech import SILENCE, Voice
from earful.data.synthesis.workers import Workers
from earful.errors import SynthesisError

# Natural languages without tones, one for each phoneme table. Czech is what earful's final figures are measured on, and
# no table of these is Czech's or Slovak's, or built on them as those of Croatian, Bosnian, Serbian and Macedonian are.
HELD_OUT = ("cs", "sk")
# fmt: off
HOSTS = (
    "af", "am", "ar", "az", "ba", "be", "bg", "bn", "ca", "cv", "cy", "da", "de", "el", "en", "en-us", "es", "et", "eu",
    "fa", "fi", "fr", "ga", "gd", "gn", "gu", "haw", "he", "hi", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "kn",
    "ko", "kok", "ku", "ky", "lb", "lt", "lv", "mi", "ml", "mr", "mt", "mto", "nb", "ne", "nl", "om", "or", "pl", "pt",
    "pt-br", "qu", "quc", "ro", "ru", "si", "smj", "sq", "sv", "sw", "ta", "te", "ti", "tk", "tn", "tr", "tt", "ug",
    "uk", "ur", "uz",
)
# fmt: on

VOWEL, LIQUID, NASAL, FRICATIVE, STOP = "vowel", "liquid", "nasal", "fricative", "stop"
_KINDS = {2: VOWEL, 3: LIQUID, 4: STOP, 5: STOP, 6: FRICATIVE, 7: FRICATIVE, 8: NASAL}  # espeak-ng's phoneme.h

# espeak-ng's IPA has odd names among the sound ones (`r.`, `ɣ^`, `oenɡ`): only what the IPA writes is taken. Its
# glottal stop is a pause and nothing else, which no recogniser could tell from other pauses.
_VOWEL_IPA = re.compile(r"[iyɨʉɯuɪʏʊeøɘɵɤoəɛœɜɞʌɔæɐaɶɑɒ]{1,2}ː?\u0303?")
_CONSONANT_IPA = re.compile(
    r"(ts|dz|tʃ|dʒ|tɕ|dʑ|ʈʂ|ɖʐ|pf|[pbtdʈɖcɟkɡqɢmɱnɳɲŋɴrɾɽʀfvɸβθðszʃʒɕʑʂʐçʝxɣχʁħʕhɦɬɭlʎɫjwʍɥʋɹɻɓɗ])[ʰʲʷˤ\u032a]?"
)
_SHARED = ("base", "base1", "base2", "consonants")  # the tables that languages are built on
_FRAME = "m|'a|m|a|m"  # said between the phonemes that are asked for, so that pauses within one do not move the others

Ask = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class Sound:
    """A phoneme that a voice says: espeak-ng's `name`, its `ipa` and its `kind`.

    `own`: it was made for this language or its family, not for all. `closes`: it keeps its IPA at the end of a word,
    which voiced consonants do not in Dutch or Russian.
    """

    name: str
    ipa: str
    kind: str
    own: bool
    closes: bool


def known_sounds(
    hosts: Iterable[str], workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> dict[str, tuple[Sound, ...]]:
    """The sounds of each host. Raises SynthesisError where espeak-ng is missing or a voice cannot be asked.

    >>> [sound.ipa for sound in known_sounds(["nl"])["nl"]][:3]  # doctest: +SKIP
    ['ə', 'r', 'a']
    """
    hosts = tuple(hosts)
    found = {}
    with Workers(workers) as pool:
        for host, sounds in pool.in_order(lambda host: host_sounds(host, pool.ask), hosts):
            found[host] = sounds
            if progress:
                progress(len(found), len(hosts))
    return found


def host_sounds(host: str, ask: Ask) -> tuple[Sound, ...]:
    """The sounds of a voice of espeak-ng, each IPA symbol once; `ask` has a worker do a job (see `worker.serve`).

    Raises SynthesisError for Czech, Slovak and what is built on them, and where espeak-ng does not answer.
    """
    table = find_language(host).phonemes
    if held_out := [name for name in (host, *lineage(table)) if name in HELD_OUT]:
        raise SynthesisError(f"{host} is said with phonemes of {held_out[0]}, which is held out; choose another host")
    names = _names(table)
    probes = [probe for name, (kind, _) in names.items() for probe in _probes(name, kind)]
    text = ", ".join(f"[[{word}]]" for probe in probes for word in (_FRAME, probe)) + f", [[{_FRAME}]]."
    answer = ask({"text": text, "voice": asdict(Voice(host)), "seed": 0, "path": None, "phonemes": True}) or {}
    heard = list(_between_frames(answer.get("phones", ())))
    if len(heard) != len(probes):
        reason = answer.get("error") or answer.get("left_out") or f"{len(heard)} of {len(probes)} answers"
        raise SynthesisError(
            f"espeak-ng does not tell its phonemes of {host} ({reason}); leave it out with --not-host {host}"
        )
    replies = dict(zip(probes, heard, strict=True))
    sounds = [sound for name in names if (sound := _sound(name, *names[name], replies))]
    chosen: dict[str, Sound] = {}
    for sound in sorted(sounds, key=lambda sound: not sound.own):
        chosen.setdefault(sound.ipa, sound)  # of two names of one sound the voice's own, or else the first
    return tuple(chosen.values())


@dataclass(frozen=True)
class Table:
    """A phoneme table of espeak-ng: kinds of its own phonemes by name, and the table that it is built on ("": none)."""

    kinds: Mapping[str, str | None]
    parent: str


@lru_cache(maxsize=1)
def tables() -> dict[str, Table]:
    """All phoneme tables by name, read from espeak-ng's file `phontab` (its layout: espeak-ng's synthdata.c).

    One byte counts the tables. Each has the number of its phonemes and of the table it includes, a name of 32 bytes,
    and 16 bytes a phoneme, of which the first 4 are the name and the 12th is the type.
    """
    path = Path(loader().get_data_path()) / "phontab"
    try:
        data = path.read_bytes()
        rows = list(_rows(data))
    except (OSError, IndexError, struct.error) as error:
        raise SynthesisError(
            f"{path}: espeak-ng's phoneme tables cannot be read ({error}); install it again"
        ) from error
    names = ["", *(name for name, _, _ in rows)]
    return {name: Table(kinds, names[parent]) for name, parent, kinds in rows}


def lineage(table: str) -> tuple[str, ...]:
    """A table and those that it is built on, itself first. Raises SynthesisError if espeak-ng has no such table."""
    if table not in tables():
        raise SynthesisError(f"espeak-ng has no phoneme table {table!r}; choose another host")
    parent = tables()[table].parent
    return (table, *(lineage(parent) if parent else ()))


def is_front(ipa: str) -> bool:
    """Whether a vowel begins at the front of the mouth, before which letters often change their sound."""
    return ipa[0] in "iyɪʏeøɛœæ"


def _rows(data: bytes) -> Iterator[tuple[str, int, dict[str, str | None]]]:
    place = 4
    for _ in range(data[0]):
        count, parent, name = struct.unpack_from("BB2x32s", data, place)
        place += 36
        phonemes = [struct.unpack_from("4s7xB4x", data, place + 16 * number) for number in range(count)]
        place += 16 * count
        yield _text(name), parent, {_text(phoneme): _KINDS.get(kind) for phoneme, kind in phonemes}


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("utf-8", errors="ignore")


def _names(table: str) -> dict[str, tuple[str, bool]]:
    """The names that a table knows, with the kind and whether it is not shared by all. Marks and tones are left out."""
    kinds: dict[str, tuple[str | None, bool]] = {}
    for name in reversed(lineage(table)):
        kinds |= {phoneme: (kind, name not in _SHARED) for phoneme, kind in tables()[name].kinds.items()}
    return {phoneme: (kind, own) for phoneme, (kind, own) in kinds.items() if kind and not set(phoneme) & set("|[] '")}


def _probes(name: str, kind: str) -> tuple[str, ...]:
    """The words that tell what a phoneme is: stressed and not; first, between vowels, and a consonant also last."""
    return (f"m|'{name}|m|{name}",) if kind == VOWEL else (f"{name}|'a|{name}|a", f"m|'a|{name}")


def _between_frames(phones: Sequence[tuple[str, float]]) -> Iterator[list[str]]:
    """What was said between two frames, if it is one word; otherwise nothing (a voice that pauses within it)."""
    symbols = (symbol for symbol, _ in phones)
    words = [list(word) for silent, word in groupby(symbols, key=lambda symbol: symbol == SILENCE) if not silent]
    if not words:
        return
    said: list[list[str]] = []
    for word in words[1:]:
        if word != words[0]:
            said.append(word)
            continue
        yield said[0] if len(said) == 1 else []
        said = []


def _sound(name: str, kind: str, own: bool, replies: Mapping[str, list[str]]) -> Sound | None:
    """The phoneme as a sound, if it is one phone, the same in all places, with a name of the IPA."""
    first, *final = (replies[probe] for probe in _probes(name, kind))
    places = (1, 3) if kind == VOWEL else (0, 2)
    form = _VOWEL_IPA if kind == VOWEL else _CONSONANT_IPA
    if len(first) != 4 or first[places[0]] != first[places[1]]:
        return None
    ipa = first[places[0]]
    if not form.fullmatch(unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç")):
        return None
    return Sound(name, ipa, kind, own, all(len(word) == 3 and word[2] == ipa for word in final))
