"""Export of a model to a target: written beside its place, run, compared, and only then moved to its place."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from earful.errors import ExportError, install
from earful.export import huggingface
from earful.export.place import ABOUT, check_place, whole_folder, write_json
from earful.export.recordings import Recording, recordings_in, signals, spoken_in
from earful.export.source import Source, check_graph, read_source, version
from earful.runner import NEEDS, Runner
from earful.text.score import score
from earful.transcriber import Samples

if TYPE_CHECKING:
    from earful.export.proof import Proof

Target = Literal["onnx", "sherpa-onnx", "onnx-asr", "web", "huggingface"]
TARGETS: tuple[Target, ...] = get_args(Target)
Kind = Literal["float32", "float16", "int8"]
Tell = Callable[[str, float, float], None]
HEARD_TWICE = 20
"""The number of recordings for measuring the effect of the language model."""
ONNX_ASR = (
    "onnx-asr computes the features of sound itself, mels of its own that it normalises for each recording, and this "
    "model hears others; its only models of raw sound are of 8 kHz in chunks: export to onnx or sherpa-onnx"
)


@dataclass(frozen=True)
class Exported:
    """The result of an export. `otherwise` and `cost` are those of `proof.Proof`; `notes` are for the user."""

    target: Target
    folder: str
    arithmetic: Kind
    megabytes: float
    proved_on: str = ""
    recordings: int = 0
    same: int = 0
    off_s: float = 0.0
    otherwise: float = 0.0
    cost: float | None = None
    notes: tuple[str, ...] = ()


def export(
    model: str | Path,
    target: Target,
    out: Path,
    *,
    kind: Kind = "float32",
    check: Path | None = None,
    overwrite: bool = False,
    tell: Tell = lambda stage, done, total: None,
) -> Exported:
    """Export a model to a target, and prove the same results there, on the recordings in `check` or synthetic ones.

    Raises:
        CheckpointError: there is no such model, or it is damaged.
        ExportError: the target cannot take it, or gives another result; the folder exists, or cannot be written.
        AudioError: a recording to check with cannot be read.
    """
    check_place(out, overwrite=overwrite)
    source = read_source(model)
    if target == "onnx-asr":
        raise ExportError(f"{source.name}: {ONNX_ASR}")
    if target == "huggingface":
        if kind != "float32":
            raise ExportError("huggingface takes the model as it is; leave --int8 and --fp16 out")
        with whole_folder(out) as folder:
            huggingface.write(source, folder)
            done = Exported(target, str(out), kind, _megabytes(folder), notes=("a copy of the model: nothing to run",))
            write_json(folder / ABOUT, {"earful": version(), **asdict(done), "folder": ""})
        return done
    check_graph(source, target)
    _check_installed()
    on, recordings = _recordings(source, check)
    proved = _proved_page if target == "web" else _proved
    with whole_folder(out) as folder:
        done = proved(source, target, folder, kind, on, recordings, tell)
        done = replace(done, folder=str(out), megabytes=_megabytes(folder))
        write_json(folder / ABOUT, {"earful": version(), **asdict(done), "folder": ""})
    return done


def _proved(
    source: Source, target: Target, folder: Path, kind: Kind, on: str, recordings: list[Recording], tell: Tell
) -> Exported:
    """Written and run. Raises ExportError."""
    from earful.export import onnx_file, sherpa
    from earful.export.proof import Exact, measure, prove

    notes = list[str]()
    exact = Exact(source)
    if target == "onnx":
        onnx_file.write(source, folder, kind)
        run = onnx_file.runner(folder, exact)
    else:
        sherpa.check(source)
        sounds = [each.samples_T for each in recordings]
        level = sherpa.level_of(sounds)
        sherpa.write(source, folder, kind, level)
        run = sherpa.runner(folder)
        share = sherpa.level_matters(exact, sounds, level)
        notes.append(f"sherpa-onnx sets the loudness of each recording, by which {share:.1%} of the letters are others")
        recordings = [replace(each, samples_T=sherpa.levelled(each.samples_T, level)) for each in recordings]
    if source.writing.language is not None:
        share = language_matters(source, [each.samples_T for each in recordings[:HEARD_TWICE]])
        notes.append(
            f"without the language model, which {target} has no place for: {share:.1%} of the letters are others"
        )
    judge = prove if kind == "float32" else measure
    return _done(target, kind, judge(on, recordings, exact, run, tell), notes)


def _proved_page(
    source: Source, target: Target, folder: Path, kind: Kind, on: str, recordings: list[Recording], tell: Tell
) -> Exported:
    """The page, written, and run where there is a browser. Raises ExportError."""
    from earful.export import browser, web
    from earful.export.ears import Whole
    from earful.export.proof import measure, prove

    web.write(source, folder, kind)
    if lacking := browser.missing():
        return Exported(target, "", kind, 0.0, notes=(f"it could not be proved by running it: {lacking}",))
    ears, judge = Whole(source), prove if kind == "float32" else measure
    with browser.opened(folder) as page:
        return _done(target, kind, judge(on, recordings, ears, browser.runner(page, ears), tell), [])


def _done(target: Target, kind: Kind, found: "Proof", notes: Sequence[str]) -> Exported:
    """The result of a proof, as the result of an export."""
    return Exported(
        target,
        "",
        kind,
        0.0,
        found.on,
        found.recordings,
        found.same,
        found.off_s,
        found.otherwise,
        found.cost,
        (*notes, *found.notes),
    )


def language_matters(source: Source, recordings: Sequence[Samples]) -> float:
    """The share of letters that the language model changes."""
    with_it, without = Runner.load(source.folder), Runner.load(source.folder, greedy=True)
    texts = [with_it.transcribe(each).text for each in recordings]
    return score(texts, [without.transcribe(each).text for each in recordings]).cer if any(texts) else 0.0


def _recordings(source: Source, check: Path | None) -> tuple[str, list[Recording]]:
    """The recordings of the proof, and their description. Raises ExportError; AudioError."""
    if check is not None:
        found = [each for each in recordings_in(check) if len(each.samples_T)]
        return "your recordings", found
    language = source.writing.rules.language
    languages = [language] if language else [str(each) for each in _origins(source)]
    if spoken := spoken_in(languages[:3]):
        return "synthetic speech", spoken
    return "signals, for want of speech", signals()


def _origins(source: Source) -> list[object]:
    """The languages of a base."""
    languages = source.about.get("languages", [])
    return list(languages) if isinstance(languages, list) else []


def _check_installed() -> None:
    if not all(find_spec(name) for name in NEEDS):
        raise ExportError(f"an export needs packages that are not installed: {install('export')}")


def _megabytes(folder: Path) -> float:
    return float(np.round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1))
