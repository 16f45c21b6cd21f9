"""One clip to ten: what are letters worth that the clips lack, and how fast should the steps be?

Real Dutch, on a base that has never heard it (recipes/base/synthetic.toml); Czech picks nothing. A letter that no clip
has takes no part in the fine-tuning, so one run tells what it does to write it or not: "clips" writes those of the
clips alone, "language" those of the word list too, "rarer" these as likely as they are among the letters of their
sound, which is what `earful adapt` does.

    python bench/few.py --base work/synthetic --corpus work/fillets-nl --out bench/few.json
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from earful.adapt.adapt import Prepared, prepare
from earful.adapt.finetune import finetune
from earful.adapt.letters import rarer
from earful.adapt.rows import BIAS
from earful.adapt.spelling import spelled
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.manifest import Manifest, read_manifest
from earful.kshot.machine import machine
from earful.model import AcousticModel, Params
from earful.text.normalize import TextRules
from kshot import draw, frames_by, rates

NEVER = -1e4


def writing(ready: Prepared, params: Params) -> Mapping[str, Params]:
    """The parameters that write the clips' letters alone; all, each as if alone with its sound; all, as adapted."""
    met = {label for copies in ready.copies for label in copies[0].labels}
    lacking_V = torch.tensor([place not in met for place in range(1, ready.config.alphabet.size)])
    rules_VP = spelled(ready.words, ready.config)
    assert rules_VP is not None

    def shifted(shift_V: Tensor) -> Params:
        bias_V = params[BIAS].clone()
        bias_V[1:] += torch.where(lacking_V, shift_V, 0.0)
        return {**params, BIAS: bias_V}

    silenced = shifted(torch.full((len(lacking_V),), NEVER))
    return {"clips": silenced, "language": shifted(-rarer(rules_VP)), "rarer": params}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--language", default="nl")
    parser.add_argument("--clips", type=int, nargs="+", default=[1, 2, 5, 10])
    parser.add_argument("--rates", type=float, nargs="+", default=[5e-4, 2e-4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--test-clips", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    base, rules = load_checkpoint(options.base), TextRules(language=options.language)
    train, test = (read_manifest(options.corpus / f"{part}.jsonl") for part in ("train", "test"))
    test = Manifest(tuple(test)[: options.test_clips])
    frames, rows = frames_by(str(options.base), test), list[dict]()
    for clips in options.clips:
        for seed in options.seeds:
            support = draw(train, clips, seed)
            ready = prepare(base, support, rules=rules, plan=None, seed=seed, tell=lambda *told: None)
            start, model = ready.start(range(len(ready.copies))), AcousticModel(ready.config)
            for rate in options.rates:
                plan = replace(ready.plan, rate=rate, folds=0, evaluations=1)
                tuned = finetune(model, start, ready.copies, [], ready.config.alphabet, plan, seed=seed)
                for written, params in writing(ready, tuned.params).items():
                    found = rates(Checkpoint(ready.config, params), test, frames, greedy=True)
                    rows.append({"clips": clips, "seed": seed, "rate": rate, "written": written, "cer": found["cer"]})
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            facts = {"machine": machine(), "base": options.base.name, "test_clips": len(test), "rows": rows}
            options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
