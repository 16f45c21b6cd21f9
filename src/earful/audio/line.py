"""The line of a recording: a telephone's band, or a lossy codec."""

import io
from typing import Literal, NamedTuple, get_args

import numpy as np
import soundfile
import soxr

from earful.audio.files import SAMPLE_RATE_HZ
from earful.audio.waveform import SILENCE, Samples, Spectrum, check_mono, filtered, fitted
from earful.errors import AudioError

Codec = Literal["mp3", "vorbis", "opus", "gsm", "mulaw", "adpcm"]
CODECS: tuple[Codec, ...] = get_args(Codec)

_TELEPHONE_HZ = (200.0, 300.0, 3400.0, 3900.0)  # the band rises and falls between these (ITU-T G.712's mask)
_PEAK = 0.9  # what the codec hears: below 1, so that none of them clips
_TAIL = SAMPLE_RATE_HZ // 10  # silence after the end, which encoders fill up to a block, and the MP3 delay eats
_MP3_DELAY = 576 + 529  # samples that encoder and decoder add, where no header lets the decoder cut them
_BLOCK = 4096  # libvorbis puts what it is given at once on the stack, and crashes on long clips (xiph/vorbis issue 99)


class _Form(NamedTuple):
    format: str
    subtype: str
    rate_hz: int
    compression: float | None = None
    bitrate_mode: str | None = None


def telephone(samples_T: Samples) -> Samples:
    """Limit samples to a telephone's band, 300 to 3400 Hz, nothing above 3900 Hz (as sampled at 8 kHz)."""
    check_mono(samples_T)
    return filtered(samples_T, _telephone_band)


def through_codec(samples_T: Samples, codec: Codec, kbps: float) -> Samples:
    """Encode samples and decode them again, at about `kbps` thousand bits a second: same length, level and times.

    mp3 (8 to 160), vorbis (25 to 80) and opus (6 to 256) take the nearest rate that they have. gsm (13, GSM 06.10) and
    mulaw (64) have one, at 8 kHz; adpcm (IMA) has 32 at 8 kHz and 64 at 16 kHz. Silence, sound that is not finite, and
    all sound if libsndfile lacks the codec, are returned unchanged, so that a long training does not end because of
    them. Raises AudioError if the samples are not mono, the codec is unknown, or `kbps` is not positive.
    """
    check_mono(samples_T)
    if codec not in CODECS or not kbps > 0:
        raise AudioError(f"expected one of {', '.join(CODECS)} and a rate above 0 kbps, got {codec!r} and {kbps} kbps")
    peak = float(np.abs(samples_T).max(initial=0))
    if not SILENCE**0.5 < peak < np.inf:
        return samples_T
    padded_T = np.pad(samples_T.astype(np.float32, copy=False) * np.float32(_PEAK / peak), (0, _TAIL))
    try:
        coded_T = _coded(padded_T, _form(codec, kbps))
    except (soundfile.SoundFileError, ValueError):  # ValueError: soundfile knows that this libsndfile lacks the format
        return samples_T
    coded_T = fitted(coded_T, len(samples_T)) * np.float32(peak / _PEAK)
    return coded_T if np.isfinite(coded_T).all() else samples_T


def _form(codec: Codec, kbps: float) -> _Form:
    """libsndfile's settings for a codec. Its compression levels are linear in the bit rate, nearly so for vorbis."""
    if codec == "mp3":  # not down to 8: LAME refuses the exact end of its scale, and takes 8 for 9
        return _Form("MP3", "MPEG_LAYER_III", SAMPLE_RATE_HZ, (160 - min(max(kbps, 9), 160)) / (160 - 8), "CONSTANT")
    if codec == "opus":
        return _Form("OGG", "OPUS", SAMPLE_RATE_HZ, 1 - (min(max(kbps, 6), 256) - 6) / 250)
    if codec == "vorbis":
        return _Form("OGG", "VORBIS", SAMPLE_RATE_HZ, 1 - (min(max(kbps, 25), 80) - 25) / 55)
    if codec == "adpcm":
        return _Form("WAV", "IMA_ADPCM", SAMPLE_RATE_HZ if kbps >= 48 else SAMPLE_RATE_HZ // 2)
    return _Form("WAV", "GSM610" if codec == "gsm" else "ULAW", SAMPLE_RATE_HZ // 2)


def _coded(samples_T: Samples, form: _Form) -> Samples:
    """Encode and decode in memory, at the form's rate."""
    samples_T = _resampled(samples_T, SAMPLE_RATE_HZ, form.rate_hz)
    file = io.BytesIO()
    _encode(file, samples_T, form)
    file.seek(0)
    with soundfile.SoundFile(file) as sound:
        # A low-rate MP3 has no room for the header that tells the delay: then it comes out longer than it went in.
        delay = _MP3_DELAY if form.format == "MP3" and sound.frames != len(samples_T) else 0
        decoded_T: Samples = sound.read(len(samples_T) + delay, dtype="float32")[delay:]
    return _resampled(decoded_T, form.rate_hz, SAMPLE_RATE_HZ)


def _encode(file: io.BytesIO, samples_T: Samples, form: _Form) -> None:
    sound = soundfile.SoundFile(
        file,
        "w",
        form.rate_hz,
        1,
        form.subtype,
        format=form.format,
        compression_level=form.compression,
        bitrate_mode=form.bitrate_mode,
    )
    with sound:
        for start in range(0, len(samples_T), _BLOCK):
            sound.write(samples_T[start : start + _BLOCK])


def _resampled(samples_T: Samples, from_hz: int, to_hz: int) -> Samples:
    played_T: Samples = samples_T if from_hz == to_hz else soxr.resample(samples_T, from_hz, to_hz, quality="MQ")
    return played_T


def _telephone_band(frequency_hz: Spectrum) -> Spectrum:
    low, rise, fall, high = _TELEPHONE_HZ
    edge = np.minimum((frequency_hz - low) / (rise - low), (high - frequency_hz) / (high - fall))
    band: Spectrum = np.sin(np.pi / 2 * np.clip(edge, 0, 1)) ** 2
    return band
