"""A plugin of pytest: how long the processor worked for each test, its processes included; a JSON line each.

CPU_TIMES=times.jsonl PYTHONPATH=. python -m pytest -p bench.cpu_times
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    before = sum(os.times()[:4])
    found = yield
    row = {"test": item.nodeid, "cpu_s": round(sum(os.times()[:4]) - before, 3)}
    with Path(os.environ["CPU_TIMES"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return found  # type: ignore[no-any-return]
