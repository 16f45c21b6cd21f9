"""`earful forecast`: estimate CER with more minutes of transcribed speech."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earful.cli.adapt import (
    LANGUAGE_HELP,
    USUAL_HELP,
    HowCased,
    HowPunctuated,
    language_of,
    name_left_out,
    sift,
    started,
    written,
)
from earful.cli.device import Device
from earful.cli.leftovers import Drop, SpeakerTier, TierName, clips_of
from earful.cli.numbers import MOST_SEED
from earful.cli.progress import progress, warn
from earful.cli.tables import counted, interval, peak_memory_mb, percent, print_json, print_table
from earful.cli.tuning import above_zero

if TYPE_CHECKING:
    from earful.adapt.forecast import Forecast, Needed, Rate

TIMES = (1, 2, 4, 8)
FEW_DRAWS = 4
WIDTH = 36


def in_per_cent(target: float | None) -> float | None:
    """Check the value of --target before any work."""
    if target is not None and not 1 <= target < 100:
        raise typer.BadParameter(f"{target:g} is no CER in per cent, from 1 to 99; for a fifth of all letters give 20.")
    return target


def forecast(
    model: Annotated[
        str,
        typer.Argument(help="The model to adapt: a model folder, a shipped base, hf:NAME or `none`.", metavar="MODEL"),
    ],
    clips: Annotated[Path, typer.Argument(help="A manifest, a table, or a folder of clips.", metavar="CLIPS")],
    target: Annotated[
        float | None,
        typer.Option(callback=in_per_cent, help="A CER in per cent: how much speech does it need?", metavar="CER"),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(callback=above_zero, help="A time limit in minutes; often it needs less.", metavar="N"),
    ] = 15.0,
    state: Annotated[
        Path | None, typer.Option(help="Keep measurements here, and continue from them.", metavar="FOLDER")
    ] = None,
    language: Annotated[str | None, typer.Option(help=LANGUAGE_HELP, metavar="CODE")] = None,
    tier: TierName = None,
    speaker_tier: SpeakerTier = None,
    drop: Drop = None,
    case: HowCased = None,
    punctuation: HowPunctuated = None,
    usual: Annotated[bool, typer.Option("--usual", help=USUAL_HELP)] = False,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Random seed.", metavar="N")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Estimate the CER of MODEL adapted to more clips like CLIPS (experimental).

    It holds out some clips and adapts MODEL to an eighth, a quarter, half and all of the others, up to eight times.
    Then it fits a learning curve: the CER with all your clips, and with two, four and eight times as much speech, each
    with a 95 % interval. It extrapolates beyond your clips, and holds for speech of the same kind: the same speakers,
    microphone and subjects. It needs at least 8 clips. All rates are of greedy decoding, without a language model. With
    --state an interrupted forecast continues, and can be extended.

    \b
    Example:
        earful forecast earful-base my-clips --target 20
    """
    from earful.adapt.forecast import forecast as forecast_curve

    began = time.monotonic()
    manifest = clips_of(clips, tier, speaker_tier, drop)
    rules = written(language=language or language_of(manifest), case=case, punctuation=punctuation)
    start = started(model, manifest, rules, seed, usual, device)
    with progress() as tell:
        used, findings = sift(manifest, start, tell)
        name_left_out(manifest, used, findings)
        found = forecast_curve(start, used, minutes=minutes, seed=seed, state=state, tell=tell)
    needed = found.needed(target / 100) if target is not None else None
    warnings = list(doubts(found, minutes))
    for warning in warnings:
        warn(warning)
    if json:
        more = {"left_out": len(manifest) - found.clips, "seconds": round(time.monotonic() - began, 2)}
        print_json(summary(found, needed) | more | {"warnings": warnings, "peak_memory_mb": peak_memory_mb()})
        return
    print_forecast(found, needed)


def doubts(found: "Forecast", minutes: float) -> Iterator[str]:
    """Warnings about a forecast, each with a remedy."""
    if found.draws < FEW_DRAWS:
        yield (
            f"there was time for {counted(found.draws, 'draw')} of each size only, in {minutes:g} min: the forecast is "
            "rough; give --minutes more"
        )
    if found.points[-1].cer >= found.cer_before:
        yield "adaptation does not improve on the base yet; check the transcripts, or record more"


def summary(found: "Forecast", needed: "Needed | None") -> dict[str, Any]:
    """What `--json` prints. The keys stay."""
    from earful.config import to_mapping

    return {
        "cer_before": found.cer_before,
        "clips": found.clips,
        "minutes": found.minutes,
        "draws": found.draws,
        "measured": to_mapping(found.points),
        "forecast": [{"times": n} | to_mapping(found.predicted(n * found.minutes)) for n in TIMES],
        "curve": to_mapping(found.curve),
        "target": to_mapping(needed),
    }


def print_forecast(found: "Forecast", needed: "Needed | None") -> None:
    """Print a table of measured and predicted rates, and a summary in words."""
    expected = [found.predicted(n * found.minutes) for n in TIMES]
    kinds = ["measured"] * len(found.points) + ["all your clips", *(f"{n} times, extrapolated" for n in TIMES[1:])]
    top = max(rate.interval_95[1] for rate in (*found.points, *expected))
    rows = (
        (kind, in_minutes(rate.minutes), percent(rate.cer), interval(rate.interval_95), strip(rate, top))
        for kind, rate in zip(kinds, (*found.points, *expected), strict=True)
    )
    print_table(("", ">minutes", ">CER", ">95 %", f"0 to {percent(top)}"), rows)
    curve = found.curve
    print(
        f"{counted(found.clips, 'clip')}, {in_minutes(found.minutes)} minutes; each size was measured "
        f"{counted(found.draws, 'time')}, the best path alone; CER without adaptation {percent(found.cer_before)}"
    )
    print(f"The likeliest curve: CER = {percent(curve.floor)} + {percent(curve.scale)} × minutes^−{curve.exponent:.2f}")
    if needed:
        print(in_words(needed, found))


def in_words(needed: "Needed", found: "Forecast") -> str:
    """The amount of additional speech for the target, in words.

    The interval has an open end if the farthest forecast does not reach the target.
    """
    soonest, latest = needed.interval_95
    far = in_minutes(found.farthest - found.minutes)
    if soonest is None:
        return f"CER {percent(needed.cer)} is out of reach of {far} more minutes; beyond that nothing can be said."
    span = f"{in_minutes(soonest)} – {f'more than {far}' if latest is None else in_minutes(latest)}"
    if needed.more_minutes is None:
        return f"To reach CER {percent(needed.cer)} you probably need more than {far} more minutes [{span}]."
    if not latest and latest is not None:
        return f"CER {percent(needed.cer)} is what all your clips give."
    if not needed.more_minutes:
        worst = f"more than {far}" if latest is None else in_minutes(latest)
        return f"CER {percent(needed.cer)} is about what all your clips give, at the worst after {worst} more minutes."
    return f"To reach CER {percent(needed.cer)} you need about {in_minutes(needed.more_minutes)} more minutes [{span}]."


def in_minutes(minutes: float) -> str:
    """Minutes with a sensible number of digits.

    >>> in_minutes(0.4321), in_minutes(43.21)
    ('0.4', '43')
    """
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:.0f}"


def strip(rate: "Rate", top: float, width: int = WIDTH) -> str:
    """A rate and its interval on a line from 0 to `top`.

    >>> strip(Rate(1.0, 0.2, (0.1, 0.4)), 0.4, 9)
    '  ──●────'
    """
    low, middle, high = (
        round((width - 1) * value / top) for value in (rate.interval_95[0], rate.cer, rate.interval_95[1])
    )
    return " " * low + "─" * (middle - low) + "●" + "─" * (high - middle)
