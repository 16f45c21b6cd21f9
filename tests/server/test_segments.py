"""The store: migrations, edits with undo and redo, and that nothing which was answered is lost."""

import sqlite3
from pathlib import Path

import pytest

from earful.errors import ConfigError
from earful.server.problems import Problem
from earful.server.projects import (
    add_project,
    add_recording,
    change_project,
    delete_project,
    delete_recording,
    project,
    projects,
    recording,
    recordings,
    shown_project,
    shown_recording,
    special,
    unfinished,
)
from earful.server.segments import (
    add_segments,
    do_again,
    edit,
    history,
    segment,
    segments_of_project,
    take_back,
    write_draft,
)
from earful.server.store import FILE, MIGRATIONS, Store
from earful.transcript import Transcript, Word

DRAFT = Transcript("abba cab", (Word("abba", 0.1, 0.5, 0.9), Word("cab", 0.6, 0.9, 0.2)), 0.55, 1.0)


@pytest.fixture
def store(tmp_path: Path):
    found = Store(tmp_path)
    yield found
    found.close()


@pytest.fixture
def made(store: Store) -> tuple[str, str, str]:
    """A project, a recording of ten seconds, and a segment."""
    with store.writing() as db:
        p = add_project(db, "talks", "Icelandic", "tiny", [])
        r = add_recording(db, p, "a.wav", "hash", 10.0)
        (s,) = add_segments(db, r, [(1.0, 2.0)])
    return p, r, s


def test_a_killed_server_has_what_was_answered(tmp_path: Path, store: Store, made) -> None:
    with store.writing() as db:
        edit(db, made[2], 1, {"text": "typed"}, "eva")
    other = sqlite3.connect(tmp_path / FILE)
    assert other.execute("SELECT text FROM segments").fetchone() == ("typed",)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    with store.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2, "FULL: an edit is on the disk when it is answered"
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_half_a_change_is_none(store: Store, made) -> None:
    with pytest.raises(RuntimeError), store.writing() as db:
        edit(db, made[2], 1, {"text": "typed"}, "eva")
        raise RuntimeError
    with store.reading() as db:
        assert segment(db, made[2])["text"] == "" and not history(db, made[2])


def test_a_later_version_and_no_database_are_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="later earful"):
        Store(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database at all, " * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        Store(tmp_path)


def test_a_home_of_before_is_brought_up_to_date(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as db:
        db.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1")
        db.execute("INSERT INTO projects VALUES ('p', 'a', '', 'm', 'm', '[]', 'ltr', 1, NULL)")
        db.execute("INSERT INTO recordings VALUES ('r', 'p', 'a.wav', 'hash', 2.5, 'drafted', NULL, 1, NULL)")
    db.close()
    store = Store(tmp_path)
    with store.writing() as db:
        assert shown_recording(recording(db, "r"))["warnings"] == []
        assert add_recording(db, "p", "b.wav", "other", 1.0, ["odd"]) != "r"
    store.close()


def test_undo_and_redo_go_through_all_changes(store: Store, made) -> None:
    s = made[2]
    with store.writing() as db:
        write_draft(db, s, DRAFT, "tiny")
        version = segment(db, s)["version"]
        one = edit(db, s, version, {"text": "abba"}, "eva")
        assert (one["text"], one["state"], one["draft"]) == ("abba", "corrected", "abba cab")
        two = edit(db, s, one["version"], {"text": "abba!", "state": "accepted", "end_s": 2.5}, "eva")
        back = take_back(db, s, "jan")
        assert (back["text"], back["state"], back["end_s"]) == ("abba", "corrected", 2.0)
        assert take_back(db, s, "jan")["state"] == "draft"
        with pytest.raises(Problem, match="nothing to undo"):
            take_back(db, s, "jan")
        do_again(db, s, "jan")
        again = do_again(db, s, "jan")
        assert (again["text"], again["state"], again["end_s"]) == ("abba!", "accepted", 2.5)
        assert again["version"] > two["version"]
        with pytest.raises(Problem, match="nothing to redo"):
            do_again(db, s, "jan")
        take_back(db, s, "jan")
        edit(db, s, segment(db, s)["version"], {"text": "other"}, "eva")
        with pytest.raises(Problem, match="nothing to redo"):
            do_again(db, s, "jan")
        assert {each["who"] for each in history(db, s)} == {"eva", "jan"}
        assert len(history(db, s)) == 2 + 3 + 3 + 2 + 2 + 3 + 3 + 1, "every change stays"


def test_who_comes_second_sees_what_is(store: Store, made) -> None:
    with store.writing() as db:
        edit(db, made[2], 1, {"text": "first"}, "eva")
        with pytest.raises(Problem) as caught:
            edit(db, made[2], 1, {"text": "second"}, "jan")
    assert caught.value.status == 409 and caught.value.more["segment"]["text"] == "first"


def test_a_change_to_what_is_already_there_is_none(store: Store, made) -> None:
    with store.writing() as db:
        assert edit(db, made[2], 1, {"text": "", "start_s": 1.0}, "eva")["version"] == 1
        assert not history(db, made[2])


@pytest.mark.parametrize("span", [{"start_s": 2.5}, {"end_s": 10.5}, {"end_s": 1.0}, {"start_s": -1.0}])
def test_times_that_cannot_be(store: Store, made, span: dict[str, float]) -> None:
    with store.writing() as db, pytest.raises(Problem, match="cannot be in a recording"):
        edit(db, made[2], 1, span, "eva")


def test_drafts_never_touch_what_a_person_wrote(store: Store, made) -> None:
    s = made[2]
    with store.writing() as db:
        assert write_draft(db, s, DRAFT, "tiny")
        words = segment(db, s)["words"]
        assert '"start_s": 1.1' in words, "times count from the beginning of the recording"
        for state in ("corrected", "accepted", "skipped"):
            edit(db, s, segment(db, s)["version"], {"text": f"mine {state}", "state": state}, "eva")
            assert not write_draft(db, s, DRAFT, "other") and segment(db, s)["text"] == f"mine {state}"


def test_what_was_deleted_is_hidden_and_kept(store: Store, made) -> None:
    p, r, s = made
    with store.writing() as db:
        again = add_recording(db, p, "again.wav", "hash", 10.0)
        assert again == r, "the same sound in one project is one recording"
        other = add_project(db, "other", "", "tiny", [])
        theirs = add_recording(db, other, "a.wav", "hash", 10.0)
        assert delete_recording(db, r) == [], "another project still has that sound"
        with pytest.raises(Problem):
            segment(db, s)
        assert delete_project(db, other) == ["hash"] and theirs not in list(unfinished(db))
        assert [row["id"] for row in projects(db)] == [p] and recordings(db, p) == []
        assert db.execute("SELECT count(*) FROM recordings").fetchone()[0] == 2


def test_projects(store: Store, made) -> None:
    p, _, s = made
    with store.writing() as db:
        assert shown_project(db, project(db, p))["language"] == "is"
        edit(db, s, 1, {"text": "þau Čaj", "state": "accepted"}, "")
        found = shown_project(db, project(db, p), ["ö"])
        assert found["letters"] == ["ö", "þ", "č"]
        assert found["counts"] == {"recordings": 1, "segments": 1, "accepted": 1}
        change_project(db, p, {"language": "ar", "letters": ["ţ"]})
        found = shown_project(db, project(db, p))
        assert found["direction"] == "rtl" and found["letters"] == ["ţ"]


def test_letters_that_a_keyboard_may_lack() -> None:
    assert set(special(["Abc É, 7!", "ŋ\u0301 é"])) == {"é", "ŋ", "\u0301"}


def test_the_order_of_what_teaches_most(store: Store, made) -> None:
    p, r, s = made
    with store.writing() as db:
        first, second = add_segments(db, r, [(3.0, 4.0), (5.0, 6.0)])
        db.execute("UPDATE segments SET rank = 1 WHERE id = ?", (second,))
        db.execute("UPDATE segments SET rank = 2 WHERE id = ?", (first,))
        assert [row["id"] for row in segments_of_project(db, p, "teaching")] == [second, first, s]
        assert [row["id"] for row in segments_of_project(db, p)] == [s, first, second]
