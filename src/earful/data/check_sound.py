"""Checks of the sound of one clip: unreadable, silent, clipped, too short or long, from a telephone."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earful.audio.channels import FLOATS, survey
from earful.audio.files import SAMPLE_RATE_HZ, AudioInfo, blocks, probe, read
from earful.data.finding import Finding, Severity
from earful.data.readers.sound import is_there
from earful.data.utterance import Utterance
from earful.errors import AudioError

SILENCE_DBFS, QUIET_DBFS = -60.0, -45.0
SHORTEST_S, LONGEST_S = 0.1, 30.0
LONGEST_USABLE_S = 60.0  # attention takes memory with the square of it: adaptation leaves longer clips out
CLIPPED_SHARE = 1e-3  # of the samples; clean speech at full scale stays below a tenth of this
_OFFSET = 0.02  # sound cards stay below a tenth of this
_FULL_SCALE = 0.985  # resampling moves the flat tops a little
_TELEPHONE_RATE_HZ, _TELEPHONE_TOP_HZ = 8_000, 4_200
_BAND_SHARE = 1e-7  # the energy above 4.2 kHz that 16-bit noise alone would reach
_SLACK_S = 0.1  # what `read` lets a duration be rounded by
_BLOCK_S = 30.0
_ODD_REMEDY = "listen whether all of it is there; written again, it warns no more"


@dataclass(frozen=True)
class Sound:
    """Measurements of one clip's sound; those that need decoding are None if nothing was decoded.

    `duration_s` is None for a clip that cannot be read. `digest` is the same for two clips of the same samples.
    """

    duration_s: float | None
    narrow_band: bool = False
    peak: float | None = None
    clipped_share: float | None = None
    offset: float = 0.0
    digest: str | None = None


def listen(utterance: Utterance, decode: bool, frame_s: float) -> tuple[Sound, tuple[Finding, ...]]:
    """Measure the sound of one utterance, and list its problems."""
    try:
        info = probe(utterance.audio)
        duration_s = _part_s(utterance, info)
        sound = Sound(duration_s, info.rate_hz <= _TELEPHONE_RATE_HZ)
        odd = tuple(_channels(utterance, info)) if decode else ()
        if decode:
            sound = _measured(utterance, info, sound)
    except (AudioError, OSError) as error:
        return Sound(None), (_unreadable(utterance, error),)
    lies = (_finding("warning", "odd file", utterance, said, _ODD_REMEDY) for said in info.warnings)
    return sound, (*lies, *odd, *_wrong(utterance, sound, frame_s))


def _channels(utterance: Utterance, info: AudioInfo) -> Iterator[Finding]:
    """Findings on a recording with several channels, and on floats at another scale."""
    if info.channels == 1 and info.subtype not in FLOATS:
        return
    found = survey(utterance.audio)
    if utterance.channel == "auto":
        for said in found.warnings:
            yield _finding(
                "warning", "channels", utterance, said, "listen to each channel; a column `channel` names one"
            )
        if found.apart:
            said = "the channels hold different speech, as in an interview; their mean is used"
            remedy = "name one in a column `channel`; transcribe with --channel each"
            yield _finding("warning", "channels", utterance, said, remedy)


def _part_s(utterance: Utterance, info: AudioInfo) -> float:
    """The length of the utterance; raises AudioError if it lies outside its file."""
    held_s = info.duration_s - utterance.start_s
    wanted_s = held_s if utterance.duration_s is None else utterance.duration_s
    if held_s <= 0 or wanted_s > held_s + _SLACK_S:
        raise AudioError(
            f"{utterance.audio}: the clip goes from {utterance.start_s:.2f} s to {utterance.start_s + wanted_s:.2f} s, "
            f"but the file ends at {info.duration_s:.2f} s; correct the offset or the duration"
        )
    return min(wanted_s, held_s)


def _measured(utterance: Utterance, info: AudioInfo, sound: Sound) -> Sound:
    """Decode once, in blocks if the clip is a whole file, so that an hour does not fill the memory."""
    peak, clipped, count, energy, high, total = 0.0, 0, 0, 0.0, 0.0, 0.0
    digest = hashlib.blake2b(digest_size=16)
    for samples_T in _pieces(utterance, info):
        loudness_T = np.abs(samples_T)
        peak = max(peak, float(loudness_T.max(initial=0.0)))
        clipped += int(np.count_nonzero(loudness_T >= _FULL_SCALE))
        count += len(samples_T)
        total += float(samples_T.sum(dtype=np.float64))
        digest.update(samples_T.tobytes())
        block_energy, block_high = _energies(samples_T)
        energy, high = energy + block_energy, high + block_high
    narrow = sound.narrow_band or (energy > 0 and high < _BAND_SHARE * energy)
    louder = max(1.0, survey(utterance.audio).gain)  # a soft recording is made so, and judged as it is
    offset = total / max(1, count) / louder
    return Sound(sound.duration_s, narrow, peak / louder, clipped / max(1, count), offset, digest.hexdigest())


def _pieces(utterance: Utterance, info: AudioInfo) -> Iterator[NDArray[np.float32]]:
    duration_s = utterance.duration_s
    if utterance.start_s == 0 and (duration_s is None or abs(duration_s - info.duration_s) <= _SLACK_S):
        yield from blocks(utterance.audio, _BLOCK_S, utterance.channel)
    else:
        yield read(utterance.audio, utterance.start_s, duration_s, utterance.channel)


def _energies(samples_T: NDArray[np.float32]) -> tuple[float, float]:
    """The energy of the samples, and the part of it above the telephone band; of long blocks only the middle."""
    middle = len(samples_T) // 2
    part_T = samples_T[max(0, middle - SAMPLE_RATE_HZ) : middle + SAMPLE_RATE_HZ]
    power_K = np.square(np.abs(np.fft.rfft(part_T * np.hanning(len(part_T)))))
    top = math.ceil(_TELEPHONE_TOP_HZ * len(part_T) / SAMPLE_RATE_HZ)
    return float(power_K.sum()), float(power_K[top:].sum())


def _unreadable(utterance: Utterance, error: AudioError | OSError) -> Finding:
    kind = "unreadable sound" if is_there(utterance.audio) else "missing file"
    said = str(error) if isinstance(error, AudioError) else f"cannot be read ({error.strerror})"
    message, _, remedy = said.removeprefix(f"{utterance.audio}: ").rpartition("; ")
    return _finding("error", kind, utterance, message or remedy, remedy if message else "check the path")


def _wrong(utterance: Utterance, sound: Sound, frame_s: float) -> Iterator[Finding]:
    duration_s = sound.duration_s or 0.0
    if duration_s < frame_s:
        problem = f"lasts {duration_s * 1000:.0f} ms, less than one frame of the recogniser ({frame_s * 1000:.0f} ms)"
        yield _finding("error", "too short", utterance, problem, "record it again or leave it out")
    elif duration_s < SHORTEST_S:
        problem = f"lasts {duration_s * 1000:.0f} ms, hardly one sound of speech"
        yield _finding("warning", "too short", utterance, problem, "check that the recording is whole")
    if duration_s > LONGEST_USABLE_S:
        problem = f"lasts {duration_s:.0f} s; adaptation can use clips of {LONGEST_USABLE_S:.0f} s at most"
        yield _finding("error", "too long", utterance, problem, "cut it at pauses, with the transcript")
    elif duration_s > LONGEST_S:
        problem = f"lasts {duration_s:.0f} s; adaptation wants clips of {LONGEST_S:.0f} s at most"
        yield _finding("warning", "too long", utterance, problem, "cut it at pauses, with the transcript")
    if sound.peak is not None and sound.peak < 10 ** (SILENCE_DBFS / 20):
        loudest = f"peak {20 * math.log10(sound.peak):.0f} dBFS" if sound.peak > 0 else "all samples are zero"
        yield _finding("error", "silence", utterance, f"is silent ({loudest})", "record it again or leave it out")
    elif sound.peak is not None and sound.peak < 10 ** (QUIET_DBFS / 20):
        problem = f"is very quiet (peak {20 * math.log10(sound.peak):.0f} dBFS); few bits of it are left"
        yield _finding("warning", "quiet", utterance, problem, "record it again, louder, if that is possible")
    if abs(sound.offset) > _OFFSET:
        problem = f"has an offset: its samples lie around {sound.offset:.2f}, not around 0"
        yield _finding("warning", "offset", utterance, problem, "take the offset away, or mend the microphone's cable")
    if sound.clipped_share is not None and sound.clipped_share > CLIPPED_SHARE:
        problem = f"is clipped: {sound.clipped_share:.1%} of its samples are at full scale"
        yield _finding("warning", "clipping", utterance, problem, "record it again with less gain, if that is possible")


def _finding(severity: Severity, kind: str, utterance: Utterance, message: str, remedy: str) -> Finding:
    return Finding(severity, kind, utterance.id, str(utterance.audio), message, remedy)
