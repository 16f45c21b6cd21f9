"""What so much text brings: no text, 1, 10, 100 kB and 1 MB of it, with the language's word list and without.

On runs of bench/lattices.py, whose language models are learned anew with the first so many sentences of a shuffled text
and tuned on each run's own held-out clips.

    python bench/text_size.py --runs work/lattices-cs/*-50 --text work/free-cs.txt --out bench/text_size.json \\
        --plot docs/figures/text_size.svg
"""

import argparse
import json
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import torch
from lattices import Kept, read, relearned
from search import rates, searched

from earful.adapt import language
from earful.ctc.beam import WIDTH
from earful.data.synthesis.sentences import read_sentences
from earful.kshot.machine import machine

KB = (0, 1, 10, 100, 1000)


def of_size(texts: Sequence[str], kb: int) -> list[str]:
    """As many sentences as fill so many kB, in a random order that is always the same."""
    kept, size = [], 0
    for text in random.Random(0).sample(list(texts), len(texts)):
        if size >= 1000 * kb:
            break
        kept.append(text)
        size += len(text.encode()) + 1
    return kept


def one(kept: Kept, texts: Sequence[str], listed: bool) -> dict:
    """The rates with so much text."""
    with mock.patch.object(language, "listed", language.listed if listed else lambda code, rules: None):
        words, _ = relearned(kept, texts)
    found = rates(kept, searched(kept, words, WIDTH))
    return {"cer": found["cer"], "wer": found["wer"], "shares": list(words.words.shares) if words.words else None}


def plot(rows: Sequence[dict], place: Path) -> None:
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "earful"
    figure, panes = plt.subplots(1, 2, figsize=(8, 3), constrained_layout=True)
    for pane, rate in zip(panes, ("wer", "cer"), strict=True):
        for listed, shown in ((False, "without a word list"), (True, "with the word list")):
            points = [
                (kb, [100 * row[rate] for row in rows if (row["kb"], row["listed"]) == (kb, listed)]) for kb in KB
            ]
            pane.plot(range(len(KB)), [statistics.median(each) for _, each in points], marker="o", label=shown)
            low, high = ([edge(each) for _, each in points] for edge in (min, max))
            pane.fill_between(range(len(KB)), low, high, alpha=0.2)
        pane.set_xticks(range(len(KB)), ["none", *(f"{kb} kB" for kb in KB[1:-1]), "1 MB"])
        pane.set(xlabel="text", ylabel=f"{rate.upper()}, per cent", ylim=(0, None))
    panes[0].legend(frameon=False)
    figure.savefig(place, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts, rows = read_sentences(options.text), []
    for folder in options.runs:
        kept = read(folder)
        for kb in KB:
            for listed in (False, True):
                row = {"clips": kept.row["clips"], "seed": kept.row["seed"], "kb": kb, "listed": listed}
                rows.append(row | one(kept, of_size(texts, kb), listed))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    out = {"machine": machine(), "base": "earful-base", "text": options.text.name, "rows": rows}
    options.out.write_text(json.dumps(out, indent=1) + "\n", "utf-8")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
