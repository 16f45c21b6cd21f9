"""Records of the steps of an adaptation: planned ones with their time, and finished ones with their CER."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """A planned step: its name, what it does, about how many seconds it takes, and why it is skipped, if it is."""

    name: str
    does: str
    seconds: float
    left_out: str = ""


@dataclass(frozen=True)
class Brought:
    """A finished step: CER after it, on the same clips for all steps, and whether it was kept.

    `cer` is of greedy decoding, `cer_with_language` of the search with the language model (None without one). Both are
    None for an unfinished step. `note` is a remark.
    """

    name: str
    cer: float | None
    cer_with_language: float | None
    seconds: float
    kept: bool
    note: str = ""

    @property
    def rate(self) -> float | None:
        """CER with the language model if there is one, else of greedy decoding."""
        return self.cer if self.cer_with_language is None else self.cer_with_language
