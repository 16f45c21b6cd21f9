"""The process of one adaptation: `python -m earful.server.worker FOLDER NICE` executes FOLDER/spec.json.

It prints a line of JSON for each change: {stage, share, left_s}, and at the end {done} or {failed}, with `full` if the
disk is full. It exits when its input ends, because the server has died; the next server continues from the saved state.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from earful.errors import AdaptationError, ConfigError, EarfulError
from earful.server.jobs import RESULT, SPEC
from earful.server.room import is_full
from earful.writing import replacing

if TYPE_CHECKING:
    from earful.adapt.report import AdaptReport
    from earful.data.finding import Finding
    from earful.text.interval import Interval

_EVERY_S = 0.5
_LOCKED_S = 30.0  # seconds for the process of a killed server to exit
_NAMED = 10  # the most clips with warnings to name


def main() -> None:
    """Adapt, and print the progress."""
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[2]))
    Thread(target=_end_with_the_server, daemon=True).start()
    answers, sys.stdout = sys.stdout, sys.stderr

    def say(news: dict[str, Any]) -> None:
        answers.write(json.dumps(news, ensure_ascii=False, allow_nan=False) + "\n")
        answers.flush()

    folder = Path(sys.argv[1])
    try:
        say({"done": work(folder, Progress(say))})
    except EarfulError as error:
        say({"failed": " ".join(str(error).split("\n")), "full": is_full(error)})
    except MemoryError:
        say({"failed": "not enough memory; use fewer or shorter clips, or close other programs"})
    except Exception as error:  # the server reports it to the client
        say(
            {
                "full": is_full(error),
                "failed": f"a fault of earful: {type(error).__name__}: {' '.join(str(error).split())}",
            }
        )


def work(folder: Path, tell: "Progress") -> dict[str, Any]:
    """Adapt by FOLDER/spec.json; return the result, which is kept there until the server has stored it."""
    if (folder / RESULT).exists():
        kept: dict[str, Any] = json.loads((folder / RESULT).read_text("utf-8"))
        return kept
    spec = json.loads((folder / SPEC).read_text("utf-8"))
    with _alone(folder / "state"):
        result = adapted(spec, folder / "state", tell)
    with replacing(folder / RESULT) as beside:
        beside.write_text(json.dumps(result, ensure_ascii=False, allow_nan=False), "utf-8", newline="\n")
    return result


def adapted(spec: dict[str, Any], state: Path, tell: "Progress") -> dict[str, Any]:
    """Adapt the base to the clips, save the model, measure int8, and return the job's result."""
    from earful.adapt.effort import adapt_by
    from earful.adapt.start import start_from
    from earful.checkpoint import save_checkpoint
    from earful.data.check import inspect, usable
    from earful.data.manifest import read_manifest
    from earful.export.arithmetic import choose

    clips = read_manifest(spec["manifest"]).filter(lambda u: bool((u.text or "").strip()))
    rules = {"language": spec["language"]} if spec["language"] else {}
    start = start_from(spec["base"], [u.text or "" for u in clips], rules)
    tell("checking the clips", 0, 1)
    findings = inspect(clips, start.config.rules, start.config.output_hop_s).findings
    used = usable(clips, findings)
    if not len(used):
        raise AdaptationError(f"none of the {len(clips)} clips can be used{_example(findings)}")
    out = Path(spec["out"])
    made, report = adapt_by(spec["effort"], start, used, state=state, progress=tell)
    save_checkpoint(out, made, replace=True)
    choose(out, used, tell)
    said = [*_some(spec.get("warnings", ())), *_left_out(findings, len(clips) - len(used))]
    return result_of(out.name, report, said)


def result_of(name: str, report: "AdaptReport", said: Sequence[str]) -> dict[str, Any]:
    """The result of an adaptation for clients, and the warnings about its clips. Rates are with the language model."""
    return {
        "model": name,
        "cer_before": rate(report.cer_before),
        "cer_after": rate(report.rate),
        "interval": finite(report.rate_interval_95),
        "measured": report.measured,
        "kept_base": not report.improved,
        "clips": report.clips,
        "speech_s": round(report.speech_s, 2),
        "warnings": [*said, *report.warnings],
        "curve": [[point.step, point.cer] for point in report.curve if isfinite(point.cer)],
    }


def rate(value: float) -> float | None:
    """A rate for JSON; None if nothing could be measured."""
    return value if isfinite(value) else None


def finite(bounds: "Interval | None") -> "Interval | None":
    """An interval for JSON; None for one that is not finite."""
    return bounds if bounds is not None and all(map(isfinite, bounds)) else None


class Progress:
    """Prints the progress of a stage at most twice a second, with the remaining time of the stage."""

    def __init__(self, say: Any) -> None:
        self._say, self._stage, self._began, self._said = say, "", 0.0, 0.0

    def __call__(self, stage: str, done: float, total: float) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._said = stage, now, 0.0
        if now - self._said < _EVERY_S and done < total:
            return
        self._said, share = now, min(done / total, 1.0) if total else 1.0
        left_s = round((now - self._began) * (1 - share) / share, 1) if share else None
        self._say({"stage": stage, "share": round(share, 4), "left_s": left_s})


def _some(warnings: Sequence[str]) -> list[str]:
    """The first warnings about files, and the number of the others."""
    more = len(warnings) - _NAMED
    return [*warnings[:_NAMED], *([f"and {more} more of this kind"] if more > 0 else [])]


def _left_out(findings: "Sequence[Finding]", count: int) -> list[str]:
    errors = [each for each in findings if each.severity == "error"]
    named = [f"left out {Path(each.where).name}: {each.message}" for each in errors[:_NAMED]]
    return [*named, f"left out {count} clips"] if len(errors) > _NAMED else named


def _example(findings: "Sequence[Finding]") -> str:
    errors = [each for each in findings if each.severity == "error"]
    return f", for example {Path(errors[0].where).name}: {errors[0].message}" if errors else ""


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Lock the state for this process; the process of a killed server may need a moment to exit."""
    from earful.alone import alone

    until = time.monotonic() + _LOCKED_S
    with ExitStack() as entered:
        while True:
            try:
                entered.enter_context(alone(state, "wait until it has ended"))
                break
            except ConfigError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
        yield


def _end_with_the_server() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
