"""Tasks: what tests stays, supports grow and share nothing with it, and what cannot be is said and named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import ConfigError, ManifestError
from earful.kshot.protocol import Protocol, Task, left_out_in_words, tasks_of
from earful.text.normalize import TextRules


def clip(number: int, language: str | None = "nl", speaker: str | None = None, **more: Any) -> Utterance:
    known = {"text": f"zin {number}", "duration_s": 2.0, "language": language, "speaker": speaker or f"s{number % 2}"}
    return Utterance(f"{language}{number}", Path(f"{language}{number}.wav"), **known | more)  # type: ignore[arg-type]


def clips(dutch: int = 20, german: int = 20) -> Manifest:
    return Manifest((*(clip(i) for i in range(dutch)), *(clip(i, "de") for i in range(german))))


def protocol(**options: Any) -> Protocol:
    return Protocol(("earful-tiny",), **{"shots": (1, 5, 10), "test_clips": 6} | options)


def ids(manifest: Manifest) -> list[str]:
    return [u.id for u in manifest]


def test_supports_are_nested_and_never_tested() -> None:
    tasks, left_out = tasks_of(clips(), protocol())
    assert [task.name for task in tasks] == ["nl", "de"] and not left_out
    for task in tasks:
        assert len(task.test) == 6 and len(task.pool) == 14
        assert {u.language for u in (*task.test, *task.pool)} == {task.name}
        drawn = [ids(task.support(0, count)) for count in (1, 5, 10)]
        assert drawn[2][:5] == drawn[1] and drawn[1][:1] == drawn[0]
        assert len(set(drawn[2])) == 10 and not set(drawn[2]) & set(ids(task.test))
        assert ids(task.support(0, 10)) == drawn[2] != ids(task.support(1, 10))


def test_the_deal_is_the_same_whoever_enters_and_however_often() -> None:
    one, _ = tasks_of(clips(), protocol())
    two, _ = tasks_of(clips(), replace(protocol(), bases=("a", "none"), steps=(3,), seeds=9, usual=False))
    assert [(ids(a.test), ids(a.pool)) for a in one] == [(ids(b.test), ids(b.pool)) for b in two]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("speaker", {"s0", "s1"}),
        ("language+speaker", {"nl/s0", "nl/s1", "de/s0", "de/s1"}),
        ("condition", {"street", "room"}),
        ("all", {"all"}),
    ],
)
def test_what_makes_a_task(by: Any, names: set[str]) -> None:
    heard = Manifest(
        tuple(replace(u, extra={"condition": ("street", "room")[i // 3 % 2]}) for i, u in enumerate(clips()))
    )
    tasks, _ = tasks_of(heard, protocol(by=by, shots=(1, 2), test_clips=3))
    assert {task.name for task in tasks} == names
    known = {u.id: u for u in heard}
    assert all(known[u.id] == u for task in tasks for u in (*task.test, *task.pool)), "clips come back as they were"


def test_no_sentence_of_the_test_is_adapted_to() -> None:
    said_by_two = Manifest(
        tuple(replace(clip(i), text=f"Zin {i // 2}!" if i % 2 else f"zin {i // 2}") for i in range(40))
    )
    ((task,), _) = tasks_of(said_by_two, protocol())
    tested = {(u.text or "").lower().strip("!") for u in task.test}
    assert len(task.pool) >= 10 and not tested & {(u.text or "").lower().strip("!") for u in task.pool}
    assert len(task.pool) == 40 - 2 * len(tested), "all else can be adapted to"


def test_seconds_to_test() -> None:
    ((task,), _) = tasks_of(clips(30, 0), protocol(test_s=11.0))
    assert task.test.duration_s == 12.0
    with pytest.raises(ManifestError, match=r"task 'nl' has 12 clips: 10 to adapt to may leave 4 s, 11 s are to test"):
        tasks_of(clips(12, 0), protocol(test_s=11.0))


def test_the_language_of_a_task_rules_its_case() -> None:
    turkish, mixed = clips(0, 20), protocol(by="all")
    turkish = Manifest(tuple(replace(u, language="tr") for u in turkish))
    ((task,), _) = tasks_of(turkish, protocol(rules=TextRules(case="upper")))
    assert task.rules == TextRules(case="upper", language="tr")
    ((task,), _) = tasks_of(clips(), mixed)
    assert task.rules.language == ""


def test_mandarin_is_written_as_adapt_writes_it() -> None:
    characters = Manifest(tuple(replace(u, language="zh", text="我" * (i + 1)) for i, u in enumerate(clips(0, 20))))
    pinyin = Manifest(tuple(replace(u, text="wo3 " * (i + 1)) for i, u in enumerate(characters)))
    for manifest, writing in ((characters, "characters"), (pinyin, "pinyin")):
        ((task,), _) = tasks_of(manifest, protocol())
        assert (task.rules.language, task.rules.writing) == ("zh", writing)


def test_a_task_that_is_too_small_is_named_or_left_out() -> None:
    few = clips(20, 9)
    with pytest.raises(
        ManifestError, match=r"task 'de' has 9 clips: 6 to test and 10 to adapt to are 16; .*--skip-small"
    ):
        tasks_of(few, protocol())
    tasks, left_out = tasks_of(few, protocol(skip_small=True))
    assert [task.name for task in tasks] == ["nl"] and list(left_out) == ["de"]
    assert "left out 1 of the tasks" in left_out_in_words(left_out) and "9 clips" in left_out_in_words(left_out)
    with pytest.raises(ManifestError, match=r"task 'nl' has 3 clips: .* \(and 1 more tasks have too few\)"):
        tasks_of(clips(3, 3), protocol(skip_small=True))
    with pytest.raises(ManifestError, match="'de' has 1 clip"):
        tasks_of(clips(20, 1), protocol())


def test_a_task_of_one_sentence() -> None:
    same = Manifest(tuple(replace(u, text="hallo") for u in clips(20, 0)))
    with pytest.raises(ManifestError, match=r"task 'nl' has no split, .* share no text"):
        tasks_of(same, protocol())


@pytest.mark.parametrize(
    ("change", "by", "said"),
    [
        ({"text": " !? "}, "language", "utterance 'nl3' has no transcript"),
        ({"text": None}, "all", "utterance 'nl3' has no transcript"),
        ({"language": None}, "language", "utterance 'nl3' has no language"),
        ({"speaker": None}, "speaker", "utterance 'nl3' has no speaker"),
        ({}, "condition", "has no condition"),
        ({"language": "nld"}, "language", "two languages with one name"),
        ({"audio": Path("nl4.wav")}, "all", "'nl3' and 'nl4' are the same clip"),
    ],
)
def test_clips_that_lack_something_are_named(change: dict[str, Any], by: Any, said: str) -> None:
    wrong = Manifest(tuple(replace(u, **change) if u.id == "nl3" else u for u in clips()))
    with pytest.raises(ManifestError, match=said):
        tasks_of(wrong, protocol(by=by))


def test_no_clips() -> None:
    with pytest.raises(ManifestError, match="no utterances"):
        tasks_of(Manifest(), protocol())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bases": ()}, "no bases"),
        ({"bases": ("none", "none")}, "bases hold none twice"),
        ({"shots": ()}, "no shots"),
        ({"shots": (5, 0)}, "shots: got 0, must be 1 or more"),
        ({"shots": (5, -1)}, "shots: got -1"),
        ({"shots": (5, 5)}, "shots hold 5 twice"),
        ({"steps": (-1,)}, "steps: got -1, must be 0 or more"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"test_clips": 0}, "test clips: got 0"),
        ({"test_s": 0.0}, "test seconds: got 0"),
        ({"test_s": float("nan")}, "test seconds: got nan"),
    ],
)
def test_a_protocol_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Protocol(**{"bases": ("none",)} | options)


def test_a_task_is_a_value(tmp_path: Path) -> None:
    task = Task("nl", Manifest((clip(0),)), Manifest((clip(1), clip(2))), TextRules())
    assert sorted(ids(task.support(3, 2))) == ["nl1", "nl2"]
