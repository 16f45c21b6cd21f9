"""Audacity's labels: a `.txt` of lines with start, end and label between tabs, of the recording of its name.

Format: Audacity's manual, "Importing and Exporting Labels".
"""

import re
from pathlib import Path

from earful.data.lines import Problem, raise_first, read_text
from earful.data.readers.recording import beside
from earful.data.tiers import Annotated, Span, Tier

_LABEL = re.compile(r"(\d+(?:[.,]\d+)?)\t(\d+(?:[.,]\d+)?)(?:\t(.*))?")
_SPECTRAL = re.compile(r"\\\t.*")  # the frequencies of the label before
_HEAD = 200  # bytes that tell


def is_labels(path: Path) -> bool:
    """Whether a text file begins as labels do: what somebody says does not begin with two numbers and tabs."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0].decode("utf-8", "ignore").rstrip("\r")
    return path.suffix.lower() == ".txt" and _LABEL.fullmatch(first) is not None


def read(path: str | Path) -> tuple[Annotated, ...]:
    """Read labels. Raises ManifestError that names the line that is none."""
    path = Path(path)
    spans: list[Span] = []
    problems: list[Problem] = []
    for number, line in enumerate(read_text(path, "Audacity's labels").split("\n"), start=1):
        line = line.removesuffix("\r")
        label = _LABEL.fullmatch(line)
        if label:
            start_s, end_s = (float(label[place].replace(",", ".")) for place in (1, 2))
            spans.append(Span(start_s, end_s, label[3] or ""))
        elif line.strip() and not _SPECTRAL.fullmatch(line):
            problems.append(
                (number, f"expected start, end and label between tabs, got {line[:60]!r}; correct the line")
            )
    raise_first(path, problems)
    return (Annotated(path, beside(path), (Tier("labels", tuple(spans)),)),)
