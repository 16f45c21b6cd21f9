"""Live words: how long after a word has ended it is shown, and what knowing so little of what follows costs.

Clips are joined into recordings, with pauses between, and fed to `earful.live` as a microphone would: the clock is
simulated, and goes on by what hearing and reading take of one processor's time (so that what else the machine does
counts little), while the sound that comes meanwhile waits. Beside it, `transcribe` on the same recordings. `--hour`
feeds the recordings again and again, and notes how much memory that takes.

When a word of the transcript ends is told by aligning each clip with its transcript. That differs from the phone times
of a synthesiser by what `end_bias_s` says, at the last word of each clip.

    python bench/live.py --model MODEL --clips MANIFEST --out bench/live.json --name slovene --paces 2,1.2 6,1.8
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.ctc.align import align
from earful.data.manifest import read_manifest
from earful.data.utterance import Utterance
from earful.errors import TextError
from earful.kshot.machine import machine
from earful.live.ear import Pace
from earful.live.live import Live
from earful.runner import Runner
from earful.text.normalize import normalize
from earful.text.score import errors_of, pool
from earful.transcript import Word

BLOCK_S = 0.02
LONGEST_S = 12.0  # clips that one window hears, to be aligned


@dataclass(frozen=True)
class Recording:
    """Samples `[T]`, what they say, and when each word ends."""

    samples_T: np.ndarray
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def aligned(runner: Runner, samples_T: np.ndarray, text: str) -> list[Word]:
    """The words of a transcript, and when they are said."""
    alphabet, hop_s = runner.writing.alphabet, runner.writing.hop_s
    logp_FV, _ = runner.hear(samples_T, np.ones(-(-len(samples_T) // 1920), np.bool_))
    found, place = [], 0
    emissions = align(logp_FV, alphabet.encode(text))
    for word in text.split():
        letters = emissions[place : place + len(word)]
        found.append(Word(word, letters[0].start * hop_s, letters[-1].end * hop_s, 1.0))
        place += len(word) + 1
    return found


def recordings(
    runner: Runner, clips: Sequence[Utterance], pause_s: float, length_s: float
) -> Iterator[tuple[Recording, list[float]]]:
    """Recordings of about `length_s`; and how much later than the synthesiser says each clip's last word ends."""
    pieces, words, bias, at_s = list[np.ndarray](), list[Word](), list[float](), 0.0
    rng = np.random.default_rng(0)
    for clip in clips:
        samples_T, text = (
            read(clip.audio, clip.start_s, clip.duration_s),
            normalize(clip.text or "", runner.writing.rules),
        )
        try:
            said = aligned(runner, samples_T, text)
        except (TextError, KeyError):  # letters that the model does not write
            continue
        if not said:
            continue
        phones = clip.extra.get("phones")
        if phones:
            bias.append(said[-1].end_s - phones[-1][1])
        pause_T = rng.normal(0, 1e-4, round(pause_s * SAMPLE_RATE_HZ)).astype(np.float32)
        words += [replace(word, start_s=at_s + word.start_s, end_s=at_s + word.end_s) for word in said]
        pieces += [samples_T, pause_T]
        at_s += (len(samples_T) + len(pause_T)) / SAMPLE_RATE_HZ
        if at_s >= length_s:
            yield Recording(np.concatenate(pieces), tuple(words)), bias
            pieces, words, bias, at_s = [], [], [], 0.0
    if words:
        yield Recording(np.concatenate(pieces), tuple(words)), bias


@dataclass(frozen=True)
class Shown:
    """What was on the screen from `at_s` on: how many words had settled, and what followed."""

    at_s: float
    settled: int
    tail: tuple[Word, ...]


def run(runner: Runner, samples_T: np.ndarray, pace: Pace) -> tuple[list[Shown], list[Word], str, float]:
    """What was shown when, all words as they settled, the text at the end, and how many seconds hearing took."""
    live, shown, now_s, place, busy_s = Live(runner, pace, time.process_time), list[Shown](), 0.0, 0, 0.0
    words = list[Word]()
    while place < len(samples_T):
        now_s += BLOCK_S
        end = min(int(now_s * SAMPLE_RATE_HZ), len(samples_T))
        began = time.process_time()
        update = live.feed(samples_T[place:end])
        took_s = time.process_time() - began
        now_s, busy_s, place = now_s + took_s, busy_s + took_s, end
        words += update.settled
        if not shown or update.settled or update.tail != shown[-1].tail:
            shown.append(Shown(now_s, len(words), update.tail))
    began = time.process_time()
    words += live.settle(last=True).settled
    shown.append(Shown(now_s + time.process_time() - began, len(words), ()))
    text = live.end().text
    return shown, words, text, busy_s + time.process_time() - began


def memory_of(runner: Runner, sounds: Sequence[np.ndarray], seconds: float) -> list[list[float]]:
    """Feed so much sound; answers minutes of it, megabytes of memory, and seconds of a processor, minute by minute."""
    live, curve, began, fed_s = Live(runner, clock=time.process_time), list[list[float]](), time.process_time(), 0.0
    while fed_s < seconds:
        for samples_T in sounds:
            for begin in range(0, len(samples_T), round(BLOCK_S * SAMPLE_RATE_HZ)):
                live.feed(samples_T[begin : begin + round(BLOCK_S * SAMPLE_RATE_HZ)])
                fed_s = live.duration_s
                if fed_s >= 60 * (len(curve) + 1):
                    curve.append([round(fed_s / 60, 2), round(memory_mb(), 1), round(time.process_time() - began, 1)])
            if fed_s >= seconds:
                break
    began = time.process_time()
    words = len(live.end().words)
    curve.append([round(fed_s / 60, 2), round(memory_mb(), 1), round(time.process_time() - began, 1)])
    print(f"{words} words", file=sys.stderr)
    return curve


def memory_mb() -> float:
    """What this process has in memory now (Linux)."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def right(reference: Sequence[Word], words: Sequence[Word]) -> list[tuple[int, int]]:
    """Which words of the reference were written right, and where."""
    matcher = SequenceMatcher(None, [w.text for w in reference], [w.text for w in words], autojunk=False)
    return [(b.a + n, b.b + n) for b in matcher.get_matching_blocks() for n in range(b.size)]


def appearances(reference: Sequence[Word], words: Sequence[Word], shown: Sequence[Shown]) -> Iterator[dict[str, float]]:
    """For each word that was written right: how long after its end it was first shown, stayed, and settled."""
    for mine, theirs in right(reference, words):
        word, end_s = words[theirs], reference[mine].end_s
        first = stayed = settled = None
        for each in shown:
            if each.settled > theirs:
                settled = each.at_s
                first, stayed = first or settled, stayed or settled
                break
            there = any(w.text == word.text and _meet(w, word) for w in each.tail)
            first = first or (each.at_s if there else None)
            stayed = (stayed or each.at_s) if there else None
        assert first is not None and stayed is not None and settled is not None
        yield {"shown": first - end_s, "stays": stayed - end_s, "settled": settled - end_s}


def _meet(one: Word, other: Word) -> bool:
    return one.start_s < other.end_s + 0.1 and other.start_s < one.end_s + 0.1


def quantiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 3) for p in (50, 90, 95, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True, help="a manifest of clips that the model has not learned")
    parser.add_argument("--name", required=True, help="how the figures are called in the file")
    parser.add_argument("--skip", type=int, default=1, help="every so manieth clip")
    parser.add_argument("--pause", type=float, default=0.6, help="seconds between clips")
    parser.add_argument("--length", type=float, default=90.0, help="seconds of each recording")
    parser.add_argument("--kinds", nargs="+", default=["own"], help="own, int8 or float32: the arithmetic")
    parser.add_argument("--paces", nargs="+", help="HOP,BEHIND,AHEAD each", default=["own"])
    parser.add_argument("--hour", type=float, metavar="SECONDS", help="only how much memory so much sound takes")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    clips = [u for u in read_manifest(options.clips) if (u.duration_s or 0) <= LONGEST_S][:: options.skip]
    found = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {"runs": {}}
    found["machine"] = machine()
    run_of = found["runs"].setdefault(options.name, {"rows": []})
    run_of |= {"clips": len(clips), "skip": options.skip, "pause_s": options.pause}
    for kind in options.kinds:
        runner = Runner.load(options.model, kind=None if kind == "own" else kind)
        made = list(recordings(runner, clips, options.pause, options.length))
        biases = [each for _, bias in made for each in bias]
        sounds = [recording for recording, _ in made]
        audio_s = sum(len(each.samples_T) for each in sounds) / SAMPLE_RATE_HZ
        runner.transcribe(sounds[0].samples_T[: 2 * SAMPLE_RATE_HZ])  # what is compiled is compiled now
        if options.hour:
            curve = memory_of(runner, [each.samples_T for each in sounds], options.hour)
            run_of["memory"] = {"of": "minutes, MB, seconds of a processor; the last at the end", "curve": curve}
            options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
            return
        began = time.process_time()
        whole = [runner.transcribe(each.samples_T).text for each in sounds]
        whole_s = time.process_time() - began
        offline = pool([errors_of(s.text, text) for s, text in zip(sounds, whole, strict=True)])
        run_of |= {"audio_s": round(audio_s, 1), "recordings": len(sounds)}
        if biases:
            run_of["end_bias_s"] = round(statistics.median(biases), 3)
        for text in options.paces:
            values = () if text == "own" else map(float, text.split(","))
            pace = Pace(**dict(zip(("hop_s", "behind_s", "ahead_s"), values, strict=False)))
            done = [run(runner, each.samples_T, pace) for each in sounds]
            texts = [" ".join(word.text for word in words) for _, words, _, _ in done]
            live = pool([errors_of(s.text, text) for s, text in zip(sounds, texts, strict=True)])
            ends = [text for _, _, text, _ in done]
            end = pool([errors_of(s.text, text) for s, text in zip(sounds, ends, strict=True)])
            apart = pool([errors_of(a, b) for a, b in zip(whole, texts, strict=True)])
            late = [
                a
                for s, (shown, words, _, _) in zip(sounds, done, strict=True)
                for a in appearances(s.words, words, shown)
            ]
            row = {"arithmetic": kind, "pace": asdict(pace), "cer": live.cer, "wer": live.wer}
            row |= {"cer_end": end.cer, "wer_end": end.wer, "ends_as_transcribe": ends == whole}
            row |= {"cer_transcribe": offline.cer, "wer_transcribe": offline.wer, "apart": apart.cer}
            row |= {what: quantiles([a[what] for a in late]) for what in ("shown", "stays", "settled")}
            row["words"] = len(late)
            row["load"] = round(sum(busy for _, _, _, busy in done) / audio_s, 3)
            row["load_transcribe"] = round(whole_s / audio_s, 3)
            run_of["rows"].append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
            options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
