"""Episodes: what is drawn keeps its promises, and what cannot be drawn is said before anything is."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earful.data.episode import By, Draw, Episode, EpisodeSampler, Shots, random_of, weights_by_loss
from earful.data.utterance import Utterance
from earful.errors import ConfigError, ManifestError

FEW = Shots(clips=2, query=2)
WORDS = ("one", "two", "three", "four", "five", "six")


def clip(
    number: int, language: str | None = "nl", speaker: str | None = "eva", text: str | None = None, s: float = 1.0
) -> Utterance:
    said = f"{WORDS[number % 6]} {number}" if text is None else text
    return Utterance(f"u{number}", Path(f"{number}.wav"), 0.0, s, said, language, speaker)


def clips(sizes: Mapping[str, int]) -> list[Utterance]:
    """So many clips of each language, those of the languages in turns."""
    turns = itertools.chain(*itertools.zip_longest(*([name] * count for name, count in sizes.items())))
    return [clip(number, name) for number, name in enumerate(filter(None, turns))]


def under(spoken: Sequence[Utterance], conditions: Sequence[str | None]) -> list[Utterance]:
    """Copies of the clips, once per condition; None: of which nothing is known."""
    return [
        replace(u, id=f"{u.id} {condition}", extra={"condition": condition} if condition else {})
        for condition in conditions
        for u in spoken
    ]


def known(utterance: Utterance, key: str) -> Any:
    return utterance.extra["condition"] if key == "condition" else getattr(utterance, key)


def feasible(clips: Sequence[Utterance], shots: Shots, apart: Sequence[str]) -> bool:
    """Whether support and query can be filled with nothing shared: all ways to share out what is kept apart."""
    marks = [{(key, getattr(u, key)) for key in apart} for u in clips]
    every = sorted(set().union(*marks))
    for chosen in itertools.product((False, True), repeat=len(every)):
        asked = {mark for mark, is_asked in zip(every, chosen, strict=True) if is_asked}
        support, query = sum(not mark & asked for mark in marks), sum(mark <= asked for mark in marks)
        if support >= (shots.clips or 0) and query >= shots.query:
            return True
    return False


@st.composite
def corpora(draw: st.DrawFn) -> list[Utterance]:
    count = draw(st.integers(8, 40))
    rows = st.tuples(
        st.sampled_from(["nl", "ga"]),
        st.sampled_from(["eva", "jo", "kim", "lou"]),
        st.sampled_from([*WORDS, "One.", "TWO!"]),
        st.floats(0.2, 9),
    )
    return [clip(n, *row) for n, row in enumerate(draw(st.lists(rows, min_size=count, max_size=count)))]


shots_of = st.builds(Shots, clips=st.integers(1, 5), query=st.integers(1, 5)) | st.builds(
    Shots, seconds=st.floats(0.1, 20), query=st.integers(1, 5)
)
apart_of = st.sampled_from([(), ("speaker",), ("text",), ("speaker", "text")])


@settings(max_examples=150, deadline=None)
@given(corpora(), shots_of, apart_of, st.integers(-9, 2**40), st.integers(0, 10**9))
def test_every_draw_keeps_what_was_promised(
    utterances: list[Utterance], shots: Shots, apart: Any, seed: int, number: int
) -> None:
    try:
        sampler = EpisodeSampler(utterances, "language", shots, seed, apart=apart, skip_small=True)
    except ManifestError:
        return  # whether rightly is another test's matter
    draw = sampler.draw(number)
    support, query = ([utterances[i] for i in side] for side in (draw.support, draw.query))
    assert len({*draw.support, *draw.query}) == len(draw.support) + len(draw.query)
    assert {u.language for u in (*support, *query)} == {draw.task} and draw.task not in sampler.left_out
    assert len(query) == shots.query
    if shots.clips:
        assert len(support) == shots.clips
    else:
        total_s = math.fsum(u.duration_s or 0 for u in support)
        assert shots.seconds is not None and total_s > shots.seconds - 1e-5
        assert total_s - (support[-1].duration_s or 0) < shots.seconds
    if "speaker" in apart:
        assert not {u.speaker for u in support} & {u.speaker for u in query}
    if "text" in apart:
        said = [{str(u.text).lower().strip(".!") for u in side} for side in (support, query)]
        assert not said[0] & said[1]


@settings(max_examples=30, deadline=None)
@given(corpora(), st.integers(0, 99), apart_of)
def test_a_draw_depends_on_seed_and_number_alone(utterances: list[Utterance], seed: int, apart: Any) -> None:
    def fresh(seed: int) -> EpisodeSampler:
        return EpisodeSampler(utterances, "language", Shots(clips=1, query=1), seed, apart=apart, skip_small=True)

    try:
        sampler = fresh(seed)
    except ManifestError:
        return
    run = [sampler.draw(number) for number in range(20)]
    assert fresh(seed).draw(17) == run[17] and sampler.draw(3) == run[3]
    before = torch.get_rng_state()
    sampler.draw(5)
    assert torch.equal(before, torch.get_rng_state())


def test_numbers_and_seeds_give_other_episodes() -> None:
    utterances = clips({"nl": 60})
    run = [EpisodeSampler(utterances, "language", FEW, seed).draw(n) for seed in (0, 1, 2**32) for n in range(40)]
    assert len({draw.support for draw in run}) > 110
    assert {i for draw in run for i in draw.support} == {i for draw in run for i in draw.query} == set(range(60))


def test_generators_of_neighbours_do_not_meet() -> None:
    first = [float(torch.rand(1, generator=random_of(seed, n))) for seed in (0, 1, 7919, 2**32) for n in range(250)]
    assert len(set(first)) > 995 and abs(sum(first) / len(first) - 0.5) < 0.04


@settings(max_examples=100, deadline=None)
@given(corpora(), st.integers(1, 30), st.integers(1, 30), apart_of.filter(bool))
def test_a_task_is_refused_only_if_it_cannot_be_split(
    utterances: list[Utterance], support: int, query: int, apart: Any
) -> None:
    utterances = [replace(u, language="nl", text=str(u.text).lower().strip(".!")) for u in utterances]
    shots = Shots(clips=support, query=query)
    if feasible(utterances, shots, apart):
        sampler = EpisodeSampler(utterances, "language", shots, 0, apart=apart)
        assert len(sampler.draw(0).query) == query
    else:
        with pytest.raises(ManifestError, match="task 'nl' has "):
            EpisodeSampler(utterances, "language", shots, 0, apart=apart)


def test_a_split_that_chance_seldom_finds_is_drawn_all_the_same() -> None:
    """Only Jo's three clips can be the support; of a hundred shuffles, three or so begin with one of them."""
    utterances = [clip(n, speaker="jo" if n < 3 else "eva") for n in range(103)]
    sampler = EpisodeSampler(utterances, "language", Shots(clips=3, query=90), 0, apart=("speaker",))
    draws = [sampler.draw(number) for number in range(30)]
    assert all(set(draw.support) == {0, 1, 2} and len(draw.query) == 90 for draw in draws)
    assert len({draw.query for draw in draws}) == 30


def test_seconds_are_left_whatever_the_query_takes() -> None:
    utterances = [clip(n, s=1.0 + n) for n in range(6)]  # 1, 2, 3, 4, 5, 6 s
    sampler = EpisodeSampler(utterances, "language", Shots(seconds=10, query=2), 0)
    assert all(sum(1.0 + i for i in sampler.draw(n).support) >= 10 for n in range(200))
    with pytest.raises(
        ManifestError, match=r"task 'nl' has 6 clips; a query of 2 may leave 10 s, support takes 10\.5;"
    ):
        EpisodeSampler(utterances, "language", Shots(seconds=10.5, query=2), 0)


@pytest.mark.parametrize(("alpha", "share"), [(0.0, 1 / 2), (0.5, 3 / 4), (1.0, 9 / 10)])
def test_alpha_says_how_much_more_often_a_big_task_comes(alpha: float, share: float) -> None:
    sampler = EpisodeSampler(clips({"nl": 90, "ga": 10}), "language", FEW, 3, alpha=alpha)
    seen = Counter(sampler.draw(number).task for number in range(2000))
    assert abs(seen["nl"] / 2000 - share) < 4 * math.sqrt(share * (1 - share) / 2000)


def test_clips_come_equally_often_on_either_side() -> None:
    sampler = EpisodeSampler(clips({"nl": 10}), "language", FEW, 0)
    draws = [sampler.draw(number) for number in range(2000)]
    for side in (Counter(i for d in draws for i in d.support), Counter(i for d in draws for i in d.query)):
        assert len(side) == 10 and max(abs(count - 400) for count in side.values()) < 80  # four and a half deviations


def test_tasks_by_speaker_and_by_speaker_of_a_language() -> None:
    rows = [(language, speaker) for language in ("nl", "ga") for speaker in ("eva", "jo") for _ in range(4)]
    utterances = [clip(n, *row) for n, row in enumerate(rows)]
    assert {t: len(c) for t, c in EpisodeSampler(utterances, "speaker", FEW, 0).tasks.items()} == {"eva": 8, "jo": 8}
    both = EpisodeSampler(utterances, "language+speaker", FEW, 0)
    assert both.tasks == {
        name: tuple(range(4 * i, 4 * i + 4)) for i, name in enumerate(["nl/eva", "nl/jo", "ga/eva", "ga/jo"])
    }
    assert {both.draw(number).task for number in range(40)} == set(both.tasks)


def test_tasks_by_condition_alone_and_with_language_or_speaker() -> None:
    spoken = [clip(n, "nl" if n < 4 else "ga", "jo" if n % 2 else "eva") for n in range(8)]
    utterances = under(spoken, ("clean", "room 0.4 s"))  # 0 to 7 clean, 8 to 15 in the room
    tasks = {by: EpisodeSampler(utterances, by, FEW, 0).tasks for by in get_args(By)}
    assert tasks["condition"] == {"clean": tuple(range(8)), "room 0.4 s": tuple(range(8, 16))}
    assert list(tasks["language+condition"]) == ["nl/clean", "ga/clean", "nl/room 0.4 s", "ga/room 0.4 s"]
    assert tasks["language+condition"]["nl/room 0.4 s"] == (8, 9, 10, 11)
    assert list(tasks["speaker+condition"]) == ["eva/clean", "jo/clean", "eva/room 0.4 s", "jo/room 0.4 s"]
    assert tasks["speaker+condition"]["jo/clean"] == (1, 3, 5, 7)
    assert tasks["language"] == {"nl": (0, 1, 2, 3, 8, 9, 10, 11), "ga": (4, 5, 6, 7, 12, 13, 14, 15)}


copied = st.lists(  # of each clip, its language and speaker, and the conditions that it comes under
    st.tuples(
        st.sampled_from(["nl", "ga"]),
        st.sampled_from(["eva", "jo"]),
        st.lists(st.sampled_from(["clean", "room", "telephone", None]), min_size=1, unique=True),
    ),
    min_size=3,
    max_size=7,
)


@settings(max_examples=150, deadline=None)
@given(copied, st.sampled_from(get_args(By)), shots_of, st.sampled_from([(), ("text",)]), st.integers(0, 99))
def test_copies_of_a_clip_are_never_on_both_sides(
    rows: list[Any], by: Any, shots: Shots, apart: Any, number: int
) -> None:
    utterances = [
        copy
        for n, (language, speaker, conditions) in enumerate(rows)
        for copy in under([clip(n, language, speaker)], conditions)
        if "condition" not in by or "condition" in copy.extra
    ]
    try:
        sampler = EpisodeSampler(utterances, by, shots, 0, apart=apart, skip_small=True)
    except ManifestError:
        return
    for n in range(number, number + 9):
        draw = sampler.draw(n)
        support, query = ([utterances[i] for i in side] for side in (draw.support, draw.query))
        assert not {u.audio for u in support} & {u.audio for u in query}
        assert len(query) == shots.query and len({*draw.support, *draw.query}) == len(support) + len(query)
        assert len({tuple(known(u, key) for key in by.split("+")) for u in (*support, *query)}) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 8))
def test_copies_are_refused_only_if_they_cannot_be_split(copies: list[int], support: int, query: int) -> None:
    names = ("clean", "room", "telephone", "noise 7 dB")
    utterances = [u for n, count in enumerate(copies) for u in under([clip(n)], names[:count])]
    shots = Shots(clips=support, query=query)
    if feasible(utterances, shots, ("audio",)):
        sampler = EpisodeSampler(utterances, "language", shots, 0)
        assert len(sampler.draw(0).query) == query
    else:
        with pytest.raises(ManifestError, match="task 'nl' has "):
            EpisodeSampler(utterances, "language", shots, 0)


def test_augmented_copies_of_a_clip_stay_on_one_side() -> None:
    utterances = [replace(u, extra={"copy": copy}) for copy in (0, 1, 2) for u in clips({"nl": 6})]
    sampler = EpisodeSampler(utterances, "language", FEW, 0)
    assert sampler.tasks == {"nl": tuple(range(18))}
    for number in range(30):
        drawn = sampler.draw(number)
        assert {i % 6 for i in drawn.support}.isdisjoint(i % 6 for i in drawn.query)
    again = [*utterances, replace(utterances[7], id="again")]
    with pytest.raises(ManifestError, match="'again' are the same clip; leave one out"):
        EpisodeSampler(again, "language", FEW, 0)


def test_a_clip_may_come_once_a_condition() -> None:
    utterances = under(clips({"nl": 4}), ("clean", "room"))
    assert EpisodeSampler(utterances, "language", FEW, 0).tasks == {"nl": tuple(range(8))}
    twice = [*utterances, replace(utterances[1], id="again")]
    for by in ("language", "condition"):
        with pytest.raises(ManifestError, match="utterances 'u1 clean' and 'again' are the same clip; leave one out"):
            EpisodeSampler(twice, by, FEW, 0)


def test_one_clip_under_many_conditions_is_no_task() -> None:
    utterances = under([clip(0)], ("clean", "room", "telephone", "noise 7 dB"))
    message = (
        r"^task 'nl' has no split, of \d+ tried, where support and query share no clip under two conditions; add cl"
    )
    with pytest.raises(ManifestError, match=message):
        EpisodeSampler(utterances, "language", FEW, 0)


def test_where_chance_finds_no_split_all_clips_are_drawn_from_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    utterances = [clip(n, speaker="jo" if n < 3 else "eva") for n in range(43)]
    sampler = EpisodeSampler(utterances, "language", Shots(clips=3, query=9), 0, apart=("speaker",))
    monkeypatch.setattr("earful.data.episode._TRIES", 0)  # so that every draw begins with the one that was found
    draws = [sampler.draw(number) for number in range(60)]
    drawn = {i for draw in draws for i in (*draw.support, *draw.query)}
    assert drawn >= set(range(3, 43)) and len({draw.query for draw in draws}) == 60
    for draw in draws:
        assert not {utterances[i].speaker for i in draw.support} & {utterances[i].speaker for i in draw.query}


def test_weights_take_the_place_of_sizes() -> None:
    sampler = EpisodeSampler(clips({"nl": 9, "ga": 9, "cy": 9}), "language", FEW, 0)
    seen = Counter(sampler.draw(n, {"nl": 3, "ga": 1, "cy": 0}).task for n in range(2000))
    assert seen["cy"] == 0 and abs(seen["nl"] / 2000 - 0.75) < 0.04
    assert sampler.draw(7, dict.fromkeys(sampler.tasks, 2.0)) == sampler.draw(7)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ({"nl": 1.0}, "weights of ga"),
        ({"nl": 1.0, "ga": 1.0, "fr": 1.0}, "weights of fr"),
        ({"nl": 1.0, "ga": -1.0}, "weights of ga"),
        ({"nl": math.nan, "ga": 1.0}, "weights of nl"),
        ({"nl": math.inf, "ga": 1.0}, "weights of nl"),
        ({"nl": 0.0, "ga": 0.0}, "weights of all tasks"),
    ],
)
def test_weights_of_other_tasks_are_refused(weights: dict[str, float], named: str) -> None:
    sampler = EpisodeSampler(clips({"nl": 9, "ga": 9}), "language", FEW, 0)
    with pytest.raises(ConfigError, match=f"{named}: give each task of the sampler one"):
        sampler.draw(0, weights)


@given(st.dictionaries(st.text(max_size=3), st.floats(-50, 50), min_size=1), st.floats(0.1, 100), st.floats(-9, 9))
def test_weights_by_loss_are_a_softmax(losses: dict[str, float], temperature: float, shift: float) -> None:
    weights = weights_by_loss(losses, temperature)
    assert weights.keys() == losses.keys() and math.isclose(sum(weights.values()), 1)
    expected = torch.softmax(torch.tensor(list(losses.values()), dtype=torch.float64) / temperature, 0)
    assert torch.allclose(torch.tensor(list(weights.values()), dtype=torch.float64), expected)
    moved = weights_by_loss({task: loss + shift for task, loss in losses.items()}, temperature)
    assert all(math.isclose(moved[task], weights[task], rel_tol=1e-6, abs_tol=1e-12) for task in losses)


def test_weights_by_loss_refuse_what_has_no_softmax() -> None:
    for temperature in (0, -1, math.nan):
        with pytest.raises(ConfigError, match=r"temperature of task weights is .*, must be above 0"):
            weights_by_loss({"nl": 1.0}, temperature)
    with pytest.raises(ConfigError, match="losses of ga are missing or not finite"):
        weights_by_loss({"nl": 1.0, "ga": math.nan}, 1)
    with pytest.raises(ConfigError, match="losses of all tasks are missing"):
        weights_by_loss({}, 1)
    assert weights_by_loss({"nl": 1e9, "ga": 0.0}, 1) == {"nl": 1.0, "ga": 0.0}


def test_small_tasks_are_refused_or_left_out_and_named() -> None:
    utterances = clips({"nl": 9, "ga": 3, "cy": 2})
    with pytest.raises(
        ManifestError,
        match=r"task 'ga' has 3 clips; a query of 2 may leave 1 clips, support takes 2 \(and 1 more\); .* skip_small",
    ):
        EpisodeSampler(utterances, "language", FEW, 0)
    sampler = EpisodeSampler(utterances, "language", FEW, 0, skip_small=True)
    assert list(sampler.tasks) == ["nl"] and list(sampler.left_out) == ["ga", "cy"]
    assert sampler.left_out["cy"].startswith("has 2 clips")
    assert {sampler.draw(number).task for number in range(20)} == {"nl"}
    with pytest.raises(ManifestError, match=r"task 'ga' .*add clips or ask for less$"):
        EpisodeSampler(utterances[1:2], "language", FEW, 0, skip_small=True)


@pytest.mark.parametrize(
    ("apart", "message"),
    [
        (("speaker",), "share no speaker"),
        (("text",), "share no text"),
        (("text", "speaker"), "share no speaker and no text"),
    ],
)
def test_what_cannot_be_kept_apart_is_said_at_once(apart: Any, message: str) -> None:
    utterances = [clip(n, text="The same." if n % 2 else "the same") for n in range(9)]
    with pytest.raises(ManifestError, match=rf"task 'nl' has no split, of \d+ tried, .* {message}; add clips"):
        EpisodeSampler(utterances, "language", FEW, 0, apart=apart)
    assert EpisodeSampler(utterances, "language", FEW, 0).draw(0).task == "nl"


def test_sentences_are_the_same_when_they_normalise_to_the_same_in_their_language() -> None:
    """In Turkish I is the capital of ı: IŞIK and ışık are one sentence there, and not elsewhere."""
    said = ["IŞIK", "ışık", "kal"]
    for language, is_one in (("tr", True), ("nl", False)):
        sampler = EpisodeSampler(
            [clip(n, language, text=text) for n, text in enumerate(said)],
            "language",
            Shots(clips=1, query=1),
            0,
            apart=("text",),
        )
        draws = [sampler.draw(number) for number in range(60)]
        assert any({*draw.support, *draw.query} == {0, 1} for draw in draws) is not is_one


@pytest.mark.parametrize(
    ("by", "changes", "options", "message"),
    [
        ("language", {"text": None}, {}, "utterance 'u5' has no transcript; add it, or leave it out"),
        ("language", {"text": " … "}, {}, "utterance 'u5' has no transcript"),
        ("language", {"language": None}, {}, "utterance 'u5' has no language"),
        ("language", {"language": " "}, {}, "utterance 'u5' has no language"),
        ("speaker", {"speaker": None}, {}, "utterance 'u5' has no speaker"),
        ("language+speaker", {"speaker": ""}, {}, "utterance 'u5' has no speaker"),
        ("language", {"speaker": None}, {"apart": ("speaker",)}, "utterance 'u5' has no speaker"),
        ("condition", {"extra": {}}, {}, "utterance 'u5' has no condition; add it, or leave it out"),
        ("condition", {"extra": {"condition": " "}}, {}, "utterance 'u5' has no condition;"),
        ("language+condition", {"extra": {"condition": 7}}, {}, "utterance 'u5' has no condition;"),
        ("speaker+condition", {"extra": {"condition": None}}, {}, "utterance 'u5' has no condition;"),
        ("speaker+condition", {"speaker": None}, {}, "utterance 'u5' has no speaker;"),
        ("condition", {"audio": Path("2.wav")}, {}, "utterances 'u2' and 'u5' are the same clip; leave one out"),
        ("language", {"duration_s": None}, {"shots": Shots(seconds=3, query=1)}, "utterance 'u5' has no duration;"),
        ("language", {"audio": Path("2.wav")}, {}, "utterances 'u2' and 'u5' are the same clip; leave one out"),
    ],
)
def test_an_utterance_that_lacks_something_is_named(
    by: Any, changes: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    utterances = [replace(u, extra={"condition": "clean"}) for u in clips({"nl": 9})]
    utterances[5] = replace(utterances[5], **changes)
    with pytest.raises(ManifestError, match=message):
        EpisodeSampler(utterances, by, **{"shots": FEW, "seed": 0, **options})


def test_what_is_not_needed_may_lack() -> None:
    utterances = [clip(n, None, "eva") for n in range(5)]
    assert EpisodeSampler(utterances, "speaker", FEW, 0).draw(0).task == "eva"
    utterances = [replace(clip(n, "nl", None), duration_s=None) for n in range(5)]
    assert EpisodeSampler(utterances, "language", FEW, 0).draw(0).task == "nl"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("en", "EN"),
        ("en", "eng"),
        ("deu", "GER"),
        ("de", "ger"),
        ("pt_BR", "pt-br"),
        ("por-BR", "pt-BR"),
        ("en", " en"),
        ("English", "en"),
        ("Invented_1", "invented-1"),
    ],
)
def test_one_language_under_two_names_is_refused(one: str, other: str) -> None:
    utterances = clips({one: 9, other: 9})
    message = rf"two languages with one name: '{one}' \(utterance 'u0'\) and '{other}' \(utterance 'u1'\); write them"
    for by in ("language", "language+speaker"):
        with pytest.raises(ManifestError, match=message):
            EpisodeSampler(utterances, by, FEW, 0)
    assert len(EpisodeSampler(utterances, "speaker", FEW, 0).tasks) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("en", "en-GB"), ("nb", "nn"), ("es", "est"), ("ace", "ac"), ("invented-1", "invented-2")]
)
def test_other_languages_are_others(one: str, other: str) -> None:
    assert len(EpisodeSampler(clips({one: 9, other: 9}), "language", FEW, 0).tasks) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "dialect"}, "by is 'dialect', must be one of language, speaker, condition, language"),
        ({"apart": ("mood",)}, "apart is .*mood.*, must hold nothing but speaker and text"),
        ({"apart": "text"}, "apart is 'text', must hold"),
        ({"by": "speaker", "apart": ("speaker",)}, "tasks by speaker have one speaker each: leave 'speaker' out"),
        ({"by": "language+speaker", "apart": ("speaker",)}, "tasks by language\\+speaker have one speaker each"),
        ({"by": "speaker+condition", "apart": ("speaker",)}, "tasks by speaker\\+condition have one speaker each"),
        ({"by": "condition+language"}, "by is 'condition\\+language', must be one of"),
        ({"alpha": -0.5}, "alpha is -0.5, must be from 0"),
        ({"alpha": math.nan}, "alpha is nan"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EpisodeSampler(clips({"nl": 9}), **{"by": "language", "shots": FEW, "seed": 0, **options})


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        ({"query": 1}, "clips None and seconds None; give exactly one"),
        ({"clips": 1, "seconds": 1.0, "query": 1}, "clips 1 and seconds 1.0; give exactly one"),
        ({"clips": 0, "query": 1}, "clips of the shots is 0, must be above 0"),
        ({"seconds": math.nan, "query": 1}, "seconds of the shots is nan"),
        ({"clips": 1, "query": 0}, "query of the shots is 0"),
    ],
)
def test_shots_that_cannot_be(shots: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Shots(**shots)


def test_nothing_is_no_corpus() -> None:
    with pytest.raises(ManifestError, match="no utterances to draw episodes from"):
        EpisodeSampler([], "language", FEW, 0)


def test_an_episode_is_a_pytree_and_a_pair() -> None:
    doubled = torch.func.vmap(lambda episode: episode.support + episode.query)(Episode(torch.ones(3), torch.ones(3)))
    support, query = Episode("what is adapted on", "what it is measured by")
    assert doubled.tolist() == [2, 2, 2] and (support, query) == ("what is adapted on", "what it is measured by")
    assert Draw("nl", (1,), (2,)) == Draw("nl", (1,), (2,))
