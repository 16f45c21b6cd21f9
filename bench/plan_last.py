"""Of few clips each part is measured by a fine-tuning of the others. Does one more, of all clips, bring anything?

Real Dutch, a base that has not heard it. For each draw: CER on held-out levels, by the best path, of the fine-tunings
that measure (each alone, in the mean), of the mean of their weights, of one of all clips, and of the mean of all.

    python bench/plan_last.py --base work/plan-base --corpus work/fillets-nl --seeds 30 31 32 --out bench/plan_last.json
"""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from cells import Cells, arguments
from games import train_and_test

from earful.adapt import adapt as adaptation
from earful.adapt.finetune import cer_of, finetune
from earful.adapt.select import split_folds
from earful.adapt.start import start_from
from earful.data.batch import Example
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.model import AcousticModel, Params, ears_of
from earful.text.normalize import normalize
from earful.trees import mean
from kshot import draw


def examples(clips: Manifest, model: AcousticModel, params: Params) -> list[Example]:
    """The test clips as this model hears them; letters that it cannot write are not asked for."""
    alphabet, rules = model.config.alphabet, model.config.rules
    model.load_state_dict(params)
    texts = ("".join(c for c in normalize(u.text or "", rules) if c in alphabet.symbols) for u in clips)
    heard = compute_clips(list(clips), ears_of(model))
    return [Example(c.frames_FM, tuple(alphabet.encode(text))) for c, text in zip(heard, texts, strict=True)]


def measured(base_name: str, clips: Manifest, test: Manifest, seed: int) -> dict[str, Any]:
    """CER on the test clips of all the ways, for one draw of clips."""
    base = start_from(base_name, [u.text or "" for u in clips], {"language": clips[0].language or ""}, seed)
    ready = adaptation.prepare(base, clips, rules=None, plan=None, seed=seed, tell=lambda *told: None)
    task, every = adaptation.task_of(base, ready, seed, None, lambda *told: None), list(range(len(ready.copies)))
    model, alphabet, plan = task.model, ready.config.alphabet, replace(ready.plan, evaluations=1)
    heard = examples(test, model, ready.start(every))

    def tuned(learn: list[int]) -> Params:
        copies = [ready.copies[i] for i in learn]
        return finetune(model, ready.start(learn), copies, [], alphabet, plan, seed=seed).params

    def rate(params: Params) -> float:
        return cer_of(model, params, heard, alphabet)

    folds = split_folds(ready.apart.groups, plan, torch.Generator().manual_seed(seed))
    parts, last = [tuned(learn) for learn, _ in folds], tuned(every)
    row = {"parts": len(folds), "alone": statistics.mean(map(rate, parts)), "mean": rate(mean(parts))}
    return row | {"last": rate(last), "with_last": rate(mean([*parts, last]))}


def main() -> None:
    options = arguments(__doc__, clips=[5, 10, 20], test_clips=90).parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    test = draw(test, options.test_clips, 0)
    cells = Cells(options.out, base=Path(options.base).name, corpus=options.corpus.name, test_clips=len(test))
    for seed, count in cells.missing(seed=options.seeds, clips=options.clips):
        cells.add({"clips": count, "seed": seed, **measured(options.base, draw(train, count, seed), test, seed)})


if __name__ == "__main__":
    main()
