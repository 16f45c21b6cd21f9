"""Put the figures of bench/*.json into the documents, so that none is ever typed in.

A document marks a place by `<!-- figures: NAME -->` and `<!-- end -->`; NAME is a JSON file in this folder. What stands
between is replaced. A file that is not there yet leaves a sentence that says so. The tables are in figures/.

    python bench/tables.py            # write
    python bench/tables.py --check    # only say whether something is out of date: exit status 1
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from figures import (
    accuracy,
    adaptation,
    bases,
    files,
    language_model,
    learners,
    meta_learning,
    planning,
    plans,
    pretraining,
    serving,
    speed,
    testing,
)
from figures.entrants import ENGLISH, OF_ENGLISH, SHIPPED

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/*.md", "recipes/*/README.md")
PLACE = re.compile(r"(?P<head><!-- figures: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<end><!-- end -->)", re.DOTALL)
FIGURES = {
    name: render
    for subject in (
        *(accuracy, adaptation, bases, files, language_model, learners, meta_learning),
        *(planning, plans, pretraining, serving, speed, testing),
    )
    for name, render in subject.FIGURES.items()
}


def documents(root: Path = ROOT) -> Iterator[Path]:
    """Every document that may hold figures."""
    for pattern in DOCUMENTS:
        yield from sorted(root.glob(pattern))


def filled(text: str, bench: Path = BENCH) -> str:
    """A document with its marked places filled from the JSON files in `bench`."""
    return PLACE.sub(lambda match: match["head"] + rendered(match["name"], bench) + "\n" + match["end"], text)


def rendered(name: str, bench: Path = BENCH) -> str:
    """The Markdown of one JSON file. Raises KeyError for a name that nothing here renders."""
    render = FIGURES[name]
    path = bench / f"{name}.json"
    if not path.exists():
        return f"*Not measured yet: `bench/{name}.json` is not there.*"
    text = "\n".join(render(json.loads(path.read_text("utf-8"))))
    return text.replace(f"`{SHIPPED}`", ENGLISH) if name in OF_ENGLISH else text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 if something would change")
    options = parser.parse_args()
    stale = [path for path in documents() if filled(path.read_text("utf-8")) != path.read_text("utf-8")]
    for path in stale:
        if not options.check:
            path.write_text(filled(path.read_text("utf-8")), "utf-8")
        print(f"{path.relative_to(ROOT)}: {'out of date' if options.check else 'written'}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
