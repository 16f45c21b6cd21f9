"""The target `sherpa-onnx`: a folder that `sherpa_onnx.OfflineRecognizer` loads, on phones, in browsers, in products.

Its class for "omnilingual" models gets raw sound, so the whole front end is in the graph; its frames are 20 ms. It
normalises each recording to mean 0 and variance 1 first; the graph restores the level of speech.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from earful.audio.files import SAMPLE_RATE_HZ
from earful.errors import ExportError, install
from earful.export.onnx_file import BLANK, MODEL, README, TOKENS, properties
from earful.export.place import write_text
from earful.export.proof import Exact, Run, Written
from earful.export.source import WINDOWING, Source, version
from earful.runtime.build import recording_model
from earful.runtime.graph import Kind
from earful.text.score import score
from earful.transcriber import Samples

FRAME_S = 0.020
USUAL_LEVEL = 0.1
"""The default standard deviation of recorded speech, without recordings."""
SPACE = "▁"
TAKEN = frozenset({BLANK, "<eps>", "<blank>", "<unk>", "SIL", "</s>", SPACE})
_HIGHEST_BYTE = 0xC6  # what has bytes up to this, and it itself, sherpa-onnx takes for byte-level BPE
NO_SYMBOL = "<→>"


def check(source: Source) -> None:
    """Refuse what sherpa-onnx would get wrong. Raises ExportError."""
    frames = source.writing.hop_s / FRAME_S
    if abs(frames - round(frames)) > 1e-9 or round(frames) < 1:
        raise ExportError(
            f"{source.name}: an output frame is {source.writing.hop_s * 1000:g} ms, sherpa-onnx counts 20 ms; "
            "adapt a base whose frames are 20 or 40 ms, or export to onnx"
        )
    for symbol in source.writing.alphabet.symbols:
        if symbol in TAKEN or (symbol != " " and any(c.isspace() for c in symbol)) or symbol.startswith("<0x"):
            raise ExportError(
                f"{source.name}: its symbol {symbol!r} means something else to sherpa-onnx; export to onnx, or adapt "
                "with transcripts without it"
            )


def tokens(symbols: Sequence[str]) -> str:
    """`tokens.txt`: the blank first; sherpa-onnx's sign for a space; an extra line if it would see bytes.

    >>> tokens([" ", "a"]).splitlines()
    ['<blk> 0', '▁ 1', 'a 2']
    """
    lines = [BLANK, *(SPACE if symbol == " " else symbol for symbol in symbols)]
    # It looks at all bytes but those of a space: none above 0xC6, and 0xC6 itself, are taken for bytes of BPE.
    highest = max(max(symbol.encode()) for symbol in lines if symbol != SPACE)
    if highest == _HIGHEST_BYTE:
        lines.append(NO_SYMBOL)
    return "".join(f"{symbol} {number}\n" for number, symbol in enumerate(lines))


def level_of(recordings: Sequence[Samples]) -> float:
    """The standard deviation of recordings, the median of them."""
    found = [float(each.std()) for each in recordings if len(each) and each.std() > 0]
    return float(np.median(found)) if found else USUAL_LEVEL


def levelled(samples_T: Samples, level: float) -> Samples:
    """Sound at the level that the model gets there."""
    centred_T = samples_T - samples_T.mean()
    spread = centred_T.std()
    return np.asarray(centred_T / spread * level if spread > 0 else centred_T, np.float32)


def level_matters(exact: Exact, recordings: Sequence[Samples], level: float) -> float:
    """The share of letters that differ because sherpa-onnx normalises the level of each recording."""
    as_it_is = [exact.heard(each).text for each in recordings]
    set_anew = [exact.heard(levelled(each, level)).text for each in recordings]
    return score(as_it_is, set_anew).cer if any(as_it_is) else 0.0


def write(source: Source, folder: Path, kind: Kind, level: float) -> None:
    """Write the model, its tokens, and a README."""
    made = recording_model(
        source.config,
        source.weights,
        WINDOWING,
        kind=kind,
        batched=False,
        level=level,
        repeated=round(source.writing.hop_s / FRAME_S),
    )
    helper.set_model_props(made, {"model_type": "omnilingual-asr", "level": f"{level:g}", **properties(source, kind)})
    onnx.save_model(made, str(folder / MODEL))
    write_text(folder / TOKENS, tokens(source.writing.alphabet.symbols))
    write_text(folder / README, _readme(source, kind, level))


def runner(folder: Path) -> Run:
    """Run it like a user of sherpa-onnx. Raises ExportError: it is not installed."""
    try:
        import sherpa_onnx
    except ImportError:
        raise ExportError(f"sherpa-onnx is not installed: {install('export')}") from None
    recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(str(folder / MODEL), str(folder / TOKENS))

    def run(recordings: Sequence[Samples]) -> list[Written]:
        return [_heard(recognizer, samples_T) for samples_T in recordings]

    return run


def _heard(recognizer: Any, samples_T: Samples) -> Written:
    stream = recognizer.create_stream()
    stream.accept_waveform(SAMPLE_RATE_HZ, samples_T)
    recognizer.decode_stream(stream)
    return Written(" ".join(stream.result.text.split()), tuple(stream.result.timestamps))


def _readme(source: Source, kind: Kind, level: float) -> str:
    return f"""# A speech recogniser for sherpa-onnx

Exported by earful {version()} from `{Path(source.name).name}`, {kind}. `{MODEL}` takes raw sound: load it as an
"omnilingual" CTC model, whatever its language.

```python
import sherpa_onnx

recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc(model="{MODEL}", tokens="{TOKENS}")
```

```sh
sherpa-onnx-offline --omnilingual-asr-model={MODEL} --tokens={TOKENS} new.wav
```

In sherpa-onnx's apps for Android and iOS, `{MODEL}` and `{TOKENS}` take the place of an omnilingual model's.

sherpa-onnx sets every recording to one loudness; the graph brings it to a standard deviation of {level:.3f}. It hears
recordings of any length in windows of {WINDOWING.window_s:g} s, but holds the sound and {source.writing.alphabet.size}
numbers every {source.writing.hop_s * 1000:g} ms in memory at once: cut what is longer than some minutes into pieces.
{source.licences}
"""
