"""Is the rate that `earful adapt` prints that of new sentences of the same voices, where clips have much in common?

Cases that fooled a measure which held clips out one by one: sentences that every voice reads, copies of one clip, spans
of one recording, sentences that come again. Finnish by espeak-ng, in several of its voices; none of its sentences is
random words alone: they come from the list's frequencies. Each run is compared with 60 new sentences of its voices: by
the best path, and with the language model; `inside` says whether the printed interval holds it.

    python bench/believed.py --out bench/believed.json
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from cells import Cells

from earful.adapt.adapt import adapt
from earful.adapt.start import start_from
from earful.audio.files import SAMPLE_RATE_HZ
from earful.data.manifest import Manifest
from earful.data.synthesis.espeak import speak
from earful.data.synthesis.sentences import random_sentence
from earful.data.synthesis.speech import Voice
from earful.data.synthesis.words import load_words
from earful.data.utterance import Utterance
from earful.evaluate import evaluate
from earful.recognizer import Recognizer

LANGUAGE, NEW = "fi", 60
VOICES = (Voice(LANGUAGE), Voice(LANGUAGE, "f2", speed_wpm=160), Voice(LANGUAGE, "m3", pitch=40, speed_wpm=190))


class Said(NamedTuple):
    """A sentence, by which voice, and in which format it is kept."""

    text: str
    voice: int
    format: str = "wav"


def twenty_by_two(sentence: Callable[[], str]) -> list[Said]:
    return [Said(text, voice) for text in [sentence() for _ in range(20)] for voice in (0, 1)]


def four_by_three(sentence: Callable[[], str]) -> list[Said]:
    return [Said(text, voice) for text in [sentence() for _ in range(4)] for voice in (0, 1, 2)]


def copies_of_ten(sentence: Callable[[], str]) -> list[Said]:
    """Ten sentences; three of them five times, in other formats, and not always with the same transcript."""
    texts = [sentence() for _ in range(10)]
    return [Said(text, 0) for text in texts] + [
        Said(f"{text}{' ja' * (form == 'ogg')}", 0, form)
        for text in texts[:3]
        for form in ("mp3", "ogg", "flac", "quiet")
    ]


def one_recording(sentence: Callable[[], str]) -> list[Said]:
    return [Said(sentence(), 0, "span") for _ in range(30)]


def a_third_again(sentence: Callable[[], str]) -> list[Said]:
    texts = [sentence() for _ in range(27)]
    return [Said(text, n % 3) for n, text in enumerate([*texts, *texts[:13]])]


CASES = (twenty_by_two, four_by_three, copies_of_ten, one_recording, a_third_again)


def kept(folder: Path, clips: list[Said], seed: int) -> Manifest:
    """The clips as files; spans follow each other in one recording and overlap a little, as cut by hand."""
    folder.mkdir()
    found, whole, at = [], [], 0
    for n, each in enumerate(clips):
        samples = sound(each, seed)
        form = each.format if each.format in ("mp3", "ogg", "flac") else "wav"
        path = folder / f"{n}.{form}"
        if each.format == "span":
            start_s, at = at / SAMPLE_RATE_HZ, at + len(samples)
            whole.append(samples)
            path = folder / "whole.wav"
            found.append(Utterance(str(n), path, max(0.0, start_s - 0.1), len(samples) / SAMPLE_RATE_HZ, each.text))
            continue
        soundfile.write(path, samples * (0.2 if each.format == "quiet" else 1.0), SAMPLE_RATE_HZ)
        found.append(Utterance(str(n), path, text=each.text, duration_s=len(samples) / SAMPLE_RATE_HZ))
    if whole:
        soundfile.write(folder / "whole.wav", np.concatenate(whole), SAMPLE_RATE_HZ)
    return Manifest(tuple(replace(u, language=LANGUAGE) for u in found))


def sound(said: Said, seed: int) -> np.ndarray:
    """The sentence, in a room as loud as real ones."""
    samples = speak(said.text.removesuffix(" ja") if said.format == "ogg" else said.text, VOICES[said.voice]).samples_T
    noise = np.random.default_rng([seed, len(samples)]).standard_normal(len(samples))
    return (samples + 0.02 * float(np.std(samples)) * 10 * noise).astype(np.float32)


def one(case: Callable[..., list[Said]], base: str, seed: int, folder: Path) -> dict[str, Any]:
    generator, words, used = torch.Generator().manual_seed(1000 + seed), load_words(LANGUAGE), set[str]()

    def sentence() -> str:
        while (text := random_sentence(words, generator)) in used or any(c.isdigit() for c in text):
            pass
        used.add(text)
        return text

    said = case(sentence)
    voices = sorted({each.voice for each in said})
    clips = kept(folder / "clips", said, seed)
    new = kept(folder / "new", [Said(sentence(), voices[n % len(voices)]) for n in range(NEW)], seed + 500)
    start = start_from(base, (u.text or "" for u in clips), {"language": LANGUAGE}, seed)
    checkpoint, report = adapt(start, clips, seed=seed)
    row: dict[str, Any] = {"case": case.__name__, "seed": seed, "clips": len(clips), "measured": report.measured}
    for name, greedy, rate, bounds in (
        ("best_path", True, report.cer_after, getattr(report, "interval_95", None)),
        ("language", False, report.cer_with_language, getattr(report, "language_interval_95", None)),
    ):
        truth = evaluate(Recognizer(checkpoint, greedy=greedy), new).score.cer
        inside = bounds and bounds[0] <= truth <= bounds[1]
        row[name] = {"printed": rate, "interval_95": bounds, "new_sentences": truth, "inside": inside}
    return row


def main() -> None:
    cases = {case.__name__: case for case in CASES}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="earful-base")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--cases", nargs="+", choices=cases, default=list(cases))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cells = Cells(options.out, base=Path(options.base).name, language=LANGUAGE)
    for seed, case in cells.missing(seed=options.seeds, case=options.cases):
        with tempfile.TemporaryDirectory() as name:
            cells.add(one(cases[case], options.base, seed, Path(name)))


if __name__ == "__main__":
    main()
