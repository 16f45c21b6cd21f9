"""Kill commands at random moments, run them again, and compare what comes with that of a run that nobody killed.

    python -m faults.kills --times 50 --json RESULT.json

By -9, by SIGTERM and by Ctrl-C in turn. What was there before stays until the new is whole; nothing is left over.
"""

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from faults.material import METATRAIN, PRETRAIN, RECIPE, build, filled
from faults.mutate import replaced

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMANDS = ("adapt", "train", "metatrain", "pretrain", "speak", "benchmark")
STEPS = {"train": 40, "pretrain": 40, "metatrain": 20}
MOST_TRIES = 60


def words(command: str, material: Path, out: Path) -> list[str]:
    """The command line; its recipe lies beside its output."""
    clips, model = str(material / "clips.jsonl"), str(material / "model")
    if command == "adapt":
        return ["adapt", clips, "--base", model, "--out", str(out / "it"), "--steps", "30", "--overwrite", "--json"]
    if command == "speak":
        return [
            "corpus",
            "speak",
            "--language",
            "nl",
            "--clips",
            "40",
            "--seed",
            "3",
            "--out",
            str(out / "it"),
            "--json",
        ]
    if command == "benchmark":
        few = ["--shots", "1,2", "--steps", "1,3", "--seeds", "2", "--test-clips", "2"]
        return ["benchmark", clips, "--base", model, "--out", str(out / "it"), *few, "--json"]
    recipe: Any = {"train": RECIPE, "pretrain": PRETRAIN, "metatrain": METATRAIN}[command]
    where = ("outer", "optimisation", "steps") if command == "metatrain" else ("optimisation", "steps")
    text = filled(replaced(recipe, where, STEPS[command]), material, out).replace('/model"', '/it"', 1)
    (out / "recipe.toml").write_text(text, "utf-8")
    return [command, str(out / "recipe.toml"), "--overwrite", "--json"]


def start(arguments: list[str]) -> "subprocess.Popen[bytes]":
    """Start earful."""
    return subprocess.Popen(
        [sys.executable, "-m", "earful", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def result(folder: Path) -> dict[str, str]:
    """The hash of each file of a result, without how long it took and where it lies."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix in (".json", ".jsonl", ".csv", ".svg"):
                content = re.sub(rb'"[a-z_]*(?:seconds|_s|_mb|time)": ?[-\d.e]+', b"", content)
                content = content.replace(str(folder.parent).encode(), b"OUT")
                content = b"\n".join(sorted(content.split(b"\n"))) if path.suffix == ".jsonl" else content
            found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def leftovers(out: Path) -> list[str]:
    """What no run should leave: halves, and states of adaptations that have ended."""
    return [
        str(path.relative_to(out))
        for path in out.rglob(".*")
        if re.search(r"\.(partial|replaced|adapting)$", path.name)
    ]


def campaign(command: str, times: int, material: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Kill one command so many times, each at a moment of its own, until it has come to its end."""
    whole = folder / "whole"
    for _ in range(2):  # the first run also compiles
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        began = time.monotonic()
        first = start(words(command, material, whole))
        _, said = first.communicate()
        if first.returncode:
            raise SystemExit(f"{command}: {said.decode()}")
    took_s, expected = time.monotonic() - began, result(whole / "it")
    random_, killed, broken = random.Random(seed), 0, list[str]()
    run = 0
    while killed < times:
        out, tries = folder / f"run{run}", 0
        run += 1
        out.mkdir()
        while tries < MOST_TRIES:
            tries += 1
            process = start(words(command, material, out))
            try:
                _, said = process.communicate(timeout=random_.uniform(0.2, 1.1) * took_s if killed < times else None)
                if process.returncode:
                    broken.append(f"{command}: status {process.returncode}: {said.decode()[-300:]}")
                break
            except subprocess.TimeoutExpired:
                sent = SIGNALS[killed % len(SIGNALS)]
                process.send_signal(sent)
                killed += 1
                _, said = process.communicate()
                if b"Traceback" in said:
                    broken.append(f"{command}: a trace after {sent.name}")
        if result(out / "it") != expected:
            changed = [name for name, each in expected.items() if result(out / "it").get(name) != each]
            broken.append(f"{command}: another result: {', '.join(changed) or 'more files'}")
        broken += [f"{command}: left {name}" for name in leftovers(out)]
    return {"command": command, "kills": killed, "runs": run, "seconds": round(took_s, 1), "broken": broken}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=COMMANDS)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows: dict[str, Any] = {}
    if asked.json and asked.json.exists():  # what was not asked for stays
        rows = {row["command"]: row for row in json.loads(asked.json.read_text("utf-8"))["rows"]}
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        build(Path(folder) / "material")
        for command in asked.only or COMMANDS:
            place = Path(folder) / command
            rows[command] = campaign(command, asked.times, Path(folder) / "material", place, asked.seed)
            print(json.dumps(rows[command]), flush=True)
            if asked.json:
                asked.json.write_text(json.dumps(summary(list(rows.values())), indent=1) + "\n", "utf-8")
    return int(any(row["broken"] for row in rows.values()))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All commands, and on what machine."""
    from earful.kshot.machine import machine

    kills, broken = sum(row["kills"] for row in rows), sum(len(row["broken"]) for row in rows)
    return {"machine": machine(), "kills": kills, "broken": broken, "rows": rows}


if __name__ == "__main__":
    sys.exit(main())
