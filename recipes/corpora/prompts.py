"""Asterisk's telephone prompts in Italian and French: three voices, some 75 minutes, without transcripts.

The recordings are in the Debian packages `asterisk-core-sounds-it-g722` and `asterisk-core-sounds-fr-g722` (G.722, raw,
64 kbit/s: 16 kHz) and `asterisk-prompt-it-menardi-wav` (8 kHz), under CC-BY-SA-3.0. The folder of a voice is named
after language, country, sex and speaker, such as it_IT_m_Carlo.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earful.audio.files import Samples, probe, write
from earful.data.manifest import Manifest, write_manifest
from earful.data.utterance import Utterance
from earful.errors import AudioError
from recipes.corpora.debian import unpacked
from recipes.corpora.errors import CorpusError
from recipes.corpora.recordings import DUPLICATE, UNREADABLE, LeftOut, Progress

PACKAGES = {
    "it": ("asterisk-core-sounds-it-g722", "asterisk-prompt-it-menardi-wav"),
    "fr": ("asterisk-core-sounds-fr-g722",),
}
LANGUAGES = tuple(PACKAGES)
SHORTEST_S = 0.4

NOT_SPEECH = "tones or noises instead of speech"
SHORT = f"shorter than {SHORTEST_S} s"
SILENT = "silence"

# Asterisk's names are the same in all languages. Six of these are tones; the seventh is monkeys, whose spectrum is
# like that of speech.
_NOT_SPEECH = frozenset(
    {
        "ascending-2tone",
        "beep",
        "beeperr",
        "confbridge-join",
        "confbridge-leave",
        "descending-2tone",
        "tt-monkeys",
    }
)
_AGAIN = {"prompts/it-menardi/demo-thanks"}  # is demo-instruct once more, some samples shorter
_SILENCE_DBFS = -60.0  # the packages' silence has -80 or less, their quietest prompt -26
_DITHER = 4 / 32768  # by how much two copies of a recording differ that were dithered one by one
_G722_RATE_HZ, _G722_BITS_S = 16_000, 64_000
_SOUNDS = ("*.g722", "*.wav")
_VOICE = re.compile(r"(?P<language>[a-z]{2})_[A-Z]{2}_[fm]_(?P<name>\w+)")


@dataclass(frozen=True)
class _Prompt:
    """One clip of a package; `name` is its path below the voice's folder, without suffix, such as digits/h-4."""

    language: str
    speaker: str
    name: str
    path: Path

    @property
    def id(self) -> str:
        return f"prompts/{self.speaker}/{self.name}"


def prompts(
    out: str | Path,
    *,
    languages: Collection[str] = LANGUAGES,
    source: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Manifest, LeftOut]:
    """Build OUT/manifest.jsonl and OUT/audio/<speaker>/<name>.flac, at 16 kHz or 8 kHz as recorded; nothing has a text.

    The packages come from `source` (a folder that holds them, packed or unpacked), else from the folder `cache`, into
    which those that are missing are downloaded (about 40 MB; default: the user's cache). Speakers are named after the
    voice's folder (it_IT_m_Carlo: `it-carlo`). `LeftOut` lists the ids by reason. `progress(done, total)` is called
    after each clip. The manifest is written last. Needs the package G722.

    Raises CorpusError without it, for another language, a folder without the prompts, a download that fails; AudioError
    for a place that cannot be written.

    >>> manifest, left_out = prompts("telephone", languages=["it"])  # doctest: +SKIP
    """
    out, wanted = Path(out), _checked(languages)
    _codec()
    packages = [name for language in wanted for name in PACKAGES[language]]
    with unpacked(packages, source, cache, _SOUNDS) as folder:
        found = _find(folder, wanted)
        if absent := sorted(set(wanted) - {prompt.language for prompt in found}):
            raise CorpusError(
                f"{source or folder}: no prompts in {', '.join(absent)}; name the folder that holds the packages "
                f"{' and '.join(packages)}"
            )
        manifest, left_out = _build(out, found, progress)
    write_manifest(out / "manifest.jsonl", manifest)
    return manifest, left_out


def decode_g722(stream: bytes) -> Samples:
    """Decode raw G.722 at 64 kbit/s (ITU-T 1988) to samples [T] at 16 kHz, two for each byte.

    Raises CorpusError without the package `G722`.
    """
    pcm_T = _codec().G722(_G722_RATE_HZ, _G722_BITS_S).decode(stream)
    return np.asarray(pcm_T, np.int16).astype(np.float32) / np.float32(32768)


def _codec() -> Any:
    try:
        return import_module("G722")
    except ImportError as error:
        raise CorpusError("decoding G.722 needs an optional package: pip install G722") from error


def _checked(languages: Collection[str]) -> list[str]:
    unknown = sorted(set(languages) - set(LANGUAGES))
    if unknown or not languages:
        raise CorpusError(f"languages are {', '.join(unknown) or 'missing'}, must be of {', '.join(LANGUAGES)}")
    return [language for language in LANGUAGES if language in languages]


def _find(folder: Path, languages: Collection[str]) -> list[_Prompt]:
    """All clips in the languages, sorted by speaker and name; the first of equal ones where a voice lies twice."""
    paths = sorted(path for pattern in _SOUNDS for path in folder.resolve().rglob(pattern))
    found: dict[tuple[str, str], _Prompt] = {}
    for prompt in filter(None, map(_prompt, paths)):
        if prompt.language in languages:
            found.setdefault((prompt.speaker, prompt.name), prompt)
    return [found[key] for key in sorted(found)]


def _prompt(path: Path) -> _Prompt | None:
    """The clip at a path, if a folder above it is one of a voice."""
    for place, folder in reversed(list(enumerate(path.parts[:-1]))):
        if voice := _VOICE.fullmatch(folder):
            name = "/".join((*path.parts[place + 1 : -1], path.stem))
            return _Prompt(voice["language"], f"{voice['language']}-{voice['name'].lower()}", name, path)
    return None


def _build(out: Path, found: Sequence[_Prompt], progress: Progress | None) -> tuple[Manifest, LeftOut]:
    utterances: list[Utterance] = []
    left_out: dict[str, tuple[str, ...]] = {}
    for done, (prompt, sound) in enumerate(_hear(found), start=1):
        if isinstance(sound, str):
            left_out[sound] = (*left_out.get(sound, ()), prompt.id)
        else:
            utterances.append(_kept(out, prompt, *sound))
        if progress:
            progress(done, len(found))
    return Manifest(tuple(utterances)), left_out


def _hear(found: Sequence[_Prompt]) -> Iterator[tuple[_Prompt, tuple[Samples, int] | str]]:
    """Each clip with its samples [T] and their rate in Hz, or with the reason why it is left out."""
    alike: dict[tuple[str, int], list[Path]] = {}  # what could be the same: clips of one voice, equally long
    for prompt in found:
        try:
            samples_T, rate_hz = _read(prompt.path)
        except AudioError:
            yield prompt, UNREADABLE
            continue
        others = alike.setdefault((prompt.speaker, len(samples_T)), [])
        reason = DUPLICATE if prompt.id in _AGAIN else _objection(prompt.name, samples_T, rate_hz)
        if reason is None and any(np.allclose(samples_T, _read(path)[0], rtol=0, atol=_DITHER) for path in others):
            reason = DUPLICATE
        if reason is None:
            others.append(prompt.path)
        yield prompt, reason or (samples_T, rate_hz)


def _read(path: Path) -> tuple[Samples, int]:
    """Samples [T] at the rate of the recording, and the rate in Hz. Raises AudioError for damaged or empty sound."""
    if path.suffix == ".wav":
        probe(path)  # refuses what is damaged
        samples_TC, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return samples_TC.mean(axis=1), rate_hz
    samples_T = decode_g722(path.read_bytes())
    if not len(samples_T):
        raise AudioError(f"{path}: holds no samples; unpack the package again")
    return samples_T, _G722_RATE_HZ


def _objection(name: str, samples_T: Samples, rate_hz: int) -> str | None:
    """Why a clip cannot be used, whatever the others are."""
    if name in _NOT_SPEECH:
        return NOT_SPEECH
    if 10 * math.log10(float(np.square(samples_T).mean()) + 1e-12) < _SILENCE_DBFS:
        return SILENT
    return SHORT if len(samples_T) < SHORTEST_S * rate_hz else None


def _kept(out: Path, prompt: _Prompt, samples_T: Samples, rate_hz: int) -> Utterance:
    """Write the clip; what it is in the corpus."""
    audio = out / "audio" / prompt.speaker / f"{prompt.name}.flac"
    try:
        audio.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            f"{audio.parent}: cannot write: {error.strerror}; free some space or choose another folder"
        ) from error
    write(audio, samples_T, rate_hz)
    return Utterance(
        prompt.id, audio, duration_s=len(samples_T) / rate_hz, language=prompt.language, speaker=prompt.speaker
    )
