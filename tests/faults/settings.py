"""Spoilt recipes, and options that cannot be."""

import random
from pathlib import Path

from faults.judge import Case
from faults.material import RECIPES, filled
from faults.mutate import ENDLESS, NASTY, NASTY_NUMBERS, spoil, spoil_values

PATHS = ("out", "work", "cache", "probe", "start")


def recipes(random_: random.Random, place: Path, material: Path) -> Case:
    """A recipe with a value replaced, a key renamed, or its bytes spoilt."""
    command = random_.choice(sorted(RECIPES))
    out, file = place / "out", place / "recipe.toml"
    way, refused = random_.random(), False
    if way < 0.08:
        what, refused = "without end", True
        file.write_text(f"seed = {random_.choice(ENDLESS)}\n" + filled(RECIPES[command], material, out), "utf-8")
    elif way < 0.75:
        recipe, what = spoil_values(random_, RECIPES[command])
        if _is_long(recipe):
            recipe, what = {**RECIPES[command], "seed": random_.choice(NASTY)}, "seed"
        file.write_text(filled(recipe, material, out), "utf-8", errors="surrogatepass")
    else:
        content, what = spoil(random_, filled(RECIPES[command], material, out).encode(), head=2000)
        file.write_bytes(content := _held(content, material))
        out = place if _is_elsewhere(content, out) else out
    return Case(f"{command} {what}", [command, str(file), "--json"], out=out, refused=refused)


def _is_long(recipe: object) -> bool:
    """Whether a recipe is fine and would take hours, or writes beside its folder: not what is looked for here."""
    if not isinstance(recipe, dict):
        return False
    found = recipe.get("optimisation") or (recipe.get("outer") or {})
    found = found.get("optimisation", found) if isinstance(found, dict) else {}
    steps = found.get("steps", 1) if isinstance(found, dict) else 1
    paths = [recipe.get(name, "") for name in PATHS]
    outside = any(isinstance(path, str) and path and not path.startswith("{") and "\0" not in path for path in paths)
    return outside or (isinstance(steps, int) and 100 < steps <= 10**9)


def _held(content: bytes, material: Path) -> bytes:
    """No steps without end, by a flip in a figure."""
    return content.replace(b'"steps" = 2', b'"steps" = 1')


def _is_elsewhere(content: bytes, out: Path) -> bool:
    """Whether a recipe names another folder for what it makes: that is its output, then."""
    lines = [line for line in content.split(b"\n") if line.startswith((b'"out"', b'"work"'))]
    return any(f'"{out}/'.encode() not in line for line in lines)


OPTIONS: tuple[tuple[str, ...], ...] = (
    ("corpus", "speak", "--language", "nl", "--clips", "{}", "--out", "{out}", "--hours", "0.1"),
    ("corpus", "speak", "--language", "nl", "--hours", "{}", "--clips", "1", "--out", "{out}"),
    ("corpus", "speak", "--language", "{}", "--clips", "1", "--out", "{out}"),
    ("corpus", "speak", "--language", "nl", "--clips", "1", "--hours", "1", "--seed", "{}", "--out", "{out}"),
    ("adapt", "{clips}", "--base", "{model}", "--out", "{out}", "--steps", "{}", "--minutes", "1"),
    ("adapt", "{clips}", "--base", "{}", "--out", "{out}"),
    ("adapt", "{clips}", "--base", "{model}", "--out", "{}", "--effort", "nothing"),
    ("adapt", "{clips}", "--base", "{model}", "--out", "/dev/null/a", "--effort", "best", "--minutes", "{}"),
    ("adapt", "{clips}", "--base", "{model}", "--out", "/dev/null/a", "--tune", "{}", "--effort", "best"),
    ("adapt", "{clips}", "--base", "{model}", "--out", "{out}", "--steps", "1", "--seed", "{}", "--minutes", "1"),
    ("adapt", "{clips}", "--base", "{model}", "--out", "{out}", "--steps", "1", "--text", "{}", "--minutes", "1"),
    ("adapt", "{}", "--base", "{model}", "--out", "{out}"),
    ("transcribe", "{}", "{clip}"),
    ("transcribe", "{model}", "{}"),
    ("transcribe", "{model}", "{clip}", "--hot", "abba:{}"),
    ("transcribe", "{model}", "{clip}", "--hot", "{}"),
    ("transcribe", "{model}", "{clip}", "--channel", "{}"),
    ("transcribe", "{model}", "{clip}", "--format", "{}"),
    ("transcribe", "{model}", "{clip}", "--device", "{}"),
    ("score", "{model}", "{clips}", "--errors", "{}"),
    ("score", "{model}", "{}"),
    ("check", "{}"),
    ("check", "--text", "{}"),
    ("check", "{clips}", "--tier", "{}"),
    ("suggest", "{model}", "{clips}", "--count", "{}"),
    ("suggest", "{model}", "{clips}", "--seconds", "{}"),
    ("benchmark", "{clips}", "--base", "{model}", "--out", "{out}", "--shots", "{}", "--by", "language"),
    ("benchmark", "{clips}", "--base", "{model}", "--out", "{out}", "--steps", "{}", "--shots", "999"),
    ("benchmark", "{clips}", "--base", "{model}", "--out", "{out}", "--seeds", "{}", "--shots", "999"),
    ("benchmark", "{clips}", "--base", "{model}", "--out", "{out}", "--test-seconds", "{}", "--shots", "999"),
    ("benchmark", "{clips}", "--base", "{model}", "--out", "{out}", "--test-clips", "{}", "--shots", "999"),
    ("pretrain", "{clips}", "--start", "{model}", "--steps", "{}", "--objective", "nothing", "--out", "{out}"),
    ("pretrain", "{clips}", "--start", "{}", "--out", "{out}"),
    ("pretrain", "{clips}", "--start", "{model}", "--probe", "{}", "--out", "{out}"),
    ("train", "{}"),
    ("metatrain", "{}"),
)


def options(random_: random.Random, place: Path, material: Path) -> Case:
    """A command line with one word that cannot be, or a name that nothing has."""
    form = random_.choice(OPTIONS)
    pool = NASTY_NUMBERS if random_.random() < 0.5 else NASTY
    word = str(random_.choice(pool))[:6000].replace("\0", "\\0")  # no process can be given a NUL
    if word.startswith("~"):
        word = "~nobody"
    known = {
        "{clips}": str(material / "clips.jsonl"),
        "{clip}": str(material / "clips" / "clip0.wav"),
        "{model}": str(material / "model"),
        "{out}": str(place / "out" / "it"),
    }
    words = [known.get(part, part.replace("{}", word)) for part in form]
    if "--out" in form and form[form.index("--out") + 1] == "{}":
        inside = word.strip("/") and ".." not in word and not word.startswith("/")
        words[form.index("--out") + 1] = str(place / "out" / word) if inside else "/dev/null/a"
    return Case(f"{' '.join(form[:2])} {word[:20]!r}", words, out=place / "out")
