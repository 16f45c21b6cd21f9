"""`earful pretrain`: train a base further on speech without transcripts."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from json import dumps as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.curves import Draw, curves
from earful.cli.leftovers import name_unread
from earful.cli.numbers import MOST_COUNT
from earful.cli.processes import Turn, only, processes, progress_of
from earful.cli.progress import Tell, warn
from earful.cli.tables import counted, peak_memory_mb, percent, print_facts, within
from earful.cli.train import losses_of, means

if TYPE_CHECKING:
    import torch

    from earful.checkpoint import Checkpoint
    from earful.data.manifest import Manifest
    from earful.pretrain.selfsupervised import SelfRecipe, StepReport

DEFAULT_START, DEFAULT_OBJECTIVE, DEFAULT_STEPS = "earful-base", "best_rq", 500
NAMED, SHOWN = 10, 200
CLIPS, LEFT_OUT = "clips.jsonl", "left-out.jsonl"

Out = Annotated[Path | None, typer.Option(help="The folder for the model, if SOURCE is a folder.", metavar="MODEL")]
Start = Annotated[
    str | None,
    typer.Option(help=f"The base to train further.  [default: {DEFAULT_START}]", metavar="NAME|DIR"),
]
Steps = Annotated[
    int | None, typer.Option(min=1, max=MOST_COUNT, help=f"Steps.  [default: {DEFAULT_STEPS}]", metavar="N")
]
"""Of folders: a recipe says both."""
ProbeEvery = Annotated[int | None, typer.Option(min=1, max=MOST_COUNT, help="Steps between probes.", metavar="N")]


def pretrain(
    source: Annotated[Path, typer.Argument(help="A TOML recipe, or a folder of recordings.", metavar="SOURCE")],
    out: Out = None,
    objective: Annotated[
        list[str] | None, typer.Option(help="A self-supervised objective; may be repeated.", metavar="NAME")
    ] = None,
    start: Start = None,
    steps: Steps = None,
    probe: Annotated[
        Path | None, typer.Option(help="Clips with phone times for a linear probe.", metavar="MANIFEST")
    ] = None,
    probe_every: ProbeEvery = None,
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu, cuda or cuda:N.", metavar="DEVICE")] = "auto",
    tensorboard: Annotated[Path | None, typer.Option(help="Write curves for TensorBoard there.", metavar="DIR")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model where it exists.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a base further on speech without transcripts.

    SOURCE is a recipe, or a folder of recordings of any length; earful cuts the speech out of them. The objectives are
    wav2vec2, cpc, simclr, siamese, triplet, prototypical, hubert, best_rq and denoise. Every step is logged in the work
    folder. After Ctrl-C, the same command continues from the last saved state. With torchrun --nproc-per-node 2 -m
    earful pretrain SOURCE several processes share the clips of each batch, on GPUs if there are any. --probe measures
    from time to time how well a linear layer classifies the phones of synthetic speech from the base's frames: a sign
    of whether the base learns. The probe does not change the training.

    \b
    Examples:
        earful pretrain my-recordings --out my-base
        earful corpus speak --language nl --clips 200 --out spoken
        earful pretrain my-recordings --out my-base --probe spoken/manifest.jsonl --tensorboard curves
        earful pretrain recipe.toml
    """
    from earful.checkpoint import check_destination, locate, save_checkpoint
    from earful.device import device_of
    from earful.pretrain.probe import timed_clips

    where = device_of(device)
    with processes(where) as (rank, in_turn):
        with progress_of(rank) as tell, curves(tensorboard if rank == 0 else None) as draw:
            if probe is not None:
                timed_clips(probe)  # errors must appear before the recordings are read, which takes long
            if source.is_dir():
                if out is not None and rank == 0:
                    check_destination(out, replace=overwrite)
                base = start or DEFAULT_START
                locate(base)
                with in_turn():  # the first process cuts the recordings, the others find the clips
                    plan = recipe_for(source, out, objective or [DEFAULT_OBJECTIVE], base, steps or DEFAULT_STEPS, tell)
            else:
                plan = recipe_in(source, out=out, objective=objective, start=start, steps=steps)
                if rank == 0:
                    check_destination(plan.out, replace=overwrite)
            plan = replace(plan, probe=probe or plan.probe, probe_every=probe_every or plan.probe_every)
            with only(rank, plan.work):
                checkpoint, clips, history = trained(plan, tell, draw, where, in_turn, warn if overwrite else None)
        if rank:
            return
        save_checkpoint(plan.out, checkpoint, half=True, replace=overwrite)
    conclude(plan, checkpoint, clips, history, json)


def recipe_in(path: Path, **options: object) -> "SelfRecipe":
    """Read a recipe. Raises ConfigError for an option that only folders take, since the recipe has its value."""
    from earful.config import read_toml
    from earful.errors import ConfigError
    from earful.pretrain.selfsupervised import SelfRecipe

    recipe = read_toml(SelfRecipe, path)
    if odd := [name for name, value in options.items() if value]:
        key = {"objective": "objectives", "steps": "optimisation"}.get(odd[0], odd[0])
        raise ConfigError(f"{path}: --{odd[0]} is for a folder of recordings; in a recipe set `{key}`")
    return recipe


def trained(
    plan: "SelfRecipe",
    tell: Tell,
    draw: Draw,
    device: "torch.device",
    in_turn: Turn,
    discard: Callable[[str], None] | None = None,
) -> "tuple[Checkpoint, int, History]":
    """The model of a recipe, the number of clips, and the history of the training."""
    from earful.pretrain.selfsupervised import model_for, objectives_of, pretrain, probe_for, speech_for

    model, history = model_for(plan).to(device), History()
    objectives = objectives_of(plan, model)
    with in_turn():  # the first process computes the frames, the others find them
        probe = probe_for(plan, model, lambda done, total: tell("hearing the probe", done, total))
        speech = speech_for(plan, model, objectives, lambda done, total: tell("hearing", done, total))

    def report(told: "StepReport") -> None:
        history.add(told)
        for sentence in told.warnings:
            warn(sentence)
        draw(told.step.number, points_of(told, history))
        tell("training", told.step.number, plan.optimisation.steps, history.note())

    return pretrain(plan, model, objectives, speech, report, probe, discard), len(speech.utterances), history


def conclude(plan: "SelfRecipe", checkpoint: "Checkpoint", clips: int, history: "History", json: bool) -> None:
    """The summary."""
    steps = [each.step for each in history.last]
    found = {
        "model": str(plan.out),
        "clips": clips,
        "left_out": left_out(plan),
        "objectives": list(plan.objectives.names),
        "steps": plan.optimisation.steps,
        "losses": means(steps),
        "probe": history.probes,
        "spread": history.spread,
        "hours_per_hour": history.speed(),
        "skipped_steps": checkpoint.about["pretrained"]["skipped_steps"],
        "log": within(Path.cwd(), plan.work / "log.jsonl"),
        "seconds": round(steps[-1].elapsed_s, 1) if steps else 0.0,
        "peak_memory_mb": peak_memory_mb(),
    }
    speed = history.speed()
    shown = {
        "losses": losses_of(steps),
        "objectives": ", ".join(plan.objectives.names),
        "probe": history.probed() or "not measured: --probe MANIFEST does",
        "spread": "–" if history.spread is None else percent(history.spread),
        "hours_per_hour": "–" if speed is None else f"{speed:.0f}",
    }
    print_facts(found, shown, json=json)


@dataclass
class History:
    """The history of a run: its last steps, and all probes by their step."""

    last: "deque[StepReport]" = field(default_factory=lambda: deque(maxlen=SHOWN))
    probes: dict[int, float] = field(default_factory=dict)
    spread: float | None = None

    def add(self, told: "StepReport") -> None:
        """Add a step; step 0 is the probe before the first one."""
        if told.step.number:
            self.last.append(told)
        if told.probe is not None:
            self.probes[told.step.number] = told.probe
        if told.spread is not None:
            self.spread = told.spread

    def speed(self) -> float | None:
        """Hours of training speech per hour, over the last steps, without padding and probes."""
        seconds = sum(each.seconds for each in self.last)
        return sum(each.audio_s for each in self.last) / seconds if seconds > 0 else None

    def probed(self) -> str:
        """The last probe compared with the first one; empty without probes."""
        if not self.probes:
            return ""
        first, *_, last = *self.probes, *self.probes
        began = f" ({percent(self.probes[first])} at step {first})" if last > first else ""
        return f"{percent(self.probes[last])} of phones{began}"

    def note(self) -> str:
        """The text beside the bar."""
        steps = [each.step for each in self.last][-20:]
        parts = [losses_of(steps)] if steps else []
        parts += [f"{name} {value:.3g}" for name, value in self.last[-1].facts.items()] if self.last else []
        parts += [f"probe {self.probed()}"] if self.probes else []
        speed = self.speed()
        return ", ".join(parts if speed is None else [*parts, f"{speed:.0f} h/h"])


def points_of(told: "StepReport", history: History) -> "dict[str, float | None]":
    """A step's points of the curves."""
    points: dict[str, float | None] = {f"loss/{name}": value for name, value in told.step.losses.items()}
    points |= {f"fact/{name}": value for name, value in told.facts.items()}
    points |= {"probe/phone accuracy": told.probe, "probe/spread of hidden frames": told.spread}
    if told.step.number:
        points |= {"gradient norm": told.step.grad_norm, "learning rate": told.rate}
        points |= {"hours of audio per hour": history.speed()}
    return points


def recipe_for(
    folder: Path, out: Path | None, objectives: list[str], start: str, steps: int, tell: Tell
) -> "SelfRecipe":
    """The recipe for a folder: its speech, and the objectives with their usual settings.

    An interrupted run continues with its clips. A run with other recordings, objectives, steps or another start has its
    own work folder.

    Raises:
        ConfigError: there is no --out, or no such objective.
        ManifestError: there is no speech in the folder.
    """
    from earful.checkpoint import WEIGHTS, locate
    from earful.config import from_mapping
    from earful.data.manifest import write_manifest
    from earful.data.untranscribed import read_recordings
    from earful.errors import ConfigError
    from earful.pretrain.recipe import Corpus
    from earful.pretrain.selfsupervised import Objectives, SelfRecipe
    from earful.train import Optimisation

    if out is None:
        raise ConfigError(f"{folder} is a folder of recordings: give the folder for the model with --out")
    wanted = from_mapping(Objectives, {name: {} for name in objectives}, "--objective")
    name_unread(folder)
    work = out.absolute().parent / f".{out.absolute().name}.pretraining"
    place = work / fingerprint([[*_file(u.audio), u.start_s, u.duration_s] for u in read_recordings(folder)])
    if not (place / CLIPS).exists():
        write_manifest(place / CLIPS, speech_in(folder, tell, place / LEFT_OUT))
    recipe = SelfRecipe(
        out=out,
        corpora=(Corpus(place / CLIPS),),
        optimisation=Optimisation(steps, rate=3e-4),
        objectives=wanted,
        start=start,
        about=f"the recordings of {folder.name}",
    )
    run = fingerprint([list(wanted.names), _file(locate(start) / WEIGHTS), steps])
    return replace(recipe, work=place / run, cache=work / "frames")


def speech_in(folder: Path, tell: Tell, names: Path | None = None) -> "Manifest":
    """The stretches of speech in a folder's recordings. Those that gave none are named, the first ones on stderr, all
    of them in the file `names`. Raises ManifestError if none gave any.
    """
    from earful.data.untranscribed import read_recordings, speech_of
    from earful.errors import ManifestError
    from earful.writing import replacing

    recordings = read_recordings(folder)

    def told(done: int, count: int) -> None:
        tell("looking for speech", done, len(recordings), f"{count} left out" if count else "")

    clips, skipped = speech_of(recordings, told)
    if names:
        names.parent.mkdir(parents=True, exist_ok=True)
        rows = [json_text({"file": str(each.path), "reason": each.reason}) + "\n" for each in skipped]
        with replacing(names) as beside:
            beside.write_text("".join(rows), "ascii", newline="\n")
    for each in skipped[:NAMED]:
        warn(f"left out {each.path}: {each.reason}")
    if len(skipped) > NAMED:
        where = f"; {names} names each" if names else ""
        warn(f"left out {len(skipped)} of {counted(len(recordings), 'recording')} in all{where}")
    if not len(clips):
        raise ManifestError(f"{folder}: no speech was found in {counted(len(recordings), 'recording')}; give others")
    return clips


def left_out(plan: "SelfRecipe") -> int:
    """The number of recordings that gave no clips; 0 for a recipe, where an unreadable recording is an error."""
    names = [corpus.manifest.with_name(LEFT_OUT) for corpus in plan.corpora if corpus.manifest.name == CLIPS]
    return sum(len(name.read_bytes().splitlines()) for name in names if name.exists())


def fingerprint(what: object) -> str:
    """A name that differs if `what` differs."""
    import hashlib

    return hashlib.sha256(json_text(what).encode()).hexdigest()[:16]


def _file(path: Path) -> list[str | int]:
    """Path, size and time of a file, which change if the file does; only its path if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return [str(path.absolute())]
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]
