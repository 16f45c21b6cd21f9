"""espeak-ng: what is said, when each phone starts, and what happens where it cannot speak."""

import importlib
from itertools import pairwise

import numpy as np
import pytest
import torch

from earful.audio.files import SAMPLE_RATE_HZ
from earful.data.synthesis.espeak import speak
from earful.data.synthesis.languages import find_language, languages, loader, variants
from earful.data.synthesis.speech import SILENCE, Speech, Voice, plain_phone
from earful.data.synthesis.voices import PITCH, SPEED_WPM, random_voice
from earful.errors import SynthesisError


@pytest.fixture(scope="module")
def speech() -> Speech:
    return speak("Goedemorgen, hoe gaat het met de kinderen?", Voice("nl", "f2"))


def level_db(samples_T: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples_T**2) + 1e-12))


def test_speech_is_16_khz_mono_and_audible(speech: Speech) -> None:
    assert speech.samples_T.dtype == np.float32
    assert speech.samples_T.ndim == 1
    assert 1.5 < len(speech.samples_T) / SAMPLE_RATE_HZ < 4
    assert level_db(speech.samples_T) > -40
    assert np.abs(speech.samples_T).max() <= 1.01
    assert not speech.foreign


def test_phones_are_those_of_the_sentence(speech: Speech) -> None:
    said = [plain_phone(phone.symbol) for phone in speech.phones if phone.symbol != SILENCE]
    assert said[:8] == ["ɣ", "u", "d", "ə", "m", "ɔ", "r", "ɣ"]
    assert said[-2:] == ["ə", "n"]


def test_times_increase_and_lie_within_the_clip(speech: Speech) -> None:
    starts = [phone.start_s for phone in speech.phones]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert starts[-1] < len(speech.samples_T) / SAMPLE_RATE_HZ


def test_times_are_true_after_resampling(speech: Speech) -> None:
    """At the very start of a pause the sound falls by more than 12 dB: times are right to about 10 ms."""
    ends = [phone.start_s for phone in speech.phones[1:]] + [len(speech.samples_T) / SAMPLE_RATE_HZ]
    pauses = [
        round(p.start_s * SAMPLE_RATE_HZ)
        for p, end in zip(speech.phones, ends, strict=True)
        if p.symbol == SILENCE and end - p.start_s > 0.05
    ]
    assert len(pauses) >= 2
    for start in pauses:
        before_T, inside_T = speech.samples_T[start - 480 : start], speech.samples_T[start : start + 320]
        assert level_db(inside_T) < level_db(before_T) - 12


def test_neighbouring_pauses_are_one(speech: Speech) -> None:
    assert not any(a.symbol == b.symbol == SILENCE for a, b in pairwise(speech.phones))


def test_speed_and_volume_are_heard() -> None:
    slow, fast = (speak("een kort zinnetje", Voice("nl", speed_wpm=wpm)) for wpm in (110, 260))
    assert len(slow.samples_T) > 1.5 * len(fast.samples_T)
    soft, loud = (speak("een kort zinnetje", Voice("nl", volume=volume)) for volume in (40, 110))
    assert level_db(loud.samples_T) > level_db(soft.samples_T) + 6


def test_a_word_in_another_language_is_noticed_and_leaves_no_mark() -> None:
    speech = speak("дом website дом", Voice("ru"))
    assert speech.foreign
    assert not any("(" in phone.symbol for phone in speech.phones)


@pytest.mark.parametrize("text", ["", " ", "\0"])
def test_nothing_to_say_is_an_error(text: str) -> None:
    with pytest.raises(SynthesisError, match="nothing to say in nl"):
        speak(text, Voice("nl"))


def test_an_unknown_language_names_near_ones() -> None:
    with pytest.raises(SynthesisError, match=r"no language 'germn'.*"):
        speak("ja", Voice("germn"))
    with pytest.raises(SynthesisError, match=r"no language 'jamaican'.*"):
        find_language("jamaican")
    with pytest.raises(SynthesisError, match=r"no language 'Icelandicc'.* near it: .*is"):
        find_language("Icelandicc")
    with pytest.raises(SynthesisError, match=r"no language 'zh-HK'"):  # which is not Mandarin
        find_language("zh-HK")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Icelandic", "is"),
        ("isl", "is"),
        ("is-IS", "is"),
        ("sr-Latn-RS", "sr"),
        ("German", "de"),
        ("hye", "hy"),
        ("Norwegian", "nb"),
        ("swh", "sw"),
        ("es-MX", "es-419"),
        ("es-CL", "es"),
        ("pt_BR", "pt-br"),
        ("en-US-x-mine", "en-us"),
        ("Mandarin", "cmn"),
        ("zh-Latn-pinyin", "cmn-latn-pinyin"),
        ("Cantonese", "yue"),
    ],
)
def test_languages_are_found_by_any_name(name: str, code: str) -> None:
    assert find_language(name).code == code


def test_espeaks_own_codes_mean_what_they_are_to_it() -> None:
    for language in languages():
        assert find_language(language.code).code == language.code


def test_languages_are_found_by_code_alias_and_in_any_case() -> None:
    assert len(languages()) > 100
    assert find_language("fr").file == find_language("FR-fr").file == "roa/fr"
    assert find_language("en").file == "gmw/en"
    assert find_language("zh").code == "cmn"
    assert len({language.code for language in languages()}) > len(languages()) - 3


@pytest.mark.parametrize("code", ["en", "en-us", "fr", "pt-br", "cmn", "vi"])
def test_every_code_speaks(code: str) -> None:
    assert len(speak("12", Voice(code)).samples_T) > SAMPLE_RATE_HZ / 4


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(SynthesisError, match=r'pip install "\.\[speak\]"'):
        loader()


def test_plain_phones_have_no_stress_and_no_ties() -> None:
    assert [plain_phone(symbol) for symbol in ("ˈaː", "ˌœy", "t͡s", "ɑ̃", "")] == ["aː", "œy", "ts", "ɑ̃", ""]


def test_random_voices_are_human_varied_and_repeatable() -> None:
    assert {"m1", "f5", "klatt"} <= set(variants())
    assert not {"robosoft", "whisper", "Demonic"} & set(variants())
    voices = [random_voice("nl", torch.Generator().manual_seed(seed)) for seed in range(50)]
    assert voices == [random_voice("nl", torch.Generator().manual_seed(seed)) for seed in range(50)]
    assert len({voice.speaker for voice in voices}) > 20
    assert all(PITCH[0] <= voice.pitch <= PITCH[1] for voice in voices)
    assert all(SPEED_WPM[0] <= voice.speed_wpm <= SPEED_WPM[1] for voice in voices)
    with pytest.raises(SynthesisError, match="no language"):
        random_voice("xx", torch.Generator())
