"""What a command can do a program can: each option has its counterpart in Python, or stands here with a reason."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from typer.main import get_command

from earful.adapt.forecast import Forecast, forecast
from earful.adapt.start import start_from
from earful.adapt.suggest import suggest
from earful.adapt.tune import tune
from earful.audio.channels import survey
from earful.checkpoint import Checkpoint, save_checkpoint
from earful.cli.main import app
from earful.data.check import inspect as inspect_clips
from earful.data.check_reading import inspect_text
from earful.data.tiers import Choice
from earful.data.untranscribed import cut
from earful.evaluate import Report, evaluate
from earful.recognizer import Recognizer
from earful.text.normalize import TextRules
from earful.writers.formats import render
from earful.writers.into import add_transcript, fill

PRINTED = "what it would print is what the function answers"
FILES = "the function answers a value; whoever calls it writes what he wants where he wants"
PLACE = "a program decides by itself whether what is there may go"

FUNCTIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    "adapt": (Recognizer.adapt, Recognizer.load, Recognizer.save, TextRules),
    "transcribe": (Recognizer.transcribe, Recognizer.load, render),
    "score": (evaluate, Recognizer.load),
    "check": (inspect_clips, inspect_text, TextRules),
    "suggest": (suggest,),
    "forecast": (forecast, TextRules),
}
"""Whose parameters, of the same name, are the counterparts of a command's options."""

OTHERWISE: dict[str, dict[str, Any]] = {
    "adapt": {
        "clips": Recognizer.adapt,
        "out": Recognizer.save,
        "base": Recognizer.load,
        "overwrite": save_checkpoint,  # replace=True
        "json": PRINTED,
    },
    "transcribe": {"model": Recognizer.load, "audio": Recognizer.transcribe, "out": FILES, "overwrite": PLACE},
    "score": {"model": Recognizer.load, "manifest": evaluate, "errors": Report, "json": PRINTED},  # its hypotheses
    "check": {"clips": inspect_clips, "base": start_from, "json": PRINTED},  # its rules and output_hop_s
    "suggest": {
        "model": suggest,
        "audio": suggest,
        "transcribed": suggest,  # known=
        "cut": cut,
        "device": Checkpoint.on,
        "out": FILES,
        "overwrite": PLACE,
        "json": PRINTED,
    },
    "forecast": {
        "model": start_from,
        "clips": forecast,
        "target": Forecast.needed,
        "usual": Checkpoint,  # inner=None
        "device": Checkpoint.on,
        "json": PRINTED,
    },
}
OTHERWISE["transcribe"]["json"] = OTHERWISE["suggest"]["json"]
OTHERWISE["check"]["text"] = inspect_text
OTHERWISE["transcribe"] |= {"into": add_transcript, "fill": fill}
for _command in ("adapt", "score", "check", "suggest", "forecast"):  # of the clips, which are read beforehand
    OTHERWISE[_command] |= {"tier": Choice, "speaker_tier": Choice, "drop": Choice}


@pytest.mark.parametrize("command", FUNCTIONS)
def test_every_option_has_its_counterpart(command: str) -> None:
    known = {name for function in FUNCTIONS[command] for name in inspect.signature(function).parameters}
    options = {parameter.name for parameter in get_command(app).commands[command].params}
    lacking = options - known - OTHERWISE[command].keys()
    assert len(options) > 3 and not lacking, f"no counterpart in Python: {lacking}"
    assert OTHERWISE[command].keys() <= options, "a reason for what is no option any more"


def test_named_counterparts_take_what_is_said_of_them() -> None:
    parameters = {
        Recognizer.adapt: (
            "speak",
            "unlabelled",
            "minutes",
            "tune",
            "text",
            "texts",
            "steps",
            "usual",
            "effort",
            "seed",
        ),
        Recognizer.load: ("hot", "guesses", "greedy", "self_adapt", "device"),
        Recognizer.transcribe: ("channel", "denoise", "silences"),
        save_checkpoint: ("replace",),
        suggest: ("known", "count", "seconds"),
        tune: ("minutes", "watch"),
        survey: ("recording",),
    }
    for function, names in parameters.items():
        found = inspect.signature(function).parameters
        assert set(names) <= found.keys(), function
        assert all(found[name].annotation is not inspect.Parameter.empty for name in names)
