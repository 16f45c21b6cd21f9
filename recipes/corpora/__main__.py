"""`python -m recipes.corpora`, from the root of a checkout."""

import sys
from collections.abc import Sequence

from earful.cli.main import run
from recipes.corpora.commands import RESUMABLE, corpora

NAME = "python -m recipes.corpora"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; answers the exit status. An error is one line on stderr."""
    return run(corpora, NAME, arguments, RESUMABLE)


if __name__ == "__main__":
    sys.exit(main())
