"""Models that say something, small enough to be exported in no time."""

from dataclasses import replace
from pathlib import Path

import pytest

from earful.checkpoint import Language, load_checkpoint, save_checkpoint
from earful.ctc.ngram import learn, mix
from earful.ctc.words import Words, count_words, listed_words
from earful.text.alphabet import Alphabet


@pytest.fixture
def talker(tiny_base: Path, tmp_path: Path) -> Path:
    """A model that writes a lot, and is sure of it: an untrained one that thinks little of the blank."""
    return of_letters(tiny_base, tmp_path / "talker", " abcde")


@pytest.fixture
def write_talker(tiny_base: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """`write_talker(symbols)` is such a model with these five letters after the space."""
    return lambda symbols: of_letters(tiny_base, tmp_path / "talker", symbols)


@pytest.fixture(scope="session")
def searcher(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talker that searches: with letters of two sources of text, and words of two, one of them not writable.

    In the quiet, where a talker writes e, it writes nothing: not even a space.
    """
    folder = tmp_path_factory.mktemp("searcher")
    found = load_checkpoint(of_letters(tiny_base, folder / "talker", " abcde"))
    for name in ("heads.text.weight", "heads.text.bias"):
        found.params[name] = found.params[name][[6, 1, 2, 3, 4, 5, 0]]
    texts, others = ["abba cab", "bad cab", "a bed abba"], ["dada bed", "ace cab ace", "bede"]
    letters = mix([learn(each, found.config.alphabet, order=4) for each in (texts, others)], [0.7, 0.3])
    known = Words((count_words(texts), listed_words({"abba": 0.5, "bede": 0.3, "öl": 0.2})), (0.3, 0.4, 0.3), 0.7)
    config = replace(found.config, rules=replace(found.config.rules, language="nl"))
    save_checkpoint(folder / "model", replace(found, config=config, language=Language(letters, 0.8, 1.1, known)))
    return folder / "model"


def of_letters(base: Path, folder: Path, symbols: "str | tuple[str, ...]") -> Path:
    found = load_checkpoint(base)
    found.params["heads.text.weight"] *= 6
    found.params["heads.text.bias"][0] -= 2
    config = replace(found.config, alphabet=Alphabet(tuple(symbols)))
    save_checkpoint(folder, replace(found, config=config))
    return folder
