"""What other speech beside the clips is worth: sentences that a synthesiser says, recordings without transcripts.

Every variant adapts on the same K clips (one draw a seed) and is scored on the held-out levels, greedily and with the
n-gram of transcripts, free text and word list, whose weight and bonus are here those of experience for all (as with few
clips they nearly are). "more steps" has the steps of those with other speech, without it. The recordings without
transcripts are training clips that were not drawn, their texts unread. Rows of an earlier run are kept.

    python bench/beside.py --base work/synthetic --corpus work/fillets-nl --out bench/beside_dutch.json
    python bench/beside.py --corpus work/fillets-cs --text work/free-cs.txt --out bench/beside_czech.json
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cells import Cells
from games import train_and_test
from torch import Tensor

from earful.adapt.adapt import adapt
from earful.adapt.beside import plan_beside
from earful.adapt.language import listed
from earful.adapt.select import plan_for
from earful.adapt.spoken import spoken
from earful.adapt.unlabelled import LEAST, believed
from earful.checkpoint import Checkpoint, Language, load_checkpoint
from earful.ctc.ngram import learn, mix_with
from earful.data.manifest import Manifest
from earful.data.synthesis.sentences import read_sentences
from earful.text.normalize import TextRules, normalize
from kshot import draw, frames_by, rates

VARIANTS = ("usual", "more steps", "spoken", "unlabelled", "both")
WEIGHT, BONUS = 1.0, 1.5


class Ground(NamedTuple):
    base: Checkpoint
    train: Manifest
    test: Manifest
    frames: list[Tensor]
    texts: tuple[str, ...]
    spoken: int
    unlabelled: int
    least: float
    work: Path


def with_language(found: Checkpoint, clips: Manifest, texts: tuple[str, ...]) -> Checkpoint:
    """The recogniser with a language model of all that there is to read."""
    rules, alphabet = found.config.rules, found.config.alphabet
    transcripts = [normalize(u.text or "", rules) for u in clips]
    sources = [[normalize(t, rules) for t in lines] for lines in (texts, listed(rules.language)) if lines]
    ngram = mix_with(transcripts, [learn(lines, alphabet) for lines in sources])
    return replace(found, language=Language(ngram, WEIGHT, BONUS))


def said(ground: Ground, clips: Manifest, seed: int) -> Manifest:
    folder = ground.work / f"{ground.base.config.rules.language}-{seed}"
    return spoken(ground.base, ground.spoken, ground.texts, clips, folder=folder, seed=seed, tell=lambda *_: None)


def adapted(ground: Ground, clips: Manifest, variant: str, seed: int) -> tuple[Checkpoint, dict[str, Any]]:
    """One variant; what was believed of the recordings is that of the recogniser without them."""
    plan = replace(plan_for(len(clips), clips.duration_s), folds=0)
    plan = plan if variant == "usual" else plan_beside(plan)
    beside = said(ground, clips, seed) if variant in ("spoken", "both") else Manifest(())
    facts: dict[str, Any] = {"spoken_s": round(beside.duration_s, 1), "believed_s": 0.0}
    if variant in ("unlabelled", "both"):
        first, _ = adapt(ground.base, clips, plan=plan, greedy=True, beside=beside, seed=seed)
        known = {u.id for u in clips}
        rest = draw(ground.train.filter(lambda u: u.id not in known), ground.unlabelled, seed)
        found = believed(with_language(first, clips, ground.texts), rest, least=ground.least, tell=lambda *_: None)
        facts |= {"unlabelled_s": round(rest.duration_s, 1), "believed_s": round(found.duration_s, 1)}
        beside = Manifest((*beside, *found))
    made, _ = adapt(ground.base, clips, plan=plan, greedy=True, beside=beside, seed=seed)
    return with_language(made, clips, ground.texts), facts | {"steps": plan.steps}


def measured(ground: Ground, found: Checkpoint) -> Mapping[str, float]:
    greedy, search = (rates(found, ground.test, ground.frames, greedy=g)["cer"] for g in (True, False))
    return {"cer": round(greedy, 4), "cer_ngram": round(search, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--text", type=Path, help="free text of the language, which is said and read")
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--spoken", type=int, default=400, help="sentences")
    parser.add_argument("--unlabelled", type=int, default=400, help="clips without transcripts")
    parser.add_argument("--least", type=float, default=LEAST, help="confidence from which a transcript is believed")
    parser.add_argument("--work", type=Path, default=Path("work/beside"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    train, test = train_and_test(options.corpus)
    base, language = load_checkpoint(options.base), train[0].language or ""
    base = replace(base, config=replace(base.config, rules=TextRules(language=language)))
    texts = read_sentences(options.text) if options.text else ()
    frames = frames_by(options.base, test)
    ground = Ground(base, train, test, frames, texts, options.spoken, options.unlabelled, options.least, options.work)
    cells = Cells(options.out, base=options.base, test_clips=len(test))
    for seed, count, variant in cells.missing(seed=options.seeds, clips=options.clips, variant=options.variants):
        began = time.process_time()
        found, facts = adapted(ground, draw(train, count, seed), variant, seed)
        facts |= {"process_s": round(time.process_time() - began, 1)} | measured(ground, found)
        cells.add({"clips": count, "seed": seed, "variant": variant} | facts)


if __name__ == "__main__":
    main()
