"""Put what the commands really print into the documents, so that no output is ever typed in.

A document marks a place by `<!-- output: NAME -->` and `<!-- end -->`. The commands of NAME, listed below, are run one
after the other in an empty folder, with the synthesiser's clips; what they print comes between the marks.

    python docs/commands.py                      # all, in order: some minutes, with the shipped base
    python docs/commands.py check adapt          # some; what they build on is run, too
    python docs/commands.py --base work/my-base  # with another base in place of the shipped one
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "docs/*.md", "recipes/*/README.md")
PLACE = re.compile(r"(?P<head><!-- output: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)", re.DOTALL)
PROGRESS = re.compile(r"^earful: (?!warning)[^\n]*: \d+%, [\d:]+ left[^\n]*\n", re.MULTILINE)
TO_COME = "*To come: `python docs/commands.py {}` writes it.*\n"

RECIPE = """\
out = "small-base"
about = "a base too small to be of use, trained in seconds"
rarest_symbol = 5

[[corpora]]
manifest = "my-clips/manifest.jsonl"
copies = 2

[encoder]
width = 64
layers = 2

[optimisation]
steps = 30
"""

META_RECIPE = """\
out = "taught-base"
start = "earful-base"
rarest_symbol = 5

[[corpora]]
manifest = "spoken/manifest.jsonl"

[tasks]
shots = { clips = 4, query = 4 }
held_out = ["lt"]

[learning]
learner = "maml"
inner = { rate = 0.05, steps = 2, learned = "layer", clip_norm = 1.0 }

[outer]
tasks = 2
validate_every = 4
optimisation = { steps = 8, rate = 3e-4, weight_decay = 0.0 }
"""

# name → the commands, in the order in which they build on each other
BLOCKS: Mapping[str, tuple[str, ...]] = {
    "help": ("earful --help",),
    "corpus-speak": (
        "earful corpus speak --language is --clips 40 --out my-clips",
        "earful corpus speak --language is --clips 20 --seed 1 --out new-clips",
    ),
    "check": ("earful check my-clips",),
    "check-text": (
        r"""sed 's/.*"text": "\([^"]*\)".*/\1/' new-clips/manifest.jsonl > sentences.txt""",
        "earful check my-clips --text sentences.txt",
    ),
    "adapt": ("earful adapt my-clips --out my-model --language is",),
    "transcribe": ("earful transcribe my-model new-clips/is/is-000000.flac",),
    "transcribe-formats": (
        "earful transcribe my-model new-clips/is/is-000000.flac --format srt",
        "earful transcribe my-model new-clips/is/is-000000.flac --format tsv",
    ),
    "score": (
        "earful score earful-base new-clips",
        "earful score my-model new-clips",
    ),
    "score-errors": (
        "earful score my-model new-clips --errors 3",
        "earful score my-model new-clips --json",
    ),
    "errors": (
        "earful adapt nowhere --out another-model",
        "echo $?",
        "earful transcribe my-model my-clips/journal.jsonl",
    ),
    "suggest": (
        "earful suggest my-model new-clips -n 5 --out todo.csv",
        "head -n 3 todo.csv",
    ),
    "train": ("cat small.toml", "earful train small.toml"),
    "pretrain": ("earful pretrain new-clips --steps 20 --out further-base",),
    "metatrain": (
        "earful corpus speak --language fi --language hu --language lt --clips 60 --out spoken",
        "cat meta.toml",
        "earful metatrain meta.toml",
        "earful adapt my-clips --base taught-base --out taught-model --language is",
    ),
    "corpus-invent": (
        "python -m recipes.corpora invent --count 3 --clips 30 --out invented",
        'head -n 3 invented/manifest.jsonl | grep -o \'"text": "[^"]*"\'',
    ),
    "corpus-fillets": ("python -m recipes.corpora fillets-ng --language cs --out czech",),
    "corpus-klettres": ("python -m recipes.corpora klettres --not-language cs --out letters",),
    "corpus-ktuberling": ("python -m recipes.corpora ktuberling --out words",),
    "corpus-prompts": ("python -m recipes.corpora prompts --out telephone",),
    "demo": ("earful demo",),
    "test": ("make --no-print-directory test | tail -n 1",),
    **{
        f"help-{name.replace(' ', '-')}": (f"earful {name} --help",)
        for name in (
            "adapt",
            "transcribe",
            "listen",
            "score",
            "check",
            "corpus speak",
            "suggest",
            "review",
            "elan install",
            "forecast",
            "train",
            "pretrain",
            "metatrain",
            "benchmark",
            "serve",
            "export",
            "push",
            "demo",
        )
    },
}
NEEDS: Mapping[str, tuple[str, ...]] = {
    "check": ("corpus-speak",),
    "check-text": ("corpus-speak",),
    "adapt": ("corpus-speak",),
    "transcribe": ("adapt",),
    "transcribe-formats": ("adapt",),
    "score": ("adapt",),
    "score-errors": ("adapt",),
    "errors": ("adapt",),
    "suggest": ("adapt",),
    "train": ("corpus-speak",),
    "pretrain": ("corpus-speak",),
    "metatrain": ("corpus-speak",),
}
SHOWN = {"earful demo": "make demo", "make --no-print-directory test | tail -n 1": "make test"}


def wanted(names: list[str]) -> list[str]:
    """The blocks with what they build on, each once, in the order of BLOCKS."""
    found: set[str] = set()
    while names:
        name = names.pop()
        found.add(name)
        names += [need for need in NEEDS.get(name, ()) if need not in found]
    return [name for name in BLOCKS if name in found]


def transcript(name: str, folder: Path) -> str:
    """The console block of the commands of `name`, run in `folder` (the tests: in the repository)."""
    lines, last = [], 0
    for command in BLOCKS[name]:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"(exit {last}); {command}"],
            cwd=ROOT if name == "test" else folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        last = done.returncode
        if last not in ((2,) if name == "errors" and command.startswith("earful") else (0,)):
            raise SystemExit(f"{name}: {command}: exit status {last}\n{done.stdout}")
        lines.append(f"$ {SHOWN.get(command, command)}\n{trimmed(PROGRESS.sub('', done.stdout))}")
    return console("\n\n".join(lines))


def trimmed(output: str) -> str:
    """Without spaces at the ends of lines, and empty lines at both ends."""
    return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")


def console(shown: str) -> str:
    return f"```console\n{shown}\n```\n"


def environment() -> dict[str, str]:
    """The commands of this environment first, and `recipes`; a plain terminal."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    modules = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    plain = {"COLUMNS": "100", "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}
    return dict(os.environ) | {"PATH": path, "PYTHONPATH": modules} | plain


def documents() -> Iterator[Path]:
    """Every document that may hold output."""
    for pattern in DOCUMENTS:
        yield from sorted(ROOT.glob(pattern))


def fill(outputs: Mapping[str, str]) -> None:
    """Put outputs into the documents; a place without one stays as it is, an empty one says what fills it."""

    def body(match: re.Match[str]) -> str:
        return outputs.get(match["name"]) or match["body"] or TO_COME.format(match["name"])

    for path in documents():
        before = path.read_text("utf-8")
        after = PLACE.sub(lambda match: match["head"] + body(match) + match["end"], before)
        if after != before:
            path.write_text(after, "utf-8")
            print(f"{path.relative_to(ROOT)}: written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *BLOCKS], metavar="NAME")
    parser.add_argument("--base", type=Path, help="a model folder in place of the shipped base")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small.toml").write_text(RECIPE, "utf-8")
        (folder / "meta.toml").write_text(META_RECIPE, "utf-8")
        if options.base:  # a folder of this name is found before the shipped base
            (folder / "earful-base").symlink_to(options.base.resolve())
        for block in wanted(options.names or list(BLOCKS)):
            print(f"{block} …", file=sys.stderr, flush=True)
            if block == "test":  # one of the tests wants every place filled, its own too
                fill({block: console("$ make test\n(this output was interrupted; run docs/commands.py test)")})
            fill({block: transcript(block, folder)})
    fill({})


if __name__ == "__main__":
    main()
