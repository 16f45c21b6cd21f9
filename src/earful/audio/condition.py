"""Acoustic conditions that many clips share, for tasks: noise at an SNR, a room, a microphone, a line."""

from dataclasses import replace
from typing import Any

import torch

from earful.audio.augment import Augmentation
from earful.errors import ConfigError

# What a condition is made of: its name, and the settings that the name tells. A `…_probability` goes with each; the
# rest of an Augmentation (speed, vocal tract, gain) is of who speaks, and how near.
_PARTS = {
    "noise": ("noise {} dB colour {}", ("snr_db", "noise_exponent")),
    "unsteady": ("unsteady noise {} dB", ("unsteady_snr_db",)),
    "room": ("room {} s direct {} dB", ("rt60_s", "direct_db")),
    "microphone": ("microphone {} dB", ("microphone_db",)),
    "saturation": ("saturation {} dB", ("saturation_db",)),
    "telephone": ("telephone", ()),
    "codec": ("{} {} kbps", ("codecs", "codec_kbps")),
}
_ONE_RATE = {"gsm": 13.0, "mulaw": 64.0}  # whatever rate is asked for: see `through_codec`


def draw_condition(augmentation: Augmentation, generator: torch.Generator) -> Augmentation:
    """One condition for many clips, of those that `augmentation` allows.

    Its probabilities become 0 or 1, and its ranges points, rounded to two digits. A change that does not happen has the
    lowest value; a codec of one rate has that rate. So two conditions of one augmentation are equal if `describe` names
    them alike. Speed, vocal tract and gain stay random: a condition has many voices. Each clip gets its own sound:
    other noise of that colour, another room of that length, any microphone of that ripple, any kind of unsteady noise.

    >>> describe(draw_condition(Augmentation(), torch.Generator().manual_seed(3)))
    'noise 7.6 dB colour 0.57, room 0.49 s direct 8.9 dB'
    """
    names = [name for part, (_, fields) in _PARTS.items() for name in (f"{part}_probability", *fields)]
    # A fixed number of draws a call, so that one option changes nothing about the others.
    drawn = torch.rand(len(names), generator=generator, device=generator.device).tolist()
    chances = dict(zip(names, drawn, strict=True))
    fixed: dict[str, Any] = {}
    for part, (_, fields) in _PARTS.items():
        name = f"{part}_probability"
        fixed[name] = float(chances[name] < getattr(augmentation, name))
        fixed |= {field: _point(getattr(augmentation, field), chances[field] * fixed[name]) for field in fields}
    if fixed["codec_probability"] and fixed["codecs"][0] in _ONE_RATE:
        fixed["codec_kbps"] = (_ONE_RATE[fixed["codecs"][0]],) * 2
    return replace(augmentation, **fixed)


def describe(condition: Augmentation) -> str:
    """A short name of a condition, such as "noise 7.2 dB colour 0.4, telephone", or "clean" if nothing happens.

    `noise` has its SNR, and its colour (0 white, 1 pink, 2 brown); `room` its reverberation time, and the direct sound
    over the echoes; `microphone` its ripple; `saturation` its drive; a codec the bit rate asked of it.
    Raises ConfigError if something is left to chance, so that this is no single condition.

    >>> describe(Augmentation(noise_probability=0, room_probability=0, telephone_probability=1))
    'telephone'
    """
    if odd := _left_to_chance(condition):
        value = getattr(condition, odd[0])
        raise ConfigError(f"{odd[0]} is {value}, which is no single condition; describe what draw_condition gives")
    happen = [part for part in _PARTS if getattr(condition, f"{part}_probability")]
    told = []
    for form, fields in (_PARTS[part] for part in happen):
        told.append(form.format(*(_plain(getattr(condition, name)[0]) for name in fields)))
    return ", ".join(told) or "clean"


def _left_to_chance(condition: Augmentation) -> list[str]:
    found = []
    for part, (_, fields) in _PARTS.items():
        chance = getattr(condition, f"{part}_probability")
        found += [f"{part}_probability"] if chance not in (0, 1) else []
        found += [name for name in fields if chance and len(set(getattr(condition, name))) > 1]
    return found


def _point(choices: tuple[Any, ...], chance: float) -> tuple[Any, ...]:
    """One of some words, as a tuple of one; or of the numbers between two, as a range that is a point."""
    if isinstance(choices[0], str):
        return (choices[int(chance * len(choices))],)
    low, high = choices
    return (min(max(float(f"{low + chance * (high - low):.2g}"), low), high),) * 2


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
