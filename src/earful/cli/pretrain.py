"""`earful pretrain`: a better start from speech without transcripts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted, peak_memory_mb, print_facts
from earful.cli.train import losses_of, means

if TYPE_CHECKING:
    from earful.data.utterance import Utterance
    from earful.pretrain.selfsupervised import SelfRecipe, Told
    from earful.train import Step

DEFAULT_START, DEFAULT_OBJECTIVE, DEFAULT_STEPS = "earful-base", "best_rq", 500
NAMED = 10


def pretrain(
    source: Annotated[Path, typer.Argument(help="A TOML recipe, or a folder of recordings.", metavar="SOURCE")],
    out: Annotated[Path | None, typer.Option(help="The folder for the model (of a folder).", metavar="MODEL")] = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="What to learn by; may come again.", metavar="NAME")
    ] = None,
    start: Annotated[str, typer.Option(help="The base that is trained further.", metavar="NAME|DIR")] = DEFAULT_START,
    steps: Annotated[int, typer.Option(min=1, help="Steps.", metavar="N")] = DEFAULT_STEPS,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a base further on speech without transcripts.

    SOURCE is a recipe, which says all; or a folder of recordings of any length, from which the stretches of speech are
    cut. The objectives are wav2vec2, cpc, simclr, siamese, triplet, prototypical, hubert, best_rq and denoise. Every
    step is logged in the work folder. Interrupted by Ctrl-C, the same command goes on from the last saved state.

    \b
    Examples:
        earful pretrain my-recordings --out my-base
        earful pretrain recipe.toml
    """
    from earful.checkpoint import check_destination, locate, save_checkpoint
    from earful.config import read_toml
    from earful.pretrain.selfsupervised import SelfRecipe, model_for, objectives_of, speech_for
    from earful.pretrain.selfsupervised import pretrain as train

    steps_done: list[Step] = []
    with progress() as tell:
        if source.is_dir():
            if out is not None:
                check_destination(out, replace=overwrite)  # before the recordings are heard, which takes long
            locate(start)
            plan = recipe_for(source, out, objective or [DEFAULT_OBJECTIVE], start, steps, tell)
        else:
            plan = read_toml(SelfRecipe, source)
            check_destination(plan.out, replace=overwrite)
        model = model_for(plan)
        objectives = objectives_of(plan, model)
        speech = speech_for(plan, model, objectives, lambda done, total: tell("hearing", done, total))

        def report(told: "Told") -> None:
            steps_done[:] = [*steps_done[-199:], told.step]
            facts = ", ".join(f"{name} {value:.3g}" for name, value in told.facts.items())
            tell("training", told.step.number, plan.optimisation.steps, f"{losses_of(steps_done[-20:])}, {facts}")

        checkpoint = train(plan, model, objectives, speech, report)
    save_checkpoint(plan.out, checkpoint, half=True, replace=overwrite)
    found = {
        "model": str(plan.out),
        "clips": len(speech.utterances),
        "objectives": list(objectives),
        "steps": plan.optimisation.steps,
        "losses": means(steps_done),
        "skipped_steps": checkpoint.about["pretrained"]["skipped_steps"],
        "seconds": round(steps_done[-1].elapsed_s, 1) if steps_done else 0.0,
        "peak_memory_mb": peak_memory_mb(),
    }
    print_facts(found, {"losses": losses_of(steps_done), "objectives": ", ".join(objectives)}, json=json)


def recipe_for(
    folder: Path, out: Path | None, objectives: list[str], start: str, steps: int, tell: Tell
) -> "SelfRecipe":
    """The recipe of a folder: its stretches of speech, the objectives with their usual settings.

    Raises:
        ConfigError: there is no --out, or no such objective.
        ManifestError: there is no speech in the folder.
    """
    from earful.config import from_mapping
    from earful.data.manifest import write_manifest
    from earful.errors import ConfigError
    from earful.pretrain.recipe import Corpus
    from earful.pretrain.selfsupervised import Objectives, SelfRecipe
    from earful.train import Optimisation

    if out is None:
        raise ConfigError(f"{folder} is a folder of recordings: say with --out where the model shall be")
    wanted = from_mapping(Objectives, {name: {} for name in objectives}, "--objective")
    work = out.absolute().parent / f".{out.absolute().name}.pretraining"
    manifest = work / "manifest.jsonl"
    if not manifest.exists():  # an interrupted run goes on with the clips that it has
        clips = speech_in(folder, tell)
        work.mkdir(parents=True, exist_ok=True)
        write_manifest(manifest, clips)
    recipe = SelfRecipe(
        out=out,
        corpora=(Corpus(manifest),),
        optimisation=Optimisation(steps, rate=3e-4),
        objectives=wanted,
        start=start,
        about=f"the recordings of {folder.name}",
    )
    return replace(recipe, work=work, cache=work / "frames")


def speech_in(folder: Path, tell: Tell) -> "Sequence[Utterance]":
    """The stretches of speech in a folder's recordings; what gave none is named. Raises ManifestError if none did."""
    from earful.data.untranscribed import Skipped, cut, read_recordings
    from earful.errors import ManifestError

    recordings, skipped = read_recordings(folder), list[Skipped]()

    def told() -> "Iterator[Utterance]":
        for number, recording in enumerate(recordings):
            tell("looking for speech", number, len(recordings))
            yield recording

    clips = list(cut(told(), skip=skipped.append))
    for each in skipped[:NAMED]:
        warn(f"left out {each.path}: {each.reason}")
    if len(skipped) > NAMED:
        warn(f"left out {len(skipped)} of {counted(len(recordings), 'recording')} in all")
    if not clips:
        raise ManifestError(f"{folder}: no speech was found in {counted(len(recordings), 'recording')}; give others")
    return clips
