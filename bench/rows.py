"""What should the rows of a new alphabet start from? CER before any step and after adaptation, on synthetic speech.

The languages are ones that the base has never heard, two of them in scripts that it never wrote; each is spoken once by
espeak-ng, random words or the sentences of `--text CODE=FILE`. A third of the sentences are the test, K clips of the
others (one draw a seed) what is adapted to. Every start meets the same clips, copies and order. Rows of an earlier run
are kept. Never Czech.
The rules are those that the voice itself follows, so what they bring here flatters: `bench/ablation.py` has real speech
of a language. For Esperanto, Georgian and Kannada:

    python bench/names.py --language ka --out work/names-ka.txt
    python bench/names.py --language kn --out work/names-kn.txt
    python bench/rows.py --work work/rows --text ka=work/names-ka.txt kn=work/names-kn.txt --out bench/rows.json
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

import earful
from earful.adapt.adapt import ADAPTATION
from earful.adapt.clips import listen, vary
from earful.adapt.company import in_company
from earful.adapt.finetune import finetune
from earful.adapt.letters import heard_rows
from earful.adapt.rows import carry_rows, random_rows
from earful.adapt.select import plan_for
from earful.adapt.spelling import spelled, words_of
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.ctc.greedy import greedy_ids
from earful.data.batch import Example, collate
from earful.data.manifest import Manifest
from earful.data.synthesis.sentences import read_sentences
from earful.data.synthesis.speak import speak_corpus
from earful.kshot.machine import machine
from earful.model import PHONES, TEXT, AcousticModel, ModelConfig, Params, loss_of
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules
from earful.text.score import errors_of_each
from kshot import draw

Json = dict[str, Any]
Hearing = Mapping[str, Sequence[Tensor]]
ESPERANTO = Path(earful.__file__).parent / "cli" / "demo_esperanto.txt"
HELD_OUT = ("cs",)


class Task(NamedTuple):
    """What the starts of one language, K and seed have in common; `rules_VP`: by the words of the clips alone."""

    config: ModelConfig
    model: AcousticModel
    copies: list[list[Example]]
    speech_s: float
    heard: Hearing
    labels: Sequence[tuple[int, ...]]
    test: Sequence[tuple[Tensor, str]]
    rules_VP: Tensor | None
    text_rules_VP: Tensor | None


Start = Callable[[Checkpoint, Task, torch.Generator], Params]


def random_letters(base: Checkpoint, task: Task, generator: torch.Generator) -> Params:
    return random_rows(base.params, base.config.alphabet, task.config.alphabet, generator)


def like(base: Checkpoint, task: Task, generator: torch.Generator) -> Params:
    return carry_rows(base.params, base.config.alphabet, task.config.alphabet, generator)


def heard_by(*heads: str, rules: Callable[[Task], Tensor | None] = lambda task: None) -> Start:
    def start(base: Checkpoint, task: Task, generator: torch.Generator) -> Params:
        old, new, listening = base.config.alphabet, task.config.alphabet, {head: task.heard[head] for head in heads}
        return heard_rows(base.params, old, new, listening, task.labels, generator, rules(task))

    return start


def by_rules(base: Checkpoint, task: Task, generator: torch.Generator) -> Params:
    """By the rules alone: with transcripts of nothing, no clip says anything."""
    silent = task._replace(labels=[()] * len(task.labels))
    return heard_by(PHONES, rules=lambda task: task.rules_VP)(base, silent, generator)


STARTS: dict[str, Start] = {
    "random": random_letters,
    "like": like,
    "phones": heard_by(PHONES),
    "letters": heard_by(TEXT),
    "heard": heard_by(PHONES, TEXT),
    "rules": by_rules,
    "heard and rules": heard_by(PHONES, TEXT, rules=lambda task: task.rules_VP),
    "heard and rules, more text": heard_by(PHONES, TEXT, rules=lambda task: task.text_rules_VP),
}


def log_posteriors(model: torch.nn.Module, params: Params, frames_FM: Tensor, head: str = TEXT) -> Tensor:
    with torch.no_grad():
        logp_1FV, _ = functional_call(model, dict(params), (frames_FM[None], torch.tensor([len(frames_FM)]), head))
    return logp_1FV[0]


def cer(model: torch.nn.Module, params: Params, alphabet: Alphabet, test: Sequence[tuple[Tensor, str]]) -> float:
    """Greedy CER. A letter that the clips did not have is an error, as it is for a user."""
    model.eval()
    logp = (log_posteriors(model, params, frames_FM)[None] for frames_FM, _ in test)
    hypotheses = [alphabet.decode(greedy_ids(each, torch.tensor([each.shape[1]]))[0]) for each in logp]
    counts = [errors.characters for errors in errors_of_each([text for _, text in test], hypotheses)]
    return sum(c.errors for c in counts) / sum(c.length for c in counts)


def spoken(language: str, text: Path | None, options: argparse.Namespace) -> tuple[Manifest, Manifest]:
    """Support and test, which share no sentence; spoken in the folder `work`, once."""
    manifest, _ = speak_corpus(
        [language], options.work / language, clips=options.corpus_clips, text=text, seed=0, workers=1
    )
    texts = list(dict.fromkeys(u.text for u in manifest))
    held = set(texts[: len(texts) // 3])
    return manifest.filter(lambda u: u.text not in held), manifest.filter(lambda u: u.text in held)


def task_of(base: Checkpoint, support: Manifest, test: Manifest, text: Sequence[str], copies: int, seed: int) -> Task:
    """Everything computed once: features, augmented copies, what the base hears, what the rules say."""
    base = in_company(base, support)
    untold, base_model = lambda stage, done, total: None, base.build()
    front = base_model.frames_of
    ours, others = listen(support, base.config, front, untold), listen(test, base.config, front, untold)
    rules = TextRules(language=support[0].language or "")
    config = replace(base.config, alphabet=Alphabet.learn(ours.texts), rules=rules)
    examples = vary(ours, config, front, copies=copies, augmentation=ADAPTATION, seed=seed, tell=untold)
    heads = [TEXT] if config.phones is None else [TEXT, PHONES]
    heard = {head: [log_posteriors(base_model, base.params, frames, head) for frames in ours.frames] for head in heads}
    return Task(
        config,
        AcousticModel(config),
        examples,
        ours.frame_count * config.features.hop_s,
        heard,
        [each[0].labels for each in examples],
        list(zip(others.frames, others.texts, strict=True)),
        spelled(words_of(ours.texts, (), config), config),
        spelled(words_of(ours.texts, sorted(set(text) - {u.text for u in test}), config), config),
    )


def one(base: Checkpoint, task: Task, name: str, steps: int | None, seed: int, tune: bool) -> Json:
    """A start measured: before any step, and where asked after fine-tuning on all clips."""
    alphabet, began = task.config.alphabet, time.process_time()
    start = STARTS[name](base, task, torch.Generator().manual_seed(seed))
    row: Json = {"start": name, "start_cpu_s": round(time.process_time() - began, 2)}
    task.model.eval()
    with torch.no_grad():
        row["support_loss"] = float(loss_of(task.model)(start, collate([copies[0] for copies in task.copies])))
    row["cer_before"] = cer(task.model, start, alphabet, task.test)
    if tune:
        plan = replace(plan_for(len(task.copies), task.speech_s), folds=0, evaluations=1)
        plan, began = replace(plan, steps=steps or plan.steps), time.process_time()
        tuned = finetune(task.model, start, task.copies, [], alphabet, plan, seed=seed)
        row |= {"steps": plan.steps, "tune_cpu_s": round(time.process_time() - began, 1)}
        row["cer_after"] = cer(task.model, tuned.params, alphabet, task.test)
    return row


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="earful-base", help="a shipped base or the folder of one")
    parser.add_argument("--work", type=Path, required=True, help="where the languages are spoken, or were")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", default=["eo", "ka", "kn"])
    parser.add_argument(
        "--text", nargs="+", default=[], metavar="CODE=FILE", help="sentences, where no words are known"
    )
    parser.add_argument("--clips", type=int, nargs="+", default=[5, 10, 50])
    parser.add_argument("--corpus-clips", type=int, default=150, help="how many are spoken of each language")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--starts", nargs="+", default=list(STARTS), choices=STARTS)
    parser.add_argument("--tune", nargs="*", default=list(STARTS), help="the starts to fine-tune too")
    parser.add_argument("--steps", type=int, help="steps of fine-tuning, if not those of the plan")
    options = parser.parse_args()
    if held := set(options.languages) & set(HELD_OUT):
        parser.error(f"{', '.join(held)} is held out, and picks no setting; name other languages")
    options.text = {"eo": ESPERANTO} | {code: Path(file) for code, _, file in (t.partition("=") for t in options.text)}
    return options


def main() -> None:
    options = arguments()
    base = load_checkpoint(options.base)
    rows = json.loads(options.out.read_text("utf-8"))["rows"] if options.out.exists() else []

    def has(where: Json, name: str) -> bool:
        mine = (row for row in rows if where | {"start": name} == {key: row[key] for key in (*where, "start")})
        return any("cer_after" in row or name not in options.tune for row in mine)

    for seed, clips, language in itertools.product(options.seeds, options.clips, options.languages):
        where = {"language": language, "clips": clips, "seed": seed}
        wanted = [name for name in options.starts if not has(where, name)]
        if not wanted:
            continue
        support, test = spoken(language, options.text.get(language), options)
        support = draw(support, clips, seed)
        text = read_sentences(options.text[language]) if language in options.text else []
        copies = plan_for(clips, support.duration_s).copies if set(wanted) & set(options.tune) else 0
        task = task_of(base, support, test, text, copies, seed)
        for name in wanted:
            rows = [row for row in rows if where | {"start": name} != {key: row[key] for key in (*where, "start")}]
            rows.append(where | one(base, task, name, options.steps, seed, name in options.tune))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
            facts = {"machine": machine(), "base": Path(options.base).name, "speech": "espeak-ng", "rows": rows}
            options.out.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
