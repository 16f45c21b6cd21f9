"""earful: speech recognition from a handful of recordings."""

__version__ = "0.1.0"
