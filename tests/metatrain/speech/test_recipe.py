"""What a recipe of meta-training may say: every key that its learner, or its tasks, would not use is refused."""

import re
from pathlib import Path

import pytest

from earful.config import read_toml
from earful.errors import ConfigError
from earful.metatrain import LEARNERS
from earful.metatrain.speech.recipe import MetaRecipe

RECIPE = """
out = "out"
start = "base"
{top}
[[corpora]]
manifest = "a.jsonl"
[tasks]
{tasks}
[learning]
learner = "{learner}"
inner = {{ rate = 0.1{inner} }}
{more}
[outer]
optimisation = {{ steps = 10{optimisation} }}
{outer}
"""


def read(folder: Path, **said: str) -> MetaRecipe:
    parts = {"top": "", "tasks": "", "learner": "maml", "inner": "", "more": "", "optimisation": "", "outer": ""}
    (folder / "r.toml").write_text(RECIPE.format(**(parts | said)), "utf-8")
    return read_toml(MetaRecipe, folder / "r.toml")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"learner": "fomaml", "more": "pull = 2.0"}, "fomaml does not use pull: it is of imaml; leave it out"),
        ({"learner": "maml", "more": "iterations = 2"}, "maml does not use iterations: it is of imaml"),
        (
            {"learner": "maml", "more": "every_step_until = 0.5"},
            r"maml does not use every_step_until: it is of maml\+\+",
        ),
        ({"learner": "fomaml", "more": "first_order_until = 0.5"}, "fomaml does not use first_order_until: it is of"),
        ({"learner": "reptile", "more": "first_order_until = 0.5"}, "reptile does not use first_order_until"),
        ({"learner": "anil", "more": 'moves = "body"'}, "anil does not use moves: it always moves 'head'"),
        ({"learner": "cavia", "more": 'moves = "all"'}, "cavia does not use moves: it always moves 'biases'"),
        ({"learner": "multitask", "inner": ', learned = "layer"'}, "multitask takes no inner steps to learn from"),
        ({"learner": "scratch", "inner": ", learn_momentum = true"}, "scratch takes no inner steps to learn from"),
        ({"learner": "imaml", "inner": ', learned = "layer"'}, "implicit gradient cannot learn rates"),
        ({"learner": "imaml", "inner": ", clip_norm = 1.0"}, "leave out clip_norm"),
        ({"learner": "imaml", "inner": ', optimiser = "adam"'}, "needs plain descent"),
        (
            {"learner": "maml++", "inner": ", per_step = false"},
            r"inner: maml\+\+ learns rates for every step; leave out",
        ),
        ({"learner": "meta-sgd", "inner": ', learned = ""'}, "inner: meta-sgd learns rates; leave out learned"),
        ({"top": "validation = 3"}, "validation is given, and not used: no task is held out"),
        ({"outer": "validate_every = 3"}, "outer: validate_every is given, and not used: no task is held out"),
        ({"top": "augmentation = { codec_kbps = [8, 9] }"}, "augmentation: codec_kbps is given, .*_probability is 0"),
        ({"tasks": "hard = 1.0\nalpha = 0.5"}, "tasks: alpha is given, and not used: `hard` says"),
        ({"outer": 'optimiser = "adam"', "optimisation": ", weight_decay = 0.1"}, "outer: adam has no weight_decay"),
    ],
)
def test_what_nothing_would_use(said: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, **said)
    assert re.search(f"r.toml: .*{message}", str(error.value)) and "\n" not in str(error.value)


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_is_left_out_is_the_learners_own(learner: str, tmp_path: Path) -> None:
    assert read(tmp_path, learner=learner).learning.learner == learner


def test_what_is_used_is_taken(tmp_path: Path) -> None:
    made = read(
        tmp_path,
        learner="maml++",
        inner=', learned = "scalar", per_step = true',
        more='first_order_until = 0.2\nevery_step_until = 0.1\nmoves = "biases"',
        tasks='held_out = ["nl"]\nalpha = 0.5',
        top="validation = 3",
        outer='validate_every = 7\noptimiser = "adam"',
    )
    assert (made.learning.moves, made.outer.optimiser, made.validation) == ("biases", "adam", 3)
    assert read(tmp_path, learner="imaml", more="pull = 2.0\niterations = 3").learning.pull == 2.0
