"""earful: speech recognition from a handful of recordings. The public names, nothing else.

A name is imported when it is first asked for, so that `earful --help` and the synthesiser's workers do without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from earful.adapt.finetune import Plan
    from earful.adapt.report import AdaptReport
    from earful.ctc.loss import ctc_loss
    from earful.data.clips import read_clips
    from earful.data.manifest import Manifest, read_manifest, write_manifest
    from earful.data.utterance import Utterance
    from earful.errors import EarfulError
    from earful.evaluate import Report
    from earful.recognizer import Recognizer
    from earful.text.normalize import TextRules
    from earful.text.score import Score, score
    from earful.transcript import Transcript, Word

__version__ = "0.1.0"

_HOMES = {
    "AdaptReport": "earful.adapt.report",
    "EarfulError": "earful.errors",
    "Manifest": "earful.data.manifest",
    "Plan": "earful.adapt.finetune",
    "Recognizer": "earful.recognizer",
    "Report": "earful.evaluate",
    "Score": "earful.text.score",
    "TextRules": "earful.text.normalize",
    "Transcript": "earful.transcript",
    "Utterance": "earful.data.utterance",
    "Word": "earful.transcript",
    "ctc_loss": "earful.ctc.loss",
    "read_clips": "earful.data.clips",
    "read_manifest": "earful.data.manifest",
    "score": "earful.text.score",
    "write_manifest": "earful.data.manifest",
}

__all__ = [
    "AdaptReport",
    "EarfulError",
    "Manifest",
    "Plan",
    "Recognizer",
    "Report",
    "Score",
    "TextRules",
    "Transcript",
    "Utterance",
    "Word",
    "ctc_loss",
    "read_clips",
    "read_manifest",
    "score",
    "write_manifest",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'earful' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
