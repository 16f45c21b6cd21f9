"""`earful demo`: with a tiny base and a few steps, what it shows and what it leaves."""

import re
from pathlib import Path

import pytest

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.cli import demo


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_step(base, clips, **rest):
        return adapt(base, clips, plan=Plan(steps=1, copies=1, folds=3), **rest)

    monkeypatch.setattr("earful.adapt.adapt.adapt", one_step)


@pytest.fixture
def few_sentences(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """12 sentences, 6 of them to learn from."""
    lines = demo.SENTENCES.read_text("utf-8").splitlines(keepends=True)[:12]
    (tmp_path / "few.txt").write_text("".join(lines), "utf-8")
    monkeypatch.setattr(demo, "SENTENCES", tmp_path / "few.txt")
    monkeypatch.setattr(demo, "CLIPS", 6)


def test_the_sentences_hold_every_letter_of_esperanto() -> None:
    sentences = demo.SENTENCES.read_text("utf-8").splitlines()
    assert len(sentences) == len(set(sentences)) == 60 and (demo.CLIPS, demo.NEW) == (20, 3)
    letters = set("abcĉdefgĝhĥijĵklmnoprsŝtuŭvz")
    assert {c for c in "".join(sentences).lower() if c.isalpha()} == letters
    learned = "".join(sentences[: demo.CLIPS]).lower()
    assert all(learned.count(letter) >= 2 for letter in letters), "what is learned from holds every letter twice"


def test_no_base_has_heard_esperanto() -> None:
    recipe = Path(demo.__file__).parents[3] / "recipes" / "base"
    for path in recipe.rglob("*"):
        if path.suffix in (".toml", ".sh", ".py"):
            assert not re.search(r"\beo\b", path.read_text("utf-8")), path


def test_esperanto(earful, few_sentences: None, tiny_base: Path, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    out = tmp_path / "demo"
    first = earful("demo", "--base", tiny_base, "--out", out)
    assert first.status == 0
    assert "Esperanto. earful trained the base on 1 language, but not on Esperanto." in first.out
    assert re.search(r"6 clips \(\d+ s\) to learn from, 3 others", first.out)
    assert re.search(r"before +\d+\.\d %", first.out) and re.search(r"after +\d+\.\d %", first.out)
    assert first.out.count(" said ") == demo.NEW and (out / "model" / "model.json").exists()
    assert earful("demo", "--base", tiny_base, "--out", out).out == first.out, "again, from nothing"


def test_a_folder_that_no_demo_made(earful, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    run = earful("demo", "--base", tiny_base, "--out", tmp_path)
    assert run.status == 2 and "no demo made it" in run.err and (tmp_path / "clips").exists()
