"""For the reference, see mkdocs.yml: the examples in docstrings become code blocks."""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?:^[ ]*>>> .*\n?(?:^[ ]*(?:\.\.\. |[^\s>]).*\n?)*)+", re.MULTILINE)
NOT_RUN = re.compile(r"\s*# doctest: \+SKIP")


class Examples(griffe.Extension):
    """Fences the examples of every docstring."""

    def on_object(self, *, obj: griffe.Object, **rest: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """A docstring with each run of `>>>` lines, and what they print, in a fence."""
    return EXAMPLE.sub(lambda match: f"```pycon\n{NOT_RUN.sub('', match[0]).rstrip()}\n```\n", text)
