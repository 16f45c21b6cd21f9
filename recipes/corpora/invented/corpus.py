"""Languages that nobody speaks: real phonemes, random words, and a random alphabet with random rules of spelling.

Each is drawn from (seed, index) alone. A voice of espeak-ng, its host, says the phonemes; Czech and Slovak, and what is
built on them, are never hosts. The text of a clip is what the language's orthography writes; its phones are those that
espeak-ng says it said, which may differ a little from those of the words: hosts have rules of their own.

The code is `x-inv-SEED-INDEX`, a private-use tag of BCP 47 (RFC 5646, section 2.2.7: all that follows `x-` has the
meaning that its users agree on), which no registered language can ever have. The seed is part of it, so that corpora
of different seeds can be put together.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from itertools import count as numbers
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from earful.data.manifest import Manifest
from earful.data.synthesis.script import Amount, Clip, check_suffix, seed_of
from earful.data.synthesis.sentences import LEAST_WORDS, MOST_WORDS, random_marks
from earful.data.synthesis.speak import LeftOut, Progress, cores, speak_script
from earful.data.synthesis.voices import random_voice
from earful.errors import SynthesisError
from earful.writing import replacing
from recipes.corpora.invented.draws import Weighted, one, whole
from recipes.corpora.invented.orthography import Orthography, random_orthography, spell
from recipes.corpora.invented.phonemes import HOSTS, Sound, known_sounds
from recipes.corpora.invented.phonology import Phonology, Word, lexicon, random_phonology

NAME = "languages.jsonl"
_RULES = 1  # of drawing a language; another number where the same code would come to mean another language
_MOST = 99_999_999  # a part of a tag has at most 8 characters


@dataclass(frozen=True)
class InventedLanguage:
    """A language: who says it, how it sounds and how it is written."""

    seed: int
    index: int
    host: str
    phonology: Phonology
    orthography: Orthography

    @property
    def code(self) -> str:
        """Its tag."""
        return code_of(self.seed, self.index)

    @cached_property
    def words(self) -> Weighted[tuple[Word, str]]:
        """The lexicon, with spellings."""
        generator = _generator(self.seed, self.index, "words")
        words = lexicon(self.phonology, generator)
        return Weighted(tuple((word, spell(word, self.orthography, generator)) for word in words.items), words.sums)

    def sentence(self, generator: torch.Generator) -> tuple[str, str]:
        """3 to 12 words by Zipf's law: as they are written, and as espeak-ng reads them."""
        words = [self.words.draw(generator) for _ in range(whole(LEAST_WORDS, MOST_WORDS, generator))]
        marks = random_marks(len(words), generator)
        text = " ".join(spelling + mark for (_, spelling), mark in zip(words, marks, strict=True))
        said = " ".join(f"[[{word.said}]]{mark}" for (word, _), mark in zip(words, marks, strict=True))
        return text, said

    def about(self) -> dict[str, Any]:
        """What the language is, as JSON: a spelling is its usual letters, and perhaps others and where they stand."""
        spellings = {ipa: [part for part in astuple(s) if part] for ipa, s in self.orthography.spellings.items()}
        known = {"language": self.code, "host": self.host, "script": self.orthography.script}
        written = {"depth": round(self.orthography.depth, 3), "letters": "".join(sorted(self.orthography.letters))}
        return known | written | {"spellings": spellings}


def invent_corpus(
    count: int,
    out: str | Path,
    *,
    hours: float | None = None,
    clips: int | None = None,
    not_hosts: Collection[str] = (),
    seed: int = 0,
    workers: int | None = None,
    suffix: str = ".flac",
    progress: Progress | None = None,
    asking: Callable[[int, int], None] | None = None,
) -> tuple[Manifest, LeftOut]:
    """Invent `count` languages and speak `hours` (or `clips`) in all, shared evenly; return manifest and left out.

    Files and resuming are as in `speak_corpus`; OUT/languages.jsonl tells what each language is. Languages whose host
    is among `not_hosts` are skipped: the others keep their codes. `asking(done, total)` counts the hosts whose phonemes
    are known.

    Raises SynthesisError for a count, an amount or a seed that is out of range, hosts that there are not, a folder
    spoken with other settings, no space left.

    >>> manifest, left_out = invent_corpus(200, "invented", hours=5)  # doctest: +SKIP
    """
    workers = cores() if workers is None else workers
    amount = _amount(hours, clips)
    check_suffix(suffix)
    hosts = hosts_of(count, seed, not_hosts)
    if amount.hours is None and int(amount.total) < len(hosts):
        raise SynthesisError(f"clips is {clips}, must be at least one for each of the {count} languages")
    sounds = known_sounds(sorted(set(hosts.values())), workers, asking)
    script = InventedScript(Path(out), hosts, sounds, amount, seed, suffix)
    found = speak_script(script, workers, progress)
    _write_about(script)
    return found


def hosts_of(count: int, seed: int = 0, not_hosts: Collection[str] = ()) -> dict[int, str]:
    """The hosts of the first `count` languages of a seed, by index, without those that a host in `not_hosts` would say.

    Raises SynthesisError for a count or seed out of range, unknown hosts, or if none is left.
    """
    if not 1 <= count <= _MOST:
        raise SynthesisError(f"count is {count}, must be 1 or more languages")
    if not 0 <= seed <= _MOST:
        raise SynthesisError(f"seed is {seed}, must be between 0 and {_MOST}: it is part of the languages' codes")
    if unknown := sorted(set(not_hosts) - set(HOSTS)):
        raise SynthesisError(f"{', '.join(unknown)}: no such host; hosts are {', '.join(HOSTS)}")
    if set(not_hosts) >= set(HOSTS):
        raise SynthesisError("all hosts are left out; leave in one or more")
    drawn = ((index, one(HOSTS, _generator(seed, index, "host"))) for index in numbers())
    return dict(islice(((index, host) for index, host in drawn if host not in not_hosts), count))


def code_of(seed: int, index: int) -> str:
    """The language's tag.

    >>> code_of(0, 7)
    'x-inv-0-0007'
    """
    return f"x-inv-{seed}-{index:04d}"


@lru_cache(maxsize=4)
def invent_language(seed: int, index: int, host: str, sounds: tuple[Sound, ...]) -> InventedLanguage:
    """The language of this seed and index, which depends on them and on the sounds of its host alone.

    >>> host = hosts_of(1, seed=0)[0]
    >>> invent_language(0, 0, host, known_sounds([host])[host]).code  # doctest: +SKIP
    'x-inv-0-0000'
    """
    generator = _generator(seed, index, "language")
    phonology = random_phonology(sounds, generator)
    return InventedLanguage(seed, index, host, phonology, random_orthography(phonology.inventory, generator))


@dataclass(frozen=True)
class InventedScript:
    """What a corpus of invented languages will say; `hosts` by index, `sounds` by host."""

    out: Path
    hosts: Mapping[int, str]
    sounds: Mapping[str, tuple[Sound, ...]]
    amount: Amount
    seed: int = 0
    suffix: str = ".flac"
    exclude: tuple[str, ...] = ()

    @property
    def languages(self) -> tuple[str, ...]:
        """Their codes."""
        return tuple(code_of(self.seed, index) for index in self.hosts)

    def language(self, code: str) -> InventedLanguage:
        """The language with this code."""
        index = int(code.rsplit("-", 1)[1])
        return invent_language(self.seed, index, self.hosts[index], self.sounds[self.hosts[index]])

    def goal(self, language: str) -> float:
        """This language's part of the amount."""
        return self.amount.part(self.languages.index(language), len(self.hosts))

    def list(self, language: str) -> Iterator[Clip]:
        """The language's clips, without end; each depends on the language and its number alone."""
        invented = self.language(language)
        for number in numbers():
            seed = seed_of(language, number)
            generator = torch.Generator().manual_seed(seed)
            voice = random_voice(invented.host, generator)
            text, said = invented.sentence(generator)
            id = f"{language}-{number:06d}"
            yield Clip(id, text, language, voice, seed, self.out / language / f"{id}{self.suffix}", said)

    def settings(self) -> dict[str, Any]:
        """What the sound of a clip depends on; count and amount may differ from run to run."""
        return {
            "invented": _RULES,
            "seed": self.seed,
            "suffix": self.suffix,
            "espeakng-loader": version("espeakng-loader"),
        }


def _amount(hours: float | None, clips: int | None) -> Amount:
    if hours is None and clips is None:
        raise SynthesisError("how much to speak is missing; give hours or clips")
    return Amount(hours, clips)


def _generator(seed: int, index: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of("invented", _RULES, seed, index, purpose))


def _write_about(script: InventedScript) -> None:
    lines = [json.dumps(script.language(code).about(), ensure_ascii=False) + "\n" for code in script.languages]
    path = script.out / NAME
    try:
        with replacing(path) as beside:
            beside.write_text("".join(lines), "utf-8", newline="\n")
    except OSError as error:
        raise SynthesisError(
            f"{path}: cannot write: {error.strerror}; free some space or choose another folder"
        ) from error
