"""Clips joined by pauses into recordings: errors where a pause ends a word (`earful.ctc.pauses`), and where not.

A recogniser that was adapted to clips of a sentence each, with some quiet before and after it, as people cut them, has
learned to write nothing where it is quiet. Here test clips are joined, eight a recording, with faint noise between
them, and transcribed in both ways; beside it, the clips one by one. `--quiet FOLDER` writes a copy of all clips with
such quiet at both ends, and measures nothing: synthetic clips have none. Rows of other names stay in the file. Each way
meets the same recordings, in three orders.

    earful demo
    python bench/pauses.py --model demo/model --clips demo/clips --skip 20 --name "Esperanto, cut close" \
        --out bench/pauses.json
    python bench/pauses.py --clips demo/clips --quiet work/pauses-quiet
    head -n 20 work/pauses-quiet/manifest.jsonl > work/pauses-quiet/learn.jsonl
    earful adapt work/pauses-quiet/learn.jsonl --language eo --out work/pauses-quiet-model
    python bench/pauses.py --model work/pauses-quiet-model --clips work/pauses-quiet --skip 20 \
        --name "Esperanto, quiet at the ends" --out bench/pauses.json
    earful adapt work/dutch-50.jsonl --out work/dutch-50  # fifty training clips of `games.train_and_test`
    python bench/pauses.py --model work/dutch-50 --clips work/dutch-test.jsonl --name "Dutch, real speech" \
        --out bench/pauses.json
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from earful import transcriber
from earful.audio.files import read, write
from earful.ctc.greedy import Numbers
from earful.data.clips import read_clips
from earful.data.manifest import write_manifest
from earful.data.utterance import Utterance
from earful.kshot.machine import machine
from earful.runner import Runner
from earful.text.normalize import normalize
from earful.text.score import score
from earful.writing import replacing

TOGETHER = 8
PAUSES_S = ((0.3, 0.7), (0.7, 1.2), (1.2, 1.9))  # beside what quiet the clips have at their ends
QUIET_S = 0.4  # what --quiet adds at each end
NOISE = 3e-4
SEEDS = (0, 1, 2)


def joined(sounds: Sequence[Any], pause_s: tuple[float, float], rng: np.random.Generator) -> Any:
    """One recording of several, each after a pause of faint noise."""
    parts = list[Any]()
    for sound_T in sounds:
        count = round(rng.uniform(*pause_s) * 16_000)
        parts += [rng.normal(0, NOISE, count).astype(np.float32), sound_T]
    return np.concatenate(parts)


def with_quiet(clips: Path, out: Path) -> None:
    """A copy of clips, each amid quiet."""
    rng, copies = np.random.default_rng(0), []
    for clip in read_clips(clips):
        hush_T = rng.normal(0, NOISE, (2, round(QUIET_S * 16_000))).astype(np.float32)
        place = out / f"{len(copies):04}.flac"
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, np.concatenate([hush_T[0], read(clip.audio, clip.start_s, clip.duration_s), hush_T[1]]))
        copies.append(Utterance(place.stem, place, text=clip.text, language=clip.language, speaker=clip.speaker))
    write_manifest(out / "manifest.jsonl", copies)


def unparted(logp_FV: Numbers, *_: object) -> Numbers:
    """As it was heard before a pause ended a word."""
    return logp_FV


def rates(
    runner: Runner, texts: Sequence[str], sounds: Sequence[Any], pause_s: tuple[float, float], seed: int
) -> dict[str, Any]:
    """CER and WER of recordings joined in an order of this seed, in both ways."""
    usual, found = transcriber.spaced, dict[str, Any]()
    for way, parts in (("unparted", unparted), ("parted", usual)):
        transcriber.spaced = parts  # type: ignore[attr-defined]
        rng, said, heard = np.random.default_rng(seed), list[str](), list[str]()
        order = rng.permutation(len(sounds)).tolist()
        for begin in range(0, len(sounds), TOGETHER):
            part = order[begin : begin + TOGETHER]
            said.append(" ".join(texts[i] for i in part))
            heard.append(runner.transcribe(joined([sounds[i] for i in part], pause_s, rng)).text)
        counted = score(said, heard)
        found[way] = {"cer": counted.cer, "wer": counted.wer}
    transcriber.spaced = usual  # type: ignore[attr-defined]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--quiet", type=Path, metavar="FOLDER", help="write clips with quiet at both ends into it")
    parser.add_argument("--name", help="what the clips are, in the table")
    parser.add_argument("--count", type=int, default=48, help="so many clips at most")
    parser.add_argument("--skip", type=int, default=0, help="so many at the beginning, which the model learned from")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.quiet:
        with_quiet(asked.clips, asked.quiet)
        return
    if not (asked.model and asked.name and asked.out):
        parser.error("--model, --name and --out are needed to measure")
    runner = Runner.load(asked.model)
    clips = [u for u in read_clips(asked.clips) if u.text][asked.skip :]
    clips = [clips[i] for i in sorted(np.random.default_rng(0).permutation(len(clips))[: asked.count].tolist())]
    sounds = [read(u.audio, u.start_s, u.duration_s) for u in clips]
    texts = [normalize(u.text or "", runner.writing.rules) for u in clips]
    alone = score(texts, [runner.transcribe(sound_T).text for sound_T in sounds])
    about = {"name": asked.name, "clips": len(clips), "seconds": round(sum(map(len, sounds)) / 16_000, 1)}
    about |= {"alone": {"cer": alone.cer, "wer": alone.wer}}
    new = [
        about | {"pause_s": list(pause_s), "seed": seed} | rates(runner, texts, sounds, pause_s, seed)
        for pause_s in PAUSES_S
        for seed in SEEDS
    ]
    kept = json.loads(asked.out.read_text("utf-8"))["rows"] if asked.out.exists() else []
    rows = [row for row in kept if row["name"] != asked.name] + new
    found = {"machine": machine(), "together": TOGETHER, "rows": rows}
    with replacing(asked.out) as beside:
        beside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
