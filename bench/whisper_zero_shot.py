"""What a user gets who only runs Whisper: its rates on the test levels of fillets-ng, the language given.

By faster-whisper, greedy and with a beam of five, in float32, without conditioning on earlier text; both sides are
normalised as ours are. Whisper writes numbers in digits, which count as errors: the rates without such clips are given
too.

    pip install faster-whisper==1.2.1
    python bench/whisper_zero_shot.py --whisper work/whisper-base-ct2 --corpus work/fillets-cs \\
        --out bench/whisper_czech.json

The folder of the whole Whisper is made by recipes/base/whisper_encoder.py --whole.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from games import train_and_test

from earful.audio.files import read
from earful.data.manifest import Manifest
from earful.kshot.machine import machine
from earful.text.normalize import TextRules, normalize
from earful.text.score import score

BEAMS = (1, 5)


def load(folder: str, compute_type: str, threads: int = 1) -> Any:
    """The whole Whisper. Imported here, since only this bench needs it."""
    from faster_whisper import WhisperModel

    return WhisperModel(folder, device="cpu", compute_type=compute_type, cpu_threads=threads)


def written(model: Any, audio: Any, language: str, beam: int) -> str:
    """What Whisper writes."""
    found, _ = model.transcribe(audio, language=language, beam_size=beam, condition_on_previous_text=False)
    return " ".join(segment.text for segment in found)


def rates(test: Manifest, texts: Sequence[str], language: str) -> dict[str, Any]:
    """Rates on all clips, and on those in whose text Whisper wrote no digit."""
    rules = TextRules(language=language)
    rows = [(normalize(u.text or "", rules), normalize(t, rules)) for u, t in zip(test, texts, strict=True)]
    plain = [row for row in rows if not any(c.isdigit() for c in row[1])]
    found = {}
    for name, part in (("all", rows), ("without_digits", plain)):
        each = score([said for said, _ in part], [heard for _, heard in part])
        found[name] = {"clips": len(part), "cer": each.cer, "wer": each.wer, "interval_95": list(each.interval_95)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whisper", required=True, help="folder of the whole Whisper")
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--compute-type", default="float32")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    _, test = train_and_test(options.corpus)
    language = test[0].language or ""
    model = load(options.whisper, options.compute_type)
    facts: dict[str, Any] = {"machine": machine(), "corpus": options.corpus.name, "language": language}
    facts |= {"model": "whisper-base", "compute_type": options.compute_type, "rows": []}
    for beam in BEAMS:
        began = time.process_time()
        texts = [written(model, read(u.audio, u.start_s, u.duration_s), language, beam) for u in test]
        row = {"beam": beam, "processor_s": round(time.process_time() - began, 1), **rates(test, texts, language)}
        facts["rows"].append(row)
        print(json.dumps(row), flush=True)
    options.out.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
