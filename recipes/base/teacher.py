"""Better transcripts for recordings that a base has written down, by the whole Whisper (sequence-level distillation).

After Kim and Rush 2016. Clips of a language are packed into windows, as Whisper was trained to hear them, twice in
different orders; words go to the clip in whose time they fall. Whisper's text takes the place of the base's where both
decodings (greedy, and a beam of five) agree and the base heard something like it. Texts with digits do not: nobody
knows how these were said.

    pip install faster-whisper==1.2.1
    python recipes/base/teacher.py --whisper work/whisper-base-ct2 work/prompts/pseudo.jsonl work/prompts/taught.jsonl
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.data.manifest import Manifest, read_manifest, write_manifest
from earful.data.synthesis.pronounce import PHONES, pronounce
from earful.data.utterance import Utterance
from earful.text.normalize import TextRules, normalize
from earful.text.score import errors_of_each

WINDOW_S, GAP_S = 28.0, 0.8
BEAMS = (1, 5)
"""Each decoding has a beam of its own, and packs the clips in an order of its own."""
AGREE, LIKE = 0.1, 0.7
"""Errors in a character, at most, between two decodings; and between Whisper and the base, which hears half of them."""


def windows(clips: Sequence[Utterance], seed: int) -> Iterator[list[Utterance]]:
    """The clips in a random order, as many together as a window holds."""
    group: list[Utterance] = []
    room = WINDOW_S
    for i in torch.randperm(len(clips), generator=torch.Generator().manual_seed(seed)).tolist():
        length = (clips[i].duration_s or 0) + GAP_S
        if group and length > room:
            yield group
            group, room = [], WINDOW_S
        group.append(clips[i])
        room -= length
    if group:
        yield group


def heard(model: Any, group: Sequence[Utterance], language: str, beam: int) -> dict[str, str]:
    """What Whisper writes of each clip of a window, by the clip's id."""
    gap_T = np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32)
    sounds = [read(u.audio, u.start_s, u.duration_s) for u in group]
    ends_s = np.cumsum([len(sound) + len(gap_T) for sound in sounds]) / SAMPLE_RATE_HZ
    window_T = np.concatenate([part for sound in sounds for part in (sound, gap_T)])
    options = {"language": language, "beam_size": beam, "condition_on_previous_text": False}
    segments, _ = model.transcribe(window_T, word_timestamps=True, **options)
    found: dict[str, str] = {u.id: "" for u in group}
    for word in (word for segment in segments for word in segment.words or ()):
        place = int(np.searchsorted(ends_s, (word.start + word.end) / 2))
        found[group[min(place, len(group) - 1)].id] += word.word
    return found


def decoded(model: Any, clips: Sequence[Utterance], language: str) -> list[dict[str, str]]:
    """For each of BEAMS what Whisper writes of each clip, normalised, by the clip's id."""
    found: list[dict[str, str]] = []
    for seed, beam in enumerate(BEAMS):
        said: dict[str, str] = {}
        for number, group in enumerate(windows(clips, seed), 1):
            said |= heard(model, group, language, beam)
            print(f"\r{language}, beam {beam}: window {number}", end="", file=sys.stderr, flush=True)
        found.append({name: normalize(text, TextRules(language=language)) for name, text in said.items()})
    return found


def apart(first: str, second: str) -> float:
    """Errors in a character between two texts; 1 where one is empty."""
    if not (first and second):
        return 1.0
    (errors,) = errors_of_each([first], [second])
    return errors.characters.errors / errors.characters.length


def sure(greedy: str, searched: str, base: str) -> bool:
    """Whether Whisper's text is believed, by its two decodings and what the base heard."""
    digits = any(c.isdigit() for c in searched)
    return not digits and apart(greedy, searched) <= AGREE and apart(searched, base) <= LIKE


def taught(clips: Manifest, texts: Sequence[dict[str, str]]) -> Iterator[Utterance]:
    """The clips, with Whisper's text where it is believed; `taught` then says so."""
    for u in clips:
        greedy, searched = (each[u.id] for each in texts)
        if sure(greedy, searched, u.text or ""):
            plain = {key: value for key, value in u.extra.items() if key != PHONES}
            u = replace(u, text=searched, extra={**plain, "taught": True})
        yield u


def main() -> None:
    from faster_whisper import WhisperModel  # of this script alone

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", required=True, help="folder of the whole Whisper, by whisper_encoder.py --whole")
    parser.add_argument("clips", type=Path, help="what pseudo_labels.py wrote")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    model = WhisperModel(options.whisper, device="cpu", compute_type="int8", cpu_threads=1)
    groups = read_manifest(options.clips).group_by(lambda u: u.language or "")
    texts = {language: decoded(model, list(part), language) for language, part in groups.items()}
    options.out.with_suffix(".decoded.json").write_text(json.dumps(texts, ensure_ascii=False, indent=1), "utf-8")
    found = Manifest(tuple(u for language, part in groups.items() for u in taught(part, texts[language])))
    told = pronounce(found).filter(lambda u: PHONES in u.extra)
    write_manifest(options.out, told)
    better = told.filter(lambda u: "taught" in u.extra)
    print(f"Whisper's text for {len(better)} of {len(told)} clips, {better.duration_s / 60:.0f} minutes")


if __name__ == "__main__":
    main()
