"""Meta-training of a base: from a recipe to a checkpoint with its own inner loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from earful.adapt.finetune import HEAD, Letters, moves
from earful.adapt.inner import Inner
from earful.adapt.rows import BIAS, WEIGHT, carry_rows
from earful.adapt.select import Learned
from earful.checkpoint import Checkpoint, InnerLoop
from earful.config import to_mapping
from earful.ctc.greedy import greedy_ids
from earful.data.episode import Draw
from earful.device import CPU, moved
from earful.encoder.recurrent import CELLS
from earful.errors import CheckpointError
from earful.identity import digest, digest_of_tensors, parts_of
from earful.metatrain.learner import START, Learner, Meta, started_by
from earful.metatrain.loop import Drawn, MetaStep, Trained, metatrain
from earful.metatrain.speech.learning import LearnerSettings, learner_of, selection
from earful.metatrain.speech.output import begin, begin_by_prototypes, shared_heads
from earful.metatrain.speech.recipe import MetaRecipe, Output
from earful.metatrain.speech.tasks import Side, Tasks, tasks_of
from earful.model import AcousticModel, Params, loss_of, parameters_of
from earful.pretrain.dataset import Dataset
from earful.text.score import errors_of_each
from earful.train import Run, append_log
from earful.trees import part, split

LETTERS: Mapping[Output, Letters] = {
    "letters": "like",
    "phones": "phones",
    "heard": "rules",  # by what is heard, and by the rules of the language where there are any
    "prototypes": "prototypes",
}
UNSAID = ("out", "work", "cache", "about", "corpora", "start", "outer")
"""Keys of a recipe that do not identify a run: no result depends on them, or clips, start and loop cover them."""


class Result(NamedTuple):
    """The checkpoint that was best on the held-out tasks, the last one, and the result of the loop."""

    best: Checkpoint
    last: Checkpoint
    trained: Trained


def start_of(base: Checkpoint, dataset: Dataset, output: Output) -> Checkpoint:
    """The base, its text head with rows for the dataset's letters beside its own.

    Raises CheckpointError if the base has no phones for an output made of them.
    """
    if output in ("phones", "heard"):
        known, wanted = base.config.phones, dataset.inventory if output == "phones" else None
        if known is None:
            raise CheckpointError(f'the base writes no phones, which output = "{output}" is made of; take "letters"')
        if odd := [symbol for symbol in (wanted.symbols if wanted else ()) if symbol not in known.symbols]:
            raise CheckpointError(f"the base has no phone {odd[0]!r} of the corpora; leave out its clips' phones")
    old = base.config.alphabet
    new = old.extended(["".join(dataset.alphabet.symbols)])
    params = carry_rows(base.params, old, new, torch.Generator().manual_seed(0))
    return replace(base, config=replace(base.config, alphabet=new), params=params)


class Speech(NamedTuple):
    """The meta-trained parameters, and the learner of recognition at some progress (0 to 1)."""

    params: Params
    learner_at: Callable[[float], Learner]


def speech_of(start: Checkpoint, model: AcousticModel, learning: LearnerSettings, output: Output) -> Speech:
    """The learner of the recipe, with the loss of a task and the beginning of its output layer."""
    heads = tuple(f"{HEAD}{head}." for head in shared_heads(output))
    params, still = split(
        parameters_of(model),
        lambda name: moves(start.config, name) or name.startswith(heads),
    )
    plain = loss_of(model)

    def loss(params: Params, side: Side) -> Tensor:
        return plain({**still, **params}, side.batch)

    def begun(shared: Mapping[str, Tensor], support: Side) -> Params:
        if output == "prototypes":
            return begin_by_prototypes(model, shared, still, support.maps, support.batch)
        return begin(shared, support.maps)

    def learner_at(progress: float) -> Learner:
        learner = learner_of(learning, loss, progress, can_move=lambda name: moves(start.config, name))
        return started_by(begun, learner, lambda name: name in (WEIGHT, BIAS))

    return Speech(params, learner_at)


def error_rate(model: AcousticModel, params: Params, tasks: Tasks, drawn: Draw, query: Side) -> tuple[int, int]:
    """Character (or phone) errors on the query, by the best path, and the length of its references."""
    symbols, references = tasks.texts(drawn)
    with torch.no_grad():
        output = functional_call(model, params, (query.batch.frames_BFM, query.batch.frame_counts_B))
    between = " " if tasks.output == "phones" else ""
    written = [between.join(symbols[i - 1] for i in ids) for ids in greedy_ids(*output)]
    found = errors_of_each(references, written)
    counts = [each.words if tasks.output == "phones" else each.characters for each in found]
    return sum(count.errors for count in counts), sum(count.length for count in counts)


def validated(model: AcousticModel, learner: Learner, meta: Meta, tasks: Tasks, draws: Sequence[Draw]) -> float:
    """Errors per symbol on the queries of some draws, after adaptation."""
    errors = length = 0
    still = parameters_of(model)
    for drawn in draws:
        support, query = tasks.episode(drawn, blind=True, params=part(meta, START))
        found = error_rate(model, {**still, **learner.adapt(meta, support)}, tasks, drawn, query)
        errors, length = errors + found[0], length + found[1]
    return errors / max(1, length)


def metatrain_base(
    recipe: MetaRecipe,
    base: Checkpoint,
    dataset: Dataset,
    report: Callable[[MetaStep], None] | None = None,
    *,
    device: torch.device = CPU,
    discard: Callable[[str], None] | None = None,
) -> Result:
    """Meta-train a base as the recipe says, on a device; resumes from `recipe.work`, and logs each step there.

    Raises:
        CheckpointError: the base lacks the rows for the output layer, or the state is damaged or cannot be written.
        ConfigError, ManifestError: impossible tasks, before any training.
    """
    start = start_of(base, dataset, recipe.output)
    model = start.build().to(device)
    tasks = tasks_of(dataset, model, recipe.output, recipe.tasks, recipe.seed)
    held = (
        tasks_of(dataset, model, recipe.output, recipe.tasks, recipe.seed, held_out=True)
        if recipe.tasks.held_out
        else None
    )
    draws = [held.draw(number) for number in range(recipe.validation)] if held else []
    speech = speech_of(start, model, recipe.learning, recipe.output)
    last = speech.learner_at(1.0)

    def draw(step: int, task: int, losses: Mapping[str, float]) -> Drawn:
        drawn = tasks.draw(step * recipe.outer.tasks + task, losses)
        return Drawn(tasks.episode(drawn), drawn.task)

    def tell(step: MetaStep) -> None:
        append_log(recipe.work / "log.jsonl", step._asdict())
        if report:
            report(step)

    # Inner loops are in float32 to the last digit; and cuDNN's recurrent layers have no second derivative.
    with torch.backends.cudnn.flags(enabled=start.config.encoder.kind not in CELLS, allow_tf32=False):
        found = metatrain(
            speech.learner_at,
            speech.params,
            draw,
            recipe.outer,
            state=recipe.work / "state.safetensors",
            names=tasks.names if recipe.tasks.hard else (),
            validate=(lambda meta: validated(model, last, meta, held, draws)) if held else None,
            report=tell,
            run=Run({**parts_of(recipe, UNSAID), "clips": dataset.digest(), "base": base_of(start)}, discard),
        )
    trained = moved(found, CPU)
    best, final = (checkpoint_of(start, meta, recipe, last.inner) for meta in (trained.best, trained.last))
    return Result(best, final, trained)


def base_of(start: Checkpoint) -> str:
    """The digest of the start, including the parts that are not trained."""
    return digest([start.config, digest_of_tensors(start.params)])


def checkpoint_of(start: Checkpoint, meta: Meta, recipe: MetaRecipe, inner: Inner | None) -> Checkpoint:
    """The learned start with the learned inner loop."""
    assert inner is not None
    learning = recipe.learning
    how = Learned(inner, selection(learning), LETTERS[recipe.output])
    learned = {name: value for name, value in meta.items() if not name.startswith(START)}
    about = {**start.about, "metatrained": {"recipe": recipe.about, "learner": learning.learner}}
    loop = InnerLoop(to_mapping(how), learned)
    return replace(start, params={**start.params, **part(meta, START)}, about=about, language=None, inner=loop)
