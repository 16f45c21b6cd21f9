"""Free text of a language, for its language model: the Czech sayings, jokes and quotations of Debian's fortunes-cs.

python bench/free_text.py --out work/free-cs.txt
"""

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

PACKAGE, FOLDER = "fortunes-cs", "usr/share/games/fortunes/cs"


def sayings(folder: Path) -> list[str]:
    """Every saying on a line of its own, attributions (lines that start with dashes) left out."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix not in (".dat", ".u8"):
            for saying in re.split(r"^%.*$", path.read_text("utf-8", errors="replace"), flags=re.MULTILINE):
                lines = [line for line in saying.splitlines() if not re.match(r"\s*(--|[-–—])", line)]
                found.append(" ".join(" ".join(lines).split()))
    return [saying for saying in found if saying]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(["apt-get", "download", PACKAGE], cwd=name, check=True, capture_output=True)
        (package,) = Path(name).glob("*.deb")
        subprocess.run(["dpkg", "-x", str(package), name], check=True)
        found = sayings(Path(name) / FOLDER)
    options.out.write_text("\n".join(found) + "\n", "utf-8")
    print(f"{len(found)} sayings, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
