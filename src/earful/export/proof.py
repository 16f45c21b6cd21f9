"""The proof of an export: the target itself is run, and its transcripts are compared with earful's own best path."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple, Protocol, final

import numpy as np
import torch
from torch import Tensor

from earful.audio.files import SAMPLE_RATE_HZ
from earful.checkpoint import load_checkpoint
from earful.ctc.greedy import Numbers, greedy
from earful.errors import ExportError
from earful.export.recordings import Recording
from earful.export.source import Source
from earful.features.windows import CONTEXT_S, WINDOW_S, windows
from earful.text.normalize import normalize
from earful.text.score import score
from earful.transcriber import Samples, Transcriber, Writing
from earful.transcript import Transcript

NEAR_S = 0.020
"""The largest difference of times: a frame of 20 ms."""
MOST_COST = 0.002
"""The largest cost of fewer bits, in CER."""
MOST_OTHERWISE = 0.05
"""The largest share of letters that may differ with fewer bits, if there are no transcripts."""
TOSS_UP = 0.02
"""Two symbols of a frame whose log-probabilities are so close count as equally likely: rounding may choose either."""
_ROUNDING_S, _MOST_TOSSED = 1e-6, 8


class Written(NamedTuple):
    """A target's transcript of a recording: letters with their beginnings; words with their times, if it has them."""

    text: str
    starts_s: tuple[float, ...]
    words: tuple[tuple[str, float, float], ...] | None = None


Run = Callable[[Sequence[Samples]], Sequence[Written]]
Tell = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Proof:
    """The result of a target: the recordings, the number of equal texts, the largest difference of times.

    `otherwise` is the share of letters that differ from the best path in float32, `cost` the change of CER, if there
    are transcripts.
    """

    on: str
    recordings: int
    same: int
    off_s: float
    otherwise: float = 0.0
    cost: float | None = None
    notes: tuple[str, ...] = field(default=())


class Ears(Protocol):
    """The reference for a target: earful's transcript of a recording, and equally likely ones."""

    writing: Writing

    def heard(self, samples_T: Samples) -> Written: ...

    def as_likely(self, samples_T: Samples) -> Iterator[Written]: ...


def network(source: Source) -> Callable[[Samples], Numbers]:
    """Log-probabilities of a window by torch, always in float32."""
    model = load_checkpoint(source.folder).build()

    def logp_of(samples_T: Samples) -> Numbers:
        sound = torch.from_numpy(samples_T)
        with torch.no_grad():
            backbone = model.backbone
            frames_FM: Tensor = backbone.lower(sound) if backbone else model.frames_of(sound)
            if not len(frames_FM):
                return np.zeros((0, source.writing.alphabet.size), np.float32)
            logp_BFV, _ = model(frames_FM[None], torch.tensor([len(frames_FM)]))
        return logp_BFV[0].numpy()  # type: ignore[no-any-return]

    return logp_of


@final
class Exact(Transcriber):
    """earful's best path by torch, in float32; silences are not skipped."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.writing, greedy=True)
        self._network = network(source)

    def _logp_of(self, samples_T: Samples) -> Numbers:
        return self._network(samples_T)

    def logp_of(self, samples_T: Samples) -> Numbers:
        """Log-probabilities of a recording of any length, window by window; silences are not skipped."""
        size, around = (round(s * SAMPLE_RATE_HZ) for s in (WINDOW_S, CONTEXT_S))
        parts = windows((samples_T[i : i + size] for i in range(0, len(samples_T), size)), around)
        own = [self._logp_of(w.content)[w.own(1 / SAMPLE_RATE_HZ, self.writing.hop_s)] for w in parts]
        return np.concatenate(own)

    def heard(self, samples_T: Samples) -> Written:
        """Its transcript of a recording."""
        return heard_in(self, self.logp_of(samples_T), len(samples_T) / SAMPLE_RATE_HZ)

    def as_likely(self, samples_T: Samples) -> Iterator[Written]:
        """Its transcripts if rounding chose the other of two equally likely symbols, in some frames or in all."""
        logp_FV = self.logp_of(samples_T)
        second_F, first_F = np.argsort(logp_FV, axis=1)[:, -2:].T
        every_F = np.arange(len(logp_FV))
        gap_F = logp_FV[every_F, first_F] - logp_FV[every_F, second_F]
        tossed = [int(frame) for frame in np.argsort(gap_F)[:_MOST_TOSSED] if gap_F[frame] < TOSS_UP]
        for count in range(1, len(tossed) + 1):
            for frames in combinations(tossed, count):
                other_FV = logp_FV.copy()
                other_FV[list(frames), second_F[list(frames)]] = 0.0  # certain
                yield heard_in(self, other_FV, len(samples_T) / SAMPLE_RATE_HZ)


def heard_in(transcriber: Transcriber, logp_FV: Numbers, duration_s: float) -> Written:
    """The transcript by the best path of log-probabilities, with times."""
    transcript: Transcript = transcriber.transcript_of(logp_FV, duration_s)
    starts = tuple(each.start * transcriber.writing.hop_s for each in greedy(logp_FV))
    return Written(transcript.text, starts, tuple((w.text, w.start_s, w.end_s) for w in transcript.words))


def prove(on: str, recordings: Sequence[Recording], exact: Ears, run: Run, tell: Tell) -> Proof:
    """Run the target, and compare its transcripts with the best path. Raises ExportError with the first difference.

    If two symbols of a frame are equally likely and the target takes the other, that is no difference; a note says so.
    """
    off_s, batch, tossed = 0.0, 4, list[str]()
    for begin in range(0, len(recordings), batch):
        group = recordings[begin : begin + batch]
        for each, found in zip(group, run([r.samples_T for r in group]), strict=True):
            try:
                off_s = max(off_s, _difference(each.name, exact.heard(each.samples_T), found))
            except ExportError:
                if not any(_agrees(other, found) for other in exact.as_likely(each.samples_T)):
                    raise
                tossed.append(each.name)
        tell("running the export", begin + len(group), len(recordings))
    notes = (
        (f"where two letters are as likely the export takes the other one: in {', '.join(tossed)}",) if tossed else ()
    )
    return Proof(on, len(recordings), len(recordings) - len(tossed), off_s, notes=notes)


def measure(on: str, recordings: Sequence[Recording], exact: Ears, run: Run, tell: Tell) -> Proof:
    """As `prove`, for fewer bits: texts may differ within limits. Raises ExportError beyond these."""
    expected, found = list[str](), list[str]()
    for number, each in enumerate(recordings, 1):
        expected.append(exact.heard(each.samples_T).text)
        found.append(run([each.samples_T])[0].text)
        tell("running the export", number, len(recordings))
    same = sum(a == b for a, b in zip(expected, found, strict=True))
    otherwise = score(expected, found).cer if any(expected) else float(any(found))
    rules = exact.writing.rules
    known = [n for n, each in enumerate(recordings) if each.text and normalize(each.text, rules)]
    proof = Proof(on, len(recordings), same, 0.0, otherwise)
    if not known:
        if otherwise > MOST_OTHERWISE:
            raise ExportError(
                f"fewer bits: {otherwise:.1%} of the letters are other ones, at most {MOST_OTHERWISE:.0%} may be where "
                "nobody knows what is said; export in float32, or check with transcribed clips (--check)"
            )
        return proof
    texts = [normalize(recordings[n].text or "", rules) for n in known]
    before, after = (score(texts, [said[n] for n in known]).cer for said in (expected, found))
    if after - before > MOST_COST:
        raise ExportError(
            f"fewer bits cost {100 * (after - before):.2f} points of CER ({before:.1%} → {after:.1%}), at most "
            f"{100 * MOST_COST:.1f} may be: export in float32"
        )
    return Proof(on, len(recordings), same, 0.0, otherwise, after - before)


def _agrees(expected: Written, found: Written) -> bool:
    try:
        _difference("", expected, found)
    except ExportError:
        return False
    return True


def _difference(name: str, expected: Written, found: Written) -> float:
    """The difference of times. Raises ExportError if texts or words differ, or times by more than a frame."""
    if found.text != expected.text:
        raise ExportError(
            f"{name}: the export says {_short(found.text)}, earful {_short(expected.text)}; nothing was written: "
            "please report it"
        )
    words = (expected.words or (), found.words) if found.words is not None else ((), ())
    if len(expected.starts_s) != len(found.starts_s) or len(words[0]) != len(words[1]):
        raise ExportError(f"{name}: the export says as much in other pieces; nothing was written: please report it")
    pairs = list(zip(expected.starts_s, found.starts_s, strict=True))
    for mine, theirs in zip(*words, strict=True):
        pairs += [(mine[1], theirs[1]), (mine[2], theirs[2])]
    off_s = max((abs(a - b) for a, b in pairs), default=0.0)
    if off_s > NEAR_S + _ROUNDING_S:
        raise ExportError(f"{name}: times of the export are {off_s:.3f} s off; nothing was written: please report it")
    return off_s


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
