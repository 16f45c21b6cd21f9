"""`earful train`: a base model from a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.processes import processes, progress_of
from earful.cli.tables import peak_memory_mb, print_facts

if TYPE_CHECKING:
    from earful.train import Step


def train(
    recipe: Annotated[Path, typer.Argument(help="A TOML file; see recipes/.", metavar="RECIPE.toml")],
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu, cuda or cuda:N.", metavar="DEVICE")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a base model by a recipe.

    Every step is logged in the recipe's work folder. Interrupted by Ctrl-C, the same command goes on from the last
    saved state. On several processes, which share the clips of each batch: torchrun --nproc-per-node 2 -m earful train
    RECIPE.toml; each takes a GPU of its own where there are GPUs.

    \b
    Example:
        earful train recipes/base/base.toml
    """
    from earful.checkpoint import check_destination, save_checkpoint
    from earful.config import read_toml
    from earful.device import device_of
    from earful.pretrain.dataset import open_dataset
    from earful.pretrain.recipe import Recipe
    from earful.pretrain.supervised import train_base
    from earful.train import rate_at

    plan, where = read_toml(Recipe, recipe), device_of(device)
    steps: list[Step] = []
    with processes(where) as (rank, in_turn):
        if rank == 0:
            check_destination(plan.out, replace=overwrite)
        with progress_of(rank) as tell:
            with in_turn():  # the first one computes features, the others find them
                dataset = open_dataset(plan, lambda done, total: tell("computing features", done, total), where)

            def report(step: "Step") -> None:
                steps[:] = [*steps[-199:], step]
                rate = rate_at(step.number - 1, plan.optimisation)
                tell("training", step.number, plan.optimisation.steps, f"{losses_of(steps[-20:])}, rate {rate:.1e}")

            checkpoint = train_base(plan, dataset, report, device=where)
        if rank:
            return
        save_checkpoint(plan.out, checkpoint, half=True, replace=overwrite)
    found = {
        "model": str(plan.out),
        "clips": len(dataset.utterances),
        "parameters": sum(tensor.numel() for tensor in checkpoint.params.values()),
        "symbols": dataset.alphabet.size - 1,
        "steps": plan.optimisation.steps,
        "losses": means(steps),
        "seconds": round(steps[-1].elapsed_s, 1) if steps else 0.0,
        "peak_memory_mb": peak_memory_mb(),
    }
    print_facts(found, {"losses": losses_of(steps)}, json=json)


def means(steps: "list[Step]") -> dict[str, float]:
    """Mean losses over some steps."""
    names = steps[-1].losses if steps else ()
    return {name: sum(step.losses[name] for step in steps) / len(steps) for name in names}


def losses_of(steps: "list[Step]") -> str:
    """The same as a text."""
    return ", ".join(f"{name} {value:.3f}" for name, value in means(steps).items())
