"""What a synthetic corpus will say: for each language a list of sentences, each with its voice, that the seed fixes."""

import hashlib
import itertools
import json
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from earful.data.synthesis.languages import find_language
from earful.data.synthesis.sentences import random_sentence
from earful.data.synthesis.speech import Voice
from earful.data.synthesis.voices import random_voice
from earful.data.synthesis.words import list_name, load_words
from earful.errors import SynthesisError

SUFFIXES = (".flac", ".wav")


@dataclass(frozen=True)
class Clip:
    """One sentence to be said, and where the sound goes; `said` is what espeak-ng reads, if not the text itself."""

    id: str
    text: str
    language: str
    voice: Voice
    seed: int
    path: Path
    said: str | None = None

    @property
    def job(self) -> dict[str, Any]:
        """What a worker needs to know."""
        job = {"text": self.text, "voice": asdict(self.voice), "seed": self.seed, "path": str(self.path)}
        return job if self.said is None else job | {"text": self.said, "phonemes": True}


@dataclass(frozen=True)
class Amount:
    """How much to speak in all: `hours` or `clips`. Raises SynthesisError for both at once, and for 0 or less."""

    hours: float | None = None
    clips: int | None = None

    def __post_init__(self) -> None:
        if self.hours is not None and self.clips is not None:
            raise SynthesisError("both hours and clips given; give one of them")
        for name, amount in (("hours", self.hours), ("clips", self.clips)):
            if amount is not None and not (math.isfinite(amount) and amount > 0):
                raise SynthesisError(f"{name} is {amount}, must be > 0")

    @property
    def total(self) -> float:
        """In seconds if hours were given, else in clips."""
        return self.hours * 3600 if self.hours is not None else self.clips or 0

    def part(self, place: int, parts: int) -> float:
        """The part with this place of equal ones, in the unit of `total`; clips are not cut."""
        if self.hours is not None:
            return self.total / parts
        whole, rest = divmod(int(self.total), parts)
        return whole + (place < rest)


@dataclass(frozen=True)
class Script:
    """The arguments of `speak_corpus`, checked. Raises SynthesisError for those that do not fit together."""

    out: Path
    languages: tuple[str, ...]
    hours: float | None = None
    clips: int | None = None
    sentences: Sequence[str] | None = None
    invented: float = 0.0
    exclude: Collection[str] = ()
    seed: int = 0
    suffix: str = ".flac"

    def __post_init__(self) -> None:
        if not self.languages:
            raise SynthesisError("no language given; name one or more, such as nl or en-us")
        for language in self.languages:
            find_language(language)
        Amount(self.hours, self.clips)
        if self.sentences is None and self.hours is None and self.clips is None:
            raise SynthesisError("how much to speak is missing; give hours or clips, or a text to be said once")
        if self.sentences is not None and len(self.languages) > 1:
            raise SynthesisError(f"a text has one language, got {', '.join(self.languages)}; speak them one by one")
        if not 0 <= self.invented <= 1:
            raise SynthesisError(f"invented is {self.invented}, must be between 0 and 1: the fraction of made-up words")
        check_suffix(self.suffix)
        for language in self.languages if self.sentences is None else ():
            list_name(language)  # one without a list is found out before a folder is there

    @property
    def amount(self) -> Amount:
        """How much in all; a text is said once if nothing else was asked for."""
        once = self.hours is None and self.clips is None and self.sentences
        return Amount(clips=len(self.sentences or ())) if once else Amount(self.hours, self.clips)

    def goal(self, language: str) -> float:
        """This language's part of the amount."""
        return self.amount.part(self.languages.index(language), len(self.languages))

    def list(self, language: str) -> Iterator[Clip]:
        """The language's clips: a text's sentences once if no amount was given, otherwise without end."""
        once = self.hours is None and self.clips is None
        for number in range(len(self.sentences or ())) if once else itertools.count():
            yield self.clip(language, number)

    def clip(self, language: str, number: int) -> Clip:
        """The clip with this number: it depends on the seed, the language and the number alone."""
        seed = seed_of(self.seed, language, number)
        generator = torch.Generator().manual_seed(seed)
        voice = random_voice(language, generator)
        if self.sentences is None:
            text = random_sentence(load_words(language), generator, self.invented)
        else:
            text = self.sentences[number % len(self.sentences)]
        id = f"{language}-{number:06d}"
        return Clip(id, text, language, voice, seed, self.out / language / f"{id}{self.suffix}")

    def settings(self) -> dict[str, Any]:
        """What the sound of a clip depends on; languages and amounts may differ from run to run."""
        words = {} if self.sentences is not None else {"wordfreq": version("wordfreq")}
        text = _digest(self.sentences) if self.sentences is not None else None
        given = {"seed": self.seed, "invented": self.invented, "suffix": self.suffix}
        return given | words | {"text": text, "exclude": _digest(sorted(self.exclude))}


def seed_of(*parts: object) -> int:
    """A seed of 56 bits that depends on the parts alone."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big")


def check_suffix(suffix: str) -> None:
    """Raise SynthesisError if clips cannot be written in this form."""
    if suffix not in SUFFIXES:
        raise SynthesisError(f"suffix is {suffix!r}, must be {' or '.join(SUFFIXES)}")


def _digest(sentences: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(sentences)).encode()).hexdigest()[:16]
