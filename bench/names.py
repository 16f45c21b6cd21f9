"""Text of a language that has no word list: random words of what Unicode's CLDR calls languages, countries and money.

The names come with Babel, which the group `docs` installs.

    python bench/names.py --language ka --out work/names-ka.txt
"""

import argparse
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import torch
from babel import Locale

LINES, SHORTEST, LONGEST = 200, 2, 4


def words(language: str) -> list[str]:
    """All words of two letters and more in the script that most of them are in, sorted."""
    locale = Locale.parse(language)
    names = [name for part in (locale.languages, locale.territories, locale.currencies) for name in part.values()]
    spaced = ("".join(c if unicodedata.category(c)[0] in "LM" else " " for c in name) for name in names)
    found = sorted({word.lower() for name in spaced for word in name.split() if len(word) > 1})
    scripts = [unicodedata.name(word[0]).split()[0] for word in found]
    main = max(sorted(set(scripts)), key=scripts.count)
    return [word for word, script in zip(found, scripts, strict=True) if script == main]


def lines(known: list[str], seed: int) -> Iterator[str]:
    """A few words drawn at random, again and again."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(LINES):
        count = int(torch.randint(SHORTEST, LONGEST + 1, (), generator=generator))
        yield " ".join(known[i] for i in torch.randint(len(known), (count,), generator=generator).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--language", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.language == "cs":
        parser.error("Czech is held out; name another language")
    known = words(options.language)
    options.out.write_text("\n".join(lines(known, options.seed)) + "\n", "utf-8")
    print(f"{LINES} lines of {len(known)} words")


if __name__ == "__main__":
    main()
