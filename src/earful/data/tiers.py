"""Annotations of a recording, the common result of all readers, and the choice of the tier with transcribed speech."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from earful.data.finding import Finding, left_out, listed
from earful.errors import ManifestError
from earful.text.script import scripts

_ONE_SCRIPT = 0.9  # of the letters
# what people call tiers that hold something else, whole or as a word of the name
_NOT_SPEECH = {
    "ft", "fte", "translation", "translations", "traduction", "traducción", "übersetzung", "gloss", "glosses", "ge",
    "gls", "glo", "note", "notes", "comment", "comments", "kommentar", "remarks", "ps", "pos", "phone", "phones",
    "phoneme", "phonemes", "phonetic", "phonetics", "ipa", "kan", "mb", "morph", "morphs", "morpheme", "morphemes",
    "lemma", "ref", "id", "syllables", "topic", "gesture", "gestures", "speaker", "speakers",
}  # fmt: skip


class Span(NamedTuple):
    """A stretch of a recording, in seconds, and its text."""

    start_s: float
    end_s: float
    text: str


class Lost(NamedTuple):
    """An annotation without a place in time: the reason, and its text."""

    reason: str
    text: str


@dataclass(frozen=True)
class Tier:
    """The annotations of one kind, of one speaker or of all; `kind` is the tier's type in the file.

    `aligned` is true if the spans are the tier's own, and false if they come from other annotations. `channel`, from 1
    on, is the channel of the speech in a recording of several; None if the file does not say.
    """

    name: str
    spans: tuple[Span, ...]
    kind: str | None = None
    speaker: str | None = None
    aligned: bool = True
    lost: tuple[Lost, ...] = ()
    channel: int | None = None


@dataclass(frozen=True)
class Annotated:
    """A file of annotations, and its recording, which may not exist.

    `origin_s` is the second of the recording at which the times of the file begin.
    """

    path: Path
    recording: Path
    tiers: tuple[Tier, ...]
    origin_s: float = 0.0

    @property
    def key(self) -> tuple[Path, Path]:
        """Its identity: a file may describe several recordings."""
        return self.path, self.recording


@dataclass(frozen=True)
class Choice:
    """The part of annotations that is read: `tier` is the name of a tier, a type, or a glob; None detects it.

    `speaker_tier` names the tier whose texts are the speakers. `drop` is a regular expression of text that is no word;
    None means the usual marks, in annotations only, "" nothing.
    """

    tier: str | None = None
    speaker_tier: str | None = None
    drop: str | None = None


class Taken(NamedTuple):
    """The tiers of one file that are read."""

    file: Annotated
    tiers: tuple[Tier, ...]


def by_speaker(kind: str, said: Iterable[tuple[str | None, Span]]) -> tuple[Tier, ...]:
    """A tier of this type for each speaker; one for all if no speaker is named."""
    spans: dict[str | None, list[Span]] = {}
    for speaker, span in said:
        spans.setdefault(speaker, []).append(span)
    if set(spans) <= {None}:
        return tuple(Tier(kind, tuple(some), kind) for some in spans.values())
    return tuple(Tier(who or "nobody", tuple(some), kind, who or "nobody") for who, some in spans.items())


def take(
    files: Sequence[Annotated], choice: Choice, *, spare: bool = False
) -> tuple[tuple[Taken, ...], tuple[Finding, ...]]:
    """The tiers to read of each file that has some, and findings on the choice.

    Raises ManifestError if no file has the wanted tier, or if a file has two of its name; with `spare`, such a file is
    left out and named instead.
    """
    taken, findings = _named(files, choice.tier) if choice.tier is not None else _told(files)
    kept = []
    for each in taken:
        try:
            _refuse_twins(each.file, each.tiers)
            _refuse_twins(each.file, _matching(each.file, choice.speaker_tier) if choice.speaker_tier else ())
        except ManifestError as error:
            if not spare:
                raise
            findings.append(left_out(each.file.path, error))
        else:
            kept.append(each)
    return tuple(kept), tuple(findings)


def speaker_tier(file: Annotated, name: str) -> Tier | None:
    """The tier of this name, or None. Raises ManifestError if the file has two."""
    tiers = _matching(file, name)
    _refuse_twins(file, tiers)
    return tiers[0] if tiers else None


def no_tier(files: Sequence[Annotated], name: str) -> ManifestError:
    """The error that no file has such a tier; it offers the nearest names, or all."""
    names = list(dict.fromkeys(tier.name for file in files for tier in file.tiers))
    kinds = list(dict.fromkeys(tier.kind for file in files for tier in file.tiers if tier.kind))
    near = difflib.get_close_matches(name, [*names, *kinds], n=3, cutoff=0.5)
    offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {_quoted(names) or 'none'}"
    types = f", of the types {_quoted(kinds)}" if kinds and not near else ""
    where = files[0].path if len(files) == 1 else f"{files[0].path} and {len(files) - 1} more"
    return ManifestError(f"{where}: no tier, and no type of tiers, {name!r}; {offer}{types}")


def _named(files: Sequence[Annotated], name: str) -> tuple[list[Taken], list[Finding]]:
    taken = [Taken(file, tiers) for file in files if (tiers := _matching(file, name))]
    if not taken:
        raise no_tier(files, name)
    having = {file.key for file, _ in taken}
    without = [str(file.path) for file in files if file.key not in having]
    findings = []
    if without:
        message = f"{len(without)} of {len(files)} files have no tier {name!r}: left out"
        findings.append(Finding("warning", "no such tier", None, listed(without), message, "name their tier alike"))
    return taken, findings


def _matching(file: Annotated, name: str) -> tuple[Tier, ...]:
    """The tiers of this name; else of this type; else those that match the glob."""
    named = tuple(tier for tier in file.tiers if tier.name == name)
    typed = tuple(tier for tier in file.tiers if tier.kind == name)
    globbed = (tier for tier in file.tiers if fnmatchcase(tier.name, name) or fnmatchcase(tier.kind or "", name))
    return named or typed or tuple(globbed)


def _refuse_twins(file: Annotated, tiers: Iterable[Tier]) -> None:
    twins = [name for name, count in Counter(tier.name for tier in tiers).items() if count > 1]
    if twins:
        raise ManifestError(
            f"{file.path}: has {sum(tier.name == twins[0] for tier in file.tiers)} tiers of the name {twins[0]!r}, "
            "which cannot be told apart; rename them in the program that wrote the file"
        )


def _told(files: Sequence[Annotated]) -> tuple[list[Taken], list[Finding]]:
    """The best tiers of all files; for files without them, the best of theirs, and so on; a finding for each choice."""
    taken, findings, rest = [], list[Finding](), list(files)
    while rest:
        groups = _groups(rest)
        likeliest = max(groups, key=lambda name: _worth(groups[name]), default=None)
        if likeliest is None or not _worth(groups[likeliest]):
            findings.append(_textless(rest))
            break
        now = {file.key: tuple(tier for owner, tier in groups[likeliest] if owner is file) for file in rest}
        taken += [Taken(file, now[file.key]) for file in rest if now[file.key]]
        findings.append(_said([file for file in rest if now[file.key]], groups, likeliest))
        rest = [file for file in rest if not now[file.key]]
    order = {file.key: place for place, file in enumerate(files)}
    return sorted(taken, key=lambda each: order[each.file.key]), findings


_Group = list[tuple[Annotated, Tier]]


def _groups(files: Sequence[Annotated]) -> dict[tuple[str, str], _Group]:
    """Groups of tiers: of one type and of several speakers, or else of one name."""
    apart = _of_several_speakers(files)
    groups: dict[tuple[str, str], _Group] = defaultdict(list)
    for file in files:
        for tier in file.tiers:
            groups[(tier.kind or "", "" if tier.kind in apart else _stem(tier))].append((file, tier))
    return groups


def _of_several_speakers(files: Sequence[Annotated]) -> set[str]:
    """The types of which each speaker of a file has at most one tier."""
    speakers: dict[str, list[list[str | None]]] = defaultdict(list)
    for file in files:
        for kind in {tier.kind for tier in file.tiers if tier.kind}:
            speakers[kind].append([tier.speaker for tier in file.tiers if tier.kind == kind])
    return {
        kind for kind, names in speakers.items() if all(all(some) and len(set(some)) == len(some) for some in names)
    }


def _stem(tier: Tier) -> str:
    """The name without the speaker: many call their tiers tx@Eva, or Eva_tx."""
    name = tier.name.partition("@")[0] or tier.name
    return (name.replace(tier.speaker, "").strip("_-. ") or name) if tier.speaker else name


def _worth(group: _Group) -> float:
    """A measure of transcribed speech: the letters of distinct texts, because phones and labels repeat."""
    texts = {span.text for _, tier in group for span in tier.spans}
    letters = scripts(texts)
    total = sum(letters.values())
    one_script = total > 0 and max(letters.values()) >= _ONE_SCRIPT * total
    aligned = all(tier.aligned for _, tier in group)
    speech = not any(_NOT_SPEECH & _words(name) for _, tier in group for name in (tier.name, tier.kind or ""))
    return total * (1 if one_script else 0.5) * (1 if aligned else 0.5) * (1 if speech else 0.1)


def _words(name: str) -> set[str]:
    return set("".join(c if c.isalpha() else " " for c in name.casefold()).split())


def _said(files: Sequence[Annotated], groups: Mapping[tuple[str, str], _Group], likeliest: tuple[str, str]) -> Finding:
    names = dict.fromkeys(tier.name for _, tier in groups[likeliest])
    count = sum(len(tier.spans) for _, tier in groups[likeliest])
    spans = f"{count} span{'s' * (count != 1)}"
    rest = (pair for name in groups if name != likeliest for pair in groups[name])
    others = dict.fromkeys(_described(tier) for owner, tier in rest if owner in files)
    what = f"reads the tier{'s' * (len(names) > 1)} {_quoted(names)}{_of_type(likeliest[0])}"
    why = f": most text in one script with times of its own, {spans}; the others are {listed(list(others), 12)}"
    message = what + (why if others else ", which is the only one")
    where = listed([str(file.path) for file in files], 3)
    return Finding("note", "tier", None, where, message, "choose another with --tier" if others else "nothing to do")


def _of_type(kind: str) -> str:
    return f" of the type {kind!r}" if kind else ""


def _described(tier: Tier) -> str:
    return f"{tier.name!r} ({len(tier.spans)} span{'s' * (len(tier.spans) != 1)})"


def _textless(files: Sequence[Annotated]) -> Finding:
    where, tiers = listed([str(file.path) for file in files], 3), dict.fromkeys(_tiers_of(files))
    drafts = sum(lost.reason == "draft" for file in files for tier in file.tiers for lost in tier.lost)
    if drafts:
        message = f"all its texts are drafts that nobody touched, {drafts} annotations"
        return Finding("warning", "no text", None, where, message, "correct some, then adapt again")
    message = f"no tier holds text with times{f'; there are {_quoted(tiers)}' if tiers else ''}"
    return Finding("warning", "no text", None, where, message, "write what is said into one, or remove the file")


def _tiers_of(files: Iterable[Annotated]) -> Iterator[str]:
    return (tier.name for file in files for tier in file.tiers)


def _quoted(names: Collection[str]) -> str:
    return listed([repr(name) for name in names], 8)
