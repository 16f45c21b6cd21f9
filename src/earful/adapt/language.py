"""The language model of an adapted recogniser: learned from its transcripts, and from what other text the user has."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from earful.adapt.measure import Unmet
from earful.checkpoint import Language
from earful.ctc.beam import PRIOR, USUAL, Recording, tune
from earful.ctc.greedy import greedy_ids
from earful.ctc.ngram import NGram, learn, mix_with
from earful.data.batch import Example
from earful.data.synthesis.words import draw_lines, word_frequencies
from earful.errors import SynthesisError
from earful.model import AcousticModel, Params, fast_arithmetic
from earful.text.alphabet import Alphabet
from earful.text.lexicon import Lexicon
from earful.text.normalize import TextRules
from earful.text.score import errors_of_each
from earful.text.vocabulary import make_lexicon

MOST_TUNED = 60
"""Clips that the weight is tuned on, at most: more would only cost time."""


GAIN = 0.03
"""By how much a search with a word list or other text is expected to lower CER (by hand on a few Dutch runs)."""
MANDARIN = "zh"
WORDS = 500_000
"""Words drawn from a word list: some seconds of counting."""


class Gain(NamedTuple):
    """A language model, and the character error rate on unmet clips: with it, and of the best path without it.

    None where there are no such clips.
    """

    language: Language
    cer: float | None
    greedy_cer: float | None


def learn_language(
    model: AcousticModel,
    clips: Sequence[Example],
    unmet: Sequence[Unmet],
    others: Sequence[Sequence[str]],
    known: Sequence[NGram] = (),
) -> Gain | None:
    """An n-gram of all transcripts and of `others`, its weight tuned on clips that adaptation has not met.

    `others` are sources of further text, normalised, and `known` what was learned from such before: each counts as much
    as it helps to predict the transcripts.
    While tuning, the n-gram knows only the transcripts that the same fine-tuning learned from. Where there is nothing
    to tune on, the weight is what experience says, if there is further text; what was `known` has a weight already.
    None without any of these, or where the best path makes fewer errors, by more than a few clips can show by chance.
    """
    alphabet = model.config.alphabet
    texts = [alphabet.decode(clip.labels) for clip in clips]
    sources = [*known, *(learn(lines, alphabet) for lines in others if _readable(lines, alphabet))]
    recordings = [each for part in unmet for each in _recordings(model, clips, texts, part, sources)]
    if not recordings:
        untuned = sources and not known
        return Gain(Language(_ngram(texts, sources, alphabet), *USUAL), None, None) if untuned else None
    found, greedy_cer = tune(recordings), _greedy_cer(recordings)
    if not greedy_cer or found.cer >= greedy_cer + _expected_gain(recordings, bool(sources)):
        return None
    return Gain(Language(_ngram(texts, sources, alphabet), found.weight, found.bonus), found.cer, greedy_cer)


def listed(language: str) -> list[str]:
    """Lines of words as frequent as they are in the language; none without a word list, as `adapt.resources` says."""
    try:
        return draw_lines(language, WORDS, torch.Generator().manual_seed(0)) if language else []
    except SynthesisError:
        return []


def lexicon_for(rules: TextRules, texts: Sequence[str], words: bool, before: Lexicon | None) -> Lexicon | None:
    """What turns pinyin into characters, if the rules want these: of `texts`, and the word list, where there is one.

    A recogniser that is adapted further brings the list that it has.
    """
    if rules.writing != "characters":
        return None
    if before is not None:
        return make_lexicon(before.frequencies, texts, before.pairs)
    return make_lexicon(_frequencies(MANDARIN) if words else {}, texts)


def _frequencies(language: str) -> dict[str, float]:
    """How likely the words of a language are; empty where there is no word list, or no wordfreq."""
    try:
        return word_frequencies(language)
    except SynthesisError:
        return {}


def _expected_gain(recordings: Sequence[Recording], more: bool) -> float:
    """By how much the search may be worse on held-out clips and is kept: with more text than the transcripts it helps.

    As much as experience weighs beside them (`ctc.beam.PRIOR`); a language model of transcripts alone must show it.
    """
    return GAIN * PRIOR / max(sum(len(recording.text) for recording in recordings), 1) if more else 0.0


def kept(language: Language | None, alphabet: Alphabet) -> Language | None:
    """The language model of a recogniser that is adapted further; `alphabet` begins with the symbols that it has."""
    if language is None:
        return None
    return replace(language, ngram=NGram(alphabet, language.ngram.sources, language.ngram.weights))


def _readable(lines: Sequence[str], alphabet: Alphabet) -> bool:
    """Whether the text has letters of the alphabet at all."""
    symbols = set(alphabet.symbols) - {" "}
    return any(symbols.intersection(line) for line in lines)


def _ngram(texts: Sequence[str], sources: Sequence[NGram], alphabet: Alphabet) -> NGram:
    """An n-gram of the transcripts, mixed with those of other text."""
    return mix_with(texts, sources) if sources else learn(texts, alphabet)


def _recordings(
    model: AcousticModel, clips: Sequence[Example], texts: Sequence[str], unmet: Unmet, sources: Sequence[NGram]
) -> Iterator[Recording]:
    """The held clips as the search meets them: log-probabilities, transcript, and the n-gram of all other clips."""
    ngram = _ngram([texts[i] for i in unmet.learned], sources, model.config.alphabet)
    for i in unmet.held[:MOST_TUNED]:
        yield Recording(_logp(model, unmet.params, clips[i]), texts[i], ngram)


def _logp(model: AcousticModel, params: Params, clip: Example) -> Tensor:
    """Log-probabilities `[F, V]` of one clip, dropout off."""
    model.eval()
    with torch.no_grad(), fast_arithmetic():
        inputs = (clip.frames_FM[None], torch.tensor([len(clip.frames_FM)]))
        logp_BFV, _ = functional_call(model, dict(params), inputs)
    return logp_BFV[0]  # type: ignore[no-any-return]


def _greedy_cer(recordings: Sequence[Recording]) -> float:
    texts = []
    for logp_FV, _, ngram in recordings:
        (ids,) = greedy_ids(logp_FV[None], torch.tensor([len(logp_FV)]))
        texts.append(ngram.alphabet.decode(ids))
    counts = [each.characters for each in errors_of_each([text for _, text, _ in recordings], texts)]
    return sum(c.errors for c in counts) / max(1, sum(c.length for c in counts))
