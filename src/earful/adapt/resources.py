"""Resources of a language: rules of spelling, a synthesiser, a word list; and warnings about missing ones."""

from collections.abc import Callable, Iterator, Sequence

from earful.data.manifest import Manifest
from earful.data.synthesis.languages import REMEDY, find_language, nearest
from earful.data.synthesis.words import list_name
from earful.errors import SynthesisError
from earful.text.languages import name_of, tag_of
from earful.text.normalize import TextRules, normalize
from earful.text.script import main_script

MOST_READ = 2000
"""The most sentences that are read to find the script."""


def resources(
    texts: Sequence[str], clips: Manifest, rules: TextRules, words: bool
) -> tuple[Sequence[str], tuple[str, ...]]:
    """The other texts that can be used for the clips, and a warning with a remedy for each missing resource.

    `words`: whether a word list is needed. If there are texts, no warning asks for some.
    """
    used, foreign = of_script(texts, clips, rules)
    return used, (*foreign, *missing(rules.language, words and not used))


def missing(language: str, words: bool = True) -> Iterator[str]:
    """Yield a warning if a language, by any name, is unknown or lacks resources, or if a package is not installed.

    `words`: whether its word list is needed. Without a language there is no warning.
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
    """The texts; none, and a warning, if they are in another script than the transcripts.

    Both are normalised by `rules`: Chinese characters have the same script as pinyin if the model learns pinyin.
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
    """The lines without the sentences of the clips, so that the language model has not read the held-out transcripts.

    Both are normalised. A sentence of three or more words is also removed from inside a line; the rest of it stays.

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
    """The reason why the language is not found; empty if it is found."""
    try:
        find(language)
    except SynthesisError as error:
        return str(error)
    return ""
