"""What each ingredient of `adapt` is worth, on real speech: the same clips and seeds, one ingredient taken away.

Every variant adapts on the same K clips (one draw a seed) and is scored on the held-out levels, greedily but for the
language models, each of which goes with the full recipe. Differences to the full recipe are taken seed by seed. Rows of
an earlier run are kept, so an interrupted one goes on.

    python bench/ablation.py --corpus work/fillets-cs --text work/free-cs.txt --out bench/ablation_czech.json
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cells import Cells
from games import train_and_test

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.select import plan_for
from earful.checkpoint import load_checkpoint
from earful.data.synthesis.sentences import read_sentences
from earful.features.mask import SpecAugment
from earful.text.normalize import TextRules
from kshot import draw, frames_by, rates

PLANS: dict[str, Callable[[Plan], Plan]] = {
    "all": lambda plan: plan,
    "one fine-tuning alone": lambda plan: replace(plan, averaged=False),
    "letters without rules": lambda plan: replace(plan, letters="heard"),
    "letters from like letters": lambda plan: replace(plan, letters="like"),
    "random letters": lambda plan: replace(plan, letters="random"),
    "no augmented copies": lambda plan: replace(plan, copies=0),
    "no masks": lambda plan: replace(plan, masks=SpecAugment(0, 0, 0, 0)),
    "output layer alone": lambda plan: replace(plan, rate=1e-6, head_factor=plan.rate * plan.head_factor / 1e-6),
}


def languages(texts: Sequence[str]) -> dict[str, dict]:
    """What a language model may learn from, beside the transcripts."""
    return {
        "transcripts' n-gram": {"texts": (), "words": False},
        "word list's n-gram": {"texts": (), "words": True},
        "free text's n-gram": {"texts": texts, "words": False},
        "n-gram of both": {"texts": texts, "words": True},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True, help="free text of the language")
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--others", nargs="*", default=["work/synthetic"], help="bases made with less")
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--plans", nargs="+", default=list(PLANS))
    parser.add_argument("--languages", nargs="*", default=list(languages(())), help="language models")
    parser.add_argument("--language", help="its code, for the word list [default: that of the clips]")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    train, test = train_and_test(options.corpus)
    frames, texts = frames_by(options.base, test), read_sentences(options.text)
    bases = {name: load_checkpoint(name) for name in (options.base, *options.others)}
    rules = TextRules(language=options.language or train[0].language or "")
    cells = Cells(options.out, base=options.base, test_clips=len(test))

    def missing(clips: int, seed: int, variants: Sequence[str]) -> Iterator[str]:
        return (variant for *_, variant in cells.missing(clips=[clips], seed=[seed], variant=variants))

    def note(clips: int, seed: int, variant: str, found: dict) -> None:
        cells.add({"clips": clips, "seed": seed, "variant": variant} | found)

    for seed in options.seeds:
        for clips in options.clips:
            support = draw(train, clips, seed)
            full = plan_for(len(support), support.duration_s)
            for variant in missing(clips, seed, options.plans):
                plan = PLANS[variant](full)
                # Where the fine-tunings that measure have no part in the model, they need not be made.
                plan = plan if plan.averaged else replace(plan, folds=0)
                checkpoint, _ = adapt(bases[options.base], support, plan=plan, greedy=True, seed=seed, rules=rules)
                note(clips, seed, variant, rates(checkpoint, test, frames, greedy=True))
            with tempfile.TemporaryDirectory() as state:  # the second finds there what the first has learned
                for variant in missing(clips, seed, options.languages):
                    sources = languages(texts)[variant]
                    checkpoint, _ = adapt(
                        bases[options.base], support, plan=full, seed=seed, state=Path(state), rules=rules, **sources
                    )
                    note(clips, seed, variant, rates(checkpoint, test, frames, greedy=False))
            others = {f"from {Path(other).name}": other for other in options.others}
            for variant in missing(clips, seed, list(others)):
                plan = replace(full, folds=0)
                checkpoint, _ = adapt(bases[others[variant]], support, plan=plan, greedy=True, seed=seed, rules=rules)
                note(clips, seed, variant, rates(checkpoint, test, frames, greedy=True))


if __name__ == "__main__":
    main()
