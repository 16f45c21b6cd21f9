"""The language model of an adapted recogniser: trained on its transcripts and on the user's other text."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import nlargest
from typing import NamedTuple
from unicodedata import is_normalized

import numpy as np
import torch
from torch import Tensor

from earful.adapt.measure import Unmet
from earful.adapt.resources import unsaid
from earful.checkpoint import Language
from earful.ctc.beam import Search, spelt
from earful.ctc.confidence import BEST_PATH, SEARCHED, clues_of, shift_of
from earful.ctc.fusion import PRIOR, USUAL, Fusion, Recording, tune
from earful.ctc.greedy import Emission, greedy, greedy_ids
from earful.ctc.ngram import NGram, folds_of, learn, mix_with
from earful.ctc.words import MOST_WORDS, Fold, WordCounts, Words, count_words, listed_words, mix_words
from earful.data.batch import Example
from earful.data.synthesis.words import draw_lines, word_frequencies
from earful.device import even
from earful.errors import SynthesisError
from earful.model import AcousticModel, Params, logp_of
from earful.text.alphabet import Alphabet
from earful.text.interval import Interval, interval_of
from earful.text.lexicon import Lexicon
from earful.text.normalize import TextRules, normalize
from earful.text.score import errors_of_each, right_words
from earful.text.vocabulary import make_lexicon

MOST_TUNED = 60
"""The most clips to tune the weight on: more would only cost time."""


GAIN = 0.03
"""The expected decrease of CER by a search with a word list or other text (by hand, from a few Dutch runs)."""
MANDARIN = "zh"
WORDS = 500_000
"""The number of words to draw from a word list: a few seconds of counting."""


class Gain(NamedTuple):
    """A language model, and CER on held-out clips: with it, and of greedy decoding without it.

    Both are None without held-out clips. The interval is that of `cer`.
    """

    language: Language
    cer: float | None
    greedy_cer: float | None
    interval_95: Interval | None = None


class Listed(NamedTuple):
    """A word list: lines of words drawn by their frequency, for the letter n-gram; and the probability of each word."""

    lines: Sequence[str]
    frequencies: Mapping[str, float]


class Sources(NamedTuple):
    """The sources of a language model beside the transcripts: n-grams of letters, and counts of words.

    `text` is the range of those that come from the user's other text.
    """

    letters: Sequence[NGram]
    words: Sequence[WordCounts]
    text: tuple[slice, slice] = (slice(0), slice(0))

    def without_text(self) -> "Sources":
        """The sources without other text; the same object if there is none."""
        letters, words = list(self.letters), list(self.words)
        del letters[self.text[0]], words[self.text[1]]
        return self if len(letters) == len(self.letters) else Sources(letters, words)


def learn_language(
    model: AcousticModel,
    clips: Sequence[Example],
    unmet: Sequence[Unmet],
    others: Sequence[Sequence[str]],
    known: Language | None = None,
    listed: Listed | None = None,
    groups: Sequence[int] = (),
    refuse: Callable[[float, float], None] | None = None,
) -> Gain | None:
    """Train a language model on all transcripts and on `others`; its weight is tuned on held-out clips.

    `others` are sources of other text, normalised, `known` is the language model of an earlier adaptation, and `listed`
    a word list. Each is weighted by how well it predicts the transcripts. While the weight is tuned, the n-gram uses
    only the transcripts that the same fine-tuning was trained on, and no sentence of a clip from `others`. Without
    held-out clips the weight is a default if there is other text, or that of `known`. `groups` has the group of each
    clip (`data.apart`). The `others` are left out if the search makes more errors with them than without; `refuse` is
    then called with both rates. Returns None without any of these, or if greedy decoding makes significantly fewer
    errors.
    """
    alphabet = model.config.alphabet
    texts = [alphabet.decode(clip.labels) for clip in clips]
    others = [unsaid(lines, texts) for lines in others]
    sources = sources_of(alphabet, others, known, listed)
    heard = [[_logp(model, part.end, clips[i]) for i in part.held[:MOST_TUNED]] for part in unmet]

    def met(sources: Sources) -> list[Recording]:
        parts = zip(unmet, heard, strict=True)
        return [each for part, logps in parts for each in _recordings(logps, texts, part, sources, alphabet, groups)]

    recordings = met(sources)
    if not recordings:
        untuned = sources.letters and not known
        return Gain(_language(texts, sources, alphabet, *USUAL), None, None) if untuned else None
    gain, greedy_cer = weighed(texts, sources, recordings), _greedy_cer(recordings)
    if (plain := sources.without_text()) is not sources:
        other = weighed(texts, plain, met(plain))
        if other.cer is not None and gain.cer is not None and other.cer < gain.cer:
            if refuse:
                refuse(gain.cer, other.cer)
            gain, sources = other, plain
    if not greedy_cer or gain.cer is None or gain.cer >= greedy_cer + _expected_gain(recordings, bool(sources.letters)):
        return None
    return gain._replace(greedy_cer=greedy_cer)


def weighed(texts: Sequence[str], sources: Sources, recordings: Sequence[Recording]) -> Gain:
    """The language model of transcripts and other sources, with its weights tuned on held-out recordings."""
    found = tune(recordings)
    learned = _language(texts, sources, recordings[0].ngram.alphabet, found.weight, found.bonus)
    groups = [-1 - i if each.group is None else each.group for i, each in enumerate(recordings)]
    bounds = interval_of(found.errors, [len(each.text) for each in recordings], groups) if found.errors else None
    return Gain(replace(learned, shift=_shift(recordings, found)), found.cer, None, bounds)


def path_shift(model: AcousticModel, clips: Sequence[Example], unmet: Sequence[Unmet]) -> float:
    """The shift that calibrates the confidences of greedy decoding, estimated on held-out clips."""
    alphabet = model.config.alphabet
    held = [(part, i) for part in unmet for i in part.held[:MOST_TUNED]]
    heard = [greedy(_logp(model, part.end, clips[i])) for part, i in held]
    return shift_by(heard, [alphabet.decode(clips[i].labels) for _, i in held], alphabet)


def _shift(recordings: Sequence[Recording], fusion: Fusion) -> float:
    """The same shift for the search."""
    ngrams = {id(each.ngram): each for each in recordings}
    searches = {
        key: Search(each.ngram.alphabet.size, each.ngram, each.words, fusion.weight, fusion.bonus)
        for key, each in ngrams.items()
    }
    heard = [searches[id(each.ngram)].hear(each.logp_FV).emissions for each in recordings]
    known = [(each.ngram, each.words) for each in recordings]
    return shift_by(heard, [each.text for each in recordings], recordings[0].ngram.alphabet, known)


def shift_by(
    heard: Sequence[Sequence[Emission]],
    references: Sequence[str],
    alphabet: Alphabet,
    known: Sequence[tuple[NGram | None, Words | None]] | None = None,
) -> float:
    """The shift of confidences, by decoded recordings and their `references`; of greedy decoding if `known` is None."""
    clues, right = [np.zeros((0, len(SEARCHED if known else BEST_PATH) - 1))], []
    for emissions, reference, of in zip(heard, references, known or [(None, None)] * len(heard), strict=True):
        letters = spelt(emissions, alphabet)
        texts = [alphabet.decode([each.symbol for each in word]) for word in letters]
        clues.append(clues_of(letters, texts, *of))
        right += right_words(reference, " ".join(texts))
    return shift_of(np.concatenate(clues), right)


def sources_of(
    alphabet: Alphabet, others: Sequence[Sequence[str]], known: Language | None, listed: Listed | None
) -> Sources:
    """Text and word list as sources; a recogniser that is adapted further already has the list."""
    text = [lines for lines in others if _readable(lines, alphabet)]
    drawn = [listed.lines] if listed and _readable(listed.lines, alphabet) else []
    letters = [*([known.ngram] if known else ()), *(learn(lines, alphabet) for lines in (*text, *drawn))]
    before = known.words.sources if known and known.words else ()
    words = [listed_words(listed.frequencies)] if listed and not before else []
    first, then = bool(known), len(before)
    given = slice(first, first + len(text)), slice(then, then + len(text))
    return Sources(letters, [*before, *(count_words(lines) for lines in text), *words], given)


def listed(language: str, rules: TextRules) -> Listed | None:
    """The word list of a language, normalised by the rules; None without a list, or without wordfreq."""
    try:
        lines = draw_lines(language, WORDS, torch.Generator().manual_seed(0)) if language else []
    except SynthesisError:
        return None
    found: dict[str, float] = defaultdict(float)
    frequencies = _frequencies(language) if rules.writing == "given" and language else {}
    for word in nlargest(MOST_WORDS, frequencies, key=frequencies.__getitem__):
        written = _written(word, rules)
        if written and " " not in written:
            found[written] += frequencies[word]
    return Listed([_written(line, rules) for line in lines], found) if lines else None


def _written(listed: str, rules: TextRules) -> str:
    """The words of a list, normalised. Most need no change: lower case, one space between words."""
    plain = rules.case != "upper" and rules.writing == "given" and listed.replace(" ", "").isalpha()
    if plain and listed == listed.lower() and is_normalized("NFC", listed):
        return listed
    return normalize(listed, rules)


def lexicon_for(rules: TextRules, texts: Sequence[str], words: bool, before: Lexicon | None) -> Lexicon | None:
    """The lexicon from pinyin to characters, if the rules need one: from `texts`, and the word list if there is one.

    A recogniser that is adapted further brings its own lexicon, `before`.
    """
    if rules.writing != "characters":
        return None
    if before is not None:
        return make_lexicon(before.frequencies, texts, before.pairs)
    return make_lexicon(_frequencies(MANDARIN) if words else {}, texts)


def _frequencies(language: str) -> dict[str, float]:
    """The probabilities of the words of a language; empty without a word list, or without wordfreq."""
    try:
        return word_frequencies(language)
    except SynthesisError:
        return {}


def _expected_gain(recordings: Sequence[Recording], more: bool) -> float:
    """The increase of held-out CER up to which the search is kept: text beyond the transcripts is expected to help.

    The prior has its usual weight (`ctc.fusion.PRIOR`); a language model of transcripts alone must lower CER.
    """
    return GAIN * PRIOR / max(sum(len(recording.text) for recording in recordings), 1) if more else 0.0


def kept(language: Language | None, alphabet: Alphabet) -> Language | None:
    """The language model of a recogniser that is adapted further; `alphabet` begins with its symbols."""
    if language is None:
        return None
    return replace(language, ngram=NGram(alphabet, language.ngram.sources, language.ngram.weights))


def _readable(lines: Sequence[str], alphabet: Alphabet) -> bool:
    """Whether any line has a letter of the alphabet."""
    symbols = set(alphabet.symbols) - {" "}
    return any(symbols.intersection(line) for line in lines)


def _language(texts: Sequence[str], sources: Sources, alphabet: Alphabet, weight: float, bonus: float) -> Language:
    """The n-grams and words of the transcripts, mixed with those of other text."""
    ngram = mix_with(texts, sources.letters) if sources.letters else learn(texts, alphabet)
    folds = (
        Fold(held, rest, NGram(alphabet, (*learn(rest, alphabet).sources, *ngram.sources[1:]), ngram.weights))
        for rest, held in folds_of(texts)
    )
    return Language(ngram, weight, bonus, mix_words(texts, sources.words, folds))


def _recordings(
    heard: Sequence[Tensor],
    texts: Sequence[str],
    unmet: Unmet,
    sources: Sources,
    alphabet: Alphabet,
    groups: Sequence[int],
) -> Iterator[Recording]:
    """The held-out clips as input of the search."""
    measuring = unmet.held[:MOST_TUNED]
    rest, held = [texts[i] for i in unmet.learned], [texts[i] for i in measuring]
    found = recordings_of(heard, held, rest, sources, alphabet)
    return (each._replace(group=groups[i] if groups else i) for i, each in zip(measuring, found, strict=True))


def recordings_of(
    heard: Sequence[Tensor], held: Sequence[str], rest: Sequence[str], sources: Sources, alphabet: Alphabet
) -> Iterator[Recording]:
    """The log-probabilities and transcripts of held-out clips, with the language model of all other clips."""
    language = _language(rest, sources, alphabet, *USUAL)
    for logp_FV, text in zip(heard, held, strict=True):
        yield Recording(logp_FV, text, language.ngram, language.words)


def _logp(model: AcousticModel, params: Params, clip: Example) -> Tensor:
    """Log-probabilities `[F, V]` of one clip, without dropout."""
    model.eval()
    return logp_of(model, clip.frames_FM, params, length=even(len(clip.frames_FM)))


def _greedy_cer(recordings: Sequence[Recording]) -> float:
    texts = []
    for each in recordings:
        (ids,) = greedy_ids(each.logp_FV[None], torch.tensor([len(each.logp_FV)]))
        texts.append(each.ngram.alphabet.decode(ids))
    counts = [each.characters for each in errors_of_each([each.text for each in recordings], texts)]
    return sum(c.errors for c in counts) / max(1, sum(c.length for c in counts))
