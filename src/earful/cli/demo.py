"""`earful demo`: the main job in a minute, on a language that the base has never heard."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earful.cli.adapt import DEFAULT_BASE, sift
from earful.cli.corpus import telling
from earful.cli.numbers import MOST_SEED
from earful.cli.progress import progress, warn
from earful.cli.score import measure
from earful.cli.tables import counted, interval, percent, print_table
from earful.errors import quoted

if TYPE_CHECKING:
    from earful.checkpoint import Checkpoint
    from earful.data.manifest import Manifest

SENTENCES = Path(__file__).with_name("demo_esperanto.txt")
MARK = ".earful-demo"
CLIPS, NEW = 20, 3
Out = Annotated[Path, typer.Option(help="The folder for clips and model.", metavar="DIR")]
Base = Annotated[str, typer.Option(help="The model to start from.", metavar="NAME|DIR")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Another seed, other voices and clips.", metavar="N")]
NAMES = {"eo": "Esperanto", "cs": "Czech"}


def demo(
    out: Out = Path("demo"),
    base: Base = DEFAULT_BASE,
    seed: Seed = 0,
) -> None:
    """Adapt the base to a language that it has never heard, and show what it writes before and after.

    The synthesiser speaks 60 Esperanto sentences in random voices: 20 to learn from, 3 to transcribe, the others to
    measure with. Nothing is downloaded.

    \b
    Example:
        earful demo
    """
    start_afresh(out)
    learn, test = esperanto(out, seed)
    show(learn, test, out, base, seed)


def show(learn: "Manifest", test: "Manifest", out: Path, base: str, seed: int) -> None:
    """Adapt the base to the training clips; print error rates on the test set, and the transcripts of three clips."""
    from earful.adapt.adapt import adapt
    from earful.adapt.start import start_from
    from earful.checkpoint import save_checkpoint

    new, test = test[:NEW], test[NEW:]
    start = start_from(base, (u.text or "" for u in learn), {}, seed)
    language = learn[0].language or ""
    introduce(start, language, learn, test)
    with progress() as tell:
        used, _ = sift(learn, start, tell)
        adapted, report = adapt(start, used, seed=seed, progress=tell)
    save_checkpoint(out / "model", adapted)
    for warning in report.warnings:
        warn(warning)
    compare(start, adapted, test)
    side_by_side(start, adapted, new)
    model = out / "model"
    print(f"The model is in {model}; try it: earful transcribe {quoted(model)} {quoted(new[0].audio)}")


def start_afresh(out: Path) -> None:
    """Empty the folder of an earlier demo. Raises ConfigError if the folder holds anything else."""
    from earful.errors import ConfigError

    if out.exists() and not (out / MARK).exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: exists, and no demo made it; name another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    shutil.rmtree(out / "clips", ignore_errors=True)
    shutil.rmtree(out / "model", ignore_errors=True)


def esperanto(out: Path, seed: int) -> "tuple[Manifest, Manifest]":
    """Training clips and test clips, each sentence in a random voice."""
    from earful.data.synthesis.speak import speak_corpus

    with progress() as tell:
        spoken, _ = speak_corpus(["eo"], out / "clips", text=SENTENCES, seed=seed, progress=telling(tell))
    return spoken[:CLIPS], spoken[CLIPS:]


def introduce(start: "Checkpoint", language: str, learn: "Manifest", test: "Manifest") -> None:
    """Say what is going to happen, and whether earful trained the base on the language.

    Variants (`en-gb`, `en-us`) count as one language. `about` does not list the training languages of a pre-trained
    encoder.
    """
    from earful.text.languages import language_of

    name = NAMES[language]
    heard = {language_of(tag) for tag in start.about.get("languages", [])}
    if heard:
        among = f"among them {name}" if language in heard else f"but not on {name}"
        print(f"{name}. earful trained the base on {counted(len(heard), 'language')}, {among}.")
    print(
        f"{counted(len(learn), 'clip')} ({learn.duration_s:.0f} s) to learn from, {len(test)} others to measure with."
    )


def compare(start: "Checkpoint", adapted: "Checkpoint", test: "Manifest") -> None:
    """Error rates before and after adaptation, on the test set."""
    from earful.recognizer import Recognizer

    rows = []
    for name, checkpoint in (("before", start), ("after", adapted)):
        score = measure(Recognizer(checkpoint), test)[0].score
        rows.append((name, percent(score.cer), interval(score.interval_95), percent(score.wer)))
    print_table(("", ">CER", "95 %", ">WER"), rows)


def side_by_side(start: "Checkpoint", adapted: "Checkpoint", new: "Manifest") -> None:
    """The references of three new clips, and the transcripts of both models."""
    from earful.data.frames import frames_of
    from earful.recognizer import Recognizer
    from earful.text.normalize import normalize

    recognizers = [Recognizer(start), Recognizer(adapted)]
    rows: list[tuple[str, str]] = []
    for u in new:
        frames_FM = frames_of(u, recognizers[1].frames_of)
        before, after = (next(r.transcribe_many([frames_FM])) for r in recognizers)
        said = normalize(u.text or "", adapted.config.rules)
        rows += [("said", said), ("before", before or "–"), ("after", after or "–"), ("", "")]
    print_table(("", "three new clips"), rows[:-1])
