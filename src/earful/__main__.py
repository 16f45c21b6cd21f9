"""`python -m earful` is the command `earful`."""

import sys

from earful.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
