"""What the corpora raise on purpose."""

from earful.errors import EarfulError


class CorpusError(EarfulError):
    """A corpus that cannot be fetched or unpacked."""
