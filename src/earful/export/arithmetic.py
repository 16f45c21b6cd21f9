"""The arithmetic of a new model: int8 if its own clips show almost no cost, else float32."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from earful.audio.files import read
from earful.data.manifest import Manifest
from earful.errors import AudioError
from earful.export.proof import MOST_COST
from earful.folders import CARD
from earful.runner import ARITHMETIC, Kind, Runner, can_run, fast_in_int8
from earful.text.normalize import normalize
from earful.text.score import score
from earful.writing import replacing

MOST = 20
Tell = Callable[[str, float, float], None]


def choose(folder: Path, clips: Manifest, tell: Tell) -> Kind:
    """Transcribe clips in float32 and in int8, and write the choice into `model.json`.

    It is int8 if that costs less than MOST_COST of CER by the best path. It is float32 if int8 is no faster here, if
    there are no clips to measure on, or if no graph can be made of the model. Raises CheckpointError; OSError.
    """
    if not can_run(folder) or not fast_in_int8():
        return "float32"
    exact, rounded = (Runner.load(folder, greedy=True, kind=kind) for kind in ("float32", "int8"))
    rules, texts, said = exact.writing.rules, list[str](), list[tuple[str, str]]()
    known = [each for each in clips if normalize(each.text or "", rules)]
    for number, clip in enumerate(islice(known, MOST), 1):
        try:
            samples_T = read(clip.audio, clip.start_s, clip.duration_s)
        except AudioError:
            continue  # the adaptation has named it
        texts.append(normalize(clip.text or "", rules))
        said.append((exact.transcribe(samples_T).text, rounded.transcribe(samples_T).text))
        tell("weighing int8", number, min(len(known), MOST))
    if not texts:
        return "float32"
    before, after = (score(texts, list(each)).cer for each in zip(*said, strict=True))
    kind: Kind = "int8" if after - before < MOST_COST else "float32"
    card = json.loads((folder / CARD).read_text("utf-8"))
    with replacing(folder / CARD) as beside:
        text = json.dumps({**card, ARITHMETIC: kind}, ensure_ascii=False, indent=1, allow_nan=False)
        beside.write_text(text + "\n", "utf-8", newline="\n")
    return kind
