"""A voice that no product expects: what adapting a recogniser of the language to it brings, by `earful adapt` itself.

A recogniser of Dutch is made from one of the two speakers of Fish Fillets NG, from a base that has heard no Dutch. It
meets the other speaker: as they are, and one of them changed by signal processing (`changed_voices.py`), ten voices in
all. K clips of the voice (one draw a seed) adapt it, clips of held-out levels score it, by the best path.

    python bench/voices.py --base work/plan-base --corpus work/fillets-nl --out bench/voices.json
"""

from dataclasses import replace
from pathlib import Path

from cells import Cells, arguments
from changed_voices import CHANGES, changed

from earful.adapt.adapt import adapt
from earful.adapt.select import plan_for
from earful.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest, read_manifest
from earful.recognizer import Recognizer
from kshot import draw, rates

KNOWN = 400  # clips that make the recogniser which then meets the voice
AS_IS = "as they are"
SPEAKERS = ("nl-small", "nl-big")
WORK = Path("work/voices")


def voices() -> list[tuple[str, str]]:
    """`(speaker, kind)`: both speakers as they are, and one of them in all the ways."""
    return [*((speaker, AS_IS) for speaker in SPEAKERS), *((SPEAKERS[0], kind) for kind in CHANGES)]


def known_by(speaker: str, base: str, corpus: Path) -> Checkpoint:
    """The recogniser of Dutch that has heard this speaker alone; made once, and kept under `work`."""
    folder = WORK / f"{Path(base).name}-{speaker}"
    if not folder.exists():
        clips = draw(read_manifest(corpus / "train.jsonl").filter(lambda u: u.speaker == speaker), KNOWN, 0)
        plan = replace(plan_for(len(clips), clips.duration_s or 0.0), folds=0)
        save_checkpoint(folder, adapt(load_checkpoint(base), clips, plan=plan, greedy=True)[0])
    return load_checkpoint(folder)


def in_voice(clips: Manifest, speaker: str, kind: str, place: str) -> Manifest:
    """Clips of a speaker in a voice; `place` tells draws from each other on disk."""
    return clips if kind == AS_IS else changed(clips, kind, WORK / speaker / kind.replace(" ", "-") / place)


def tested(corpus: Path, speaker: str, kind: str, count: int) -> Manifest:
    """The clips that score a voice: the first of the held-out levels."""
    test = read_manifest(corpus / "test.jsonl").filter(lambda u: u.speaker == speaker)
    return in_voice(Manifest(tuple(test)[:count]), speaker, kind, "test")


def learned(corpus: Path, speaker: str, kind: str, count: int, seed: int) -> Manifest:
    """K clips of a voice to learn from, a draw a seed."""
    train = read_manifest(corpus / "train.jsonl").filter(lambda u: u.speaker == speaker)
    return in_voice(draw(train, count, seed), speaker, kind, f"{count}-{seed}")


def main() -> None:
    parser = arguments(__doc__, clips=[5, 20, 50], seeds=[0, 1, 2], test_clips=90)
    parser.add_argument("--voices", type=int, nargs="+", default=list(range(10)), help="which of the ten, by number")
    options = parser.parse_args()
    cells = Cells(options.out, base=Path(options.base).name, known_clips=KNOWN)
    for speaker, kind in [voices()[number] for number in options.voices]:
        (other,) = (each for each in SPEAKERS if each != speaker)
        known = known_by(other, options.base, options.corpus)
        test = tested(options.corpus, speaker, kind, options.test_clips)
        frames = [clip.frames_FM for clip in compute_clips(test, Recognizer(known).frames_of)]
        before = rates(known, test, frames, greedy=True)
        axes = {"speaker": [speaker], "kind": [kind], "seed": options.seeds, "clips": options.clips}
        for _, _, seed, count in cells.missing(**axes):
            clips = learned(options.corpus, speaker, kind, count, seed)
            model, report = adapt(known, clips, greedy=True, seed=seed)
            row = {"speaker": speaker, "kind": kind, "clips": count, "seed": seed, "test_clips": len(test)}
            row |= {"before": before, "after": rates(model, test, frames, greedy=True), "kept": report.improved}
            cells.add(row | {"seconds": round(report.elapsed_s, 1)})


if __name__ == "__main__":
    main()
