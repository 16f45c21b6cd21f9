#!/bin/sh
# TextGrids as Praat itself writes them (praat-parselmouth 0.4.7, Praat 6.1.38), read by Python's readers:
# - tgt 1.5 cuts a label of a long file at its first " = ", and takes one more letter away: "pa = water" becomes "p", with no
#   error. Glosses are often written so. Short files are read right.
# - textgrid 1.6.1 reads no short file that has a point in a point tier: an AttributeError.
# - praatio 6.2.2 reads no short file in which a label is the word IntervalTier or TextTier, and no long one in which a label is
#   "intervals [1]:", though labels are quoted.
# - pympi-ling 1.71 reads a time of 1e-05 s as 5 s, and one of -1 s, as in a part that was cut around an event, as 1 s, with no
#   error; praatio 6.2.2 reads no long file with either.
# Praat reads them all. Seen 2026-11-30; earful reads quoted strings, whatever stands in them.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet praat-parselmouth==0.4.7 praatio==6.2.2 textgrid==1.6.1 tgt==1.5 pympi-ling==1.71
cd "$folder"
"$folder/venv/bin/python" - <<'PY' | tee seen
import parselmouth
import pympi
import textgrid
import tgt
from parselmouth.praat import call
from praatio import textgrid as praatio


def by_praatio(path):
    grid = praatio.openTextgrid(path, includeEmptyIntervals=True)
    return grid.getTier(grid.tierNames[0]).entries[0].label


def by_pympi(path):
    tier = next(iter(pympi.Praat.TextGrid(path).tiers))
    return next(iter(tier.get_intervals()))[2]


readers = {
    "praat": lambda path: call(parselmouth.read(path), "Get label of interval", 1, 1),
    "pympi": by_pympi,
    "textgrid": lambda path: textgrid.TextGrid.fromFile(path)[0][0].mark,
    "tgt": lambda path: tgt.io.read_textgrid(path).tiers[0].intervals[0].text,
    "praatio": by_praatio,
}
spans = {
    "pympi": lambda path: [span[:2] for span in next(iter(pympi.Praat.TextGrid(path).tiers)).get_intervals()],
    "textgrid": lambda path: [(float(i.minTime), float(i.maxTime)) for i in textgrid.TextGrid.fromFile(path)[0]],
    "tgt": lambda path: [
        (float(i.start_time), float(i.end_time))
        for i in tgt.io.read_textgrid(path, include_empty_intervals=True).tiers[0].intervals
    ],
    "praatio": lambda path: [
        (i.start, i.end) for i in praatio.openTextgrid(path, includeEmptyIntervals=True).getTier("words").entries
    ],
}
for label, points in (("pa = water", 0), ("TextTier", 0), ("intervals [1]:", 0), ("pa", 1)):
    grid = call("Create TextGrid", 0, 2, "words points", "points")
    call(grid, "Insert boundary", 1, 1)
    call(grid, "Set interval text", 1, 1, label)
    for _ in range(points):
        call(grid, "Insert point", 2, 1, "here")
    for kind, command in (("long", "Save as text file"), ("short", "Save as short text file")):
        call(grid, command, "a.TextGrid")
        for name, read in readers.items():
            try:
                found = read("a.TextGrid")
            except Exception as error:
                found = type(error)
            if found != label:
                print(f"{kind}, {label!r}, {points} points: {name} reads {found!r}")
for begin, border in ((0, 1e-5), (-1, 0.25)):
    grid = call("Create TextGrid", begin, 2, "words", "")
    call(grid, "Insert boundary", 1, border)
    for kind, command in (("long", "Save as text file"), ("short", "Save as short text file")):
        call(grid, command, "a.TextGrid")
        for name, read in spans.items():
            try:
                found = read("a.TextGrid")
            except Exception as error:
                found = type(error)
            if found != [(begin, border), (border, 2)]:
                print(f"{kind}, {begin} to {border:g} s: {name} reads {found}")
PY
cat > expected <<'OUT'
long, 'pa = water', 0 points: tgt reads 'p'
short, 'TextTier', 0 points: praatio reads <class 'ValueError'>
long, 'intervals [1]:', 0 points: praatio reads <class 'praatio.utilities.errors.ParsingError'>
short, 'pa', 1 points: textgrid reads <class 'AttributeError'>
long, 0 to 1e-05 s: pympi reads [(0.0, 5.0), (5.0, 2.0)]
long, 0 to 1e-05 s: praatio reads <class 'praatio.utilities.errors.ParsingError'>
short, 0 to 1e-05 s: pympi reads [(0.0, 5.0), (5.0, 2.0)]
long, -1 to 0.25 s: pympi reads [(1.0, 0.25), (0.25, 2.0)]
long, -1 to 0.25 s: praatio reads <class 'praatio.utilities.errors.TextgridStateError'>
short, -1 to 0.25 s: pympi reads [(1.0, 0.25), (0.25, 2.0)]
OUT
cmp seen expected
