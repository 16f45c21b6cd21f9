"""Sentences in the voices of two other synthesisers, Festival and Flite: units cut out of recordings of real people.

espeak-ng makes every voice by the same rules; these are of other throats. Random words of the word list, in twelve
voices of five languages, slower and faster; their phones are espeak-ng's rules', as for recordings. Never Czech.

    apt-get install festival flite festvox-{kallpc16k,kdlpc16k,us-slt-hts,italp16k,itapc16k,suopuhe-lj,suopuhe-mv} \\
        festvox-ru festvox-ca-ona-hts
    python bench/second_voices.py --minutes 12 work/voices
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from earful.audio.files import read, write
from earful.data.manifest import Manifest, write_manifest
from earful.data.synthesis.pronounce import PHONES, pronounce
from earful.data.synthesis.sentences import random_sentence
from earful.data.synthesis.words import Words, load_words
from earful.data.utterance import Utterance
from earful.errors import AudioError

SENTENCE_S = 4.5
BATCH = 40
SLOWEST, FASTEST = 1.25, 0.8


class Speaker(NamedTuple):
    """A voice of a program, its language, and the encoding of text that it reads."""

    program: str
    voice: str
    language: str
    encoding: str = "ascii"


SPEAKERS = (
    Speaker("flite", "awb", "en-us"),
    Speaker("flite", "rms", "en-us"),
    Speaker("flite", "slt", "en-us"),
    Speaker("festival", "kal_diphone", "en-us"),
    Speaker("festival", "ked_diphone", "en-us"),
    Speaker("festival", "cmu_us_slt_arctic_hts", "en-us"),
    Speaker("festival", "lp_diphone", "it", "latin-1"),
    Speaker("festival", "pc_diphone", "it", "latin-1"),
    Speaker("festival", "hy_fi_mv_diphone", "fi", "latin-1"),
    Speaker("festival", "suo_fi_lj_diphone", "fi", "latin-1"),
    Speaker("festival", "msu_ru_nsh_clunits", "ru", "utf-8"),
    Speaker("festival", "upc_ca_ona_hts", "ca", "latin-1"),
)


def sayable(words: Words, speaker: Speaker, generator: torch.Generator) -> str:
    """A random sentence without letters that the voice cannot read."""
    sentence = random_sentence(words, generator)
    kept = [word for word in sentence.split(" ") if _fits(word, speaker.encoding)]
    return " ".join(kept).replace('"', "").replace("\\", "") or sayable(words, speaker, generator)


def _fits(word: str, encoding: str) -> bool:
    try:
        word.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def say(speaker: Speaker, sentences: Sequence[str], stretches: Sequence[float], out: Path) -> None:
    """Write each sentence as `out/0.wav`, `out/1.wav` …; one that the program fails at has no file."""
    if speaker.program == "flite":
        for number, (sentence, stretch) in enumerate(zip(sentences, stretches, strict=True)):
            options = ["-voice", speaker.voice, "--setf", f"duration_stretch={stretch:.2f}"]
            subprocess.run(["flite", *options, "-t", sentence, "-o", str(out / f"{number}.wav")], check=False)
        return
    lines = [f"(voice_{speaker.voice})"]
    for number, (sentence, stretch) in enumerate(zip(sentences, stretches, strict=True)):
        lines.append(f"(Parameter.set 'Duration_Stretch {stretch:.2f})")
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{sentence}")) "{out / str(number)}.wav" \'riff)')
    script = out / "say.scm"
    script.write_bytes("\n".join(lines).encode(speaker.encoding))
    subprocess.run(["festival", "-b", str(script)], check=False, capture_output=True)


def spoken(speaker: Speaker, minutes: float, folder: Path, seed: int) -> Iterator[Utterance]:
    """The clips of one speaker, written under `folder`."""
    words, generator = load_words(speaker.language), torch.Generator().manual_seed(seed)
    name = f"{speaker.program}-{speaker.voice}"
    count = round(60 * minutes / SENTENCE_S)
    for first in range(0, count, BATCH):
        sentences = [sayable(words, speaker, generator) for _ in range(min(BATCH, count - first))]
        drawn = torch.rand(len(sentences), generator=generator).tolist()
        with tempfile.TemporaryDirectory() as made:
            say(speaker, sentences, [FASTEST + (SLOWEST - FASTEST) * each for each in drawn], Path(made))
            for number, sentence in enumerate(sentences):
                try:
                    samples_T = read(Path(made) / f"{number}.wav")
                except AudioError:
                    continue
                audio = folder / name / f"{first + number:05}.flac"
                audio.parent.mkdir(parents=True, exist_ok=True)
                write(audio, samples_T)
                key, duration_s = f"{name}/{first + number:05}", len(samples_T) / 16_000
                yield Utterance(key, audio, 0.0, duration_s, sentence, speaker.language, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=12.0, help="of speech of each voice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    if missing := [program for program in ("flite", "festival") if not shutil.which(program)]:
        sys.exit(f"{' and '.join(missing)} cannot be found; install the packages that this script names at its top")
    clips: list[Utterance] = []
    for place, speaker in enumerate(SPEAKERS):
        found = list(spoken(speaker, options.minutes, options.out, options.seed * 1000 + place))
        print(f"{speaker.voice}: {len(found)} clips", file=sys.stderr)
        clips += found
    told = pronounce(Manifest(tuple(clips))).filter(lambda u: PHONES in u.extra)
    write_manifest(options.out / "manifest.jsonl", told)
    print(f"{len(told)} clips, {told.duration_s / 60:.0f} minutes, {len(SPEAKERS)} voices")


if __name__ == "__main__":
    main()
