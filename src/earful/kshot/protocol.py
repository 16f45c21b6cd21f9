"""The K-shot protocol: entrants and settings, and tasks drawn from clips, the same for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch

from earful.data.apart import groups_of
from earful.data.episode import Apart, By, EpisodeSampler, Shots, random_of
from earful.data.finding import listed
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import ConfigError, ManifestError
from earful.text.normalize import TextRules, normalize, usual_writing

ALL: Literal["all"] = "all"
USUAL: Literal["usual"] = "usual"
Steps = int | Literal["usual"]
"""A number of steps, or the number that `adapt` takes."""
APART: tuple[Apart, ...] = ("text",)


@dataclass(frozen=True)
class Protocol:
    """Every base × every task × `seeds` draws × `shots` (clips to adapt to) × `steps`.

    `bases` are named as `adapt` names them. A task is a language, a speaker, a condition (`extra["condition"]`), two of
    these at once, or with "all" all clips. It is tested on `test_clips` of its clips or, with `test_s`, on clips until
    these seconds are reached; the same ones for all. With `usual` a base with its own inner loop is entered twice:
    adapted by that loop, and as any other base. `rules` are the writing of all; their language is the task's, and
    Mandarin is written as `adapt` writes it. `skip_small` leaves out tasks with too few clips.

    Raises ConfigError for an impossible value.
    """

    bases: tuple[str, ...]
    by: By | Literal["all"] = "language"
    shots: tuple[int, ...] = (1, 5, 10)
    steps: tuple[Steps, ...] = (0, USUAL)
    seeds: int = 5
    test_clips: int = 30
    test_s: float | None = None
    usual: bool = True
    rules: TextRules = field(default_factory=TextRules)
    skip_small: bool = False

    def __post_init__(self) -> None:
        for name in ("bases", "shots", "steps"):
            values = getattr(self, name)
            if not values:
                raise ConfigError(f"there are no {name} to compare; give one or more")
            if twice := [value for place, value in enumerate(values) if value in values[:place]]:
                raise ConfigError(f"{name} hold {twice[0]} twice; leave one out")
        for name, value in (("shots", min(self.shots)), ("seeds", self.seeds), ("test clips", self.test_clips)):
            if value < 1:
                raise ConfigError(f"{name}: got {value}, must be 1 or more")
        if odd := [each for each in self.steps if each != USUAL and int(each) < 0]:
            raise ConfigError(f"steps: got {odd[0]}, must be 0 or more, or {USUAL!r}")
        if self.test_s is not None and not self.test_s > 0:
            raise ConfigError(f"test seconds: got {self.test_s:g}, must be above 0")


class Task(NamedTuple):
    """A task: test clips, and the clips from which supports are drawn, which share no sentence with the test.

    `rules` are the writing of its transcripts.
    """

    name: str
    test: Manifest
    pool: Manifest
    rules: TextRules

    def support(self, seed: int, count: int) -> Manifest:
        """`count` clips to adapt to; for one seed, a smaller support is the beginning of a larger one."""
        order = torch.randperm(len(self.pool), generator=random_of(seed, self.name)).tolist()[:count]
        return Manifest(tuple(self.pool[i] for i in order))


def tasks_of(clips: Manifest, protocol: Protocol) -> tuple[tuple[Task, ...], Mapping[str, str]]:
    """The tasks, and those that are left out, with the reason.

    Raises ManifestError, which names it, for a clip without a transcript or without the value that defines tasks, for
    clips or languages with two names, and for a task that is too small.
    """
    by: By = "language" if protocol.by == ALL else protocol.by
    labelled = [replace(u, language=ALL) for u in clips] if protocol.by == ALL else list(clips)
    found = EpisodeSampler(labelled, by, Shots(query=1, clips=1), 0, skip_small=True)
    small = dict.fromkeys(found.left_out, "has 1 clip")
    for name, members in found.tasks.items():
        if why := _too_small([labelled[i] for i in members], protocol):
            small[name] = why
    if small and not (protocol.skip_small and found.tasks.keys() - small.keys()):
        raise _refused(small, protocol)
    kept = [i for name, members in found.tasks.items() if name not in small for i in members]
    tests = {"seconds": protocol.test_s} if protocol.test_s else {"clips": protocol.test_clips}
    # which of its two sides tests is all the same to the sampler: this one can be counted in seconds
    sides = Shots(query=max(protocol.shots), **tests)
    sampler = EpisodeSampler([labelled[i] for i in kept], by, sides, 0, apart=APART, skip_small=protocol.skip_small)
    tasks = []
    for name, members in sampler.tasks.items():
        drawn = sampler.draw(0, {each: float(each == name) for each in sampler.tasks})
        tasks.append(_task(name, [clips[kept[i]] for i in members], [clips[kept[i]] for i in drawn.support], protocol))
    return tuple(tasks), small | sampler.left_out


def _too_small(members: Sequence[Utterance], protocol: Protocol) -> str | None:
    """The reason why a task has too few clips, if it has."""
    has, most = f"has {len(members)} clips", max(protocol.shots)
    if protocol.test_s is None:
        needed = protocol.test_clips + most
        few = len(members) < needed
        return f"{has}: {protocol.test_clips} to test and {most} to adapt to are {needed}" if few else None
    left_s = sum(sorted(u.duration_s or 0.0 for u in members)[: max(0, len(members) - most)])
    few = left_s < protocol.test_s
    return f"{has}: {most} to adapt to may leave {left_s:.0f} s, {protocol.test_s:g} s are to test" if few else None


def _refused(small: Mapping[str, str], protocol: Protocol) -> ManifestError:
    name, why = next(iter(small.items()))
    more = f" (and {len(small) - 1} more tasks have too few)" if len(small) > 1 else ""
    remedy = "record more, or ask for smaller shots or a smaller test"
    skip = "" if protocol.skip_small else ", or leave such tasks out (--skip-small)"
    return ManifestError(f"task {name!r} {why}{more}; {remedy}{skip}")


def _task(name: str, members: Sequence[Utterance], test: Sequence[Utterance], protocol: Protocol) -> Task:
    """The task with its test; clips that share a sentence or sound with the test are not used for adaptation."""
    texts = [normalize(u.text or "", TextRules(language=u.language or "")) for u in members]
    groups = dict(zip((u.id for u in members), groups_of(members, texts), strict=True))
    met = {groups[u.id] for u in test}
    pool = tuple(u for u in members if groups[u.id] not in met)
    languages = {u.language or "" for u in members}
    language = languages.pop() if len(languages) == 1 else ""
    writing = usual_writing(language, [u.text or "" for u in members])
    rules = replace(protocol.rules, language=language, writing=writing) if language else protocol.rules
    return Task(name, Manifest(tuple(test)), Manifest(pool), rules)


def left_out_in_words(few: Mapping[str, str]) -> str:
    """One line on the tasks that are left out."""
    name, why = next(iter(few.items()))
    return f"left out {len(few)} of the tasks, as too small: {listed(list(few))}; {name!r} {why}"
