"""Warnings about the clips and the result of an adaptation: one sentence each, with a remedy."""

from collections import Counter
from collections.abc import Iterator, Sequence

from earful.adapt.beside import Copies
from earful.adapt.clips import Heard
from earful.adapt.language import Gain
from earful.adapt.measure import Outcome
from earful.adapt.rows import sources
from earful.adapt.select import FEW, LEAST
from earful.adapt.start import is_recognizer
from earful.checkpoint import Checkpoint
from earful.data.apart import Apart
from earful.model import ModelConfig
from earful.text.lexicon import Lexicon
from earful.text.pinyin import REMEDY, TONES, has_characters

FEW_WORDS = 5000
"""With fewer known words in characters much of the output stays pinyin."""


def material_warnings(
    base: Checkpoint, config: ModelConfig, heard: Heard, written: Sequence[Copies], lexicon: Lexicon | None
) -> Iterator[str]:
    """Warnings about the clips, each with a remedy; `written` is all training data."""
    alphabet = config.alphabet
    for reason, ids in heard.left_out.items():
        yield f"left out, {reason}: {_show(ids)}; `earful check CLIPS` says more"
    counts = Counter("".join(heard.texts))
    if once := [c for c in alphabet.symbols if counts[c] == 1]:
        yield f"seen only once and hard to learn: {_show(once)}; record clips with them, or correct the transcripts"
    like = sources(base.config.alphabet, alphabet)
    unlike = [s for s, source in like.items() if source is None and counts[s]]
    if new := [s for s in unlike if s not in TONES]:  # tones are in every syllable
        yield f"unlike all letters of the base, learned from scratch: {_show(new)}; record clips with many of them"
    met = {alphabet.symbols[label - 1] for copies in written for label in copies[0].labels}
    known = met.union(base.config.alphabet.symbols if is_recognizer(base) else ())
    if lent := [s for s in alphabet.symbols if s not in known]:
        how = "the rules of the language" if config.rules.language else "letters that look like them"
        yield f"in no clip, known only from {how}: {_show(lent)}; record clips with them"
    yield from _character_warnings(config, lexicon)


def _character_warnings(config: ModelConfig, lexicon: Lexicon | None) -> Iterator[str]:
    """Warnings about Chinese characters that are learned one by one, or for which few words are known."""
    characters = sum(map(has_characters, config.alphabet.symbols))
    if config.rules.writing == "given" and characters > config.alphabet.size / 2:
        yield (
            f"{characters} Chinese characters are learned one by one, each from a few sounds; for Mandarin say "
            f"--language zh, which learns pinyin and writes characters (it needs {REMEDY})"
        )
    if lexicon is not None and len(lexicon.entries) < FEW_WORDS:
        yield (
            f"only {len(lexicon.entries)} words are known to be written in characters, those of your texts; "
            f"{REMEDY} brings a word list, --text FILE more of your words"
        )


def result_warnings(outcome: Outcome, gain: Gain | None, together: Apart) -> Iterator[str]:
    """Warnings about the result, each with a remedy; `together` has the groups of the clips."""
    measured, tuned = outcome.measured, outcome.tuned
    if measured == "own clips":
        more = ", and to weigh the language model on" if gain else ""
        clips = len(together.groups)
        few = together.parts < min(LEAST, clips)
        same = f": the {clips} clips are only {together.parts} groups without common sentences or sound" if few else ""
        what = f"{LEAST} different ones" if few else f"at least {LEAST} clips"
        yield f"both rates are of the training clips and too low{same}; give {what} to hold some out{more}"
    if measured == "cross-validated" and len(together.groups) < FEW:
        yield "few clips: the rates are cross-validated and uncertain; with 30 or more clips a part is held out"
    if tuned.skipped:
        yield f"{tuned.skipped} steps had no finite gradient and were skipped; look for damaged recordings"
    if not tuned.best.step:
        yield "adaptation did not improve on the base, which was kept; check the transcripts, or record more"
    elif tuned.best.cer > 0.95:
        yield "the recogniser writes (almost) nothing that is right; `earful check CLIPS` looks for the cause"


def refused_text(with_it: float, without: float) -> str:
    """The warning for other text that made the search worse, with CER on held-out clips with and without it."""
    return (
        f"the other text is not used: CER on held-out clips is {with_it:.1%} with it and {without:.1%} without it; "
        "check that it is in the language of the clips and spelled like them"
    )


def _show(names: Sequence[str]) -> str:
    return " ".join("␣" if name == " " else name for name in names[:20]) + (" …" if len(names) > 20 else "")
