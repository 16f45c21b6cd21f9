"""The documents: links lead somewhere, commands are those that there are, examples run, facts are the code's."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

import earful
from earful.adapt.select import plan_for
from earful.cli.main import app
from earful.data.manifest import KEYS
from earful.data.readers.table import COLUMNS
from earful.encoder.encoder import EncoderConfig
from earful.metatrain import LEARNERS
from earful.metatrain.loop import Outer
from earful.metatrain.speech.learning import LearnerSettings
from earful.metatrain.speech.recipe import MetaRecipe, TaskRules
from earful.pretrain.recipe import Corpus, Recipe
from earful.text.languages import language_of
from earful.train import Optimisation
from earful.writers.formats import FORMATS

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "docs/*.md", "recipes/*/README.md")
TEXTS = {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for g in PATTERNS for p in sorted(ROOT.glob(g))}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|tmp|root|opt|home|usr/local)/")


SCRIPT = re.compile(r"python ((?:bench|recipes|docs)/[\w/]+\.py)([^\n#]*)")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`|^ {4}.*$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def leaves(command: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every command that does something, by its full name."""
    if hasattr(command, "commands"):
        for word, part in command.commands.items():
            yield from leaves(part, f"{name} {word}".strip())
    else:
        yield name, command


COMMANDS = dict(leaves(get_command(app)))


@pytest.mark.parametrize("document", TEXTS)
def test_links_lead_somewhere(document: str) -> None:
    links = LINK.findall(without_code(TEXTS[document]))
    assert links or document != "README.md"
    for link in links:
        assert "://" not in link or link.startswith("https://"), link
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (ROOT / document).parent / place if place else ROOT / document
        assert target.exists(), f"{document}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{document}: {link}: no such section"


@pytest.mark.parametrize("document", TEXTS)
def test_no_document_names_a_place_on_somebodys_machine(document: str) -> None:
    assert not MACHINE_PATH.search(TEXTS[document])


def test_scripts_and_their_options_exist() -> None:
    asked = [
        (document, *match.groups())
        for document, text in TEXTS.items()
        for match in SCRIPT.finditer(re.sub(r"\\\n\s*", " ", text))
    ]
    assert len(asked) > 30
    for document, path, rest in asked:
        assert (ROOT / path).is_file(), f"{document}: {path} is not there"
        code = (ROOT / path).read_text("utf-8")
        if "cells import Cells, arguments" in code:  # options that several scripts share
            code += (ROOT / "bench/cells.py").read_text("utf-8")
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest):
            assert f'"{option}"' in code, f"{document}: {path} has no {option}"


def test_the_number_of_languages_is_that_of_the_shipped_base() -> None:
    about = json.loads((ROOT / "src/earful/bases/earful-base/model.json").read_text("utf-8"))["about"]
    number = len({language_of(tag) for tag in about["languages"]})
    assert f"trained on {number} languages" in TEXTS["docs/base-model.md"]
    assert f"trained the base on {number} languages" in TEXTS["README.md"]
    assert f"there are {number} in all" in TEXTS["recipes/base/README.md"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_reference(name: str) -> None:
    """In a section of its own: in words first, then with every option."""
    _, _, rest = TEXTS["docs/commands.md"].partition(f"\n## earful {name}\n")
    section = rest.partition("\n## ")[0]
    in_words = without_code(section.partition("<!-- output:")[0]).split()
    assert len(in_words) >= 8, f"docs/commands.md: say in a sentence what earful {name} does"
    options = {flag for parameter in COMMANDS[name].params for flag in parameter.opts if flag.startswith("--")}
    missing = {flag for flag in options if not re.search(rf"{flag}\b", section)}
    assert options and not missing, "run: python docs/commands.py"


def command_lines() -> list[tuple[str, str]]:
    """(document, command line) of what a reader could type: indented, or after $ in a console."""
    found = []
    for document, text in TEXTS.items():
        for line in re.sub(r"\\\n\s*", " ", text).splitlines():
            typed = re.match(r"(?: {4,}|\$ )(earful .*)", line)
            if typed and not typed[1].startswith("earful: "):
                found.append((document, typed[1]))
    return found


def test_command_lines_can_be_parsed() -> None:
    lines = command_lines()
    assert len(lines) > 25
    for document, line in lines:
        words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
        if "--help" in words or words[0].startswith(("-", "COMMAND")):
            continue
        command, context = get_command(app), None
        try:
            while hasattr(command, "commands"):
                context = command.make_context("earful", [words[0]], parent=context, resilient_parsing=True)
                command, words = command.commands[words[0]], words[1:]
            command.make_context("earful", words, parent=context)
        except Exception as error:
            pytest.fail(f"{document}: {line}: {error}")


def test_make_targets_exist() -> None:
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document, text in TEXTS.items():
        asked = re.findall(r"^ {4}make ([\w-]+)|`make ([\w-]+)", text, re.MULTILINE)
        assert {one or other for one, other in asked} <= known, document
    assert "\n    make demo\n    make test\n" in TEXTS["README.md"], "the two commands, word for word"


def python_blocks() -> list[tuple[str, str]]:
    return [
        (document, block)
        for document, text in TEXTS.items()
        for block in re.findall(r"```python\n(.*?)```", text, re.S)
    ]


@pytest.mark.parametrize(("document", "block"), python_blocks(), ids=lambda value: value[:20])
def test_python_examples_run(
    document: str, block: str, tiny_base: Path, write_clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """In a folder that holds what the examples name: the base, clips and a new recording."""
    (tmp_path / "earful-base").symlink_to(tiny_base)
    write_clips(tmp_path / "my-clips", 5)
    (write_clips(tmp_path / "new", 1) / "clip0.wav").rename(tmp_path / "new.wav")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("earful.adapt.finetune.Plan.__post_init__", lambda plan: object.__setattr__(plan, "steps", 1))
    exec(compile(block, document, "exec"), {"__name__": "example"})
    assert capsys.readouterr().out and ("my-model" not in block or (tmp_path / "my-model" / "model.json").exists())


def test_the_readme_is_a_page() -> None:
    """Short enough to be read, with what a newcomer asks first; all else is in the documentation."""
    text = TEXTS["README.md"]
    assert 8_000 <= len(text.encode()) <= 10_000, "README is 8 to 10 kB: move what is too much to docs/"
    for command in ("check", "adapt", "transcribe", "score"):
        assert f"\n$ earful {command} " in text, f"the real output of earful {command}"
    assert all(f"| {system}" in text for system in ("Linux", "macOS", "Windows")), "what is tested, and what is not"


def test_every_page_is_in_the_navigation_and_on_the_first_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2].partition("\nmarkdown_")[0]
    pages = {Path(document).name for document in TEXTS if document.startswith("docs/")}
    assert set(re.findall(r"[\w-]+\.md", navigation)) == pages
    assert set(re.findall(r"\(([\w-]+\.md)\)", TEXTS["docs/index.md"])) == pages - {"index.md"}


def test_the_first_change_names_files_that_are_there() -> None:
    text = TEXTS["CONTRIBUTING.md"].partition("## A first change, worked out\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(named) >= 5 and not [name for name in named if not (ROOT / name).exists()]


def test_there_is_a_python_example_in_the_readme() -> None:
    (block,) = [block for document, block in python_blocks() if document == "README.md"]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10


# --- facts that the code holds --------------------------------------------------------------------------------------


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading."""
    after = TEXTS[document].partition(heading)[2]
    lines = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert lines, heading
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines[0].splitlines()[2:]]


def test_plans() -> None:
    """How much `adapt` does: docs/adaptation.md against `plan_for`, at both ends of each row."""
    for clips, steps, rate, copies, measured in rows("docs/adaptation.md", "## How much"):
        numbers = [int(number) for number in re.findall(r"\d+", clips)]
        ends = [numbers[0] - 1] if "fewer" in clips else numbers
        for count in ends:
            plan = plan_for(count, 5.0 * count)
            assert (plan.steps, plan.copies) == (int(steps), int(copies)), clips
            assert plan.rate == pytest.approx(1e-4 * float(rate)), clips
            kind = {0: "themselves", 1: "held out", 3: "cross-validated"}[plan.folds]
            assert kind in measured, clips


def test_columns_keys_and_formats() -> None:
    text = TEXTS["docs/data-formats.md"]
    for names in COLUMNS.values():
        assert all(f"`{name}`" in text for name in names), names
    assert all(f"`{key}`" in text for key in (*KEYS, "phones", "ipa", *FORMATS))


def test_keys_of_recipes() -> None:
    text = TEXTS["docs/base-model.md"].partition("## Recipes")[2]
    for owner in (Recipe, Corpus, Optimisation, EncoderConfig):
        for field in fields(owner):
            # the corpora and optimisation are tables; bins follow from the features
            known = (f"`{field.name}`", f"`[{field.name}]`", f"`[[{field.name}]]`")
            assert field.name == "bins" or any(name in text for name in known), f"{owner.__name__}.{field.name}"


def test_keys_of_recipes_of_meta_training() -> None:
    """Each in its table; `chunk` is for tasks that are no speech, and recipes refuse it."""
    text = TEXTS["docs/meta-learning.md"].partition("### Keys of the recipe")[2].partition("\n###")[0]
    for owner in (MetaRecipe, TaskRules, LearnerSettings, Outer):
        for field in fields(owner):
            known = (f"`{field.name}`", f"`[{field.name}]`", f"`[[{field.name}]]`")
            assert field.name == "chunk" or any(name in text for name in known), f"{owner.__name__}.{field.name}"
    assert {f"`{name}`" for name in LEARNERS} <= set(re.findall(r"`[\w+-]+`", TEXTS["docs/meta-learning.md"]))


def test_every_room_is_in_the_architecture() -> None:
    listed = {cell.strip("`/") for row in rows("ARCHITECTURE.md", "## Rooms") for cell in row[:1]}
    there = {path.stem for path in Path(earful.__file__).parent.iterdir() if path.is_dir() or path.suffix == ".py"} - {
        "__init__",
        "__main__",
        "__pycache__",
    }
    assert there <= listed, there - listed
    assert listed - there <= {"bases"}, listed - there


def test_languages_of_the_bases() -> None:
    """What the documents say that the bases have heard is what the recipes speak, and no word of it is Czech."""
    heard = {}
    for recipe in ("base", "tiny"):
        text = (ROOT / "recipes" / recipe / "README.md").read_text("utf-8")
        heard[recipe] = re.findall(r"--language (\S+)", text.partition("recipes.corpora fillets")[0])
        assert len(heard[recipe]) == len(set(heard[recipe])) and not {"cs", "sk", "eo"} & set(heard[recipe])
    assert (len(heard["base"]), len(heard["tiny"])) == (37, 23) and set(heard["tiny"]) < set(heard["base"])
    assert "37 languages" in TEXTS["docs/accuracy.md"] and "23 of the languages" in TEXTS["docs/base-model.md"]
