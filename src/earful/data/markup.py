"""XML files of other programs, read without what XML can do to a reader: entities that grow, files that it fetches."""

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from earful.data.lines import read_bytes
from earful.errors import ManifestError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def read_markup(path: str | Path) -> "Element":
    """Read an XML file, and answer its root: UTF-8, UTF-16 or an encoding of one byte a character that it names.

    A DOCTYPE that only names the file of its grammar, as Transcriber writes, is no matter: nothing is fetched.
    Raises ManifestError, naming file and line, for what is no XML, and for one that declares or calls for entities.

    >>> read_markup("story.eaf").tag  # doctest: +SKIP
    'ANNOTATION_DOCUMENT'
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    path = Path(path)
    content = read_bytes(path, "an XML file")
    if not content.strip():
        raise ManifestError(f"{path}: the file is empty; expected XML, save or copy it again")
    try:
        root: Element = fromstring(content)
    except ParseError as error:
        line, reason = error.position[0], str(error).partition(": line ")[0]
        raise ManifestError(f"{path}:{line}: not XML ({reason}); save or copy the file again") from None
    except DefusedXmlException:
        raise ManifestError(
            f"{path}: declares entities or refers to other files, which is not read; "
            "take the <!ENTITY …> out of it, or save it again with the program that wrote it"
        ) from None
    except (ValueError, LookupError) as error:  # of an encoding: unknown, or of several bytes a character
        raise ManifestError(f"{path}: cannot be decoded ({error}); save the file as UTF-8") from None
    return root
