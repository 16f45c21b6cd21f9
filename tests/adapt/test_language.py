"""The language model that goes with a recogniser: what it knows while it is measured, and when it is kept."""

from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from earful.adapt.language import WORDS, Listed, learn_language, listed, sources_of
from earful.adapt.measure import Unmet
from earful.checkpoint import Language
from earful.ctc.fusion import USUAL, Fusion, Recording
from earful.ctc.ngram import learn
from earful.ctc.words import Words, count_words, mix_words
from earful.data.batch import Example
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules

TEXTS = ("de kat zit", "de hond zit", "de kat is hier", "de hond is hier")
MORE = ("de kat is", "hier zit de hond", "de hond is zat")
ALPHABET = Alphabet.learn(TEXTS)


class Reader(nn.Module):
    """Writes what the frames spell; a frame of 0.5 hesitates between the first letter of the alphabet and its own."""

    def __init__(self) -> None:
        super().__init__()
        self.config = ModelConfig(ALPHABET)

    def forward(self, frames_BFM: Tensor, frame_counts_B: Tensor) -> tuple[Tensor, Tensor]:
        return frames_BFM.log_softmax(-1), frame_counts_B


def spoken(text: str, doubt: Sequence[int] = ()) -> Example:
    """A clip that says `text`, a blank after each letter; at `doubt` an "a" is a little likelier than the letter."""
    labels = ALPHABET.encode(text)
    frames_FV = torch.zeros(2 * len(labels), ALPHABET.size)
    frames_FV[1::2, 0] = 9.0
    for place, label in enumerate(labels):
        frames_FV[2 * place, label] = 9.0
        if place in doubt:
            frames_FV[2 * place, ALPHABET.encode("a")[0]] = 9.3
    return Example(frames_FV, tuple(labels))


def learned(clips: Sequence[Example], others: Sequence[str] = ()) -> object:
    everything = range(len(clips))
    unmet = [Unmet({}, [i for i in everything if i % 2 != part], list(everything)[part::2]) for part in (0, 1)]
    return learn_language(Reader(), clips, unmet, [others])  # type: ignore[arg-type]


def test_it_is_kept_where_it_mends_errors() -> None:
    clips = [spoken(text, doubt=[len(text) - 2]) for text in TEXTS]
    gain = learned(clips, others=TEXTS * 3)
    assert gain is not None and gain.cer < gain.greedy_cer  # type: ignore[attr-defined]
    assert gain.language.weight > 0 and gain.language.ngram.alphabet == ALPHABET  # type: ignore[attr-defined]


def test_it_is_left_out_where_nothing_is_to_mend() -> None:
    assert learned([spoken(text) for text in TEXTS], others=TEXTS) is None


def test_what_the_clips_say_is_no_other_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that has read what measures it makes no errors, and tells nothing."""
    seen = list[Recording]()
    monkeypatch.setattr(
        "earful.adapt.language.tune", lambda recordings: seen.extend(recordings) or Fusion(1.0, 1.5, 0.1)
    )
    learned([spoken(text) for text in TEXTS], others=[*TEXTS, f"en dan {TEXTS[2]} weer"])
    sources = {frozenset(source.words) for each in seen if each.words for source in each.words.sources}
    assert [words for words in sources if "en" in words] == [{"en", "dan", "weer"}]


FOREIGN = ("aaza za hazi", "zaazi azai hza", "aza za dazi haza") * 40
"""Another language in the same letters, in which the letter that the sound leaves open is an "a"."""


@pytest.mark.parametrize(("rate", "kept"), [(0.45, False), (0.4, True), (0.3, True)])
def test_text_that_makes_it_worse_is_left_out_and_both_rates_are_told(
    rate: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rate` is CER with it; without it is 0.4, of the same clips by the same search."""
    clips, parts = [spoken(text) for text in TEXTS], [Unmet({}, [0], [1, 2, 3])]
    listing, refused = Listed([*TEXTS], {"de": 0.5, "hond": 0.2}), list[tuple[float, float]]()

    def tuned(recordings: Sequence[Recording]) -> Fusion:
        read = any("zaazi" in (each.words.known if each.words else ()) for each in recordings)
        return Fusion(1.0, 1.5, rate if read else 0.4)

    monkeypatch.setattr("earful.adapt.language.tune", tuned)
    monkeypatch.setattr("earful.adapt.language._greedy_cer", lambda recordings: 0.5)
    found = learn_language(
        Reader(),  # type: ignore[arg-type]
        clips,
        parts,
        [FOREIGN],
        None,
        listing,
        refuse=lambda *rates: refused.append(rates),
    )
    assert found is not None and found.cer == min(rate, 0.4) and found.language.words is not None
    assert ("zaazi" in found.language.words.known) == kept and len(found.language.ngram.sources) == 2 + kept
    assert refused == ([] if kept else [(rate, 0.4)])


def test_what_was_known_before_stays_where_new_text_is_left_out() -> None:
    before = Language(learn(TEXTS, ALPHABET), 0.7, 1.2, count_and_mix(TEXTS))
    listing = Listed(["hond hek"], {"hond": 1.0})
    every = sources_of(ALPHABET, [FOREIGN, ["ЖЖ"]], before, listing)
    plain = every.without_text()
    assert plain.letters == [every.letters[0], every.letters[2]] and plain.words == [*every.words[:-1]]
    assert plain.without_text() is plain


def count_and_mix(texts: Sequence[str]) -> Words:
    return mix_words(texts, [count_words(texts)], [])


def test_where_nothing_was_held_out_other_text_weighs_as_usual() -> None:
    clips = [spoken(TEXTS[0])]
    gain = learn_language(Reader(), clips, [], [TEXTS])  # type: ignore[arg-type]
    assert gain is not None and (gain.cer, gain.greedy_cer) == (None, None)
    assert (gain.language.weight, gain.language.bonus) == USUAL
    assert gain.language.ngram.perplexity(["de hond"]) < learn(TEXTS[:1], ALPHABET).perplexity(["de hond"])
    assert learn_language(Reader(), clips, [], [[]]) is None, "the transcripts alone"  # type: ignore[arg-type]
    before = Language(learn(TEXTS, ALPHABET), 0.7, 1.2)
    assert learn_language(Reader(), clips, [], [TEXTS], before) is None, "weighed before"  # type: ignore[arg-type]


@pytest.mark.parametrize("others", [["ЖЖЖ"], [""], []])
def test_text_in_other_letters_adds_nothing(others: list[str]) -> None:
    clips = [spoken(text, doubt=[1]) for text in TEXTS]
    with_it, without = learned(clips, others), learned(clips)
    assert (with_it is None) == (without is None)
    if with_it is not None:
        assert with_it.cer == without.cer  # type: ignore[attr-defined]


def test_the_words_of_a_language_are_as_frequent_as_in_it() -> None:
    pytest.importorskip("wordfreq")
    found = listed("nl", TextRules(language="nl"))
    assert found is not None
    words = Counter(" ".join(found.lines).split())
    assert words.total() == pytest.approx(WORDS, rel=0.01)
    assert words["de"] > 3 * words["niet"] > 30 * words["fiets"] > 0
    assert found.frequencies["de"] > 10 * found.frequencies["fiets"] > 0
    assert found == listed("nl", TextRules(language="nl"))


@pytest.mark.parametrize("language", ["", "xx", "eo"])
def test_a_language_without_a_word_list_has_no_words(language: str) -> None:
    assert listed(language, TextRules(language=language)) is None


def test_words_are_known_where_there_is_text_and_list() -> None:
    clips = [spoken(text, doubt=[1]) for text in TEXTS]
    parts = [Unmet({}, [0], [*range(1, len(clips))])]
    listing = Listed(["hond hek"] * 20, {"hond": 0.7, "hek": 0.3})
    gain = learn_language(Reader(), clips, parts, [["een hond"]], None, listing)  # type: ignore[arg-type]
    assert gain is not None and gain.language.words is not None
    assert {"hek", "hond", "een"} < gain.language.words.known and len(gain.language.words.sources) == 3
    again = sources_of(ALPHABET, [["een kat"]], gain.language, listing)
    assert len(again.words) == 4, "what was known, and the new text; the list is there already"


@pytest.mark.parametrize(
    ("others", "cer", "kept"), [(MORE, 0.52, True), (MORE, 0.9, False), ((), 0.52, False), ((), 0.48, True)]
)
def test_a_few_clips_do_not_overrule_other_text(
    others: Sequence[str], cer: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that is a little worse by chance is kept where it has read more than the transcripts."""
    monkeypatch.setattr("earful.adapt.language.tune", lambda recordings: Fusion(1.0, 1.5, cer))
    monkeypatch.setattr("earful.adapt.language._greedy_cer", lambda recordings: 0.5)
    monkeypatch.setattr("earful.adapt.language.PRIOR", 100.0)  # 0.03 of them are 3 of some 50 characters
    assert (learned([spoken(text) for text in TEXTS], others) is not None) == kept
