"""Speed of the search in one run, interleaved: an earlier earful's, today's with letters, with words, a library's.

Each takes its turn on the lattices of one run of bench/lattices.py, in a process of its own, one thread; medians of
several turns, and the memory that language model and search hold in the end. flashlight-text's lexicon is
closed and without KenLM, of which there is no wheel, it has no language model: its rate says what that costs.

    git worktree add /tmp/before COMMIT
    pip install flashlight-text==0.0.7
    python bench/search_speed.py --run work/lattices-nl/0-50 --before /tmp/before/src --out bench/search_speed.json
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from earful.checkpoint import Checkpoint, load_checkpoint
from earful.text.score import score

HOP_S, TURNS = 0.02, 3
Decode = Callable[[Tensor], str]


def searched(model: Path, words: bool) -> Decode:
    """Today's search: with what is known of words, or without."""
    from earful.ctc.beam import Search

    checkpoint = load_checkpoint(model)
    language, alphabet = checkpoint.language, checkpoint.config.alphabet
    search = Search(alphabet.size, language.ngram, language.words if words else None, language.weight, language.bonus)
    return lambda logp_FV: alphabet.decode([each.symbol for each in search.hear(logp_FV).emissions])


def relearn(run: Path, model: Path) -> None:
    """A model of the run whose language knows words."""
    from lattices import read, relearned

    from earful.checkpoint import save_checkpoint

    kept = read(run)
    save_checkpoint(model, replace(kept.checkpoint, language=relearned(kept, ())[0]))


def before(checkpoint: Checkpoint) -> Decode:
    """The search of an earlier earful, by the function that it had."""
    from earful.ctc.beam import beam_search

    language, decode = checkpoint.language, checkpoint.config.alphabet.decode
    more = {"weight": language.weight, "bonus": language.bonus}
    return lambda logp_FV: decode([each.symbol for each in beam_search(logp_FV, language.ngram, **more)])


def flashlight(checkpoint: Checkpoint) -> Decode:
    """flashlight-text's search for the words of the language's list, each as likely."""
    from flashlight.lib.text import decoder as fl

    from earful.adapt.language import listed
    from earful.ctc.words import listed_words

    alphabet, rules = checkpoint.config.alphabet, checkpoint.config.rules
    known, listing = set(alphabet.symbols) - {" "}, listed(rules.language, rules)
    words = [word for word in listed_words(listing.frequencies).words if known.issuperset(word)]
    space, lm = alphabet.encode(" ")[0], fl.ZeroLM()
    trie, state = fl.Trie(alphabet.size, space), lm.start(False)
    for number, word in enumerate(words):
        _, p = lm.score(state, number)
        trie.insert([*alphabet.encode(word), space], number, p)
    trie.smear(fl.SmearingMode.MAX)
    options = fl.LexiconDecoderOptions(96, alphabet.size, 50.0, 1.0, 0.0, -1e9, 0.0, True, fl.CriterionType.CTC)
    decoder = fl.LexiconDecoder(options, trie, lm, space, 0, len(words), [], False)

    def decode(logp_FV: Tensor) -> str:
        logp = np.ascontiguousarray(logp_FV.float().numpy())
        best = decoder.decode(logp.ctypes.data, *logp.shape)[0]
        return " ".join(words[number] for number in best.words if 0 <= number < len(words))

    return decode


def measured(run: Path, name: str, model: Path) -> dict:
    """One search's turn: rates, how many times faster than the sound, memory."""
    torch.set_num_threads(1)
    checkpoint, arrays = load_checkpoint(run / "model"), np.load(run / "test.npz")
    clips = torch.from_numpy(arrays["logp_FV"]).split(arrays["counts_N"].tolist())
    start_mb = memory_mb()
    if name == "flashlight":
        decode = flashlight(checkpoint)
    else:
        decode = before(checkpoint) if name == "before" else searched(model, words=name == "words")
    decode(clips[0])
    began = time.process_time()
    found = [decode(clip) for clip in clips]
    seconds = time.process_time() - began
    scored = score([str(text) for text in arrays["texts"]], found)
    speed, taken_mb = sum(map(len, clips)) * HOP_S / seconds, memory_mb() - start_mb
    return {"times_real_time": speed, "memory_mb": taken_mb, "cer": scored.cer, "wer": scored.wer}


def memory_mb() -> float:
    """What this process holds (Linux): its peak would be that of loading the model."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a folder that bench/lattices.py wrote")
    parser.add_argument("--before", type=Path, help="the src of an earlier earful")
    parser.add_argument("--searches", nargs="+", default=["before", "letters", "words", "flashlight"])
    parser.add_argument("--one", help="measure one search only, and print it")
    parser.add_argument("--model", type=Path, help="for that, a model whose language knows words")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.run, options.one, options.model)))
        return
    from earful.kshot.machine import machine

    turns: dict[str, list[dict]] = {name: [] for name in options.searches}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        relearn(options.run, model)
        for name, found in [*turns.items()] * TURNS:
            path = {"PYTHONPATH": str(options.before)} if name == "before" else {}
            command = [sys.executable, __file__, "--run", str(options.run), "--one", name, "--model", str(model)]
            done = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, encoding="utf-8")
            if done.returncode:
                raise SystemExit(done.stderr)
            found.append(json.loads(done.stdout))
            print(name, done.stdout, end="", file=sys.stderr)
    rows = {name: {key: statistics.median(t[key] for t in found) for key in found[0]} for name, found in turns.items()}
    out = {"machine": machine(), "run": options.run.name, "turns": TURNS, "rows": rows}
    options.out.write_text(json.dumps(out, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
