"""Safe reading of other programs' XML files: without expanding entities, and without fetching files."""

from pathlib import Path

from lxml import etree
from lxml.etree import _Element as Element

from earful.data.lines import read_bytes
from earful.errors import ManifestError


def read_markup(path: str | Path, content: bytes | None = None, *, as_it_is: bool = False) -> Element:
    """Read an XML file, in any encoding that it names, and return its root; `content` is its content, if read already.

    Comments and instructions are left out, unless the document is wanted `as_it_is`, to be written back. A DOCTYPE that
    only names the file of its grammar, as Transcriber writes, is allowed: nothing is fetched.
    Raises ManifestError, naming file and line, for a file that is no XML, or that declares or uses entities.

    >>> read_markup("story.eaf").tag  # doctest: +SKIP
    'ANNOTATION_DOCUMENT'
    """
    path = Path(path)
    content = read_bytes(path, "an XML file") if content is None else content
    if not content.strip():
        raise ManifestError(f"{path}: the file is empty; expected XML, save or copy it again")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=not as_it_is,
        remove_pis=not as_it_is,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        reason = " ".join(str(error.msg).rpartition(", line ")[0].split())
        raise ManifestError(f"{path}:{error.lineno or 1}: not XML ({reason}); save or copy the file again") from None
    _refuse_entities(path, root, parser)
    return root


def _refuse_entities(path: Path, root: Element, parser: etree.XMLParser) -> None:
    """Refuse entities. They are not expanded, but a text with one is not the text that somebody wrote."""
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):
        raise ManifestError(
            f"{path}: declares entities or refers to other files, which earful does not read; "
            "take the <!ENTITY …> out of it, or save it again with the program that wrote it"
        )
    unknown = next((each for each in parser.error_log if each.type == etree.ErrorTypes.WAR_UNDECLARED_ENTITY), None)
    if unknown is not None:
        raise ManifestError(f"{path}:{unknown.line}: not XML ({unknown.message}); save or copy the file again")
