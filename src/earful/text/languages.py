"""What language a name means: codes of ISO 639-1, -2 and -3, BCP 47 tags, and names, as one canonical tag.

The tables are those of `langcodes` (BCP 47's registry and CLDR's aliases) and `language_data` (CLDR's names). A code
comes before a name: `mon` is Mongolian, though a language is called Mon.
"""

from functools import lru_cache
from typing import Any

_SHORTEST_NAME = 4
"""Letters of a name: of three or fewer there are thousands, and nearly all are codes of another language."""
_NO_LANGUAGE = frozenset({"und", "mul", "mis", "zxx"})
_FIRST_LOCAL, _LAST_LOCAL = "qaa", "qtz"  # codes that ISO 639 leaves to everyone's own use


@lru_cache(maxsize=4096)
def tag_of(name: str) -> str | None:
    """The canonical BCP 47 tag of a language by any name, upper or lower case; None if no language has that name.

    A language within a macro-language becomes the macro-language where CLDR equates them (`ekk` → `et`, `cmn` → `zh`).
    Script and country stay.

    >>> [tag_of(name) for name in ("isl", "Icelandic", "sr_latn", "cmn", "xyzzy")]
    ['is', 'is', 'sr-Latn', 'zh', None]
    """
    written = name.strip().replace("_", "-")
    tag = _parsed(written)
    if tag is None and len(written) >= _SHORTEST_NAME:
        tag = _by_name(written)
    return tag


def canonical(name: str) -> str:
    """As `tag_of`; an unknown language stays as it is written."""
    return tag_of(name) or name


def name_of(language: str) -> str:
    """The English name of a language with its tag; an unknown language as it is written.

    >>> name_of("isl"), name_of("xyzzy")
    ('Icelandic (is)', 'xyzzy')
    """
    tag = tag_of(language)
    return f"{_langcodes().Language.get(tag).display_name()} ({tag})" if tag else language


def language_of(tag: str) -> str:
    """The language of a tag, without script, country and variant; an unknown one as it is written.

    >>> language_of("en-us-nyc"), language_of("pt_BR"), language_of("xyzzy")
    ('en', 'pt', 'xyzzy')
    """
    return canonical(tag).partition("-")[0]


def script_of(tag: str) -> str | None:
    """The script in a tag, by its code in ISO 15924; None if the tag has none, or is unknown.

    >>> script_of("sr-Latn"), script_of("sr")
    ('Latn', None)
    """
    known = tag_of(tag)
    return _langcodes().Language.get(known).script if known else None


def likely_script(tag: str) -> str | None:
    """The usual script of a language, unless its tag names another; None if the language is unknown.

    >>> likely_script("sr"), likely_script("nl")
    ('Cyrl', 'Latn')
    """
    known = tag_of(tag)
    return _langcodes().Language.get(known).maximize().script if known else None


def shortened(tag: str) -> list[str]:
    """A tag, then the tag without its last parts, longest first (RFC 4647, section 3.4, "lookup").

    >>> shortened("vi-VN-x-south")
    ['vi-VN-x-south', 'vi-VN', 'vi']
    """
    parts = tag.replace("_", "-").split("-")
    return ["-".join(parts[:end]) for end in range(len(parts), 0, -1) if end == 1 or len(parts[end - 1]) > 1]


def _parsed(written: str) -> str | None:
    """The tag of a code; None if it is no code, or of no language."""
    codes = _langcodes()
    try:
        tag = codes.standardize_tag(written, macro=True)
        first = codes.Language.get(tag).language
    except ValueError:  # LanguageTagError
        return None
    if first is None or first in _NO_LANGUAGE or first.startswith("x-"):
        return None
    if len(first) == 3 and _FIRST_LOCAL <= first <= _LAST_LOCAL:
        return None
    return str(tag) if codes.Language.make(language=first).is_valid() else None


def _by_name(name: str) -> str | None:
    """The tag of a language by its whole name: English, or else any other that CLDR knows."""
    from language_data.names import TRIES, name_to_code, normalize_name

    for tongue in ("en", "und"):
        # `name_to_code` also takes a name that only begins like another: Germanic for German
        code = name_to_code("language", name, tongue)
        if code and normalize_name(name) in TRIES[f"{tongue}/name_to_language"]:
            return _parsed(code)
    return None


def _langcodes() -> Any:
    import langcodes  # late: it is slow to start, and most commands need no language

    return langcodes
