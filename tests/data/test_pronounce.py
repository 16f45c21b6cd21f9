"""Phones of transcripts, by espeak-ng's rules."""

from pathlib import Path
from typing import Any

import pytest

from earful.data.manifest import Manifest
from earful.data.synthesis import pronounce as module
from earful.data.synthesis.pronounce import PHONES, pronounce, pronounce_words
from earful.data.utterance import Utterance
from earful.errors import SynthesisError


def clip(name: str, text: str | None, language: str | None = "nl") -> Utterance:
    return Utterance(name, Path(f"{name}.wav"), text=text, language=language, extra={"game": "fillets"})


def test_phones_are_added_and_all_else_stays() -> None:
    manifest = Manifest((clip("a", "goede morgen"), clip("b", "der Fisch", "de"), clip("c", "goede morgen")))
    done = list[int]()
    spoken = pronounce(manifest, workers=1, advance=lambda: done.append(1))
    assert [u.id for u in spoken] == ["a", "b", "c"] and len(done) == 3
    first, second, third = (u.extra[PHONES] for u in spoken)
    assert first == third != second and len(first) > 6
    assert {"m", "ɔ"} <= set(first) and "ʃ" in second
    assert not any(mark in symbol for symbol in first for mark in "ˈˌ") and "" not in first
    for before, after in zip(manifest, spoken, strict=True):
        assert (after.audio, after.text, after.extra["game"]) == (before.audio, before.text, "fillets")


def test_what_cannot_be_said_stays_without() -> None:
    rows = (clip("a", None), clip("b", ""), clip("c", "morgen", None), clip("d", "?!"), clip("e", "日本語のテキスト"))
    manifest = Manifest(rows)
    assert pronounce(manifest, workers=1) == manifest


def test_a_language_that_espeak_lacks() -> None:
    with pytest.raises(SynthesisError, match="xx-none"):
        pronounce(Manifest((clip("a", "morgen", "xx-none"),)), workers=1)


def test_an_empty_manifest() -> None:
    assert pronounce(Manifest(), workers=1) == Manifest()


def test_what_is_said_may_be_other_than_the_text() -> None:
    rows = (clip("a", None, "it"), clip("b", "casa", "it"), clip("c", "casa", "xx-none"))
    letters = {"a": "b", "b": "h", "c": None}
    told = pronounce(Manifest(rows), workers=1, said=lambda u: letters[u.id])
    assert ["".join(u.extra.get(PHONES, ())) for u in told] == ["bi", "aka", ""]
    assert [u.text for u in told] == [None, "casa", "casa"]


def test_words_are_said_as_in_a_sentence_without_a_sound() -> None:
    words = ["goede", "morgen", "kinderen"]
    found = pronounce_words(words, "nl")
    assert list(found) == words and "".join(found["goede"]) == "ɣudə"
    (clip_,) = pronounce(Manifest((clip("a", "morgen"),)), workers=1)
    assert list(found["morgen"]) == clip_.extra[PHONES]


def test_words_that_cannot_be_said_are_left_out() -> None:
    assert list(pronounce_words(["morgen", "", "?!", "日本語", "website", "na\0cht"], "nl")) == ["morgen", "na\0cht"]
    assert pronounce_words([], "nl") == {}
    with pytest.raises(SynthesisError, match="xx-none"):
        pronounce_words(["morgen"], "xx-none")


def test_words_do_not_depend_on_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["een", "twee", "drie", "vier", "vijf"]
    together = pronounce_words(words, "nl")
    monkeypatch.setattr(module, "_TOGETHER", 2)
    assert pronounce_words(words, "nl") == together == pronounce_words(words[::-1], "nl")


def test_of_words_that_kill_the_worker_the_others_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TOGETHER", 1)
    ask = module.Workers.ask

    def deadly(pool: module.Workers, job: dict[str, Any]) -> dict[str, Any] | None:
        return None if job["words"] == ["twee"] else ask(pool, job)

    monkeypatch.setattr(module.Workers, "ask", deadly)
    assert list(pronounce_words(["een", "twee", "drie"], "nl")) == ["een", "drie"]
