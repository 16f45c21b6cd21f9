"""Devices: which one is taken, and that whole trainings run on one that refuses to meet the processor.

The trainings run on a GPU where there is one, and else on the pretended device of `pretended.py`. That is registered
with torch for a whole process, hence a process of its own: one test runs this file again.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from torch.utils._pytree import tree_leaves

from earful.adapt.adapt import adapt, prepare
from earful.adapt.finetune import Plan
from earful.adapt.forecast import forecast
from earful.adapt.inner import Inner
from earful.adapt.pace import pace_of
from earful.adapt.start import untrained
from earful.adapt.suggest import suggest
from earful.adapt.unlabelled import believed
from earful.audio.augment import Augmentation
from earful.audio.files import write
from earful.checkpoint import Checkpoint
from earful.cli.metatrain import processes
from earful.data.episode import Shots
from earful.data.manifest import read_manifest, write_manifest
from earful.data.utterance import Utterance
from earful.device import CPU, device_of, home_of, moved
from earful.encoder.encoder import EncoderConfig
from earful.encoder.whisper import Whisper, WhisperConfig
from earful.errors import ConfigError
from earful.evaluate import evaluate
from earful.features.fbank import FbankConfig
from earful.metatrain.loop import MetaStep, Outer, _over_processes, _Total
from earful.metatrain.speech.learning import LearnerSettings
from earful.metatrain.speech.recipe import MetaRecipe, Output, TaskRules
from earful.metatrain.speech.train import metatrain_base
from earful.model import AcousticModel, ModelConfig, fast_arithmetic, frames_by
from earful.pretrain.dataset import dataset_of, open_dataset
from earful.pretrain.recipe import Corpus, Recipe
from earful.pretrain.selfsupervised import (
    Objectives,
    SelfRecipe,
    StepReport,
    model_for,
    objectives_of,
    pretrain,
    probe_for,
    speech_for,
)
from earful.pretrain.supervised import train_base
from earful.pretrain.unlabelled import Units
from earful.recognizer import Recognizer
from earful.text.alphabet import Alphabet
from earful.train import Optimisation, Step, fit

PRETENDED = os.environ.get("EARFUL_PRETENDED_DEVICE") == "1"
WALKS = pytest.mark.skipif(
    not (PRETENDED or torch.cuda.is_available()), reason="no CUDA device: test_on_a_pretended_device runs this"
)
CLEAN = Augmentation(
    speed_probability=0, room_probability=0, noise_probability=0, telephone_probability=0, gain_probability=0
)

RECIPES = {"train": 'out = "{out}"\ncorpora = [{{ manifest = "none" }}]\noptimisation = {{ steps = 1 }}\n'}
RECIPES["pretrain"] = RECIPES["train"] + "objectives = {{ best_rq = {{}} }}\n"
RECIPES["metatrain"] = """\
out = "{out}"
start = "earful-tiny"
corpora = [{{ manifest = "none" }}]
learning = {{ learner = "maml", inner = {{ rate = 0.1 }} }}
outer = {{ optimisation = {{ steps = 1 }} }}
"""


@pytest.mark.skipif(PRETENDED or torch.cuda.is_available(), reason="only where the trainings cannot run themselves")
def test_on_a_pretended_device() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "elsewhere"]
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "EARFUL_PRETENDED_DEVICE": "1", "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout and "skipped" not in ran.stdout


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`gpus(2, LOCAL_RANK="1")`: torch finds so many, and so is the environment."""

    def find(count: int, **environment: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return find


@pytest.mark.parametrize(
    ("choice", "count", "expected"),
    [("auto", 0, "cpu"), ("auto", 2, "cuda:0"), ("cpu", 2, "cpu"), ("cuda", 1, "cuda:0"), ("cuda:1", 2, "cuda:1")],
)
def test_the_choice(choice: str, count: int, expected: str, gpus: Callable[..., None]) -> None:
    gpus(count)
    assert device_of(choice) == torch.device(expected)


@pytest.mark.parametrize("choice", ["auto", "cuda"])
def test_each_process_takes_a_gpu_of_its_own(choice: str, gpus: Callable[..., None]) -> None:
    gpus(4, LOCAL_RANK="3", LOCAL_WORLD_SIZE="4")
    assert device_of(choice) == torch.device("cuda", 3)
    gpus(0, LOCAL_RANK="3", LOCAL_WORLD_SIZE="4")
    assert device_of("auto") == CPU


@pytest.mark.parametrize(
    ("choice", "count", "processes", "message"),
    [
        ("tpu", 1, 1, "device is 'tpu', must be auto, cpu, cuda or cuda:N"),
        ("cuda:", 1, 1, "must be auto, cpu, cuda or cuda:N"),
        ("cuda", 0, 1, "torch .* finds no GPU; say cpu, or install"),
        ("cuda:2", 2, 1, "device is cuda:2, but there are 2 GPUs here, numbered from 0; say one of them, or cpu"),
        ("auto", 2, 3, "for 3 processes on 2 GPUs, of which each takes one; start at most 2"),
        ("cuda:0", 2, 2, "device is cuda:0, for 2 processes on 2 GPUs"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    choice: str, count: int, processes: int, message: str, gpus: Callable[..., None]
) -> None:
    gpus(count, LOCAL_RANK="0", LOCAL_WORLD_SIZE=str(processes))
    with pytest.raises(ConfigError, match=message):
        device_of(choice)


def test_what_is_there_already_is_not_copied() -> None:
    tree = {"a": torch.ones(2), "b": (torch.zeros(1), None, 3)}
    found = moved(tree, CPU)
    assert found["a"] is tree["a"] and found["b"][0] is tree["b"][0] and found["b"][1:] == (None, 3)
    assert moved(tree, torch.device("meta"))["b"][0].device.type == "meta"


def test_a_module_says_where_it_is() -> None:
    assert home_of(torch.nn.Linear(2, 2)) == CPU == home_of(torch.nn.Identity())
    assert home_of(torch.nn.Linear(2, 2, device="meta")).type == "meta"


@pytest.mark.parametrize("has", [False, True])
def test_fast_arithmetic_is_that_of_the_device(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    with fast_arithmetic():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if has else torch.float32)
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: bool(asked.append(how)) or has)
    monkeypatch.setattr(torch, "autocast", lambda *what, **how: (*what, how))
    found: Any = fast_arithmetic(torch.device("cuda", 1))
    assert found == ("cuda", torch.bfloat16, {"enabled": has})
    assert asked == [{"including_emulation": False}]


COMMANDS = {
    "adapt": ("{clips}", "--out", "{out}"),
    "transcribe": ("{base}", "{clips}"),
    "score": ("{base}", "{clips}"),
    "suggest": ("{base}", "{clips}"),
    "forecast": ("{base}", "{clips}"),
    "benchmark": ("{clips}", "--out", "{out}", "--base", "{base}"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_model_without_its_gpu_ends_before_it_begins(
    command: str, earful: Callable[..., Any], gpus: Callable[..., None], clips: Path, tiny_base: Path, tmp_path: Path
) -> None:
    gpus(0)
    words = [each.format(clips=clips, out=tmp_path / "out", base=tiny_base) for each in COMMANDS[command]]
    run = earful(command, *words, "--device", "cuda:0")
    assert run.status == 2 and "finds no GPU; say cpu" in run.err and len(run.err.splitlines()) == 1
    assert run.out == "" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "pretrain", "metatrain"])
def test_a_command_without_its_gpu_ends_before_it_begins(
    command: str, earful: Callable[..., Any], gpus: Callable[..., None], tmp_path: Path
) -> None:
    gpus(0)
    (tmp_path / "recipe.toml").write_text(RECIPES[command].format(out=tmp_path / "model"), "utf-8")
    run = earful(command, tmp_path / "recipe.toml", "--device", "cuda")
    assert run.status == 2 and "finds no GPU; say cpu" in run.err and len(run.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


@pytest.mark.parametrize(("name", "backend"), [("cuda:1", "nccl"), ("cpu", "gloo")])
def test_gpus_sum_by_nccl_and_processors_by_gloo(name: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    device, told = torch.device(name), list[Any]()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "set_device", told.append)
    answers = {"init_process_group": lambda backend, **how: told.append((backend, how["device_id"]))}
    answers |= {"get_rank": lambda: 1, "barrier": lambda: None, "destroy_process_group": lambda: told.append("end")}
    for function, answer in answers.items():
        monkeypatch.setattr(torch.distributed, function, answer)
    with processes(device) as (rank, _):
        assert rank == 1
    assert told == ([device, (backend, device), "end"] if backend == "nccl" else [(backend, None), "end"])


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """A device that is not the processor. Both compute in float32, so that they can be compared."""
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: False)
    if torch.cuda.is_available():
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield torch.device("cuda", 0)
    else:
        from pretended import FAR, pretended

        with pretended():
            yield FAR


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory, tones: Callable[..., Any]) -> Path:
    """Nine clips in three languages, with the times of their tones as those of phones."""
    folder, clips = tmp_path_factory.mktemp("tones"), []
    for number, text in enumerate(("abc", "cab a", "bca", "acb", "ba c", "cba", "ab c", "bac", "c ab")):
        write(folder / f"{number}.wav", tones(text, 1 + 0.01 * number))
        timed = [["" if letter == " " else letter, 0.16 * place] for place, letter in enumerate(f" {text} ")]
        of = {"text": text, "language": ("nl", "fi", "lt")[number % 3], "extra": {"phones": timed}}
        clips.append(Utterance(str(number), folder / f"{number}.wav", duration_s=0.16 * (len(text) + 2), **of))
    write_manifest(folder / "all.jsonl", clips)
    return folder / "all.jsonl"


def close(found: Any, right: Any) -> None:
    """The same numbers in any arrangement, but for how kernels round."""
    leaves = tree_leaves(right)
    assert tree_leaves(found) == pytest.approx(leaves, rel=2e-3, abs=2e-4) and leaves


def near(tensors: dict[str, torch.Tensor]) -> bool:
    return all(value.device == CPU for value in tensors.values())


@WALKS
def test_elsewhere_refuses_the_processor(elsewhere: torch.device) -> None:
    far = torch.ones(3).to(elsewhere)
    for mixed in (lambda: far + torch.ones(3), lambda: torch.ones(3)[far.long()], lambda: torch.cat([far, far.cpu()])):
        with pytest.raises(RuntimeError, match=r"on one device|same device"):
            mixed()
    assert (far * torch.tensor(2.0) + far[torch.tensor([0])]).tolist() == [3.0] * 3


@WALKS
@pytest.mark.parametrize("kind", ["conformer", "bilstm"])
def test_elsewhere_a_base_is_trained(
    kind: str, elsewhere: torch.device, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from its state a run that was interrupted goes on on the other device, either way."""
    monkeypatch.setattr("earful.pretrain.supervised.fit", partial(fit, save_every=2))
    recipe = Recipe(
        tmp_path / "model",
        (Corpus(manifest),),
        Optimisation(3, 1e-3),
        cache=tmp_path / "cache",
        batch_s=5.0,
        encoder=EncoderConfig(kind, width=16, layers=1, heads=2, dropout=0.0),
        augmentation=CLEAN,
        rarest_symbol=1,
    )

    def losses(device: torch.device, work: Path, until: int) -> list[dict[str, float]]:
        told: list[Step] = []

        def tell(step: Step) -> None:
            told.append(step)
            if step.number > until:
                raise KeyboardInterrupt

        own = replace(recipe, work=work)
        with suppress(KeyboardInterrupt):
            assert near(train_base(own, open_dataset(own, None, device), tell, device=device).params)
        return [step.losses for step in told if step.number <= until]

    close(losses(elsewhere, tmp_path / "there", 2), losses(CPU, tmp_path / "here", 2))
    found, right = losses(CPU, tmp_path / "there", 3), losses(elsewhere, tmp_path / "here", 3)
    assert len(found) == 1
    close(found, right)


@WALKS
def test_elsewhere_every_objective_teaches(
    elsewhere: torch.device, manifest: Path, tiny_base: Path, tmp_path: Path
) -> None:
    kinds = {name: get_args(kind)[0] for name, kind in get_type_hints(Objectives).items() if name != "names"}
    settings = {name: kind(**({"units": 4} if name == "hubert" else {})) for name, kind in kinds.items()}
    recipe = SelfRecipe(
        tmp_path / "model",
        (Corpus(manifest),),
        Optimisation(2, 1e-3),
        Objectives(**settings),
        units=Units(of=tiny_base, frames=100),
        cache=tmp_path / "cache",
        batch_s=5.0,
        encoder=EncoderConfig("conformer", width=16, layers=1, heads=2, dropout=0.0),
        augmentation=CLEAN,
        probe=manifest,
        probe_every=1,
    )

    def steps(device: torch.device) -> list[tuple[Any, ...]]:
        told: list[StepReport] = []
        own = replace(recipe, work=tmp_path / device.type)
        model = model_for(own).to(device)
        objectives = objectives_of(own, model)
        speech, probe = speech_for(own, model, objectives), probe_for(own, model)
        made = pretrain(own, model, objectives, speech, told.append, probe)
        assert near(made.params) and all(home_of(each) == device for each in (model, *objectives.values()))
        return [(each.step.losses, each.step.grad_norm, each.spread) for each in told[1:]]

    found, right = steps(elsewhere), steps(CPU)
    close(found, right)
    assert {key.split()[0] for losses, *_ in right for key, loss in losses.items() if loss} == set(kinds)


@WALKS
@pytest.mark.parametrize(
    ("learner", "output", "kind"),
    [
        ("maml", "letters", "bilstm"),
        ("maml++", "phones", "conformer"),
        ("imaml", "heard", "conformer"),
        ("reptile", "prototypes", "conformer"),
    ],
)
def test_elsewhere_a_base_is_metatrained(
    learner: str, output: Output, kind: str, elsewhere: torch.device, manifest: Path, tmp_path: Path
) -> None:
    encoder = EncoderConfig(kind, width=16, layers=1, heads=2, dropout=0.0)
    recipe = MetaRecipe(
        tmp_path / "model",
        "the base below",
        (Corpus(manifest),),
        LearnerSettings(learner, Inner(0.02), iterations=1 if learner == "imaml" else None),
        Outer(Optimisation(2, 1e-3), tasks=1, save_every=1),
        TaskRules(shots=Shots(clips=1, query=1), held_out=("lt",)),
        output,
        validation=1,
        cache=tmp_path / "cache",
        augmentation=CLEAN,
        rarest_symbol=1,
    )
    dataset = dataset_of(recipe, FbankConfig())
    config = ModelConfig(dataset.alphabet, dataset.inventory, encoder=encoder, upsampling=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        base = Checkpoint(config, dict(AcousticModel(config).state_dict()))

    def steps(device: torch.device, work: Path, until: int) -> list[tuple[float, ...]]:
        told: list[MetaStep] = []

        def tell(step: MetaStep) -> None:
            told.append(step)
            if step.number == until < 2:
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            result = metatrain_base(replace(recipe, work=work), base, dataset, tell, device=device)
            assert near(result.last.params) and near(result.best.params) and near(result.trained.last)
        assert all(step.skipped == 0 for step in told)
        return [(step.loss, step.grad_norm) for step in told]

    close(steps(elsewhere, tmp_path / "there", 1), steps(CPU, tmp_path / "here", 1))
    found = steps(CPU, tmp_path / "there", 2)
    assert len(found) == 1, "it went on"
    close(found, steps(CPU, tmp_path / "here", 2))


@WALKS
def test_elsewhere_processes_sum(elsewhere: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients are on the device, what is counted beside them is not; one call sums both."""
    monkeypatch.setattr("earful.processes.world", lambda: (2, 0))
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.mul_(2))
    one, gradient = torch.ones((), dtype=torch.float64), {"a": torch.full((2, 3), 0.5).to(elsewhere)}
    found = _over_processes(_Total(gradient, one, 2 * one, 0 * one, torch.ones(2, 1)))
    assert found.gradient["a"].device == elsewhere and found.gradient["a"].tolist() == [[1.0] * 3] * 2
    assert [each.tolist() for each in found[1:]] == [2.0, 4.0, 0.0, [[2.0], [2.0]]] and found.loss.device == CPU


@WALKS
def test_elsewhere_a_backbone_computes_frames(elsewhere: torch.device) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = Whisper(WhisperConfig("whisper", width=16, layers=2, heads=2, inner=32, frozen=1)).eval()
        samples_T = torch.randn(8000)
    right_FM = frames_by(backbone, samples_T)
    found_FM = frames_by(backbone.to(elsewhere), samples_T)
    assert found_FM.device == CPU
    torch.testing.assert_close(found_FM, right_FM, rtol=1e-4, atol=1e-5)


@WALKS
@pytest.mark.parametrize("kind", ["conformer", "bilstm"])
def test_elsewhere_a_base_is_adapted(kind: str, elsewhere: torch.device, manifest: Path, tmp_path: Path) -> None:
    """Clips that measure, clips beside them, the language model; and a run goes on, on the other device."""
    spoken = read_manifest(manifest)
    clips, others = spoken[:4], spoken[4:6]
    config = ModelConfig(
        Alphabet.learn(u.text or "" for u in clips),
        Alphabet(("a", "b", "c")),
        encoder=EncoderConfig(kind, width=16, layers=1, heads=2, dropout=0.1),
        upsampling=2,
    )
    base = untrained(config)
    plan = Plan(steps=2, copies=1, folds=2, evaluations=2)

    def adapt_on(device: torch.device, steps: int = 2) -> Any:
        longer = replace(plan, steps=steps)
        checkpoint, report = adapt(
            base.on(device),
            clips,
            plan=longer,
            augmentation=CLEAN,
            beside=others,
            words=False,
            state=tmp_path / "state",
        )
        assert near(dict(checkpoint.params)) and checkpoint.device == CPU
        return [point.loss for point in report.curve[1:]], report.cer_after, checkpoint.shift

    found, right = adapt_on(elsewhere), adapt_on(CPU)
    assert found[:2] == right[:2], "the state was kept, so nothing was learned again"
    for state in (tmp_path / "state").rglob("*.safetensors"):
        state.unlink()
    close(adapt_on(elsewhere), right)


@WALKS
def test_elsewhere_recordings_are_heard(elsewhere: torch.device, manifest: Path) -> None:
    """As text, with self-adaptation, as scores, suggestions, guesses and a forecast."""
    clips = read_manifest(manifest)
    config = ModelConfig(
        Alphabet.learn(u.text or "" for u in clips), encoder=EncoderConfig("conformer", width=16, layers=1, heads=2)
    )
    base = untrained(config)

    def heard(device: torch.device) -> Any:
        there = base.on(device)
        texts = [Recognizer(there, self_adapt=fits).transcribe(clips[0].audio) for fits in (False, True)]
        assert [word.text for each in texts for word in each.words]
        report = evaluate(Recognizer(there), clips)
        best = suggest(there, clips, count=2).suggestions
        guesses = believed(there, clips, least=0.0, letters=0, tell=lambda *told: None)
        return (
            [[word.start_s, word.end_s, word.confidence] for each in texts for word in each.words],
            report.score.cer,
            [[each.new_pairs, each.unsure, each.unlike] for each in best],
            [u.extra["confidence"] for u in guesses],
        )

    close(heard(elsewhere), heard(CPU))


@WALKS
def test_elsewhere_curves_and_searches_are_measured(elsewhere: torch.device, manifest: Path) -> None:
    clips = read_manifest(manifest)[:8]
    config = ModelConfig(
        Alphabet.learn(u.text or "" for u in clips), encoder=EncoderConfig("conformer", width=16, layers=1, heads=2)
    )
    plan, base = Plan(steps=1, copies=0, folds=0, evaluations=1), untrained(config)

    def measured(device: torch.device) -> Any:
        found = forecast(base.on(device), clips, minutes=1e-6, plan=plan)
        ready = prepare(base.on(device), clips, rules=None, plan=plan, seed=0, tell=lambda *told: None)
        assert pace_of(ready, 0.1, 0).move > 0 and ready.device == device
        return [point.cer for point in found.points], found.cer_before

    close(measured(elsewhere), measured(CPU))
