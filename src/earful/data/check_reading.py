"""Description of other text beside the clips: its amount, script and language, and its likeness to the clips."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Literal

from earful.data.finding import SEVERITIES, Finding, Severity, listed
from earful.data.synthesis.sentences import read_text, split_sentences
from earful.data.synthesis.words import common_words, list_name
from earful.errors import SynthesisError
from earful.text.languages import name_of
from earful.text.normalize import TextRules, normalize
from earful.text.script import scripts

Kind = Literal["sentences", "word list", "numbered verses"]

_MOST_COMPARED = 20_000  # words, evenly out of the text, that are looked for in word lists
_LIKELIEST = 3
# A text has nearly all its words in the list of its own language, and about half in that of a near relative.
_CLEARLY, _AHEAD, _CLEARLY_WITHOUT_OWN = 0.75, 0.1, 0.8
_FEWEST_WORDS = 50  # before a language is told by them
_FEWEST_LINES, _WORD_LIST_SHARE = 20, 0.8
_FEWEST_VERSES, _WORDS_A_VERSE = 10, 60
_REPEATED_SHARE, _FIGURES_SHARE = 0.05, 0.1
_OFTEN = 5  # a letter that clips hold so often, and a text of the same spelling would have
_UNSPACED = frozenset({"CJK", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
_NUMBER = re.compile(r"(?<![\w.,:])(?:\d{1,3}[:.])?(\d{1,3})(?![\w:]|[.,]\d)")
_JOINTS = re.compile("['\u200c·]")


@dataclass(frozen=True)
class Likeness:
    """The likeness of a text to the clips, all after normalisation; counts are of letters, shares of the clips' words.

    `unheard`: letters of the text that no clip has. `unread`: letters of the clips that the text lacks.
    `covered`, `covered_distinct`: the shares of the clips' running words, and of their different words, in the text.
    """

    unheard: Mapping[str, int]
    unread: Mapping[str, int]
    covered: float
    covered_distinct: float


@dataclass(frozen=True)
class TextInspection:
    """The result of `inspect_text`.

    `kilobytes` are 1000 bytes each; `lines` are non-empty lines, `repeated_lines` those of them that equal an earlier
    one. `scripts` counts letters. `likeliest` has the shares of the text's running words in word lists, for the
    likeliest languages; `listed` the share in the list of the text's own language, None if there is no list. `likeness`
    is None without clips.
    """

    findings: tuple[Finding, ...]
    kilobytes: float
    lines: int
    repeated_lines: int
    sentences: int
    words: int
    distinct_words: int
    kind: Kind
    scripts: Mapping[str, int]
    listed: float | None
    likeliest: Mapping[str, float] = field(default_factory=dict)
    likeness: Likeness | None = None

    @property
    def usable(self) -> bool:
        """Whether adaptation would use it."""
        return not any(finding.severity == "error" for finding in self.findings)


def inspect_text(path: str | Path, transcripts: Sequence[str] = (), rules: TextRules | None = None) -> TextInspection:
    """Describe a text file, and its likeness to the transcripts. Raises SynthesisError if it cannot be read.

    >>> inspect_text("stories.txt").kind  # doctest: +SKIP
    'sentences'
    """
    path, rules = Path(path), rules or TextRules()
    text = read_text(path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    sentences = split_sentences(text)
    written = [normalize(sentence, rules) for sentence in sentences]
    words = [word for sentence in written for word in sentence.split()]
    own, found = listed_shares(words, rules.language)
    clips = [normalize(transcript, rules) for transcript in transcripts]
    seen = TextInspection(
        findings=(),
        kilobytes=path.stat().st_size / 1000,
        lines=len(lines),
        repeated_lines=len(lines) - len(set(lines)),
        sentences=len(sentences),
        words=len(words),
        distinct_words=len(set(words)),
        kind=kind_of(lines),
        scripts=scripts(written),
        listed=own,
        likeliest=found,
        likeness=likeness(written, clips) if any(clips) else None,
    )
    figures = sum(any(c.isdigit() for c in sentence) for sentence in written)
    findings = [
        Finding(severity, kind, None, str(path), message, remedy)
        for severity, kind, message, remedy in _findings(seen, scripts(clips), rules, figures)
    ]
    return replace(seen, findings=tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))))


def kind_of(lines: Sequence[str]) -> Kind:
    """Whether non-empty lines look like sentences, single words, or numbered verses.

    Numbers belong to verses if most are one more than the one before, and there are many among the words.
    """
    words = [line.split() for line in lines]
    single = sum(sum(any(c.isalpha() for c in word) for word in line) == 1 for line in words)
    if len(lines) >= _FEWEST_LINES and single >= _WORD_LIST_SHARE * len(lines):
        return "word list"
    numbers = [int(number) for line in lines for number in _NUMBER.findall(line)]
    steps = sum(after == before + 1 for before, after in pairwise(numbers))
    enough = max(_FEWEST_VERSES, sum(map(len, words)) / _WORDS_A_VERSE)
    return "numbered verses" if steps >= enough and 2 * steps > len(numbers) else "sentences"


def likeness(texts: Sequence[str], clips: Sequence[str]) -> Likeness:
    """Letters and words of normalised texts, beside those of normalised transcripts."""
    here, there = Counter("".join(texts)), Counter("".join(clips))
    known = {word for text in texts for word in text.split()}
    spoken = Counter(word for clip in clips for word in clip.split())
    return Likeness(
        _letters_without(here, there),
        _letters_without(there, here),
        sum(count for word, count in spoken.items() if word in known) / max(1, spoken.total()),
        len(known & spoken.keys()) / max(1, len(spoken)),
    )


def listed_shares(words: Sequence[str], language: str) -> tuple[float | None, dict[str, float]]:
    """The share of normalised running words in the list of the language, and in the best other lists, by name.

    None, and no others, if spaces do not separate words, words are too few, or the lists are not installed. None also
    for a list in another script.
    """
    words = [word for word in words if any(c.isalpha() for c in word)]
    words = words[:: len(words) // _MOST_COMPARED + 1]
    script = next(iter(scripts(words)), None)
    if len(words) < _FEWEST_WORDS or script in _UNSPACED:
        return None, {}
    try:
        lists = common_words()
    except SynthesisError:
        return None, {}
    same = {name: known for name, known in lists.items() if next(iter(scripts(islice(known, 200))), None) == script}
    shares = {name: sum(_is_in(word, known) for word in words) / len(words) for name, known in same.items()}
    best = dict(sorted(shares.items(), key=lambda item: -item[1])[:_LIKELIEST])
    try:
        return shares.get(list_name(language)), best
    except SynthesisError:
        return None, best


def _is_in(word: str, known: Mapping[str, float]) -> bool:
    """Whether a list has the word, or all its parts: some lists cut at apostrophes and joiners."""
    return word in known or all(part in known for part in _JOINTS.split(word))


def _letters_without(here: Counter[str], there: Counter[str]) -> dict[str, int]:
    return {c: n for c, n in here.most_common() if c not in there and not (c.isspace() or c.isdigit())}


def _findings(
    seen: TextInspection, spoken: Mapping[str, int], rules: TextRules, figures: int
) -> Iterator[tuple[Severity, str, str, str]]:
    """Severity, kind, message and remedy of each finding."""
    script, theirs = next(iter(seen.scripts), None), next(iter(spoken), None)
    if theirs and script != theirs:
        message = f"is in {script or 'no'} letters, the transcripts are in {theirs}; adaptation does not read it"
        yield "error", "another script", message, "give text that is written as they are"
    if (name := _another(seen, rules)) is not None:
        share = f"{seen.likeliest[name]:.0%} of its words are in the list of {name_of(name)}"
        own = "" if seen.listed is None else f", {seen.listed:.0%} in that of {name_of(rules.language)}"
        yield "warning", "another language", share + own, "look whether it is the right file, and the right language"
    if seen.kind == "numbered verses":
        message = "its verses or sentences are numbered, and the numbers are read as if they were said"
        yield "warning", "numbered verses", message, "take the numbers out"
    elif figures > _FIGURES_SHARE * seen.sentences:
        message = f"{figures} of {seen.sentences} sentences hold digits, which do not say how a number is pronounced"
        yield "note", "figures", message, "write numbers as words, or leave such sentences out"
    if seen.kind == "word list":
        message = "is a list of words: it teaches no word order"
        yield "note", "word list", message, "give running sentences, too, if there are any"
    if seen.repeated_lines > _REPEATED_SHARE * seen.lines:
        message = f"{seen.repeated_lines} of {seen.lines} lines repeat an earlier one, and count as often"
        yield "warning", "repeated lines", message, "keep one of each, if people do not say them so often"
    often = [c for c, n in seen.likeness.unread.items() if n >= _OFTEN] if seen.likeness and script == theirs else []
    if often:
        message = f"lacks letters of the clips: {listed(often, most=20)}"
        yield "warning", "letters missing", message, "look whether both are spelled alike"


def _another(seen: TextInspection, rules: TextRules) -> str | None:
    """The list of another language in which the text clearly is; None if there is none, or if it is its own."""
    name, share = next(iter(seen.likeliest.items()), ("", 0.0))
    if not rules.language:
        return None
    if seen.listed is None:
        return name if share >= _CLEARLY_WITHOUT_OWN else None
    return name if share >= _CLEARLY and share >= seen.listed + _AHEAD else None
