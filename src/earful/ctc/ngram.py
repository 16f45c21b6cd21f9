"""Character n-gram models: the probability of the next symbol, learned from text, for ctc/beam.py.

One source of text is smoothed as in ctc/kneser_ney.py. Two sources, the few transcripts and much other text, are mixed
by linear interpolation (Jelinek and Mercer 1980) with the weights that best predict held-out transcripts. On Dutch and
German that is as good as counting the transcripts several times, and needs no guess how many times.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from earful.ctc.arrays import Arrays, read_arrays, write_arrays
from earful.ctc.kneser_ney import DEFAULT_ORDER, EDGE_ID, MOST_NGRAMS, Chances, Counts, Level, count
from earful.errors import CheckpointError, ConfigError, EarfulError
from earful.text.alphabet import Alphabet

FORMAT = "1"
_CACHED_NUMBERS = 2**21  # in the rows that a model keeps: 46,000 rows of 45 symbols
_FOLDS, _EM_STEPS = 5, 50

Floats = NDArray[np.float64]
Row = NDArray[np.float32]


@final
@dataclass(frozen=True, eq=False)
class NGram:
    """A language model: the counts of one or more sources of text, and their weights, which sum to 1.

    A context is an integer; `start` is the beginning of a text. Raises ConfigError if the weights are no weights.

    >>> model = learn(["de kat", "de hond"], Alphabet.learn(["de kat", "de hond"]), order=3)
    >>> context = model.start
    >>> for symbol in model.alphabet.encode("de"):
    ...     context = model.extend(context, symbol)
    >>> model.alphabet.decode([int(model.row(context).argmax())])
    ' '
    """

    alphabet: Alphabet
    sources: tuple[Counts, ...]
    weights: tuple[float, ...] = (1.0,)
    chances: tuple[Chances, ...] = field(init=False, repr=False)
    _seen: dict[int, tuple[Row, Any]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        right = len(self.weights) == len(self.sources) > 0 and min(self.weights) >= 0
        if not right or not math.isclose(sum(self.weights), 1, abs_tol=1e-6):
            raise ConfigError(
                f"expected a weight for each of {len(self.sources)} sources of text, at least 0 and together 1, "
                f"got {self.weights}"
            )
        object.__setattr__(self, "chances", tuple(each.chances(self.alphabet.size) for each in self.sources))

    @property
    def start(self) -> int:
        """The context at the beginning of a text."""
        return int(self._joined([each.next_N[EDGE_ID] for each in self.chances]))

    def row(self, context: int) -> Row:
        """The natural logarithms `[V]` of the probabilities of the next symbol; at 0, of the text's end. Read-only."""
        return self._look(context)[0]

    def extend(self, context: int, symbol: int) -> int:
        """The context after one more symbol."""
        return int(self._look(context)[1][symbol])

    def logp(self, text: str) -> Floats:
        """log p of each symbol of a text, and of its end. Raises TextError as `Alphabet.encode` does."""
        context, found = self.start, []
        for symbol in (*self.alphabet.encode(text), EDGE_ID):
            found.append(float(self.row(context)[symbol]))
            context = self.extend(context, symbol)
        return np.array(found)

    def perplexity(self, texts: Iterable[str]) -> float:
        """exp of the mean of -log p over all symbols of the texts and their ends."""
        return math.exp(-np.concatenate([self.logp(text) for text in texts]).mean())

    def _look(self, context: int) -> tuple[Row, Any]:
        """The row, and the contexts `[V]` after each of its symbols; cached, because a search returns to them."""
        if context not in self._seen:
            if len(self._seen) * self.alphabet.size >= _CACHED_NUMBERS:
                self._seen.clear()
            looks = [
                each.look(state, self.alphabet.size)
                for each, state in zip(self.chances, self._split(context), strict=True)
            ]
            row_V = np.log(sum(weight * p_V for weight, (p_V, _) in zip(self.weights, looks, strict=True)))
            row_V.setflags(write=False)
            self._seen[context] = row_V, self._joined([next_V for _, next_V in looks])
        return self._seen[context]

    def _split(self, context: int) -> Iterator[int]:
        """The state of each source: digits of a number whose place values are the sources' numbers of states."""
        for each in self.chances:
            context, state = divmod(context, len(each.gammas_C))
            yield state

    def _joined(self, states: Sequence[Any]) -> Any:
        """The context of a state of each source, or of an array of states of each."""
        joined = 0
        for state, each in zip(reversed(states), reversed(self.chances), strict=True):
            joined = joined * len(each.gammas_C) + state
        return joined


# --- learning --------------------------------------------------------------------------------------------------------


def learn(texts: Iterable[str], alphabet: Alphabet, order: int = DEFAULT_ORDER, most: int = MOST_NGRAMS) -> NGram:
    """Learn a model from texts, each a sentence or so, normalised as the transcripts are; see `count`.

    Raises:
        TextError: no symbol of the alphabet is in the texts. ConfigError: the order is out of range.
    """
    return NGram(alphabet, (count(texts, alphabet, order, most),))


def mix_with(
    transcripts: Sequence[str], others: Sequence[NGram], order: int = DEFAULT_ORDER, most: int = MOST_NGRAMS
) -> NGram:
    """Learn from transcripts, and mix that with what was learned from `others`, at least one other source of text.

    The weight of each source is how much it helps to predict held-out transcripts, every fifth in turn. With fewer than
    two transcripts all sources have the same weight. Raises as `learn`.
    """
    transcripts = [text for text in transcripts if text.strip()]
    own = [learn(transcripts, others[0].alphabet, order, most)] if transcripts else []
    p = []
    for rest, held in folds_of(transcripts):
        sources = [learn(rest, others[0].alphabet, order, most), *others]
        p += [np.exp([source.logp(text) for source in sources]) for text in held]
    if not p:
        sources = [*own, *others]
        return mix(sources, [1 / len(sources)] * len(sources))
    return mix([*own, *others], _weights(np.concatenate(p, axis=1)))


def folds_of(transcripts: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Each fold: the other transcripts, then every fifth one in turn; no folds with fewer than two non-empty ones."""
    said = [text for text in transcripts if text.strip()]
    folds = min(_FOLDS, len(said)) if len(said) > 1 else 0
    for fold in range(folds):
        yield [text for place, text in enumerate(said) if place % folds != fold], said[fold::folds]


def mix(models: Sequence[NGram], weights: Sequence[float]) -> NGram:
    """p = Σ weight · p of each model. Raises ConfigError if alphabets differ or the weights are not weights."""
    if len({model.alphabet for model in models}) != 1:
        raise ConfigError("expected language models of one alphabet to mix; learn each with the alphabet of the model")
    shares = [weight * share for model, weight in zip(models, weights, strict=True) for share in model.weights]
    sources = tuple(source for model in models for source in model.sources)
    return NGram(models[0].alphabet, sources, tuple(float(share) for share in shares))


def _weights(p_KN: Floats) -> list[float]:
    """The likeliest weights of K models for N symbols, by expectation maximisation (Dempster et al. 1977)."""
    weights_K = np.full(len(p_KN), 1 / len(p_KN))
    for _ in range(_EM_STEPS):
        shares_KN = weights_K[:, None] * p_KN
        weights_K = (shares_KN / shares_KN.sum(0)).mean(1)
    return [float(weight) for weight in weights_K]


# --- the file --------------------------------------------------------------------------------------------------------


def save_ngram(path: str | Path, model: NGram) -> None:
    """Write a model as one safetensors file of its counts, first beside its place, then renamed.

    Raises:
        CheckpointError: it cannot be written.
    """
    orders = [len(source.levels) for source in model.sources]
    about = {"alphabet": model.alphabet.symbols, "weights": model.weights, "orders": orders}
    write_arrays(Path(path), _arrays(model), about, FORMAT)


def load_ngram(path: str | Path) -> NGram:
    """Read what `save_ngram` wrote.

    Raises:
        CheckpointError: missing, foreign, damaged, or of a format that this version does not read.
    """
    about, arrays = read_arrays(Path(path), FORMAT)
    try:
        sources = tuple(_source(arrays, place, order) for place, order in enumerate(about["orders"]))
        return NGram(Alphabet(tuple(about["alphabet"])), sources, tuple(about["weights"]))
    except (EarfulError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); copy or learn the language model again") from error


def _arrays(model: NGram) -> Arrays:
    """Every array under its name, whole numbers in the narrowest type that holds them."""
    arrays: Arrays = {}
    for place, source in enumerate(model.sources):
        arrays[f"{place}.discounts"] = source.discounts
        for length, level in enumerate(source.levels, 1):
            for name, values in level._asdict().items():
                arrays[f"{place}.{length}.{name}"] = values.astype(np.min_scalar_type(values.max(initial=0)))
    return arrays


def _source(arrays: Arrays, place: int, order: int) -> Counts:
    levels = (Level(*(arrays[f"{place}.{n}.{name}"] for name in Level._fields)) for n in range(1, order + 1))
    return Counts(tuple(levels), arrays[f"{place}.discounts"])
