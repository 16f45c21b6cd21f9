"""Figures and outputs in the documents are those of the JSON files and the commands, never typed in."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from earful.checkpoint import shipped_bases

ROOT = Path(__file__).parents[2]


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend((ROOT / path).parent)
        spec.loader.exec_module(module)
    return module


tables, commands = script("bench/tables.py"), script("docs/commands.py")
DOCUMENTS = list(tables.documents())
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS}
MACHINE = {"cpu": "A", "cores": 2, "threads": 1, "gpu": None, "torch": "2"}


def places(pattern: re.Pattern[str]) -> list[tuple[str, str, str]]:
    """(document, name, what stands there) of every place."""
    return [(name, m["name"], m["body"]) for name, text in TEXTS.items() for m in pattern.finditer(text)]


@pytest.mark.parametrize("document", TEXTS)
def test_figures_are_up_to_date(document: str) -> None:
    assert tables.filled(TEXTS[document]) == TEXTS[document], "run: python bench/tables.py"


@pytest.mark.parametrize("document", TEXTS)
def test_every_place_has_an_end_and_a_known_name(document: str) -> None:
    text = TEXTS[document]
    found = [(d, n, b) for pattern in (tables.PLACE, commands.PLACE) for d, n, b in places(pattern) if d == document]
    assert len(re.findall(r"<!-- (?:figures|output):", text)) == len(found) == text.count("<!-- end -->")
    assert all("<!--" not in body for _, _, body in found), "a place within a place"
    assert {name for d, name, _ in places(tables.PLACE) if d == document} <= set(tables.FIGURES)
    assert {name for d, name, _ in places(commands.PLACE) if d == document} <= set(commands.BLOCKS)


def test_everything_that_is_made_is_shown() -> None:
    assert {name for _, name, _ in places(tables.PLACE)} == set(tables.FIGURES)
    assert {name for _, name, _ in places(commands.PLACE)} == set(commands.BLOCKS)
    made = {path.stem for path in (ROOT / "bench").glob("*.json")}
    assert made <= set(tables.FIGURES), "a JSON file that no table shows"


@pytest.mark.skipif("earful-base" not in shipped_bases(), reason="no base is shipped yet")
def test_nothing_is_to_come_once_there_is_a_base() -> None:
    empty = [(document, name) for document, name, body in places(commands.PLACE) if "```" not in body]
    assert not empty, "run: python docs/commands.py"


def test_outputs_begin_with_the_commands_that_gave_them() -> None:
    for document, name, body in places(commands.PLACE):
        if "```" in body:
            asked = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
            assert asked == [commands.SHOWN.get(c, c) for c in commands.BLOCKS[name]], (document, name)


def test_the_line_of_accuracy_is_of_the_file() -> None:
    """README's one line of error rates, and its picture, which is small enough to load at once."""
    curve = script("bench/learning_curve.py")
    measured = json.loads((ROOT / "bench" / "kshot_czech.json").read_text("utf-8"))
    assert curve.LINE.findall(TEXTS["README.md"]) == [curve.sentence(measured)], "run: python bench/learning_curve.py"
    assert curve.PICTURE.relative_to(ROOT).as_posix() in TEXTS["README.md"] and curve.PICTURE.stat().st_size < 60_000


def test_the_line_of_accuracy() -> None:
    rows = [
        {"base": base, "clips": clips, "test_ngram": {"cer": cer}}
        for base, clips, cer in (
            ("earful-base", 50, 0.14), ("earful-base", 10, 0.2), ("earful-base", 10, 0.24), ("other", 10, 0.9),
            ("earful-base", 5, 0.7),
        )
    ]  # fmt: skip
    said = script("bench/learning_curve.py").sentence({"rows": rows})
    assert "of 22.0 % after 10 clips, 14.0 % after 50 clips (medians)" in said


def test_what_a_block_builds_on_comes_first() -> None:
    assert commands.wanted(["score"]) == ["corpus-speak", "adapt", "score"]
    assert commands.wanted(list(commands.BLOCKS)) == list(commands.BLOCKS)


def test_progress_is_not_shown() -> None:
    said = "earful: warning: 10%, 0:10 left out\nearful: adapting: 12%, 1:02 left, note\nCER before  9 %\n"
    assert commands.PROGRESS.sub("", said) == "earful: warning: 10%, 0:10 left out\nCER before  9 %\n"


SAMPLES = {
    "kshot_czech": {
        "machine": MACHINE,
        "test_clips": 200,
        "test_s": 720.0,
        "before": {"earful-base": {"cer": 0.78}},
        "rows": [
            {"wanted": 10, "clips": 10, "base": base, "seed": seed, "speech_s": 36.2, "seconds": 40.0 + seed,
             "peak_memory_mb": 900, "test": {"cer": cer, "wer": 0.9}, "test_ngram": {"cer": cer - 0.1, "wer": 0.8}}
            for base, start in (("none", 0.9), ("earful-base", 0.6)) for seed, cer in enumerate((start, start + 0.03))
        ],
    },
    "ablation_czech": {
        "machine": MACHINE,
        "base": "earful-base",
        "test_clips": 200,
        "rows": [
            {"clips": 50, "seed": seed, "variant": variant, "cer": cer + seed / 100, "wer": 0.9}
            for variant, cer in (("all", 0.4), ("random letters", 0.45)) for seed in (0, 1, 2)
        ],
    },
    "encoders": {
        "machine": MACHINE,
        "budget_cpu_s": 180.0,
        "rows": [
            {"kind": "bigru", "seed": seed, "steps": 90, "parameters": 3_600_000, "per_synthetic": 0.2 + seed / 100,
             "per_dutch": 0.5, "inference_xrt": 151.2}
            for seed in (0, 1, 2)
        ],
    },
    "transcribe_speed": {
        "machine": MACHINE | {"threads": None},
        "model": "m",
        "parameters": 4_080_000,
        "repeats": 5,
        "clips": 40,
        "rows": [
            {"what": what, "audio": audio, "threads": threads, "audio_seconds_per_second": 100.0 * threads}
            for what in ("transcribe", "features_alone") for audio in ("short_clips", "ten_minutes")
            for threads in (1, 2)
        ],
    },
    "export": {
        "machine": MACHINE,
        "clips": 50,
        "language": "nl",
        "rows": [
            {"target": "onnx", "model": "m", "arithmetic": kind, "same": 50, "recordings": 50, "off_s": 0.004,
             "otherwise": 0.03, "cost": 0.001, "megabytes": 44.9}
            for kind in ("float32", "int8")
        ],
    },
    "export_speed": {
        "machine": MACHINE,
        "parameters": 28_000_000,
        "repeats": 3,
        "speed": [
            {"way": way, "audio": audio, "threads": threads, "audio_seconds_per_second": 100.0 * threads}
            for way in ("torch", "float32", "int8", "int8 with the language model", "faster-whisper")
            for audio in ("short_clips", "ten_minutes") for threads in (1, 2)
        ],
        "rates": [
            {"way": way, "clips": 40, "cer": 0.3}
            for way in ("torch", "float32", "int8", "int8 with the language model", "faster-whisper")
        ],
        "cold": [
            {"way": way, "wall_s": 1.0, "processor_s": 1.0, "peak_mb": 300} for way in ("torch", "float32", "int8")
        ],
        "memory": [{"audio": each, "peak_mb": 240, "wall_s": 9.0} for each in ("ten minutes", "two hours")],
    },
    "adapt_settings": {
        "machine": MACHINE,
        "test_clips": 195,
        "rows": [
            {
                "clips": 10, "seed": 0, "change": "as chosen", "batch_s": 60.0, "cer": 0.6, "wer": 0.9, "cpu_s": 20.1,
            },
        ],
    },
    "pretraining": {
        "machine": MACHINE, "budget_s": 90.0, "corpus": "fillets-cs",
        "rows": [
            {"start": "none", "seed": 0, "steps": 0, "probe": 0.3},
            {"start": "none", "seed": 0, "steps": 0, "clips": 10, "cer": 0.9},
            {"start": "best_rq", "seed": 0, "steps": 80, "probe": 0.4},
            {"start": "best_rq", "seed": 0, "steps": 80, "clips": 10, "cer": 0.8},
        ],
    },
    "base": {
        "machine": MACHINE, "model": "earful-base", "parameters": 4_078_853, "symbols": 148, "phones": 172,
        "steps": 4500, "seconds": 7500.0,
        "losses": {"phone_frames": 0.5},
    },
    "sinusoid": {
        "machine": MACHINE, "outer_steps": 10_000, "tasks": 25, "test_sinusoids": 600, "seeds": [0, 1, 2],
        "printed": {
            "source": "A 2017, table 1",
            "rows": [
                {"family": "li", "learner": "meta-sgd", "trained": 10, "tested": tested, "steps": 1, "mse": 0.5,
                 "interval": 0.02}
                for tested in (5, 10)
            ],
        },
        "rows": [
            {"family": "li", "learner": "meta-sgd", "trained": 10, "tested": tested, "seed": seed, "steps": steps,
             "mse": 0.5 + (10 - tested) + seed / 100 if steps == 1 or seed == 0 else None,
             "interval": 0.05 if steps == 1 or seed == 0 else None}
            for tested in (5, 10) for steps in (1, 10) for seed in (0, 1, 2)
        ],
    },
}  # fmt: skip

EXPECTED = {
    "kshot_czech": "| 10 | 36 | `earful-base` | 78.0 | 61.5 [60.0–63.0] | 51.5 [50.0–53.0] | 80.0 | 40 |",
    "ablation_czech": "| random letters | 46.0 | +5.0 [+5.0–+5.0] |",
    "encoders": "| bigru | 3.6 M | 90 | 21.0 [20.0–22.0] | 50.0 [50.0–50.0] | 151 |",
    "export": "| onnx | m | int8 | 50 of 50 | – | 3.0 | +0.10 | 45 |",
    "export_speed": "| onnxruntime, int8 | 100.0 | 200.0 | 100.0 | 200.0 | 30.0 | 1.0 | 1.0 | 300 |",
    "transcribe_speed": "| a recording of ten minutes | 2 | 200 | 200 |",
    "adapt_settings": "| as chosen | 60 | 60.0 | 20 |",
    "pretraining": "| best-rq | 80 | 40.0 | 80.0 |",
    "base": "| training | 2 h 5 min |",
    "sinusoid": "| amplitude, phase, frequency | meta-sgd | 0.51 ± 0.05 | diverges |",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_table(name: str, tmp_path: Path) -> None:
    place = f"before\n<!-- figures: {name} -->\nold\n<!-- end -->\nafter\n"
    assert "Not measured yet" in tables.filled(place, tmp_path)
    (tmp_path / f"{name}.json").write_text(json.dumps(SAMPLES[name]), "utf-8")
    text = tables.filled(place, tmp_path)
    assert EXPECTED[name] in text.splitlines() and "old" not in text
    assert tables.filled(text, tmp_path) == text and text.startswith("before\n") and text.endswith("after\n")
    bars = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(bars) == 1, "all rows have as many cells"


def test_a_name_that_nothing_renders(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        tables.filled("<!-- figures: typo -->\n<!-- end -->\n", tmp_path)
