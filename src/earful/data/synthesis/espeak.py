"""espeak-ng through ctypes: text in, samples and phones with their times out.

The C library keeps its state in globals, is not thread-safe and now and then crashes: one call at a time in a process,
and whoever speaks many sentences does it in processes that may die (`workers`). Calls follow espeak-ng's header
`speak_lib.h`, version 1.52.
"""

import ctypes
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import soxr
from numpy.typing import NDArray

from earful.audio.files import SAMPLE_RATE_HZ
from earful.data.synthesis.languages import REMEDY, find_language, loader
from earful.data.synthesis.speech import SILENCE, Phone, Speech, Voice
from earful.errors import SynthesisError

_SYNCHRONOUS = 2  # the call returns when all is said; nothing is played
_PHONEME_EVENTS, _PHONEME_IPA, _DO_NOT_EXIT = 1, 2, 0x8000
_UTF8, _PHONEMES = 1, 0x100
_SEPARATOR = "_"
_IPA_APART = 0x02 | ord(_SEPARATOR) << 8  # IPA, and what stands between two phones
_LIST_TERMINATED, _PHONEME = 0, 7  # event types
_RATE, _VOLUME, _PITCH, _RANGE, _WORD_GAP = 1, 2, 3, 4, 7  # parameters
_INT16_SCALE = 1 / 32768


class _Identity(ctypes.Union):
    _fields_: ClassVar = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def speak(text: str, voice: Voice, seed: int = 0, phonemes: bool = False) -> Speech:
    """Say `text`. The same process state, text, voice and seed give the same samples.

    With `phonemes`, what stands between [[ and ]] is said as espeak-ng's own names of phonemes (see `phonemes`).
    Raises SynthesisError if espeak-ng is not installed, lacks the language, or has nothing to say for the text.

    >>> speech = speak("Goedemorgen!", Voice("nl", "f2"))  # doctest: +SKIP
    >>> [phone.symbol for phone in speech.phones][:3]  # doctest: +SKIP
    ['ɣ', 'ˈu', 'd']
    """
    return engine().speak(text, voice, seed, phonemes)


@lru_cache(maxsize=1)
def engine() -> "Engine":
    """The one engine of this process, started at the first call."""
    return Engine()


class Engine:
    """The loaded library. Use `engine()`: a process has one."""

    def __init__(self) -> None:
        module = loader()
        try:
            self._library = _declare(ctypes.CDLL(module.get_library_path()))
        except OSError as error:
            raise SynthesisError(f"espeak-ng's library cannot be loaded ({error}); run: {REMEDY}") from error
        data = os.fsencode(module.get_data_path())
        options = _PHONEME_EVENTS | _PHONEME_IPA | _DO_NOT_EXIT
        self.rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, options))
        if self.rate_hz <= 0:
            raise SynthesisError(f"{os.fsdecode(data)}: espeak-ng cannot use this data folder; run: {REMEDY}")
        self._chunks: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, bytes]] = []
        self._callback = _Callback(self._collect)  # kept: C holds only the address
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: Voice, seed: int = 0, phonemes: bool = False) -> Speech:
        """Say `text`; see the function `speak`."""
        self._set_voice(voice, seed)
        self._chunks, self._events = [], []
        spoken = text.replace("\0", " ").encode()
        flags = _UTF8 | _PHONEMES * phonemes
        status = self._library.espeak_Synth(spoken, len(spoken) + 1, 0, 0, 0, flags, None, None)
        if status != 0 or not any(_is_sound(name) for _, name in self._events):
            raise SynthesisError(
                f"espeak-ng has nothing to say in {voice.language} for {text[:60]!r} (status {status}); "
                "give text with letters of that language"
            )
        samples_T = np.concatenate(self._chunks).astype(np.float32) * np.float32(_INT16_SCALE)
        duration_s = len(samples_T) / self.rate_hz
        # soxr's filter has linear phase and no delay, so times survive resampling
        resampled_T = soxr.resample(samples_T, self.rate_hz, SAMPLE_RATE_HZ, quality="HQ").astype(np.float32)
        return Speech(resampled_T, _phones(self._events, self.rate_hz, duration_s), _is_foreign(self._events))

    def pronounce(self, words: Iterable[str], language: str) -> list[tuple[str, ...]]:
        """The phones of each word by the letter-to-sound rules, without a sound being made: thousands take a moment.

        Stress and tones are among their names. None for a word that is not said, or with another language's phones.
        """
        self._set_voice(Voice(language), 0)
        return [self._pronounced(word.replace("\0", " ")) for word in words]

    def _pronounced(self, word: str) -> tuple[str, ...]:
        rest, said = ctypes.c_char_p(word.encode()), ""
        while rest.value is not None:  # a clause at a time; the library moves the pointer on
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA_APART) or b""
            said += _SEPARATOR + clause.decode(errors="ignore")
        return () if "(" in said else tuple(said.replace(" ", _SEPARATOR).split(_SEPARATOR))

    def _set_voice(self, voice: Voice, seed: int) -> None:
        name = find_language(voice.language).file + (f"+{voice.variant}" if voice.variant else "")
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise SynthesisError(f"espeak-ng cannot load the voice {voice.speaker!r} ({name}); choose another variant")
        settings = {
            _RATE: voice.speed_wpm,
            _VOLUME: voice.volume,
            _PITCH: voice.pitch,
            _RANGE: voice.pitch_range,
            _WORD_GAP: voice.word_gap,
        }
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._library.espeak_ng_SetRandSeed(seed & 0x7FFF_FFFF)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        """Keep what the library hands over; it reuses its memory, hence the copies. 0 means: go on."""
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        place = 0
        while events[place].type != _LIST_TERMINATED:
            if events[place].type == _PHONEME:
                self._events.append((events[place].sample, events[place].id.string))
            place += 1
        return 0


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    text, number, pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
    library.espeak_Initialize.argtypes = [number, number, text, number]
    library.espeak_SetVoiceByName.argtypes = [text]
    library.espeak_SetParameter.argtypes = [number, number, number]
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    unsigned = ctypes.c_uint
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(text), number, number]
    library.espeak_TextToPhonemes.restype = text
    library.espeak_Synth.argtypes = [text, ctypes.c_size_t, unsigned, number, unsigned, unsigned, pointer, pointer]
    return library


def _phones(events: list[tuple[int, bytes]], rate_hz: int, duration_s: float) -> tuple[Phone, ...]:
    """Phones in time order: no language marks such as (en), neighbouring pauses joined, none at the very end."""
    phones: list[Phone] = []
    for sample, name in events:
        symbol, start_s = name.decode(errors="ignore"), sample / rate_hz  # 8 bytes may cut a character
        again = symbol == SILENCE and bool(phones) and phones[-1].symbol == SILENCE
        if not (again or _is_mark(name) or start_s >= duration_s):
            phones.append(Phone(symbol, start_s))
    return tuple(phones)


def _is_sound(name: bytes) -> bool:
    return name != b"" and not _is_mark(name)


def _is_mark(name: bytes) -> bool:
    return name.startswith(b"(")


def _is_foreign(events: list[tuple[int, bytes]]) -> bool:
    return any(_is_mark(name) for _, name in events)
