"""What a language brings beside its clips: rules of spelling, a synthesiser, a word list; and what of it is missing."""

from collections.abc import Callable, Iterator, Sequence

from earful.data.manifest import Manifest
from earful.data.synthesis.languages import REMEDY, find_language, nearest
from earful.data.synthesis.words import list_name
from earful.errors import SynthesisError
from earful.text.languages import name_of, tag_of
from earful.text.normalize import TextRules, normalize
from earful.text.script import main_script

MOST_READ = 2000
"""Sentences that a script is told by, at most."""


def resources(
    texts: Sequence[str], clips: Manifest, rules: TextRules, words: bool
) -> tuple[Sequence[str], tuple[str, ...]]:
    """What of other texts can be used for the clips, and what is lost, a line each with what to do.

    `words`: whether a word list is wanted; where there are texts nobody is told to give some.
    """
    used, foreign = of_script(texts, clips, rules)
    return used, (*foreign, *missing(rules.language, words and not used))


def missing(language: str, words: bool = True) -> Iterator[str]:
    """A line if something is lost because a language, by any name, is not known, or what knows it is not installed.

    `words`: whether its word list is wanted. Nothing is said where no language is given.
    """
    unspoken = _refusal(find_language, language) if language else ""
    unlisted = _refusal(list_name, language) if language and words else ""
    lost = ["rule of spelling, no synthesiser"] * bool(unspoken) + ["word list"] * bool(unlisted)
    if not lost:
        return
    without = f"there is no {' and no '.join(lost)}"
    if REMEDY in unspoken + unlisted:
        yield f"for {name_of(language)} {without}: they are not installed; run: {REMEDY}"
    elif unspoken and tag_of(language) is None:
        near = ", ".join(f"{code} ({find_language(code).name})" for code in nearest(language))
        yield f"{language!r} is not a known language, so {without}; " + (
            f"near it: {near}" if near else "give its code (ISO 639) or its English name"
        )
    else:
        yield f"for {name_of(language)} {without}; give text in it with --text FILE"


def of_script(texts: Sequence[str], clips: Manifest, rules: TextRules) -> tuple[Sequence[str], tuple[str, ...]]:
    """The texts, or none of them where they are in another script than the transcripts, and a line that says so.

    Both are read as `rules` have them: Chinese characters are of one script with pinyin where that is learned.
    """
    own = main_script(normalize(u.text or "", rules) for u in clips)
    theirs = main_script(normalize(text, rules) for text in texts[:: len(texts) // MOST_READ + 1])
    if own is None or theirs in (own, None):
        return texts, ()
    return (), (
        f"the other text is not used: it is in {theirs} letters, the transcripts in {own}; "
        "give text that is written as they are",
    )


def unsaid(lines: Sequence[str], spoken: Sequence[str]) -> list[str]:
    """The lines without what the clips say: the transcripts teach that, and what measures them must not have read it.

    Both normalised. A sentence of three words and more goes from the middle of a line too, and leaves what is around.

    >>> unsaid(["a b", "so a cat sat there", "sat"], ["a cat sat", "a b"])
    ['so', 'there', 'sat']
    """
    whole = set(spoken)
    text = "\n".join(f" {line} " for line in lines if line not in whole)
    for sentence in sorted(whole, key=len, reverse=True):
        if sentence.count(" ") >= 2:
            text = text.replace(f" {sentence} ", " \n ")
    return [line for each in text.split("\n") if (line := each.strip())]


def _refusal(find: Callable[[str], object], language: str) -> str:
    """Why the language is not found; empty where it is."""
    try:
        find(language)
    except SynthesisError as error:
        return str(error)
    return ""
