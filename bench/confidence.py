"""How likely a word is right: the regression behind `Word.confidence`, fitted on some runs and tried on others.

Runs are those of bench/lattices.py; each test clip is written down by the search with letters and words, and by the
best path. A word is right where the alignment of least errors (of words) pairs it with the same. Each run has a shift:
in the fit its own, in the trial that of its held-out clips. `--others` are runs that nothing was fitted to. The
calibration error is the mean distance of confidence and share of right words in ten bins of equal width, weighted by
words (Guo et al. 2017).

    python bench/confidence.py --runs work/lattices-nl/* --others work/lattices-cs/* --text work/free-cs.txt \\
        --out bench/confidence.json --plot docs/figures/confidence.svg
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lattices import read, relearned

from earful.adapt.language import shift_by
from earful.ctc.beam import Search, spelt
from earful.ctc.confidence import BEST_PATH, DOUBT, SEARCHED, clues_of
from earful.ctc.greedy import greedy
from earful.data.synthesis.sentences import read_sentences
from earful.kshot.machine import machine
from earful.text.score import right_words

BINS = 10


class Said(NamedTuple):
    """A word that was written: what is known of it, the shift of its recogniser, the mean probability of its letters
    (what was the confidence before), and whether it is right."""

    clues: tuple[float, ...]
    shift: float
    mean: float
    right: bool


def said(folder: Path, texts: Sequence[str]) -> dict[str, list[list[Said]]]:
    """The words of each test clip, by the search and by the best path."""
    kept = read(folder)
    alphabet, (language, _) = kept.checkpoint.config.alphabet, relearned(kept, texts)
    search = Search(alphabet.size, language.ngram, language.words, language.weight, language.bonus)
    path = shift_by([greedy(x.float()) for x in kept.held], kept.measured, alphabet)
    heard = {"search": lambda x: search.hear(x).emissions, "best path": lambda x: greedy(x.float())}
    found: dict[str, list[list[Said]]] = {name: [] for name in heard}
    for name, hear in heard.items():
        known = (language.ngram, language.words) if name == "search" else (None, None)
        for logp_FV, reference in zip(kept.test, kept.references, strict=True):
            words = spelt(hear(logp_FV), alphabet)
            written = [alphabet.decode([each.symbol for each in word]) for word in words]
            marks, clues_WC = right_words(reference, " ".join(written)), clues_of(words, written, *known)
            means = [sum(each.confidence for each in word) / len(word) for word in words]
            shift = language.shift if name == "search" else path
            found[name].append([Said(tuple(c), shift, m, r) for c, m, r in zip(clues_WC, means, marks, strict=True)])
    return found


def fitted(runs: Sequence[Sequence[Said]]) -> list[float]:
    """The weights of the logistic regression, the bias first, of greatest likelihood; each run has a shift of its own,
    normal with the deviation DOUBT."""
    words = [word for run in runs for word in run]
    x_NF = torch.tensor([(1.0, *word.clues) for word in words], dtype=torch.float64)
    y_N = torch.tensor([float(word.right) for word in words], dtype=torch.float64)
    of_N = torch.tensor([number for number, run in enumerate(runs) for _ in run])
    weights_F = torch.zeros(x_NF.shape[1], dtype=torch.float64, requires_grad=True)
    shifts_R = torch.zeros(len(runs), dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([weights_F, shifts_R], max_iter=2000, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        descent.zero_grad()
        logits_N = x_NF @ weights_F + shifts_R[of_N]
        errors = torch.nn.functional.binary_cross_entropy_with_logits(logits_N, y_N, reduction="sum")
        value = errors + shifts_R.square().sum() / (2 * DOUBT**2) + 0.05 * weights_F[1:].square().sum()
        value.backward()
        return value

    descent.step(loss)
    print("shifts", [round(x, 2) for x in shifts_R.tolist()], file=sys.stderr)
    return weights_F.detach().tolist()


def reliability(confidences: Sequence[float], rights: Sequence[bool]) -> dict:
    """The calibration error, and of each bin: mean confidence, share of right words, how many."""
    p_N, right_N = np.array(confidences), np.array(rights, float)
    bins_N = np.minimum((p_N * BINS).astype(int), BINS - 1)
    bins = [(p_N[bins_N == b], right_N[bins_N == b]) for b in range(BINS)]
    error = sum(abs(p.mean() - r.mean()) * len(p) for p, r in bins if len(p)) / max(len(p_N), 1)
    shown = [[float(p.mean()), float(r.mean()), len(p)] for p, r in bins if len(p)]
    order = np.argsort(p_N)
    ranks = np.empty(len(p_N))
    ranks[order] = np.arange(1, len(p_N) + 1)
    ones, zeros = right_N.sum(), len(right_N) - right_N.sum()
    area = (ranks[right_N == 1].sum() - ones * (ones + 1) / 2) / max(ones * zeros, 1)
    return {
        "error": float(error),
        "area": float(area),
        "words": len(p_N),
        "right": float(right_N.mean()),
        "bins": shown,
    }


def tried(weights: Sequence[float], words: Sequence[Said]) -> dict:
    """Before: the mean probability of the letters; after: the regression's."""
    scores = [word.shift + weights[0] + float(np.dot(weights[1:], word.clues)) for word in words]
    marks = [word.right for word in words]
    after = reliability([1 / (1 + float(np.exp(-score))) for score in scores], marks)
    return {"before": reliability([word.mean for word in words], marks), "after": after}


def plot(found: dict, place: Path) -> None:
    """Confidence against the share of right words, before and after, of runs that nothing was fitted to."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "earful"
    figure, panes = plt.subplots(1, 2, figsize=(8, 4), constrained_layout=True)
    for pane, (name, of) in zip(panes, found["searches"].items(), strict=True):
        for when, colour in (("before", "tab:gray"), ("after", "tab:blue")):
            bins = [each for run in (of["others"] or of["runs"]).values() for each in run[when]["bins"]]
            pane.scatter(*zip(*((p, right) for p, right, _ in bins), strict=True), [n / 8 for *_, n in bins], colour,
                         alpha=0.6, label=when)  # fmt: skip
        pane.plot((0, 1), (0, 1), color="black", linewidth=0.8)
        pane.set(
            title=f"words by the {name}", xlabel="confidence", ylabel="share of right words", xlim=(0, 1), ylim=(0, 1)
        )
    panes[0].legend(frameon=False)
    figure.savefig(place, metadata={"Date": None})


def flat(clips: Sequence[Sequence[Said]]) -> list[Said]:
    """All words of a run."""
    return [word for clip in clips for word in clip]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="to fit on")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="runs in another language, to try on")
    parser.add_argument("--text", type=Path, help="free text that the other runs had")
    parser.add_argument("--plot", type=Path, help="draw into this file")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = read_sentences(options.text) if options.text else ()
    runs = {folder: said(folder, ()) for folder in options.runs}
    others = {folder: said(folder, texts) for folder in options.others}
    found: dict = {"machine": machine(), "searches": {}}
    for name, used in (("search", SEARCHED), ("best path", BEST_PATH)):
        row = {"fitted": fitted([flat(run[name]) for run in runs.values()]), "in the code": list(used)}
        for key, which in (("runs", runs), ("others", others)):
            row[key] = {"/".join(f.parts[-2:]): tried(used, flat(run[name])) for f, run in which.items()}
        found["searches"][name] = row
        print(name, json.dumps([round(x, 2) for x in row["fitted"]]), file=sys.stderr)
        for run, each in (row["runs"] | row["others"]).items():
            pairs = [f"{when} {each[when]['error']:.3f} ({each[when]['area']:.2f})" for when in each]
            print(f"{name} {run}: right {each['after']['right']:.2f}, {', '.join(pairs)}", file=sys.stderr)
    if options.plot:
        plot(found, options.plot)
    options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
