"""A disk that is full from some write on: what was there stands, what is new is whole or not there, files are named."""

import os
import random
import shutil
import subprocess
from functools import partial
from pathlib import Path

from faults.judge import Case
from faults.material import RECIPES, filled

SHIM = Path(__file__).with_name("full_disk.c")
COMMANDS = ("train", "pretrain", "metatrain", "adapt", "transcribe", "benchmark", "suggest", "state")


def shim(folder: Path) -> Path | None:
    """The shim, compiled (once a folder); None where there is no compiler."""
    place = folder / "full_disk.so"
    if not place.exists() and shutil.which("cc"):
        made = place.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", "-o", made, SHIM, "-ldl"], check=True)
        made.replace(place)
    return place if place.exists() else None


def make(random_: random.Random, place: Path, material: Path) -> Case:
    """A command that writes, on a disk that is full at its n-th write; half of them over what is there already."""
    command, out, at = random_.choice(COMMANDS), place / "out", random_.choice((1, 1, 2, 3, 4, 5, 6, 8, 10, 15))
    over = random_.random() < 0.5
    words = _words(command, out, material, place)
    before = {}
    if over and command not in ("transcribe", "suggest"):
        shutil.copytree(material / "model", out / "model")
        words.append("--overwrite")
        before = _read(out / "model")

    def oracle(status: int, printed: str) -> str | None:
        left = [path.name for path in out.rglob("*") if ".partial" in path.name or ".replaced" in path.name]
        if left:
            return f"left {left[0]}"
        if status == 2 and before and _read(out / "model") != before:
            return "the model that was there is not there any more"
        return None

    def act() -> None:
        os.environ |= {"FULL_BELOW": str(out), "FULL_AT": str(at)}

    case = Case(f"{command} at write {at}{' over' if over else ''}", words, oracle=oracle, out=out)
    case.before, case.after = act, partial(os.environ.pop, "FULL_AT", None)
    case.named_when_full = str(out)
    return case


def _words(command: str, out: Path, material: Path, place: Path) -> list[str]:
    clips, model = str(material / "clips.jsonl"), str(material / "model")
    if command == "adapt":
        return ["adapt", clips, "--base", model, "--out", str(out / "model"), "--steps", "2", "--usual"]
    if command == "transcribe":
        return ["transcribe", model, str(material / "clips"), "--out", str(out / "texts"), "--format", "json"]
    if command == "benchmark":
        few = ["--shots", "1", "--steps", "1", "--seeds", "1", "--test-clips", "1"]
        return ["benchmark", clips, "--base", model, "--out", str(out / "results"), *few]
    if command == "suggest":
        return ["suggest", model, str(material / "clips"), "--count", "2", "--out", str(out / "next.csv")]
    kind = "train" if command == "state" else command
    if command == "state":
        shutil.copytree(material / "trained" / "work", out / "work")
    (place / "recipe.toml").write_text(filled(RECIPES[kind], material, out), "utf-8")
    return [kind, str(place / "recipe.toml")]


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
