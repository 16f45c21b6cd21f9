"""Headers of rarer formats compared with what the file holds: libsndfile reads what is there, without an error.
Formats without a length (IRCAM, PAF, PVF, XI) promise nothing.
"""

import re

import soundfile

from earful.audio.riff import STREAM_BYTES
from earful.audio.source import Source, opened

RATES_HZ = (1_000, 768_000)
"""The range of rates of sound; a header with another rate is damaged."""
CHANNELS = 256
_SLACK_S = 0.1
_WAVES = ("WAV", "WAVEX", "RF64")  # what is wrong with their headers has been looked at
_CUT = re.compile(
    r"^[ \t]*(?P<name>riff|data|SSND|BODY|Data Size)[ \t]*:[ \t]*(?P<told>\d+) \(should be (?P<held>\d+)\)",
    re.MULTILINE,
)
_FRAMES = {  # how libsndfile's log of a format calls the frames that its header promises
    "AVR": re.compile(r"^\s*Frames\s*:\s*(\d+)", re.MULTILINE),
    "MPC2K": re.compile(r"^\s*Frames\s*:\s*(\d+)", re.MULTILINE),
    "MAT5": re.compile(r"Cols : (\d+)\s+Type : \d+\s+Size : \d+\s+Name : wavedata"),
    "MAT4": re.compile(r"Cols\s+: (\d+)\s+Imag\s+: \w+\s+Name\s+: wavedata"),
    "CAF": re.compile(r"^\s*Valid frames\s*: (\d+)", re.MULTILINE),
}
_DUMPED = re.compile(r"^Frames\s*: (\d+)", re.MULTILINE)
_BODY = re.compile(r"^ ?BODY : (\d+)\s*$", re.MULTILINE)
_NIST = re.compile(rb"^(sample_count|sample_n_bytes|channel_count) -i (\d+)", re.MULTILINE)


def odd_header(sound: soundfile.SoundFile) -> str | None:
    """An impossible value in a header; None if there is none."""
    least, most = RATES_HZ
    if not least <= sound.samplerate <= most:
        return f"its header says {sound.samplerate} samples a second, expected {least} to {most}"
    if sound.channels > CHANNELS:
        return f"its header says {sound.channels} channels, expected at most {CHANNELS}"
    return None


def shortage(sound: soundfile.SoundFile, source: Source) -> str | None:
    """What an open file that is read unchanged lacks, if over 0.1 s; else None."""
    if sound.format in _WAVES:
        return None
    log = sound.extra_info
    for cut in _CUT.finditer(log):
        told, held = int(cut["told"]), int(cut["held"])
        if held < told < STREAM_BYTES and (told - held) > _SLACK_S * _byte_rate(sound, held):
            return (
                f"its header promises {told} bytes{' of sound' if cut['name'] != 'riff' else ''}, the file holds {held}"
            )
    told, held = _promised_frames(sound, source, log), _held_frames(sound, log)
    # Apple's lossless packets have no checksum, but damaged ones rarely give as many samples as the file says.
    slack = 0 if sound.subtype.startswith("ALAC") else _SLACK_S * sound.samplerate
    if told - held > slack or (told and slack == 0 and told != held):
        return f"its header promises {told} samples, the file holds {held}"
    return None


def surplus(sound: soundfile.SoundFile, source: Source) -> tuple[str, ...]:
    """A warning if an open file that is read unchanged holds over 0.1 s more than it promises, be it sound or not."""
    if sound.format in _WAVES:
        return ()
    log = sound.extra_info
    if "Seems to be a multi-segment file" in log:  # VOC
        return ("holds more than one block of sound; all are read as one, and what stands between them, too",)
    told = _promised_frames(sound, source, log)
    if told and sound.frames - told > _SLACK_S * sound.samplerate:
        return (f"its header promises {told} samples; {sound.frames} are there, and are read",)
    return ()


def _held_frames(sound: soundfile.SoundFile, log: str) -> int:
    """The samples in the file; a sample dump (SDS) is read as long as it says, with zeros for what is not there."""
    found = _DUMPED.search(log) if sound.format == "SDS" else None
    frames = int(sound.frames)
    return min(int(found[1]), frames) if found else frames


def _byte_rate(sound: soundfile.SoundFile, held: int) -> float:
    """Bytes per second, by what is held; of hardly more than a header, at most what doubles would take."""
    rate_hz = float(sound.samplerate)
    return min(8 * int(sound.channels) * rate_hz, held * rate_hz / max(1, int(sound.frames)))


def _promised_frames(sound: soundfile.SoundFile, source: Source, log: str) -> int:
    if sound.format == "SDS":
        return int(sound.frames)
    if sound.format == "SVX" and (found := _BODY.search(log)):
        return int(found[1]) // ((2 if sound.subtype == "PCM_16" else 1) * int(sound.channels))
    if sound.format == "NIST":
        return _nist_frames(source)
    if sound.format in _FRAMES and (found := _FRAMES[sound.format].search(log)):
        return int(found[1])
    if sound.format == "WVE" and (found := re.search(r"^Data length (\d+) should be (\d+)", log, re.MULTILINE)):
        return int(found[1])  # a byte a sample
    if sound.format == "VOC" and "Seems to be a truncated file" in log:
        return _voc_frames(sound, log)
    return 0


def _nist_frames(source: Source) -> int:
    """The frames, each of all channels, in a NIST SPHERE header."""
    with opened(source) as file:
        found = {name: int(value) for name, value in _NIST.findall(file.read(1024))}
    return found.get(b"sample_count", 0)


def _voc_frames(sound: soundfile.SoundFile, log: str) -> int:
    """The frames of the block in which the file ends."""
    found = re.findall(r"(?:Extended II|Sound Data|Data) *: *(\d+)", log)
    width = 2 if sound.subtype == "PCM_16" else 1
    return int(found[-1]) // (width * sound.channels) if found else int(sound.frames + sound.samplerate)
