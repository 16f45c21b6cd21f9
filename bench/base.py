"""What training a base took and where its losses ended, from the log that `earful train` keeps through interruptions.

python bench/base.py --log work/training-base/log.jsonl --model work/earful-base --out bench/base.json
"""

import argparse
import json
import statistics
from pathlib import Path

from earful.checkpoint import load_checkpoint
from earful.kshot.machine import machine


def seconds_of(rows: list[dict]) -> float:
    """How long a training took. A run that goes on counts from zero: a smaller number starts a new stretch."""
    pairs = zip([{"elapsed_s": 0.0}, *rows], rows, strict=False)
    return sum(b["elapsed_s"] - a["elapsed_s"] if b["elapsed_s"] > a["elapsed_s"] else b["elapsed_s"] for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, nargs="+", required=True, help="one or more, of one training after another")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logs = [[json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in options.log]
    seconds, rows = sum(map(seconds_of, logs)), logs[-1]
    checkpoint = load_checkpoint(options.model)
    last = rows[-200:]
    result = {
        "machine": machine(),
        "model": options.model.name,
        "parameters": sum(tensor.numel() for tensor in checkpoint.params.values()),
        "symbols": checkpoint.config.alphabet.size - 1,
        "phones": checkpoint.config.phones.size - 1 if checkpoint.config.phones else 0,
        "steps": sum(log[-1]["number"] for log in logs),
        "losses": {name: statistics.fmean(row["losses"][name] for row in last) for name in last[0]["losses"]},
        "seconds": round(seconds, 1),
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
