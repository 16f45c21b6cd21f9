"""Meta-learners on speech, at equal compute and equal search: which start, and which way to move, adapts best?

One small base is trained on synthetic languages with the losses of `earful train`; from there each learner has the same
processor time: as many outer steps as its own cost allows, timed beforehand, interleaved with the others'. Four
settings (inner rate by outer rate) are tried for each, at a quarter of that time, on validation tasks. Then seeds:
each trains the best setting and adapts to tasks that neither base nor learner has met, from K clips, the very same
clips for all. "start" is the base without any meta-training, adapted with the rate that suited multitask training;
"scratch" adapts random weights. Tasks are languages, or voices of one language, or conditions (noise, room, line) under
which that language is heard.

    earful corpus speak …    # as recipes/base/README.md has it: work/speak and work/speak-more
    earful corpus speak --language de --hours 3.5 --seed 7 --out work/speak-de
    python bench/meta_speech.py --out bench/meta_speech.json
    python bench/meta_speech.py --by speaker --out bench/meta_speakers.json --budget-s 60 --seeds 0 1 2 \\
        --learners start multitask fomaml maml meta-sgd reptile    # and --by condition --out bench/meta_conditions.json
    python bench/meta_speech.py --output letters phones heard prototypes --learners start fomaml --seeds 0 1 2 \\
        --known bench/meta_speech.json --out bench/meta_output.json

It goes on where it was; trained parameters are kept in the work folder, for bench/meta_czech.py. A learner whose tasks
have another output layer than letters has it behind its name.
"""

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch
from safetensors.torch import load_file, save_file

from earful.adapt.descend import descend
from earful.adapt.finetune import SELECTIONS
from earful.adapt.inner import Inner, rule_of
from earful.audio.augment import Augmentation
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.config import read_toml
from earful.data.episode import By, Draw, Shots
from earful.encoder.encoder import EncoderConfig
from earful.features.mask import spec_augment
from earful.kshot.machine import machine
from earful.metatrain.learner import START, Meta
from earful.metatrain.loop import Drawn, Outer, metatrain
from earful.metatrain.speech.learning import LearnerSettings, selection
from earful.metatrain.speech.recipe import Output, TaskRules
from earful.metatrain.speech.tasks import Tasks, tasks_of
from earful.metatrain.speech.train import Speech, error_rate, speech_of, start_of
from earful.model import PHONES, AcousticModel, loss_of, parameters_of
from earful.pretrain.dataset import Dataset, open_dataset
from earful.pretrain.order import Order
from earful.pretrain.recipe import Corpus, Recipe
from earful.pretrain.supervised import losses, model_of
from earful.train import Optimisation, fit
from earful.trees import part


class Held(NamedTuple):
    """Languages, voices or conditions that nobody trains on, and those on which settings are chosen."""

    test: tuple[str, ...]
    validation: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.test, *self.validation)


LEARNERS = ("multitask", "fomaml", "maml", "meta-sgd", "maml++", "anil", "boil", "reptile", "imaml")
STARTS = ("start", "scratch", *LEARNERS)
KEPT: tuple[tuple[str, Any], ...] = (("cost_s", dict), ("search", list), ("rows", list))
LANGUAGES = Held(("fi", "id", "lt", "sl", "tr", "uk"), ("ca", "da"))
VOICES = Held(("de+belinda", "de+f4", "de+Hugo", "de+klatt6", "de+m2", "de+Storm"), ("de+anika", "de+mike2"))
STEPS = 3
AT = (0, 1, 2, 3, 5, 7, 10)
INNER, OUTER = (0.03, 0.1), (3e-4, 1e-3)
TASKS, QUERY, TRAIN_SHOTS = 4, 5, 5
SEARCH_SEED = 1000
CONDITIONS = 24
NOISY = Augmentation(
    speed_probability=0, gain_probability=0, room_probability=0.5, rt60_s=(0.2, 1.0), direct_db=(0.0, 6.0),
    noise_probability=0.6, snr_db=(0.0, 15.0), unsteady_probability=0.4, unsteady_snr_db=(0.0, 15.0),
    telephone_probability=0.2, microphone_probability=0.3, codec_probability=0.2,
)  # fmt: skip
ENCODER = EncoderConfig("conformer", bins=384, width=96, layers=2, subsampling=1)


class Setting(NamedTuple):
    inner: float
    outer: float


def small_base(recipe: Recipe, dataset: Dataset, folder: Path, steps: int, held: Held) -> Checkpoint:
    """The base: supervised training on all languages, or voices of any language, but those that are held."""
    if (folder / "base").exists():
        return load_checkpoint(folder / "base")
    model = model_of(replace(recipe, encoder=ENCODER), dataset)
    voices = {_voice(name) for name in held.all if "+" in name}
    kept = [
        i
        for i, u in enumerate(dataset.utterances)
        if u.language not in held.all and _voice(u.speaker or "") not in voices
    ]
    part_of = dataset.only(kept)
    order = Order(part_of.frames.counts, round(60.0 / dataset.features.hop_s), 0)

    def losses_of(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch, phones = part_of.batch(order.at(step), model.config)
        frames = spec_augment(batch.frames_BFM, batch.frame_counts_B, recipe.masks, generator)
        return losses(model, batch._replace(frames_BFM=frames), phones)

    def report(step: Any) -> None:
        if step.number % 50 == 0:
            print(step.number, step.losses, f"{step.elapsed_s:.0f} s", file=sys.stderr, flush=True)

    optimisation = Optimisation(steps, rate=2e-3)
    fit(
        model, losses_of, optimisation, seed=0, state=folder / "base-state.safetensors", report=report,
        weights_of=lambda step: recipe.weights.at(step, steps), save_every=steps,
    )  # fmt: skip
    save_checkpoint(folder / "base", Checkpoint(model.config, dict(model.state_dict())))
    return load_checkpoint(folder / "base")


def _voice(speaker: str) -> str:
    """espeak-ng's voice, which speaks every language."""
    return speaker.partition("+")[2]


def learning(name: str, setting: Setting) -> LearnerSettings:
    """A learner of three steps; norms of gradients clipped, but where an implicit gradient forbids it.

    What is no learner ("start", "scratch") adapts as multitask training does.
    """
    name = name if name in LEARNERS else "multitask"
    inner = Inner(setting.inner, STEPS) if name == "imaml" else Inner(setting.inner, STEPS, clip_norm=1.0)
    return LearnerSettings(name, inner, first_order_until=0.3 if name == "maml++" else None)


class Ground(NamedTuple):
    """What all runs share."""

    start: Checkpoint
    model: AcousticModel
    dataset: Dataset
    tasks: Tasks
    cost_s: Mapping[str, float]
    output: Output
    by: By
    held_out: Held

    def speech(self, name: str, setting: Setting) -> Speech:
        return speech_of(self.start, self.model, learning(name, setting), self.output)

    def held(self, names: Sequence[str], clips: int, seed: int) -> Tasks:
        """Tasks that are held out. What was trained on phones gets its letters from those."""
        rules = TaskRules(by=(self.by,), shots=Shots(clips=clips, query=2 * QUERY), held_out=tuple(names))
        by_phones = self.output == "phones"
        tasks = tasks_of(self.dataset, self.model, "heard" if by_phones else self.output, rules, seed, held_out=True)
        return replace(tasks, listening=(PHONES,)) if by_phones else tasks


def labelled(name: str, output: Output) -> str:
    """The name that rows have."""
    return name if output == "letters" else f"{name}, {output}"


def calibrated(ground: Ground, names: Sequence[str], count: int = 9) -> dict[str, float]:
    """Median processor seconds of a task for each learner, interleaved; loops' own time is the same for all."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    speeches = {name: ground.speech(name, Setting(INNER[0], OUTER[0])) for name in names}
    for number in range(count):
        episode = ground.tasks.episode(ground.tasks.draw(number))
        for name, speech in speeches.items():
            learner = speech.learner_at(1.0)
            meta, began = learner.init(speech.params), time.process_time()
            learner.gradient(meta, episode)
            seconds[name].append(time.process_time() - began)
    return {name: round(statistics.median(each[1:]), 4) for name, each in seconds.items()}


def trained(ground: Ground, name: str, setting: Setting, seed: int, budget_s: float, state: Path) -> Meta:
    """The meta-parameters after `budget_s` of processor time, by calibration."""
    speech = ground.speech(name, setting)
    steps = max(1, round(budget_s / (ground.cost_s[name] * TASKS)))

    def draw(step: int, task: int, losses: Mapping[str, float]) -> Drawn:
        return Drawn(ground.tasks.episode(ground.tasks.draw((seed * 100_000 + step) * TASKS + task)))

    optimisation = Optimisation(steps, rate=setting.outer, weight_decay=0.0, clip_norm=1.0)
    outer = Outer(optimisation, tasks=TASKS, save_every=10**9)
    found = metatrain(speech.learner_at, speech.params, draw, outer, state=state)
    state.unlink(missing_ok=True)
    return found.last


def curve(ground: Ground, name: str, setting: Setting, meta: Meta, tasks: Tasks, drawn: Draw) -> list[tuple[int, int]]:
    """Errors and length of references after 0 to 10 inner steps, by the rule that the learner learned."""
    chosen, speech = learning(name, setting), ground.speech(name, setting)
    learner = speech.learner_at(1.0)
    support, query = tasks.episode(drawn, blind=True, params=part(meta, START))
    inner, still = learner.inner, parameters_of(ground.model)
    assert inner is not None
    begun = learner.adapt(meta, support, 0)
    rates = {key: value for key, value in meta.items() if not key.startswith(START)}
    plain = loss_of(ground.model)
    walk = descend(
        lambda params, batch: plain({**still, **params}, batch),
        begun, [support.batch] * max(AT), rule_of(inner, rates, begun),
        moves=lambda key: SELECTIONS[selection(chosen)](key), clip_norm=inner.clip_norm,
    )  # fmt: skip
    points = [begun, *(moved.params for moved in walk)]
    return [error_rate(ground.model, {**still, **points[at]}, tasks, drawn, query) for at in AT]


def searched(ground: Ground, name: str, budget_s: float, folder: Path) -> Iterator[dict[str, Any]]:
    """Errors on the validation tasks, K = 5, after the steps that were trained, of each setting."""
    held = ground.held(ground.held_out.validation, TRAIN_SHOTS, SEARCH_SEED)
    for inner in INNER:
        for outer in OUTER:
            setting = Setting(inner, outer)
            meta = trained(ground, name, setting, SEARCH_SEED, budget_s, folder / "search.safetensors")
            found = [curve(ground, name, setting, meta, held, held.draw(n))[AT.index(STEPS)] for n in range(8)]
            yield {"learner": name, "inner": inner, "outer": outer, "cer": _ratio(found)}


def measured(
    ground: Ground, name: str, setting: Setting, meta: Meta, seed: int, shots: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """CER on each test task for each K and number of steps."""
    for clips in shots:
        for task in ground.held_out.test:
            held = ground.held([task], clips, seed)
            found = curve(ground, name, setting, meta, held, held.draw(0))
            cers = {str(at): round(errors / max(1, length), 4) for at, (errors, length) in zip(AT, found, strict=True)}
            yield {"learner": name, "seed": seed, "task": task, "clips": clips, "cer": cers}


def _ratio(found: Sequence[tuple[int, int]]) -> float:
    return round(sum(errors for errors, _ in found) / sum(length for _, length in found), 4)


def ground_of(options: argparse.Namespace, output: Output) -> Ground:
    """The base and the tasks: of languages, from the recipe's clips; else of one language, spoken for the purpose."""
    recipe = read_toml(Recipe, options.recipe)
    dataset, held = open_dataset(recipe), VOICES if options.by == "speaker" else LANGUAGES
    base = small_base(
        recipe, dataset, options.work / ("voices" if options.by == "speaker" else ""), options.base_steps, held
    )
    if options.by != "language":
        conditions = CONDITIONS if options.by == "condition" else 0
        corpus = Corpus(options.spoken, conditions=conditions)
        dataset = open_dataset(
            replace(recipe, corpora=(corpus,), augmentation=NOISY if conditions else recipe.augmentation)
        )
    if options.by == "condition":
        names = sorted({str(u.extra["condition"]) for u in dataset.utterances})
        held = Held(tuple(names[:6]), tuple(names[6:8]))
    start = start_of(base, dataset, output)
    model = start.build()
    rules = TaskRules(by=(options.by,), shots=Shots(clips=TRAIN_SHOTS, query=QUERY), without=held.all)
    tasks = tasks_of(dataset, model, output, rules, 0)
    return Ground(start, model, dataset, tasks, {}, output, options.by, held)


def asked() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("recipes/base/synthetic.toml"), help="whose clips to use")
    parser.add_argument("--work", type=Path, default=Path("work/meta-bench"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--known", type=Path, help="what this script wrote before, of the same base")
    parser.add_argument("--learners", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--by", choices=["language", "speaker", "condition"], default="language")
    parser.add_argument("--spoken", type=Path, default=Path("work/speak-de/manifest.jsonl"), help="one language")
    parser.add_argument("--output", nargs="+", choices=get_args(Output), default=["letters"], help="a task's rows")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10, 25])
    parser.add_argument("--budget-s", type=float, default=100.0, help="processor seconds of one meta-training")
    parser.add_argument("--base-steps", type=int, default=1500)
    return parser.parse_args()


def main() -> None:
    options = asked()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    before = options.out if options.out.exists() else options.known
    facts: dict[str, Any] = json.loads(before.read_text("utf-8")) if before else {}
    grounds = {output: ground_of(options, output) for output in options.output}
    cost_s, search, rows = (facts.setdefault(key, kind()) for key, kind in KEPT)
    for output, ground in grounds.items():
        named = {labelled(name, output): name for name in LEARNERS if name in (*options.learners, "multitask")}
        if missing := [name for label, name in named.items() if label not in cost_s]:
            cost_s |= {labelled(name, output): each for name, each in calibrated(ground, missing).items()}
        grounds[output] = ground._replace(cost_s={name: cost_s[label] for label, name in named.items()})
    if options.known:
        wanted = {labelled(name, output) for output in options.output for name in options.learners}
        rows[:] = [row for row in rows if row["learner"] in wanted and row["seed"] in options.seeds]
    facts |= {"machine": machine(), "budget_s": options.budget_s, "base_steps": options.base_steps, "by": options.by}
    facts |= {"test": ground.held_out.test, "validation": ground.held_out.validation}
    moving = ground.speech("multitask", Setting(INNER[0], OUTER[0])).params
    facts |= {"parameters": sum(value.numel() for value in moving.values())}
    facts |= {"output": options.output, "tasks": TASKS, "steps": STEPS, "train_shots": TRAIN_SHOTS, "query": 2 * QUERY}

    def keep(into: list[dict[str, Any]], found: Iterator[dict[str, Any]], output: Output) -> None:
        for row in found:
            into.append(row | {"learner": labelled(row["learner"], output)})
            print(json.dumps(into[-1]), file=sys.stderr, flush=True)
            options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")

    def best(name: str, ground: Ground) -> Setting:
        name = learning(name, Setting(INNER[0], OUTER[0])).learner
        label = labelled(name, ground.output)
        known = [row for row in search if row["learner"] == label]
        if len(known) < len(INNER) * len(OUTER):  # one that was interrupted begins again
            search[:] = [row for row in search if row["learner"] != label]
            keep(search, searched(ground, name, options.budget_s / 4, options.work), ground.output)
        row = min((row for row in search if row["learner"] == label), key=lambda row: row["cer"])
        return Setting(row["inner"], row["outer"])

    for seed, (output, ground), name in itertools.product(options.seeds, grounds.items(), options.learners):
        known = [row for row in rows if (row["learner"], row["seed"]) == (labelled(name, output), seed)]
        if len(known) == len(options.shots) * len(ground.held_out.test):
            continue
        rows[:] = [row for row in rows if row not in known]
        setting = best(name, ground)
        meta = meta_of(ground, name, setting, seed, options)
        keep(rows, measured(ground, name, setting, meta, seed, options.shots), output)
    options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def meta_of(ground: Ground, name: str, setting: Setting, seed: int, options: argparse.Namespace) -> Meta:
    """The meta-parameters of a learner, or of what is none; read where they were trained before."""
    speech = ground.speech(name, setting)
    start = speech.learner_at(1.0).init(speech.params)
    if name == "start":
        return start
    if name == "scratch":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random = parameters_of(AcousticModel(ground.start.config))
        return {key: random[key.removeprefix(START)] for key in start}
    path = options.work / f"{ground.by}-{ground.output}-{name}-{seed}.safetensors"
    if not path.exists():
        meta = trained(ground, name, setting, seed, options.budget_s, path.with_suffix(".state"))
        save_file({key: value.contiguous() for key, value in meta.items()}, path)
    return load_file(path)


if __name__ == "__main__":
    main()
