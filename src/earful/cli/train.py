"""`earful train`: a base model from a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.processes import only, processes, progress_of
from earful.cli.progress import warn
from earful.cli.tables import peak_memory_mb, print_facts

if TYPE_CHECKING:
    from earful.checkpoint import Checkpoint
    from earful.pretrain.dataset import Dataset
    from earful.pretrain.recipe import Recipe
    from earful.train import Step

ENCODER_HELP = "The pre-trained encoder to train on instead of the recipe's: from Hugging Face, or a folder."


def train(
    recipe: Annotated[Path, typer.Argument(help="A TOML file; see recipes/.", metavar="RECIPE.toml")],
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu, cuda or cuda:N.", metavar="DEVICE")] = "auto",
    encoder: Annotated[str | None, typer.Option(help=ENCODER_HELP, metavar="hf:NAME|hf:DIR")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder for the model, instead of the recipe's.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a base model by a recipe.

    Every step is logged in the recipe's work folder. After Ctrl-C, the same command continues from the last saved
    state. Several processes can share the clips of each batch: torchrun --nproc-per-node 2 -m earful train RECIPE.toml.
    Each uses its own GPU if there are GPUs.

    \b
    Examples:
        earful train recipes/base/base.toml
        earful train recipes/base/any.toml --encoder hf:facebook/wav2vec2-xls-r-300m --out my-base
    """
    from earful.checkpoint import check_destination, save_checkpoint
    from earful.config import read_toml
    from earful.device import device_of
    from earful.pretrain.dataset import open_dataset
    from earful.pretrain.recipe import Recipe
    from earful.pretrain.supervised import train_base
    from earful.train import rate_at

    plan, where = read_toml(Recipe, recipe), device_of(device)
    plan = upon(plan, encoder) if encoder else plan
    plan = into(plan, out) if out else plan
    steps: list[Step] = []
    with processes(where) as (rank, in_turn):
        if rank == 0:
            check_destination(plan.out, replace=overwrite)
        with only(rank, plan.work), progress_of(rank) as tell:
            with in_turn():  # the first one computes features, the others find them
                dataset = open_dataset(plan, lambda done, total: tell("computing features", done, total), where)

            def report(step: "Step") -> None:
                steps[:] = [*steps[-199:], step]
                rate = rate_at(step.number - 1, plan.optimisation)
                tell("training", step.number, plan.optimisation.steps, f"{losses_of(steps[-20:])}, rate {rate:.1e}")

            checkpoint = train_base(plan, dataset, report, device=where, discard=warn if overwrite else None)
        if rank:
            return
        save_checkpoint(plan.out, checkpoint, half=True, replace=overwrite)
    print_facts(summary(plan, dataset, checkpoint, steps), {"losses": losses_of(steps)}, json=json)


def summary(plan: "Recipe", dataset: "Dataset", checkpoint: "Checkpoint", steps: "list[Step]") -> dict[str, object]:
    """The training in numbers."""
    return {
        "model": str(plan.out),
        "clips": len(dataset.utterances),
        "parameters": sum(tensor.numel() for tensor in checkpoint.params.values()),
        "symbols": dataset.alphabet.size - 1,
        "steps": plan.optimisation.steps,
        "losses": means(steps),
        "seconds": round(steps[-1].elapsed_s, 1) if steps else 0.0,
        "peak_memory_mb": peak_memory_mb(),
    }


def upon(plan: "Recipe", encoder: str) -> "Recipe":
    """The recipe with another pre-trained encoder, whose width becomes that of the frames.

    Raises CheckpointError if it cannot be fetched or read.
    """
    from dataclasses import replace

    from earful.encoder.hub import fetch_pretrained
    from earful.encoder.pretrained import read_pretrained
    from earful.pretrain.recipe import Pretrained

    folder = fetch_pretrained(encoder)
    config, _ = read_pretrained(folder)
    below = replace(plan.pretrained, folder=folder) if plan.pretrained else Pretrained(folder)
    top = replace(plan.encoder, bins=config.width, subsampling=1)
    return replace(plan, pretrained=below, encoder=top, about=f"{plan.about} --encoder {encoder}")


def into(plan: "Recipe", out: Path) -> "Recipe":
    """The recipe with another folder for the model; the state of an interrupted run is kept beside it."""
    from dataclasses import replace

    return replace(plan, out=out, work=out.absolute().parent / f".{out.absolute().name}.training")


def means(steps: "list[Step]") -> dict[str, float]:
    """Mean losses over some steps."""
    names = steps[-1].losses if steps else ()
    return {name: sum(step.losses[name] for step in steps) / len(steps) for name in names}


def losses_of(steps: "list[Step]") -> str:
    """The mean losses as text."""
    return ", ".join(f"{name} {value:.3f}" for name, value in means(steps).items())
