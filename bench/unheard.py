"""Languages that Whisper was not trained to write, and no base has heard: what its encoder is worth there.

Esperanto, Irish and Kyrgyz, by espeak-ng: names of countries, languages and scripts, out of the translations of
Debian's package iso-codes. No name that tests is learned from. Each base adapts as `earful benchmark` has it.

    apt-get download iso-codes && dpkg -x iso-codes_*.deb work/iso-codes
    python bench/unheard.py --iso work/iso-codes --bases earful-base work/english --out bench/unheard.json
"""

import argparse
import gettext
import json
import random
import subprocess
import sys
from pathlib import Path

LANGUAGES = ("eo", "ga", "ky")
CLIPS, NAMES = 150, 2
"""Clips of each language, and names in each clip."""


def names(folder: Path, language: str) -> list[str]:
    """Translated names in letters alone, in a random order."""
    found = set()
    for path in sorted(folder.glob(f"usr/share/locale/{language}/LC_MESSAGES/*.mo")):
        with path.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)
        for original, translated in catalogue._catalog.items():  # the public interface lists nothing
            plain = isinstance(translated, str) and translated.replace(" ", "").isalpha()
            if plain and translated != original and 5 <= len(translated) <= 40:
                found.add(translated)
    return random.Random(0).sample(sorted(found), len(found))


def earful(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "earful", *arguments], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"earful {' '.join(arguments)}: exit status {done.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iso", type=Path, required=True, help="the unpacked package iso-codes")
    parser.add_argument("--bases", nargs="+", required=True)
    parser.add_argument("--shots", default="20", help="numbers of clips to adapt to")
    parser.add_argument("--seeds", default="3")
    parser.add_argument("--work", type=Path, default=Path("work/unheard"))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    clips = options.work / "manifest.jsonl"
    lines = []
    for language in LANGUAGES:
        folder = options.work / language
        if not folder.exists():
            options.work.mkdir(parents=True, exist_ok=True)
            said, text = names(options.iso, language), options.work / f"{language}.txt"
            text.write_text("\n".join(" ".join(said[n : n + NAMES]) for n in range(0, NAMES * CLIPS, NAMES)), "utf-8")
            earful(
                "corpus",
                "speak",
                "--language",
                language,
                "--text",
                str(text),
                "--clips",
                str(CLIPS),
                "--out",
                str(folder),
            )
        for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            lines.append(
                json.dumps(row | {"audio_filepath": f"{language}/{row['audio_filepath']}"}, ensure_ascii=False)
            )
    clips.write_text("\n".join(lines) + "\n", "utf-8")
    bases = [part for base in options.bases for part in ("--base", base)]
    how = ["--shots", options.shots, "--steps", "usual", "--seeds", options.seeds, "--test-clips", "60"]
    earful("benchmark", str(clips), "--out", str(options.work / "compared"), *bases, *how)
    found = json.loads((options.work / "compared" / "results.json").read_text("utf-8"))
    options.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
