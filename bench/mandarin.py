"""Mandarin from K clips: characters learned one by one, or through pinyin and a lexicon. Error rates on new sentences.

The speech is espeak-ng's, which the base has heard in other languages, never in this one; no real voice is in it. The
sentences are random words of the word list (none made up): the hardest case for a lexicon that knows only how frequent
words are, for no word tells anything of the next. Test sentences and voices are of another draw. Each way adapts as
`earful adapt` does, with its language model; the rows that are there are kept, so an interrupted run goes on.

    python bench/mandarin.py --work work/mandarin --out bench/mandarin.json
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cells import Cells
from torch import Tensor

from earful.adapt.adapt import adapt
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.data.synthesis.speak import speak_corpus
from earful.data.synthesis.words import word_frequencies
from earful.recognizer import Recognizer
from earful.text.choices import Writing
from earful.text.normalize import TextRules, as_written, normalize
from earful.text.pinyin import between_scripts, toneless
from earful.text.score import score
from earful.text.vocabulary import make_lexicon
from kshot import draw, heard_by

WAYS: tuple[Writing, ...] = ("given", "characters")


def spoken(work: Path, clips: int, test: int) -> tuple[Manifest, Manifest]:
    """Clips to draw from, and test clips of other sentences; spoken once."""
    held, _ = speak_corpus(["cmn"], work / "test", clips=test, invented=0.0, seed=1, workers=1)
    never = sorted({u.text or "" for u in held})
    return speak_corpus(["cmn"], work / "clips", clips=clips, invented=0.0, exclude=never, workers=1)[0], held


def rates(model: Checkpoint, test: Manifest, frames: Sequence[Tensor]) -> dict[str, object]:
    """Error rates of characters, and where it hears pinyin of that, with tones and without."""
    frames = heard_by(model, test, frames)
    found = {"cer": _cer(model, test, frames)}
    if model.config.rules.writing == "characters":
        pinyin = replace(model, config=replace(model.config, rules=replace(model.config.rules, writing="pinyin")))
        found["pinyin"] = _cer(pinyin, test, frames)
        heard = [" ".join(_plain(text)) for text in _heard(pinyin, frames)]
        said = [" ".join(_plain(normalize(u.text or "", pinyin.config.rules))) for u in test]
        found["toneless"] = score(said, heard).cer
    return found


def _cer(model: Checkpoint, test: Manifest, frames: Sequence[Tensor]) -> float:
    written = list(Recognizer(model).transcribe_many(frames))
    return score([as_written(u.text or "", model.config.rules) for u in test], written).cer


def _heard(model: Checkpoint, frames: Sequence[Tensor]) -> list[str]:
    """In the form that the model learns, where the tone is a letter of its own."""
    return [normalize(text, model.config.rules) for text in Recognizer(model).transcribe_many(frames)]


def _plain(pinyin: str) -> list[str]:
    return [toneless(syllable)[0] for syllable in pinyin.split()]


def perfect(test: Manifest) -> float:
    """What the lexicon alone gets wrong: CER of the characters that it writes for pinyin without an error."""
    lexicon, rules = make_lexicon(word_frequencies("zh"), []), TextRules(language="zh", writing="characters")
    written = [" ".join(each.text for each in lexicon.write(normalize(u.text or "", rules).split())) for u in test]
    return score([as_written(u.text or "", rules) for u in test], [between_scripts(text) for text in written]).cer


def one(base: Checkpoint, way: Writing, support: Manifest, seed: int) -> tuple[Checkpoint, dict[str, object]]:
    """Adapt, and what that took."""
    began = time.process_time()
    rules = TextRules(language="zh", writing=way)
    model, report = adapt(replace(base, config=replace(base.config, rules=rules)), support, rules=rules, seed=seed)
    about = {"clips": report.clips, "speech_s": round(report.speech_s, 1), "letters": model.config.alphabet.size - 1}
    return model, about | {"process_s": round(time.process_time() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="earful-base", help="a shipped base or the folder of one")
    parser.add_argument("--work", type=Path, required=True, help="where Mandarin is spoken, or was")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 50, 200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--corpus-clips", type=int, default=300, help="how many there are to draw from")
    parser.add_argument("--test-clips", type=int, default=60)
    options = parser.parse_args()
    base = load_checkpoint(options.base)
    clips, test = spoken(options.work, options.corpus_clips, options.test_clips)
    frames = [clip.frames_FM for clip in compute_clips(test, Recognizer(base).frames_of)]
    cells = Cells(options.out, base=options.base, test_clips=len(test), perfect=perfect(test))
    cells.found["test_s"] = round(sum(u.duration_s or 0 for u in test), 1)
    for seed, wanted, way in cells.missing(seed=options.seeds, wanted=options.clips, way=WAYS):
        model, row = one(base, way, draw(clips, wanted, seed), seed)
        cells.add({"way": way, "wanted": wanted, "seed": seed} | row | rates(model, test, frames))


if __name__ == "__main__":
    main()
