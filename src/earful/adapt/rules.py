"""The text rules that an adaptation starts with; without torch, so that `earful check` needs none."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from earful.text.normalize import TextRules, usual_writing


def rules_from(own: TextRules, about: Mapping[str, Any], given: Mapping[str, Any], texts: Iterable[str]) -> TextRules:
    """The rules of a base, `own`, with those that are `given` instead.

    A base that was never adapted writes the language of the `texts` in its usual way, if no `writing` is given.

    Raises ConfigError: a rule has a value that it cannot have.
    """
    usual = {} if was_adapted(about) else {"writing": usual_writing(given.get("language", ""), texts)}
    return replace(own, **{**usual, **given})


def was_adapted(about: Mapping[str, Any]) -> bool:
    """Whether a model was made by adaptation, by what its card says about it: it writes one language."""
    return "adapted" in about
