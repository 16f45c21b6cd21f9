"""Tasks that no base has met, in one manifest: real Czech, the same amid other voices, and languages of a synthesiser.

`earful benchmark` then compares bases on them, after each number of steps; the condition of a clip is its task. Six
other people talk beside each noisy clip, as in bench/conditions.py. Czech is for the final figure: nothing is chosen by
these. Slovak is spoken from random words of the word list, Esperanto from the sentences of the demo.

    python bench/held_out.py --corpus work/fillets-cs --out work/held-out
    compare="earful benchmark --no-usual --base earful-base $(printf ' --base work/meta-shipped/%s' \
        start multitask reptile fomaml maml meta-sgd)"
    $compare work/held-out/manifest.jsonl --by condition --out work/held-out/K5 --shots 5 --steps 0,1,5,20 --seeds 3
    czech="work/fillets-cs/manifest.jsonl --by language --test-clips 60"
    $compare $czech --out work/held-out/K1 --shots 1 --steps 0,1,5,20,100,usual
    $compare $czech --out work/held-out/K10 --shots 10 --steps 0,1,5,20,usual
    $compare $czech --out work/held-out/K50 --shots 50 --steps 0,1,usual
    jq --slurp . work/held-out/K*/results.json > bench/held_out.json
    python bench/plots.py

A hundred steps, and two hundred clips, were then asked of some bases alone: a file of results grows.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from conditions import amid_voices
from rows import ESPERANTO

from earful.audio.files import read
from earful.data.manifest import Manifest, read_manifest, write_manifest
from earful.data.synthesis.speak import speak_corpus
from kshot import draw

CROWD = 100
"""Clips that the voices beside are taken from."""


def named(clips: Manifest, condition: str) -> Manifest:
    """The clips as those of a condition; their ids tell it."""
    return Manifest(
        tuple(replace(u, id=f"{condition}/{u.id}", extra={**u.extra, "condition": condition}) for u in clips)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--clips", type=int, default=120, help="clips of each task")
    parser.add_argument("--snr-db", type=float, nargs="+", default=[0, 5, 10])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    whole = read_manifest(options.corpus / "manifest.jsonl")
    drawn = draw(whole, options.clips + CROWD, 0)
    chosen = {u.id for u in draw(drawn, options.clips, 1)}
    clips, aside = drawn.filter(lambda u: u.id in chosen), drawn.filter(lambda u: u.id not in chosen)
    crowd = [read(u.audio, u.start_s, u.duration_s) for u in aside]
    noisy = {snr_db: amid_voices(clips, crowd, snr_db, options.out / "noisy") for snr_db in options.snr_db}
    tasks = [named(clips, "Czech"), *(named(each, f"Czech amid voices, {snr:g} dB") for snr, each in noisy.items())]
    for name, language, text in (("Slovak", "sk", None), ("Esperanto", "eo", ESPERANTO)):
        folder = options.out / language
        spoken, _ = speak_corpus([language], folder, clips=options.clips, text=text, seed=0, workers=1)
        tasks.append(named(spoken, f"{name}, synthetic"))
    write_manifest(options.out / "manifest.jsonl", Manifest(tuple(u for task in tasks for u in task)))


if __name__ == "__main__":
    main()
