"""Worker processes that crash, hang, are killed, cannot start, and are gone afterwards."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from earful.data.synthesis import workers as room
from earful.data.synthesis.workers import COMMAND, Workers
from earful.errors import SynthesisError

# A worker that does what its job says, without espeak-ng: quick to start.
ACTOR = """
import ctypes, json, os, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if job["do"] == "crash" or (job["do"] == "crash once" and not os.path.exists(job["mark"])):
        if "mark" in job: open(job["mark"], "w").close()
        ctypes.string_at(0)
    if job["do"] == "hang":
        time.sleep(60)
    print("half a line" if job["do"] == "babble" else json.dumps({"did": job["do"], "pid": os.getpid()}), flush=True)
"""
ACT = (sys.executable, "-c", ACTOR)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_crash_costs_only_its_own_job() -> None:
    with Workers(2, command=ACT) as pool:
        jobs = [{"do": "crash" if number == 3 else f"say {number}"} for number in range(8)]
        answers = [answer for _, answer in pool.in_order(pool.ask, jobs)]
    assert [answer and answer["did"] for answer in answers] == [
        None if number == 3 else f"say {number}" for number in range(8)
    ]


def test_what_crashes_once_is_done_by_a_new_worker(tmp_path: Path) -> None:
    with Workers(1, command=ACT) as pool:
        first = pool.ask({"do": "say"})
        second = pool.ask({"do": "crash once", "mark": str(tmp_path / "mark")})
    assert first and second
    assert second["did"] == "crash once"
    assert second["pid"] != first["pid"]


@pytest.mark.parametrize("deed", ["hang", "babble"])
def test_hanging_and_nonsense_count_as_crashes(deed: str) -> None:
    begin = time.monotonic()
    with Workers(1, timeout_s=0.5, command=ACT) as pool:
        assert pool.ask({"do": deed}) is None
        answer = pool.ask({"do": "say"})
    assert answer and answer["did"] == "say"
    assert time.monotonic() - begin < 8


def test_a_killed_worker_is_replaced() -> None:
    with Workers(1, command=ACT) as pool:
        first = pool.ask({"do": "say"})
        assert first
        os.kill(first["pid"], signal.SIGKILL)
        second = pool.ask({"do": "say"})
    assert second and second["pid"] != first["pid"]


def test_no_process_outlives_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), Workers(2, command=ACT) as pool:
        pids = {answer["pid"] for _, answer in pool.in_order(pool.ask, [{"do": "say"}] * 12) if answer}
        raise KeyboardInterrupt
    assert pids
    assert not any(alive(pid) for pid in pids)


def test_what_cannot_start_says_why() -> None:
    says = (sys.executable, "-c", 'print("{\\"error\\": \\"no voice today\\"}")')
    with Workers(1, command=says) as pool, pytest.raises(SynthesisError, match="no voice today"):
        pool.ask({"do": "say"})
    with Workers(1, command=("no-such-program",)) as pool, pytest.raises(SynthesisError, match="cannot start"):
        pool.ask({"do": "say"})
    with pytest.raises(SynthesisError, match="workers is 0"):
        Workers(0)


def test_stopping_early_leaves_no_job_under_way() -> None:
    done = []
    with Workers(2, command=ACT) as pool:
        answers = pool.in_order(lambda job: done.append(job) or job, range(1000))
        assert next(answers) == (0, 0)
        answers.close()
        count = len(done)
        assert count <= pool.ahead + 1
        time.sleep(0.05)
        assert len(done) == count


def test_the_real_worker_never_loads_torch() -> None:
    program = COMMAND[3].replace("main()", "print(__import__('json').dumps({'ready': 'torch' not in sys.modules}))")
    process = room._start((*COMMAND[:3], program, COMMAND[4]))
    try:
        assert room._exchange(process, None, 30) == {"ready": True}
    finally:
        room._kill(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            room._close(pipe)
