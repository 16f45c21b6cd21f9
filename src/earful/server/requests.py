"""Models of request bodies, with values that the database and the disk can hold."""

from typing import Annotated, Literal
from urllib.parse import unquote

from fastapi import Header
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Direction = Literal["ltr", "rtl"]
Effort = Literal["quick", "usual", "best"]
State = Literal["empty", "draft", "corrected", "accepted", "skipped"]
_MOST_WHO = 100


def characters_only(text: str) -> str:
    """Refuse characters that XML, and so ELAN files, cannot hold: control characters and lone surrogates."""
    if any((c < " " and c not in "\t\n\r") or "\ud800" <= c <= "\udfff" or c in "\ufffe\uffff" for c in text):
        raise ValueError("holds what is no character")
    return text


Clean = AfterValidator(characters_only)
Name = Annotated[str, Field(min_length=1, max_length=200), Clean]
Language = Annotated[str, Field(max_length=100), Clean]
Text = Annotated[str, Field(max_length=100_000), Clean]
Letter = Annotated[str, Field(min_length=1, max_length=8), Clean]
Letters = Annotated[list[Letter], Field(max_length=300)]
Seconds = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]


class Body(BaseModel):
    """A body in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class NewProject(Body):
    """A new project; the default model is the shipped base."""

    name: Name
    language: Language = ""
    model: Name | None = None
    letters: Letters = []


class ChangedProject(Body):
    """Changes to a project."""

    name: Name | None = None
    language: Language | None = None
    model: Name | None = None
    letters: Letters | None = None
    direction: Direction | None = None


class NewSegment(Body):
    """The span of a new segment."""

    start_s: Seconds
    end_s: Seconds


class ChangedSegment(Body):
    """Changes to a segment; `version` is the one that the client has changed."""

    version: Annotated[int, Field(ge=0, le=2**53)]
    text: Text | None = None
    state: State | None = None
    start_s: Seconds | None = None
    end_s: Seconds | None = None


class Compared(Body):
    """Models to compare on one recording."""

    models: Annotated[list[Name], Field(min_length=1, max_length=4)]


class Adaptation(Body):
    """An adaptation to the accepted segments of a project."""

    project: Name
    effort: Effort = "usual"
    name: Name | None = None


class OwnAdaptation(Body):
    """The same for a project in the path."""

    effort: Effort = "usual"
    name: Name | None = None


def who(given: Annotated[str, Header(alias="X-Earful-Who", max_length=1000)] = "") -> str:
    """The name of a user, percent-decoded: headers are ASCII."""
    name = unquote(given, errors="replace")
    return "".join(c for c in name if c.isprintable() and not "\ud800" <= c <= "\udfff")[:_MOST_WHO]
