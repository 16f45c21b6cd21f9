"""The target `onnx`: one file with the whole front end, from raw sound to log-probabilities; run by onnxruntime."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from earful.audio.files import SAMPLE_RATE_HZ
from earful.export.place import write_text
from earful.export.proof import Exact, Run, Written, heard_in
from earful.export.source import WINDOWING, Source, version
from earful.runtime.build import COUNTS, LENGTHS, LOGP, SAMPLES, recording_model
from earful.runtime.graph import OPSET, Kind
from earful.runtime.session import options_of
from earful.transcriber import Samples

MODEL, TOKENS, README = "model.onnx", "tokens.txt", "README.md"
BLANK = "<blk>"


def write(source: Source, folder: Path, kind: Kind) -> None:
    """Write the model, its letters, and a README."""
    made = recording_model(source.config, source.weights, WINDOWING, kind=kind)
    helper.set_model_props(made, properties(source, kind))
    onnx.save_model(made, str(folder / MODEL))
    letters = "".join(
        f"{symbol}\t{number}\n" for number, symbol in enumerate((BLANK, *source.writing.alphabet.symbols))
    )
    write_text(folder / TOKENS, letters)
    write_text(folder / README, _readme(source, kind))


def properties(source: Source, kind: Kind) -> dict[str, str]:
    """The metadata of the file."""
    rules = source.writing.rules
    return {
        "earful": version(),
        "alphabet": json.dumps(source.writing.alphabet.symbols, ensure_ascii=False),
        "blank": "0",
        "hop_s": f"{source.writing.hop_s:g}",
        "rate_hz": str(SAMPLE_RATE_HZ),
        "window_s": f"{WINDOWING.window_s:g}",
        "language": rules.language,
        "case": str(rules.case),
        "punctuation": str(rules.punctuation),
        "arithmetic": kind,
        "licences": source.licences,
    }


def runner(folder: Path, exact: Exact) -> Run:
    """Run it like a user of onnxruntime: recordings in one padded batch."""
    session = onnxruntime.InferenceSession(str(folder / MODEL), options_of(0), ["CPUExecutionProvider"])

    def run(recordings: Sequence[Samples]) -> list[Written]:
        lengths = np.array([len(each) for each in recordings], np.int64)
        samples_BT = np.zeros((len(recordings), int(lengths.max())), np.float32)
        for row_T, samples_T in zip(samples_BT, recordings, strict=True):
            row_T[: len(samples_T)] = samples_T
        logp_BFV, counts_B = session.run([LOGP, COUNTS], {SAMPLES: samples_BT, LENGTHS: lengths})
        return [
            heard_in(exact, logp_FV[:count], length / SAMPLE_RATE_HZ)
            for logp_FV, count, length in zip(logp_BFV, counts_B, lengths.tolist(), strict=True)
        ]

    return run


def _readme(source: Source, kind: Kind) -> str:
    hop_s, size = source.writing.hop_s, source.writing.alphabet.size
    return f"""# A speech recogniser as ONNX

Exported by earful {version()} from `{Path(source.name).name}`: opset {OPSET}, {kind}, for onnxruntime 1.20 and newer.

| | | |
| --- | --- | --- |
| in | `{SAMPLES}` | float32 [batch, samples]: mono, {SAMPLE_RATE_HZ} Hz, from -1 to 1 |
| in | `{LENGTHS}` | int64 [batch]: samples of each recording; what follows them is not heard |
| out | `{LOGP}` | float32 [batch, frames, {size}]: log-probabilities, a frame every {hop_s * 1000:g} ms |
| out | `{COUNTS}` | int64 [batch]: frames of each recording |

Recordings may be of any length: the graph hears them in windows of {WINDOWING.window_s:g} s.
The best path: the likeliest symbol of each frame, repetitions merged, the blank (0) left out.

```python
import onnxruntime, soundfile

session = onnxruntime.InferenceSession("{MODEL}")
with open("{TOKENS}", encoding="utf-8") as file:
    symbols = [line.rstrip("\\n").rsplit("\\t", 1)[0] for line in file]
samples, _ = soundfile.read("new.wav", dtype="float32")  # mono, {SAMPLE_RATE_HZ} Hz
log_probs, _ = session.run(None, {{"{SAMPLES}": samples[None], "{LENGTHS}": [len(samples)]}})
path = log_probs[0].argmax(-1)
print("".join(symbols[s] for s, before in zip(path, [0, *path]) if s != before and s))
```

earful itself leaves out silences of two seconds and more before it listens, and has a language model where one was
learned; this file has neither.
{source.licences}
"""
