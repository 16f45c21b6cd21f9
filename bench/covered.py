"""What of the package the tests run: coverage's report, cut down to the whole and the ten files of which least is run.

make coverage
"""

import argparse
import json
from pathlib import Path
from typing import Any

from earful.kshot.machine import machine

LEAST, SMALL = 10, 10
"""So many files are listed, of more than so many statements."""


def row_of(summary: dict[str, Any]) -> dict[str, Any]:
    """Statements and branches of a file or of all, how many of both are run, in per cent, and how many are not."""
    return {
        "statements": summary["num_statements"],
        "percent": round(summary["percent_covered"], 2),
        "missing": summary["missing_lines"] + summary["missing_branches"],
    }


def least_run(files: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {"file": name.removeprefix("src/earful/").removesuffix(".py"), **row_of(each["summary"])}
        for name, each in files.items()
        if each["summary"]["num_statements"] > SMALL
    ]
    return sorted(rows, key=lambda row: (row["percent"], row["file"]))[:LEAST]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="what `coverage json` has written")
    parser.add_argument("--times", type=Path, required=True, help="what bench/cpu_times.py has written")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    report = json.loads(options.report.read_text("utf-8"))
    times = [json.loads(line) for line in options.times.read_text("utf-8").splitlines()]
    found = {
        "machine": machine(),
        "tests": len(times),
        "cpu_s": round(sum(each["cpu_s"] for each in times)),
        **row_of(report["totals"]),
        "least": least_run(report["files"]),
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
