"""What each of several steps of adaptation is going to take, and what it brought."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """A step to come: what it does, and about how many seconds it takes; or why it is left out, if it is."""

    name: str
    does: str
    seconds: float
    left_out: str = ""


@dataclass(frozen=True)
class Brought:
    """A step that was made: CER after it, on the same clips for all steps, and whether it stayed in the result.

    `cer` is of the best path, `cer_with_language` of the search with the language model, None where there is none. Both
    are None for a step that came to no end. `note` says what there is to say beside.
    """

    name: str
    cer: float | None
    cer_with_language: float | None
    seconds: float
    kept: bool
    note: str = ""

    @property
    def rate(self) -> float | None:
        """What a user meets: with the language model, where there is one."""
        return self.cer if self.cer_with_language is None else self.cer_with_language
