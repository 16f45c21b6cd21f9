"""The ear: which frames stay, what is heard along with the new, and what no pace can be."""

from typing import Any

import numpy as np
import pytest

from earful.errors import ConfigError
from earful.live.ear import Ear, Pace

PACE = Pace(behind_s=1.2, ahead_s=0.6, first_s=1.2)


def test_frames_come_once_and_in_order(tones_heard: Any, tones: Any) -> None:
    sound = tones("abba cab acca bac caba")
    whole, _ = tones_heard().hear(sound, np.ones(-(-len(sound) // 1920), np.bool_))
    ear, stayed = Ear(tones_heard(), PACE), []
    for begin in range(0, len(sound), 5_000):
        ear.add(sound[begin : begin + 5_000])
        frames = ear.hear()
        stayed.append(frames.logp_FV[: frames.staying])
        samples = min(begin + 5_000, len(sound))
        stays = sum(map(len, stayed)) * 320
        assert samples - 9600 - 1920 <= stays <= samples - 9600 or samples < 19_200
    frames = ear.hear("the end")
    assert frames.staying == len(frames.logp_FV)
    found = np.concatenate([*stayed, frames.logp_FV])
    assert len(found) == len(whole) and (found.argmax(1) == whole.argmax(1)).mean() > 0.98


def test_what_came_before_is_heard_along(tones_heard: Any, tones: Any) -> None:
    transcriber = tones_heard()
    ear = Ear(transcriber, PACE)
    ear.add(tones("abba cab acca bac caba")[: 3 * 16_000])
    ear.hear()
    before = transcriber.heard_s
    ear.add(np.full(1600, 0.1, np.float32))
    ear.hear()
    assert 1.2 + 0.6 <= transcriber.heard_s - before <= 1.2 + 0.6 + 0.1 + 2 * 0.12 + 0.12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hop_s": -1.0}, r"hop_s is -1\.0 s, must be 0 or more"),
        ({"ahead_s": float("nan")}, "ahead_s is nan s"),
        ({"share": 0.0}, r"share is 0\.0, must be above 0"),
        ({"behind_s": 12.0}, r"behind_s 12, ahead_s 1\.5 and first_s 4 do not fit into a window of 15 s"),
    ],
)
def test_what_is_no_pace(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pace(**settings)
