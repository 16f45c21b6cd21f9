"""Which tiers are taken of annotations: those that are asked for, or those that are likeliest to be what is said."""

from pathlib import Path

import pytest

from earful.data.tiers import Annotated, Choice, Span, Tier, take
from earful.errors import ManifestError


def tier(
    name: str, *texts: str, kind: str | None = None, speaker: str | None = None, aligned: bool = True, s: float = 2.0
) -> Tier:
    spans = tuple(Span(number * s, (number + 1) * s, text) for number, text in enumerate(texts))
    return Tier(name, spans, kind, speaker, aligned)


def file(name: str, *tiers: Tier) -> Annotated:
    return Annotated(Path(name), Path(name).with_suffix(".wav"), tiers)


def taken(*files: Annotated, name: str | None = None) -> list[list[str]]:
    return [[tier.name for tier in tiers] for _, tiers in take(files, Choice(name))[0]]


SAID = ("þetta var langt í burtu", "og enginn vissi hvert", "hann ætlaði að fara")
MEANT = ("this was far away from here indeed", "and nobody knew where to", "he was going to go at all")


def test_the_tier_with_most_text_is_taken() -> None:
    assert taken(file("a", tier("x", "já"), tier("y", *SAID), tier("z", ""))) == [["y"]]


def test_words_that_come_again_are_not_what_is_said() -> None:
    phones = tier("segments", *(["AH", "T", "AE", "S", "IY"] * 60), s=0.1)
    labels = tier("who", *["the second speaker"] * 40)
    assert taken(file("a", labels, phones, tier("said", *SAID))) == [["said"]]


@pytest.mark.parametrize(
    "other",
    [
        tier("rendering", *MEANT, aligned=False),  # without times of its own
        tier("translation", *MEANT),  # by its name
        tier("sense", *MEANT, kind="gloss"),  # by its type
        tier("ft@Anna", *MEANT),
        tier("mixed", *(f"{said[:16]} {meant[:8]} вот это да" for said, meant in zip(SAID, MEANT, strict=True))),
    ],
)
def test_what_is_not_what_is_said_is_not_taken_for_it(other: Tier) -> None:
    assert taken(file("a", other, tier("speech", *SAID, kind="u"))) == [["speech"]]
    assert taken(file("a", tier("speech", *SAID, kind="u"), other)) == [["speech"]]


def test_speakers_of_one_type_are_read_together() -> None:
    named = [tier(f"{kind}@{who}", *SAID, kind=kind, speaker=who) for who in "AB" for kind in ("tx", "nt")]
    assert taken(file("a", *named)) == [["tx@A", "tx@B"]]
    # ELAN's default is one type for everything: then the names without the speakers tell
    plain = [
        tier(f"{who}_{what}", *texts, kind="default-lt", speaker=who)
        for who in ("Eva", "Jón")
        for what, texts in (("orð", SAID), ("skýring", ("sjá bók",)))
    ]
    assert taken(file("a", *plain)) == [["Eva_orð", "Jón_orð"]]
    assert taken(file("a", *(Tier(t.name, t.spans, t.kind) for t in plain))) == [["Eva_orð"]]


def test_one_choice_for_all_files_and_one_for_those_without() -> None:
    files = (
        file("a", tier("x", "já"), tier("y", *SAID)),
        file("b", tier("y", "jæja"), tier("x", "nei nei")),
        file("c", tier("z", *SAID)),
        file("d", tier("silent", "", "")),
    )
    assert taken(*files) == [["y"], ["y"], ["z"]]
    first, second, third = take(files, Choice())[1]
    assert first.where == "a, b" and first.severity == "note"
    assert first.message == (
        "reads the tier 'y': most text in one script with times of its own, 4 spans; the others are 'x' (1 span)"
    )
    assert second.where == "c" and second.message == "reads the tier 'z', which is the only one"
    assert (third.severity, third.where) == ("warning", "d")
    assert third.message == "no tier holds text with times; there are 'silent'"


def test_a_tier_by_its_name_its_type_or_a_glob() -> None:
    tiers = (tier("tx@A", *SAID, kind="tx"), tier("tx@B", "já", kind="tx"), tier("tx", "nei", kind="other"))
    assert taken(file("a", *tiers), name="tx") == [["tx"]]
    assert taken(file("a", *tiers[:2]), name="tx") == [["tx@A", "tx@B"]]
    assert taken(file("a", *tiers), name="*@?") == [["tx@A", "tx@B"]]
    assert taken(file("a", *tiers), name="oth*") == [["tx"]]


def test_a_tier_that_some_files_lack_is_named_and_one_that_all_lack_an_error() -> None:
    files = (file("a", tier("Words", "x"), tier("notes", kind="misc")), file("b", tier("notes")))
    found, (finding,) = take(files, Choice("Words"))
    assert [each.file.path.name for each in found] == ["a"]
    assert (finding.where, finding.message) == ("b", "1 of 2 files have no tier 'Words': left out")
    with pytest.raises(
        ManifestError, match=r"a and 1 more: no tier, and no type of tiers, 'Wrods'; did you mean 'Words'"
    ):
        take(files, Choice("Wrods"))
    with pytest.raises(ManifestError, match=r"'zzz'; there are 'Words', 'notes', of the types 'misc'$"):
        take(files, Choice("zzz"))


@pytest.mark.parametrize("name", [None, "tx", "t*"])
def test_two_tiers_of_one_name_cannot_be_told_apart(name: str | None) -> None:
    twins = file("a", tier("tx", *SAID), tier("tx", "já"), tier("nt", "x"))
    with pytest.raises(ManifestError, match="a: has 2 tiers of the name 'tx', which cannot be told apart; rename them"):
        take([twins], Choice(name))
    assert taken(twins, name="nt") == [["nt"]]
