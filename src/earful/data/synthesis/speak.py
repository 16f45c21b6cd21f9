"""A synthetic corpus: sentences spoken into OUT/<language>/*.flac, and OUT/manifest.jsonl with text and phone times."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from earful.data.manifest import Manifest, write_manifest
from earful.data.synthesis.journal import Journal
from earful.data.synthesis.languages import code_of
from earful.data.synthesis.script import Amount, Clip, Script
from earful.data.synthesis.sentences import read_sentences
from earful.data.synthesis.workers import Answer, Workers
from earful.data.utterance import Utterance
from earful.errors import SynthesisError

CRASHED = "espeak-ng crashed or hung on it twice"
EXCLUDED = "excluded by the caller"
_PATIENCE, _LEAST_SHARE = 200, 0.02  # give up on a language if fewer of so many sentences can be said

LeftOut = dict[str, tuple[str, ...]]
Progress = Callable[[float, float], None]


class Scripted(Protocol):
    """What a corpus is spoken from: sentences of real languages (`script.Script`) or of invented ones."""

    @property
    def out(self) -> Path:
        """The folder."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Their codes."""

    @property
    def amount(self) -> Amount:
        """How much in all."""

    @property
    def exclude(self) -> Collection[str]:
        """Sentences never to be said."""

    def goal(self, language: str) -> float:
        """This language's part of the amount."""

    def list(self, language: str) -> Iterator[Clip]:
        """The language's clips, in order."""

    def settings(self) -> dict[str, Any]:
        """What the sound of a clip depends on."""


def speak_corpus(
    languages: Sequence[str],
    out: str | Path,
    *,
    hours: float | None = None,
    clips: int | None = None,
    text: str | Path | Sequence[str] | None = None,
    invented: float = 0.2,
    exclude: Collection[str] = (),
    seed: int = 0,
    workers: int | None = None,
    suffix: str = ".flac",
    progress: Progress | None = None,
) -> tuple[Manifest, LeftOut]:
    """Speak until there are `hours` (or `clips`) in all, shared evenly by the languages; return manifest and left out.

    Sentences are random words of the language, the fraction `invented` of them made up; or those of `text`, a file or
    the sentences themselves (one language only): each once if neither hours nor clips are given, else from the start
    again in other voices. The sentences in `exclude` are never said. A sentence with a word that espeak-ng takes for
    foreign is left out, and so is one that kills two workers; `LeftOut` lists ids by reason.

    An utterance's `extra` holds `phones`: [IPA without stress, start in seconds], "" for a pause. Equal arguments give
    equal files for any number of `workers` (default: the cores). Run again after an interruption, or with more
    hours, it keeps the clips that exist. `progress(done, total)` is called after each clip, in seconds, or in clips.

    Languages are given by any code or name; what is no code of espeak-ng's becomes one ("Icelandic" → "is").

    Raises SynthesisError for an unknown language, one without a word list, a folder spoken with other settings, no
    space left, a language in which hardly a sentence can be said.

    >>> manifest, left_out = speak_corpus(["nl", "de"], "spoken", hours=2)  # doctest: +SKIP
    """
    sentences = read_sentences(text) if isinstance(text, str | Path) else text
    names = tuple(dict.fromkeys(map(code_of, languages)))
    script = Script(Path(out), names, hours, clips, sentences, invented, frozenset(exclude), seed, suffix)
    return speak_script(script, cores() if workers is None else workers, progress)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def speak_script(script: Scripted, workers: int, progress: Progress | None = None) -> tuple[Manifest, LeftOut]:
    """Speak all languages of a script, write the manifest, and return it and what was left out; see `speak_corpus`."""
    outcomes: list[tuple[Clip, Answer]] = []
    with Workers(workers) as pool, Journal(script.out, script.settings()) as journal:
        speaker = _Speaker(script, pool, journal, progress)
        for language in script.languages:
            outcomes += speaker.outcomes(language)
    manifest = Manifest(tuple(_utterance(clip, answer) for clip, answer in outcomes if "phones" in answer))
    write_manifest(script.out / "manifest.jsonl", manifest)
    return manifest, _left_out(outcomes)


@dataclass
class _Speaker:
    """One run: the script, who carries it out, and how much is done."""

    script: Scripted
    pool: Workers
    journal: Journal
    progress: Progress | None
    done: float = 0.0

    def outcomes(self, language: str) -> Iterator[tuple[Clip, Answer]]:
        """Go through the language's clips, in order, until its goal is reached."""
        (self.script.out / language).mkdir(parents=True, exist_ok=True)
        goal, amount, tried, said = self.script.goal(language), 0.0, 0, 0
        if goal > 0:
            with closing(self.pool.in_order(self._say, self.script.list(language))) as answers:
                for clip, answer in answers:
                    self.journal.note(clip.id, answer)
                    yield clip, answer
                    tried, said = tried + 1, said + ("phones" in answer)
                    amount += self._count(answer)
                    if amount >= goal:
                        break
                    _check_share(language, tried, said, answer)
            self._drop_ahead(language, tried)
        if said == 0 and goal > 0:
            raise SynthesisError(f"none of the {tried} sentences could be said in {language}: {answer['left_out']}")

    def _say(self, clip: Clip) -> Answer:
        """Speak a clip, or find what became of it in an earlier run."""
        if clip.text in self.script.exclude:
            return {"left_out": EXCLUDED}
        known = self.journal.outcomes.get(clip.id)
        if known is not None and ("left_out" in known or clip.path.exists()):
            return known
        answer = self.pool.ask(clip.job) or {"left_out": CRASHED}
        if "error" in answer:
            raise SynthesisError(answer["error"])
        return answer

    def _count(self, answer: Answer) -> float:
        """Add an outcome to what is done, in the script's unit."""
        amount = (answer["duration"] if self.script.amount.hours is not None else 1) if "phones" in answer else 0
        self.done += amount
        if self.progress:
            total = self.script.amount.total
            self.progress(min(self.done, total), total)
        return float(amount)

    def _drop_ahead(self, language: str, tried: int) -> None:
        """Remove the clips that workers had begun beyond the goal."""
        for clip in islice(self.script.list(language), tried, tried + self.pool.ahead + 1):
            if clip.id not in self.journal.outcomes:
                clip.path.unlink(missing_ok=True)


def _check_share(language: str, tried: int, said: int, answer: Answer) -> None:
    if tried >= _PATIENCE and said < _LEAST_SHARE * tried:
        reason = answer.get("left_out", "see the journal")
        raise SynthesisError(
            f"only {said} of {tried} sentences could be said in {language} (the last one: {reason}); "
            "give text that espeak-ng can read with --text FILE"
        )


def _utterance(clip: Clip, answer: Answer) -> Utterance:
    return Utterance(
        id=clip.id,
        audio=clip.path,
        duration_s=answer["duration"],
        text=clip.text,
        language=clip.language,
        speaker=clip.voice.speaker,
        extra={"phones": answer["phones"]},
    )


def _left_out(outcomes: Sequence[tuple[Clip, Answer]]) -> LeftOut:
    reasons = {answer["left_out"]: None for _, answer in outcomes if "left_out" in answer}
    return {
        reason: tuple(clip.id for clip, answer in outcomes if answer.get("left_out") == reason) for reason in reasons
    }
