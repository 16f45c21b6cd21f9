"""Transcripts for recordings that have none, by a base that knows their language from synthetic speech (self-training).

The base's rows of the language's letters, and a character n-gram of the language's word list, make a recogniser of it
(Lee 2013, "Pseudo-Label"; Kahn et al. 2020, with a language model). Only what it is sure of is kept, and pronounced.

    python recipes/base/pseudo_labels.py --model work/synthetic work/prompts/manifest.jsonl work/prompts/pseudo.jsonl
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from earful.adapt.company import in_company
from earful.adapt.language import listed
from earful.adapt.rows import carry_rows
from earful.adapt.unlabelled import believed
from earful.checkpoint import Checkpoint, Language, load_checkpoint
from earful.ctc.ngram import learn
from earful.data.manifest import Manifest, read_manifest, write_manifest
from earful.data.synthesis.pronounce import PHONES, pronounce
from earful.data.utterance import Utterance
from earful.text.alphabet import Alphabet
from earful.text.normalize import normalize

WEIGHT, BONUS = 0.75, 1.5
RAREST = 1e-4  # of all letters: those below are of foreign words


def unheard(base: Checkpoint, language: str) -> Checkpoint:
    """A recogniser of a language of which no clip is there: only its word list."""
    rules = replace(base.config.rules, language=language)
    lines = [normalize(line, rules) for line in listed(language)]
    if not lines:
        sys.exit(f"there is no word list for {language!r}; leave its clips out")
    counts = Counter("".join(lines))
    known = [c for c in base.config.alphabet.symbols if counts[c] >= RAREST * counts.total()]
    alphabet = Alphabet(tuple(known))
    params = carry_rows(base.params, base.config.alphabet, alphabet, torch.Generator().manual_seed(0))
    config = replace(base.config, rules=rules, alphabet=alphabet)
    return Checkpoint(config, params, {}, Language(learn(lines, alphabet), WEIGHT, BONUS))


def labelled(base: Checkpoint, clips: Manifest, least: float) -> Iterator[Utterance]:
    """The clips with what they seem to say, those whose confidence is at least `least`."""
    for language, part in clips.group_by(lambda u: u.language or "").items():
        heard = in_company(base, part)  # of people who speak the language
        yield from believed(unheard(heard, language), part, least=least, letters=1, tell=lambda *_: None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="the base that listens")
    parser.add_argument("--least", type=float, default=0.6, help="confidence from which a transcript is believed")
    parser.add_argument("clips", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    clips = read_manifest(options.clips)
    found = Manifest(tuple(labelled(load_checkpoint(options.model), clips, options.least)))
    told = pronounce(found).filter(lambda u: PHONES in u.extra)
    write_manifest(options.out, told)
    print(f"{len(told)} of {len(clips)} clips, {told.duration_s / 60:.0f} of {clips.duration_s / 60:.0f} minutes")


if __name__ == "__main__":
    main()
