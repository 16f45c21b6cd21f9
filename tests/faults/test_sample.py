"""A sample of the fault campaign, and that its judge sees what it is there to see. In full: `make faults`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)]),
    "OMP_NUM_THREADS": "1",
}


def test_a_sample_of_each_kind_breaks_no_promise(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "faults.campaign", "--share", "0.006", "--json", str(tmp_path / "found.json")]
    run = subprocess.run([*words, "--workers", "1"], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert run.returncode == 0 and found["broken"] == 0, run.stdout[-3000:]
    assert all(kind["cases"] for kind in found["kinds"].values()) and found["cases"] >= 30


JUDGE = """
import sys
from pathlib import Path
from faults import judge
from faults.judge import Case, judged

judge.MOST_MB = 800
place = Path(sys.argv[1])
(place / "out").mkdir()
(place / "input").write_text("kept")

def act(what):
    if what == "fault": {}["nothing"]
    if what == "noise": print("Traceback (most recent call last)", file=sys.stderr)
    if what == "control": print("earful: \\x1b[2J", file=sys.stderr)
    if what == "changed": (place / "input").write_text("lost")
    if what == "left": (place / "more").write_text("left")
    if what == "exit": sys.exit(1)
    if what == "memory": b"x" * 900_000_000
    if what == "output": (place / "out" / "it").write_text("fine")

for what in ("fault", "noise", "control", "changed", "left", "exit", "memory", "refused", "oracle", "output", "fine"):
    case = Case(what, act=lambda: act(what), out=place / "out", refused=what == "refused")
    case.oracle = (lambda status, out: "wrong") if what == "oracle" else None
    print(what, judged("kind", 0, place, case).problems)
"""


def test_the_judge_sees_what_breaks_a_promise(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", JUDGE, str(tmp_path)], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    seen = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert seen.pop("fine") == seen.pop("output") == "[]"
    assert len(seen) == 9 and all(problems != "[]" for problems in seen.values()), seen


def test_a_worker_that_dies_or_hangs_is_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TESTS))
    from faults import campaign

    monkeypatch.setattr(campaign, "PATIENCE_S", 0.2)
    (tmp_path / "material").mkdir()
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    worker = campaign.Worker(tmp_path / "material")
    assert worker.judge("sounds", 0)["problems"] == ["hangs"]  # it has not even started
    worker.process.kill()
    worker.process.wait()
    (problem,) = worker.judge("sounds", 0)["problems"]
    assert problem.startswith(("the process died", "the process was dead"))
    worker.close()
