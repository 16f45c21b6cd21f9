"""How many small changes to the code the tests notice: mutation testing of the rooms that must be right.

Each change (`mutations.py`) is made in memory and never on disk, in a fork of a process that has imported the tests: in
the body of a function its code is exchanged, elsewhere a process that has not imported earful imports the changed
module. There the tests of the room run, the quickest first, until one fails. Of a file with more than so many
changes, that many are drawn by a seed. What survives is listed with its line; what of it changes nothing that anybody
could notice is argued in mutants_argued.toml, and counted by itself. mutmut 3.8 forks, too, but changes neither the
numbers of modules nor decorated functions, which compiled ones are; cosmic-ray starts Python and torch for each change,
and every one in ctc/ on disk would have Numba compile anew.

    python bench/mutants.py --out bench/mutants.json                       # all, hours
    python bench/mutants.py --out bench/mutants.json --only text/score     # these, the others as they were
    python bench/mutants.py --out bench/mutants.json --survivors           # only those that survived
"""

import argparse
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from mutations import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
ARGUED = Path(__file__).with_name("mutants_argued.toml")
SEED, MOST, FACTOR, SPARE_S, PATIENCE = 0, 60, 5, 20, 10
"""Changes of a file at most; how much longer than the unchanged code a changed one may take, in processor time; and so
many times as long by the clock."""
ENDED_BY_TIME = (signal.SIGKILL, signal.SIGXCPU, signal.SIGALRM)

ELSEWHERE = 71
"""The exit status of a fork that cannot exchange the code of a function, for it sees other variables."""

HEAVY = (
    "torch",
    "torch._dynamo",
    "numba",
    "numpy",
    "pytest",
    "hypothesis",
    "jiwer",
    "safetensors.torch",
    "soundfile",
    "soxr",
)
BLIND = "not wakes_no_compiler and not two_processes"
"""Tests that start Python anew, where nothing is changed."""

SEARCH = ("ctc/test_words.py", "ctc/test_stretches.py", "ctc/test_beam.py")
LOSS = ("ctc/test_optax_cases.py", "ctc/test_loss.py")
LEARNERS = ("contract/test_learners_by_hand.py", "metatrain/test_learners.py", "contract/test_learners.py")


class Subject(NamedTuple):
    """Which tests are to notice what is changed in a file; compiled code is run by Python itself."""

    tests: tuple[str, ...]
    interpreted: bool = False


SUBJECTS = {
    "text/score": Subject(("text/test_score.py",)),
    "adapt/select": Subject(("adapt/test_plans.py", "adapt/test_select.py")),
    "adapt/measure": Subject(("adapt/test_measure.py",)),
    "checkpoint": Subject(("test_checkpoint.py", "test_checkpoint_stored.py")),
    "metatrain/loop": Subject(("metatrain/test_loop_by_hand.py", "metatrain/test_loop.py")),
    "metatrain/learner": Subject(LEARNERS),
    "metatrain/maml": Subject(LEARNERS),
    "metatrain/maml_plus_plus": Subject(LEARNERS),
    "metatrain/meta_sgd": Subject(LEARNERS),
    "metatrain/reptile": Subject(LEARNERS),
    "metatrain/imaml": Subject(LEARNERS),
    "metatrain/cavia": Subject(LEARNERS),
    "metatrain/baselines": Subject(LEARNERS),
    "ctc/lattice": Subject(("ctc/test_lattice.py",)),
    "ctc/confidence": Subject(("ctc/test_confidence.py",)),
    "ctc/greedy": Subject(("ctc/test_greedy.py", "ctc/test_align.py")),
    "ctc/align": Subject(("ctc/test_align.py",)),
    "ctc/head": Subject(("ctc/test_head.py",)),
    "ctc/hot": Subject(("ctc/test_hot.py",)),
    "ctc/stretches": Subject(("ctc/test_stretches.py",)),
    "ctc/arrays": Subject(("ctc/test_ngram.py", "ctc/test_words.py")),
    "ctc/ngram": Subject(("ctc/test_ngram.py", "ctc/test_kneser_ney.py")),
    "ctc/kneser_ney": Subject(("ctc/test_kneser_ney.py", "ctc/test_ngram.py")),
    "ctc/loss": Subject(LOSS),
    "ctc/kernel_torch": Subject(LOSS),
    "ctc/beam": Subject(SEARCH),
    "ctc/certain": Subject(("ctc/test_certain.py",)),
    "ctc/fusion": Subject(SEARCH),
    "ctc/known": Subject(SEARCH, interpreted=True),
    "ctc/words": Subject(SEARCH, interpreted=True),
    "ctc/search": Subject(SEARCH, interpreted=True),
    "ctc/kernel_cpu": Subject(LOSS, interpreted=True),
    "ctc/states": Subject(LOSS, interpreted=True),
    "ctc/scaled": Subject(LOSS, interpreted=True),
    "ctc/logs": Subject(LOSS, interpreted=True),
}


class Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module as it was changed, and leaves all others to Python."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        super().__init__(name, str(path))
        self.code = code

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return (
            importlib.util.spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None
        )

    def get_code(self, fullname: str) -> CodeType:
        return self.code


class Quickest:
    """pytest's plugin that runs the quickest tests first, and keeps how long each took."""

    def __init__(self, seconds: dict[str, float], out: Path | None) -> None:
        self.before, self.out, self.now = seconds, out, dict[str, float]()

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self.before.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.now[report.nodeid] = self.now.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if self.out:
            self.out.write_text(json.dumps(self.now), "utf-8")


def counted(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same, each survivor with its line of code, and with `why` if it is argued away."""
    argued = tomllib.loads(ARGUED.read_text("utf-8"))
    for name, each in found.items():
        lines = (ROOT / "src" / "earful" / f"{name}.py").read_text("utf-8").splitlines()
        whys = {(a["code"], a["was"], a["now"]): a["why"] for a in argued.get(name, [])}
        for survivor in each["survivors"]:
            survivor.setdefault("code", lines[survivor["line"] - 1].strip())
            survivor.pop("why", None)
            if why := whys.get((survivor["code"], survivor["was"], survivor["now"])):
                survivor["why"] = why
    return found


def run_tests(subject: Subject, plugin: Quickest, *more: str) -> int:
    """Run the tests in this process. The exit status is pytest's."""
    import hypothesis
    import pytest

    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # nobody reads the failing example
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
    words = [
        "-x",
        "-q",
        "--assert=plain",
        "--hypothesis-profile=mutants",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
        "-k",
        BLIND,
    ]
    words += [str(ROOT / "tests" / test) for test in subject.tests]
    return int(pytest.main([*words, "--rootdir", str(ROOT), *more], [plugin]))


def forked(work: Callable[[], int], cpu_s: float, log: Path | None = None) -> str:
    """ "survived", "killed" or "timeout": what comes of the work in a fork, which may take so much processor time."""
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (round(cpu_s), round(cpu_s) + 5))
        signal.alarm(round(PATIENCE * cpu_s))  # what waits for ever, such as for a pipe, takes no processor time
        said = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1)
        os.dup2(said, 2)
        status = 70
        try:
            status = work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) in ENDED_BY_TIME else "killed"
    return {0: "survived", ELSEWHERE: "elsewhere"}.get(os.WEXITSTATUS(status), "killed")


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """The code of a module, and of everything in it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from codes_of(const)


def exchange(functions: list[FunctionType], code: CodeType) -> None:
    """Give the functions of a module that is imported the code that they have in a changed one."""
    new = {(each.co_qualname, each.co_firstlineno): each for each in codes_of(code)}
    try:
        for function in functions:
            function.__code__ = new[function.__code__.co_qualname, function.__code__.co_firstlineno]
    except ValueError:
        os._exit(ELSEWHERE)


def functions_in(path: Path) -> list[FunctionType]:
    """All functions of a file that are alive, whatever decorates or holds them."""
    return [
        each for each in gc.get_objects() if isinstance(each, FunctionType) and each.__code__.co_filename == str(path)
    ]


class Trial(NamedTuple):
    """What changes to one file are tried with."""

    name: str
    subject: Subject
    path: Path
    folder: Path
    clean_s: float
    seconds: dict[str, float]


def tried(trial: Trial, mutants: Sequence[Mutant], inside: bool) -> list[str]:
    """What came of each change, in a process of its own, which imports the tests if functions are to be exchanged."""
    found, log = trial.folder / "found.json", trial.folder / "log"

    def all_of_them() -> int:
        if inside:
            run_tests(trial.subject, Quickest({}, None), "--collect-only")
        functions = functions_in(trial.path)
        gc.freeze()
        outcomes = []
        for mutant in mutants:
            code = compile(mutant.tree, str(trial.path), "exec", dont_inherit=True)
            outcomes.append(forked(partial(with_change, trial, functions, code), FACTOR * trial.clean_s + SPARE_S))
        found.write_text(json.dumps(outcomes), "utf-8")
        return 0

    if forked(all_of_them, 10**6, log) != "survived":
        raise SystemExit(f"{trial.name}: {log.read_text('utf-8')[-3000:]}")
    outcomes: list[str] = json.loads(found.read_text("utf-8"))
    return outcomes


def with_change(trial: Trial, functions: list[FunctionType], code: CodeType) -> int:
    """Run the tests in this process with a changed file: in its functions, or where it is yet to be imported."""
    if functions:
        exchange(functions, code)
    else:
        sys.meta_path.insert(0, Changed("earful." + trial.name.replace("/", "."), trial.path, code))
    return run_tests(trial.subject, Quickest(trial.seconds, None))


def measured(name: str, before: dict[str, Any] | None, most: int) -> dict[str, Any]:
    """What came of the changes to one file; with `before`, only of those that survived then."""
    subject, path = SUBJECTS[name], ROOT / "src" / "earful" / f"{name}.py"
    lines = path.read_text("utf-8").splitlines()
    everything = mutants_of("\n".join(lines))
    most = before["drawn"] if before else most
    drawn = sorted(random.Random(SEED).sample(range(len(everything)), min(most, len(everything))))
    some = [everything[i] for i in drawn]
    if before:
        lived = {(each["code"], each["was"], each["now"]) for each in before["survivors"]}
        some = [each for each in some if (lines[each.line - 1].strip(), each.was, each.now) in lived]
    with tempfile.TemporaryDirectory() as folder:
        times, log, began = Path(folder) / "times.json", Path(folder) / "log", _children_s()
        if forked(lambda: run_tests(subject, Quickest({}, times)), 3600, log) != "survived":
            raise SystemExit(f"{name}: its tests fail on the code as it is\n{log.read_text('utf-8')[-3000:]}")
        clean_s = _children_s() - began
        trial = Trial(name, subject, path, Path(folder), clean_s, json.loads(times.read_text("utf-8")))
        here = [each for each in some if each.inside]
        found = list(zip(here, tried(trial, here, inside=True), strict=True))
        there = [each for each in some if not each.inside] + [each for each, what in found if what == "elsewhere"]
        found += zip(there, tried(trial, there, inside=False), strict=True)
    lived_on = sorted(each[:3] for each, what in found if what == "survived")
    if before and len(some) < len(before["survivors"]):
        raise SystemExit(f"{name}: has changed since; try all of its changes again, without --survivors")
    timeouts = sum(what == "timeout" for _, what in found) + (before["timeouts"] if before else 0)
    return {
        "changes": len(everything),
        "drawn": len(drawn),
        "killed": len(drawn) - len(lived_on) - timeouts,
        "timeouts": timeouts,
        "tests_s": round(clean_s, 1),
        "survivors": [{"line": line, "was": was, "now": now} for line, was, now in lived_on],
    }


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def alone(name: str, before: dict[str, Any] | None, most: int) -> dict[str, Any]:
    """`measured` in a process of its own, for Numba reads whether to compile when it is imported."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.environ["NUMBA_DISABLE_JIT"] = str(int(SUBJECTS[name].interpreted))
            for module in HEAVY:
                importlib.import_module(module)
            import torch

            torch.set_num_threads(1)
            os.write(write, json.dumps(measured(name, before, most)).encode())
        except SystemExit as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        raise SystemExit(f"{name}: nothing came of it")
    found: dict[str, Any] = json.loads(answer)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="FILE")
    parser.add_argument("--survivors", action="store_true", help="run only those again that survived")
    parser.add_argument("--argue", action="store_true", help="run nothing, but read mutants_argued.toml again")
    parser.add_argument("--most", type=int, default=MOST, help="changes of a file at most, drawn by seed")
    options = parser.parse_args()
    whole = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"files": {}}
    for name in options.only if not options.argue else []:
        before = whole["files"].get(name) if options.survivors else None
        if options.survivors and not (before and before["survivors"]):
            continue
        whole["files"][name] = found = alone(name, before, options.most)
        print(name, {**found, "survivors": len(found["survivors"])}, file=sys.stderr, flush=True)
        save(options.out, whole | {"seed": SEED, "most": options.most, "factor": FACTOR})
    if options.argue:
        save(options.out, whole)


def save(path: Path, whole: dict[str, Any]) -> None:
    """Write what is known so far, the files in the order in which they are listed here."""
    whole["files"] = counted({each: whole["files"][each] for each in SUBJECTS if each in whole["files"]})
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    beside.replace(path)


if __name__ == "__main__":
    main()
