"""What is in a text, and how like the clips it is."""

from pathlib import Path

import pytest

from earful.data import check_reading
from earful.data.check_reading import TextInspection, inspect_text, kind_of, listed_shares
from earful.errors import SynthesisError
from earful.text.normalize import TextRules

DUTCH = (
    "De kinderen lopen elke morgen samen naar de school. Het water in de rivier was koud en helder. "
    "Mijn moeder heeft gisteren een groot brood gebakken. Wij hebben lang op de trein gewacht, maar hij kwam niet. "
    "Als het morgen regent, dan blijven we thuis en lezen een boek. De oude man vertelt graag over vroeger."
)
DANISH = (
    "Børnene går hver morgen sammen til skolen. Vandet i floden var koldt og klart. "
    "Min mor har bagt et stort brød i går. Vi ventede længe på toget, men det kom ikke. "
    "Hvis det regner i morgen, så bliver vi hjemme og læser en bog. Den gamle mand fortæller gerne om gamle dage."
)
RUSSIAN = (
    "Дети каждое утро идут вместе в школу. Вода в реке была холодная и чистая. Моя мать вчера испекла большой хлеб. "
    "Мы долго ждали поезда, но он не пришёл. Если завтра будет дождь, то мы останемся дома и будем читать книгу. "
    "Старик любит рассказывать о прошлом, и все его всегда слушают."
)


@pytest.fixture
def inspect(tmp_path: Path):
    def run(text: str, *clips: str, language: str = "") -> TextInspection:
        path = tmp_path / "text.txt"
        path.write_text(text, "utf-8")
        return inspect_text(path, clips, TextRules(language=language))

    return run


def kinds(seen: TextInspection) -> list[str]:
    return [f"{finding.severity}: {finding.kind}" for finding in seen.findings]


def test_what_there_is(inspect) -> None:
    seen = inspect("Een huis.\n\nEen huis.\nTwee bomen! Één: дом\n")
    assert (seen.lines, seen.repeated_lines, seen.sentences) == (3, 1, 4)
    assert (seen.words, seen.distinct_words, seen.kilobytes) == (8, 6, 0.047)
    assert seen.scripts == {"LATIN": 26, "CYRILLIC": 3} and seen.kind == "sentences"
    assert seen.likeness is None and seen.listed is None and kinds(seen) == ["warning: repeated lines"]


def test_how_like_the_clips_it_is(inspect) -> None:
    like = inspect("Een kat. Een hond, ʼn kat 3", "Een kat", "een paard x x x x x", language="").likeness
    assert like.unheard == {"h": 1, "o": 1, "ʼ": 1} and like.unread == {"x": 5, "p": 1, "r": 1}
    assert (like.covered, like.covered_distinct) == (3 / 9, 2 / 4)


def test_letters_that_clips_often_have_are_missed(inspect) -> None:
    seen = inspect("een kat", "xxxxx een kat p")
    assert kinds(seen) == ["warning: letters missing"] and "lacks letters of the clips: x" in seen.findings[0].message


def test_another_script_is_an_error(inspect) -> None:
    seen = inspect(RUSSIAN, "een kat xxxxx")
    assert kinds(seen) == ["error: another script"] and not seen.usable
    assert "in CYRILLIC letters, the transcripts are in LATIN" in seen.findings[0].message
    assert inspect(RUSSIAN, "12").usable and inspect(RUSSIAN + " DJ", "да").usable


@pytest.mark.parametrize("language", ["nl", "Dutch", ""])
def test_nothing_is_wrong_with_a_text_in_its_language(inspect, language: str) -> None:
    seen = inspect(DUTCH, language=language)
    assert kinds(seen) == [] and next(iter(seen.likeliest)) == "nl" and seen.likeliest["nl"] > 0.9
    assert seen.listed == (seen.likeliest["nl"] if language else None)


@pytest.mark.parametrize("language", ["nl", "nb", "Norwegian", "ga", "xyzzy"])
def test_another_language_shows(inspect, language: str) -> None:
    (finding,) = inspect(DANISH, language=language).findings
    assert finding.kind == "another language" and "the list of Danish (da)" in finding.message
    assert ("in that of" in finding.message) == (language not in {"ga", "xyzzy"})


def test_lists_in_another_script_are_no_evidence(inspect) -> None:
    seen = inspect(RUSSIAN, language="sr")  # whose list is in Latin letters
    assert seen.listed is None and set(seen.likeliest) <= {"ru", "uk", "bg", "mk"}
    assert kinds(seen) == ["warning: another language"]


def test_words_that_are_not_told_apart_are_not_looked_for() -> None:
    assert listed_shares(["我们去银行"] * 60, "zh") == (None, {})
    assert listed_shares(["de"] * 49, "nl") == (None, {})
    assert listed_shares(["de"] * 50, "nl")[0] == 1.0
    own, _ = listed_shares(["l'eau", "aujourd'hui", "l'xyzzy", "xyzzy"] * 20, "fr")
    assert own == 0.5


def test_without_lists_the_rest_is_said(inspect, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise SynthesisError("no wordfreq")

    monkeypatch.setattr(check_reading, "common_words", absent)
    seen = inspect(DANISH, "koldt", language="nl")
    assert seen.listed is None and seen.likeliest == {} and seen.likeness is not None and kinds(seen) == []


def test_kinds_of_text() -> None:
    words = ["huis", "boom 12", "kat", "de"] * 6
    assert kind_of(words) == "word list" and kind_of(words[:19]) == "sentences"
    assert kind_of(["in den beginne"] * 24 + words[:4]) == "sentences"
    verses = [f"{n} in den beginne was het woord" for n in range(1, 15)]
    assert kind_of(verses) == kind_of([" ".join(verses)]) == "numbered verses"
    assert kind_of([f"Gen 1:{n} en het was zo" for n in range(1, 15)]) == "numbered verses"
    assert kind_of([f"in {year} kwam hij" for year in range(1900, 1930)]) == "sentences"  # years
    assert kind_of(["het duurt 3 tot 4 dagen, of 5,6"] * 20) == "sentences"
    assert kind_of([*(f"{n} ja" for n in range(1, 12)), *["een lange zin van vele woorden"] * 200]) == "sentences"


def test_figures_and_word_lists_are_noted(inspect) -> None:
    assert kinds(inspect("\n".join(f"{n} zo was het" for n in range(1, 20)))) == ["warning: numbered verses"]
    assert kinds(inspect("Het is 9 uur. Hij komt niet.")) == ["note: figures"]
    assert kinds(inspect("\n".join(f"woord{'abcdefghijklmnopqrstuv'[n]}" for n in range(22)))) == ["note: word list"]
