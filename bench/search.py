"""Searches on the same lattices (bench/lattices.py): the best path, letters, letters and words; rates, speed, memory.

Each run's language model is learned anew by today's code and tuned on the run's own held-out clips; the test clips are
then written down by each search in turn. `--kshot` puts the runs into a table of bench/kshot.py too, by the search that
`earful transcribe` has, in the place of the same runs by an earlier one.
    python bench/search.py --runs work/lattices-nl/*-50 --out bench/search_dutch.json
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from lattices import Kept, read, relearned
from torch import Tensor

from earful.checkpoint import Language
from earful.ctc.beam import Search
from earful.ctc.greedy import greedy
from earful.data.synthesis.sentences import read_sentences
from earful.kshot.machine import machine
from earful.text.score import score

HOP_S = 0.02
SEARCHED = {"test": "greedy", "test_ngram": "words"}


def searched(kept: Kept, language: Language, width: int) -> Callable[[Tensor], Sequence[int]]:
    search = Search(
        kept.checkpoint.config.alphabet.size, language.ngram, language.words, language.weight, language.bonus,
        width=width,
    )  # fmt: skip
    return lambda logp_FV: [emission.symbol for emission in search.hear(logp_FV).emissions]


def rates(kept: Kept, search: Callable[[Tensor], Sequence[int]]) -> dict:
    """CER and WER on the test clips, and how many times faster than the sound it was."""
    decode = kept.checkpoint.config.alphabet.decode
    search(kept.test[0])  # compiled, its tables made
    began = time.process_time()
    found = [decode(search(each)) for each in kept.test]
    seconds = time.process_time() - began
    scored = score(kept.references, found)
    return {"cer": scored.cer, "wer": scored.wer, "times_real_time": sum(map(len, kept.test)) * HOP_S / seconds}


def compared(folder: Path, texts: Sequence[str], widths: Sequence[int]) -> dict:
    """One run, by each search."""
    kept = read(folder)
    row = {key: kept.row[key] for key in ("base", "seed", "clips", "speech_s", "seconds", "steps", "rate")}
    row["language"] = kept.checkpoint.config.rules.language
    row["greedy"] = rates(kept, lambda logp_FV: [each.symbol for each in greedy(logp_FV.float())])
    words, letters = relearned(kept, texts)
    for width in widths:
        suffix = "" if width == widths[0] else f"_{width}"
        row[f"ngram{suffix}"] = rates(kept, searched(kept, letters, width))
        row[f"words{suffix}"] = rates(kept, searched(kept, words, width))
    row["fusion"] = {"ngram": [letters.weight, letters.bonus], "words": [words.weight, words.bonus]}
    row["shares"] = list(words.words.shares) if words.words else None
    row["known_words"] = len(words.words.known) if words.words else 0
    return row


def as_kshot(row: dict) -> dict:
    """A run as bench/kshot.py has it; its seconds are of adaptation in a process that had begun already."""
    kept = {key: row[key] for key in ("base", "seed", "clips", "speech_s", "seconds")}
    rates = {name: {key: row[of][key] for key in ("cer", "wer")} for name, of in SEARCHED.items()}
    return kept | {"wanted": row["clips"], "language": row["fusion"]["words"]} | rates


def replaced(before: Sequence[dict], rows: Sequence[dict]) -> list[dict]:
    """The rows of a table that none of the runs takes the place of."""
    new = {(row["base"], row["clips"], row["seed"]) for row in rows}
    return [row for row in before if (row["base"], row["wanted"], row["seed"]) not in new]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders that bench/lattices.py wrote")
    parser.add_argument("--text", type=Path, help="free text of the language, as the runs had it")
    parser.add_argument("--widths", type=int, nargs="+", default=[64])
    parser.add_argument("--kshot", type=Path, help="JSON of bench/kshot.py")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = read_sentences(options.text) if options.text else ()
    rows = []
    for folder in options.runs:
        rows.append(compared(folder, texts, options.widths))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    found = {"machine": machine(), "free_text": bool(texts), "rows": rows}
    found["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if options.kshot:
        table = json.loads(options.kshot.read_text("utf-8"))
        table["words"] = True
        table["rows"] = [*replaced(table["rows"], rows), *map(as_kshot, rows)]
        options.kshot.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
