"""Spoilt models, and spoilt states of interrupted runs."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from faults.judge import Case
from faults.material import RECIPES, filled
from faults.mutate import ENDLESS, json_text, spoil, spoil_values

ODD = (torch.int64, torch.bool, torch.uint8, torch.float64, torch.bfloat16)


def models(random_: random.Random, place: Path, material: Path) -> Case:
    """A model with one of its files spoilt, which transcribes one clip."""
    model = place / "model"
    shutil.copytree(material / "model", model)
    way = random_.choice((_card, _card, _file, _file, _weights, _special))
    what, refused = way(random_, model)
    clip = material / "clips" / "clip0.wav"
    return Case(
        what, ["transcribe", str(model), str(clip), "--json"], refused=refused, named="model" if refused else ""
    )


def _card(random_: random.Random, model: Path) -> tuple[str, bool]:
    place = model / "model.json"
    if random_.random() < 0.1:
        place.write_text(random_.choice(ENDLESS), "utf-8")
        return "card without end", True
    card, what = spoil_values(random_, json.loads(place.read_text("utf-8")))
    place.write_text(json_text(card), "utf-8")
    return f"card {what}", False


def _file(random_: random.Random, model: Path) -> tuple[str, bool]:
    place = random_.choice(sorted(model.iterdir()))
    content, what = spoil(random_, place.read_bytes(), head=2000)
    place.write_bytes(content)
    return f"{place.name} {what}", False


def _weights(random_: random.Random, model: Path) -> tuple[str, bool]:
    """A weight of another type or shape, or with NaN."""
    place = model / "model.safetensors"
    weights = load_file(place)
    name = random_.choice(sorted(weights))
    kind = random_.choice(ODD)
    way = random_.choice(("type", "shape", "nan", "inf", "away", "more"))
    if way == "type":
        weights[name] = weights[name].to(kind)
    elif way == "shape":
        weights[name] = torch.zeros(7)
    elif way in ("nan", "inf"):
        weights[name] = torch.full_like(weights[name].float(), float(way))
    elif way == "away":
        del weights[name]
    else:
        weights["more"] = torch.zeros(1)
    save_file(weights, place)
    fine = way == "type" and kind.is_floating_point
    return f"weights {way} {kind}", not fine


def _special(random_: random.Random, model: Path) -> tuple[str, bool]:
    """In the place of a file a pipe, a folder, a link to nowhere, or nothing."""
    place = random_.choice([model / "model.json", model / "model.safetensors", model / "ngram.safetensors"])
    place.unlink()
    way = random_.choice(("pipe", "folder", "link", "loop", "nothing"))
    if way == "pipe":
        os.mkfifo(place)
    elif way == "folder":
        place.mkdir()
    elif way == "link":
        place.symlink_to(model / "nowhere")
    elif way == "loop":
        place.symlink_to(place)
    return f"{place.name} is {way}", True


def states(random_: random.Random, place: Path, material: Path) -> Case:
    """A run that has ended, whose state, log or features are spoilt, is run again; or with another setting."""
    out = place / "out"
    shutil.copytree(material / "trained" / "work", out / "work")
    recipe, options, what = RECIPES["train"], ["--json"], "another seed"
    way, refused = random_.random(), False
    if way < 0.15:
        recipe, refused = {**recipe, "seed": random_.randrange(2, 2**32)}, True
    elif way < 0.25:
        what, refused = "another batch", True
        recipe = {**recipe, "batch_s": random_.choice((5, 10, 40))}
    elif way < 0.35:
        what, options = "discarded", ["--json", "--overwrite"]
        recipe = {**recipe, "seed": random_.randrange(2, 2**32)}
    else:
        state = out / "work" / "state.safetensors"
        content = state.read_bytes()
        if random_.random() < 0.4:
            size = int.from_bytes(content[:8], "little")
            header, what = _header(random_, json.loads(content[8 : 8 + size]))
            written = json_text(header).encode()
            content = len(written).to_bytes(8, "little") + written + content[8 + size :]
        else:
            content, what = spoil(random_, content, head=3000)
        state.write_bytes(content)
    (place / "recipe.toml").write_text(filled(recipe, material, out), "utf-8")
    return Case(f"state {what}", ["train", str(place / "recipe.toml"), *options], out=out, refused=refused)


def _header(random_: random.Random, header: dict[str, object]) -> tuple[dict[str, object], str]:
    """What earful keeps in a state's header, spoilt as JSON."""
    meta = header["__metadata__"]
    assert isinstance(meta, dict)
    if random_.random() < 0.2:
        meta["state"] = random_.choice(("", "{}", "[]", "null", "3", *ENDLESS[:2]))
        return header, "empty header"
    found, what = spoil_values(random_, json.loads(meta["state"]))
    meta["state"] = json_text(found)
    return header, f"header {what}"


Kind = Callable[[random.Random, Path, Path], Case]
