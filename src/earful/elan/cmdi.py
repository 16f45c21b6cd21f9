"""The description of the recogniser from which ELAN draws its panel (CMDI)."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

SOURCE, SEGMENTS, CORRECTED, TIERS = "source", "segments", "corrected", "tiers"
TASK, MODEL, EFFORT, NEW_MODEL, LANGUAGE = "task", "model", "effort", "new_model", "language"
TRANSCRIBE, ADAPT = "transcribe", "adapt"
NAMESPACE = "http://www.clarin.eu/cmd/"


def cmdi(models: Iterable[str], result: Path, linux: str, mac: str, windows: str) -> str:
    """The description; `models` are names without spaces, `result` is the proposed file for the transcript.

    The other arguments are the command on each system. ELAN splits commands and choices at spaces, and drops a
    parameter without `info`.
    """
    names = tuple(models)
    run = f'runLinux="{escape(linux)}" runMac="{escape(mac)}" runWin="{escape(windows)}"'
    proposed = f'default="{escape(str(result))}" info="The transcript"'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<CMD CMDVersion="1.1" xmlns="{NAMESPACE}">
  <Header/>
  <Resources><ResourceProxyList/><JournalFileProxyList/><ResourceRelationList/></Resources>
  <Components>
    <RECOGNIZER>
      <recognizer recognizerType="local" {run} info="earful: transcribe, and learn from corrections">earful</recognizer>
      {_input(SOURCE, "audio", "The recording", "audio/x-wav", optional=False)}
      {_choice(TASK, (TRANSCRIBE, ADAPT), "transcribe; or adapt: learn from a corrected tier, then transcribe")}
      {_choice(MODEL, names, "The model")}
      {_input(SEGMENTS, "tier", "Transcribe only these segments (none: the whole recording)", "text/xml")}
      {_input(CORRECTED, "tier", "To adapt: the tier with the corrected texts", "text/xml")}
      {_choice(EFFORT, ("usual", "quick"), "To adapt: how much work it may be")}
      {_text(NEW_MODEL, "To adapt: a name for the new model")}
      {_text(LANGUAGE, "To adapt: the language, as a code such as is, or in English")}
      <output level="basic" type="tier" optional="true" mimetypes="text/xml" {proposed}>{TIERS}</output>
    </RECOGNIZER>
  </Components>
</CMD>
"""


def _input(name: str, kind: str, info: str, types: str, *, optional: bool = True) -> str:
    level = 'level="optional" optional="true"' if optional else 'level="basic" optional="false"'
    return f'<input {level} type="{kind}" mimetypes="{types}" info="{escape(info)}">{name}</input>'


def _choice(name: str, choices: tuple[str, ...], info: str) -> str:
    words = f'convoc="{escape(" ".join(choices))}" default="{escape(choices[0])}"'
    return f'<textparam level="basic" {words} info="{escape(info)}">{name}</textparam>'


def _text(name: str, info: str) -> str:
    return f'<textparam level="basic" default="" info="{escape(info)}">{name}</textparam>'
