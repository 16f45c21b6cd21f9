"""`earful metatrain`: meta-train a base by a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.curves import curves
from earful.cli.processes import only, processes, progress_of
from earful.cli.progress import warn
from earful.cli.tables import peak_memory_mb, percent, print_facts

if TYPE_CHECKING:
    from earful.metatrain.loop import MetaStep
    from earful.metatrain.speech.recipe import MetaRecipe
    from earful.metatrain.speech.train import Result


def metatrain(
    recipe: Annotated[Path, typer.Argument(help="A TOML file; see docs/meta-learning.md.", metavar="RECIPE.toml")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model where it exists.")] = False,
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu, cuda or cuda:N.", metavar="DEVICE")] = "auto",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write curves into the work folder.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Meta-train a base by a recipe: learn initial weights and an inner loop for adaptation to a few clips.

    The best model on the held-out tasks goes to the recipe's `out`, the last one to `last` in its work folder; every
    step is logged there. After an interruption the same command continues from the last saved state. On several
    processes: torchrun --nproc-per-node 2 -m earful metatrain RECIPE.toml; each uses its own GPU, if any.

    \b
    Example:
        earful metatrain recipes/base/meta.toml
    """
    from earful.checkpoint import check_destination, load_checkpoint, save_checkpoint
    from earful.config import read_toml
    from earful.device import device_of
    from earful.metatrain.speech.recipe import MetaRecipe
    from earful.metatrain.speech.train import metatrain_base
    from earful.pretrain.dataset import dataset_of

    plan, where = read_toml(MetaRecipe, recipe), device_of(device)
    with processes(where) as (rank, in_turn):
        if rank == 0:
            check_destination(plan.out, replace=overwrite)
        base = load_checkpoint(plan.start)
        steps: list[MetaStep] = []
        folder = plan.work / "tensorboard" if tensorboard and rank == 0 else None
        with only(rank, plan.work), progress_of(rank) as tell, curves(folder) as draw:
            with in_turn():  # the first one computes features, the others find them
                front = base.build().to(where).backbone or base.config.features
                dataset = dataset_of(plan, front, lambda done, total: tell("computing features", done, total))  # type: ignore[arg-type]

            def report(step: "MetaStep") -> None:
                steps[:] = [*steps[-199:], step]
                draw(step.number, points_of(step))
                tell("meta-training", step.number, plan.outer.optimisation.steps, note_of(steps, plan.outer.tasks))

            discard = warn if overwrite else None
            result = metatrain_base(plan, base, dataset, report, device=where, discard=discard)
        if rank:
            return
        save_checkpoint(plan.work / "last", result.last, half=True, replace=True)
        save_checkpoint(plan.out, result.best, half=True, replace=overwrite)
    conclude(plan, result, len(dataset.utterances), steps, json)


def conclude(plan: "MetaRecipe", result: "Result", clips: int, steps: "list[MetaStep]", json: bool) -> None:
    """The summary."""
    found = {
        "model": str(plan.out),
        "learner": plan.learning.learner,
        "clips": clips,
        "steps": plan.outer.optimisation.steps,
        "query_loss": steps[-1].loss if steps else None,
        "held_out_error_rate": result.trained.validation if plan.tasks.held_out else None,
        "skipped_tasks": result.trained.skipped,
        "seconds": round(steps[-1].elapsed_s, 1) if steps else 0.0,
        "peak_memory_mb": peak_memory_mb(),
    }
    rate = percent(result.trained.validation) if plan.tasks.held_out else "not measured: nothing is held out"
    shown = {"held_out_error_rate": rate} | ({"query_loss": f"{steps[-1].loss:.3f}"} if steps else {})
    print_facts(found, shown, json=json)


def note_of(steps: "list[MetaStep]", tasks: int) -> str:
    """The text beside the bar: mean query loss, the last held-out error rate, and tasks per second."""
    recent = [step for step in steps[-20:] if step.loss == step.loss]
    told = [f"query loss {sum(step.loss for step in recent) / len(recent):.3f}"] if recent else []
    measured = [step.validation for step in steps if step.validation is not None]
    told += [f"held-out {percent(measured[-1]).strip()}"] if measured else []
    first, last = steps[0], steps[-1]
    if last.elapsed_s > first.elapsed_s:
        told.append(f"{(last.number - first.number) * tasks / (last.elapsed_s - first.elapsed_s):.1f} tasks/s")
    told += [f"{last.skipped} tasks skipped"] if last.skipped else []
    return ", ".join(told)


def points_of(step: "MetaStep") -> dict[str, float | None]:
    """The points of the curves for one step."""
    return {
        "query loss": step.loss,
        "gradient norm": step.grad_norm,
        "skipped tasks": step.skipped,
        "held-out error rate": step.validation,
    }
