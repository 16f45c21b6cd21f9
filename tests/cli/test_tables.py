"""Results on stdout."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from earful.cli.tables import peak_memory_mb, percent, print_json, print_table


def test_json_never_holds_nan(capsys) -> None:
    print_json({"cer": float("nan"), "rates": [1.0, float("inf")], "text": "řeč"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"cer": None, "rates": [1.0, None], "text": "řeč"} and "řeč" in out


def test_cells_are_no_markup(capsys) -> None:
    print_table(("a", ">b"), [("[red]x[/red]", 1)])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_long_names_are_whole_on_a_narrow_terminal(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are there to be typed again: a tier, a file."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    name = "A_Transcription-txt-of-the-first-speaker.eaf"
    print_table(("clip", "what", "what to do"), [(name, "reads the tier " + name, "choose another")])
    out = capsys.readouterr().out
    first = "".join(line[: line.find("  ", 2)].strip() for line in out.splitlines()[3:])
    assert "…" not in out and name in first.replace(" ", "")


def test_percent() -> None:
    assert [percent(x) for x in (0.0, 0.1236, 1.5, float("nan"))] == ["0.0 %", "12.4 %", "150.0 %", "–"]


def test_peak_memory_is_in_megabytes() -> None:
    assert 20 < peak_memory_mb() < 100_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux starts a process with another's peak")
def test_the_peak_is_that_of_this_process_alone() -> None:
    """A process that holds much starts one that holds little."""
    code = "from earful.cli.tables import peak_memory_mb; print(peak_memory_mb())"
    start = f"subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    big = f"import subprocess, sys; held = b'1' * (300 << 20); {start}"
    done = subprocess.run([sys.executable, "-c", big], capture_output=True, text=True, check=True)
    assert 5 < int(done.stdout) < 250
