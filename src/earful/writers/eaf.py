"""A transcript as a new document of ELAN's (`.eaf`, format 3.0): the recording linked, and the tiers of `eaf_tiers`."""

import os
from datetime import datetime
from pathlib import Path

from lxml import etree

from earful.transcript import Transcript
from earful.writers.eaf_tiers import CONSTRAINTS, add_tiers
from earful.writers.phrases import Source

XSI = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
MIME_TYPES = {
    ".wav": "audio/x-wav",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
}
OTHER_SOUND = "audio/*"
"""What ELAN calls all sound but WAV."""


def eaf(transcript: Transcript, source: Source) -> str:
    """A document with tiers of phrases, words and confidences, for each speaker."""
    about = {"AUTHOR": "", "DATE": datetime.now().astimezone().isoformat(timespec="seconds")}
    versions = {"FORMAT": "3.0", "VERSION": "3.0", f"{{{XSI}}}noNamespaceSchemaLocation": SCHEMA}
    root = etree.Element("ANNOTATION_DOCUMENT", {**about, **versions}, nsmap={"xsi": XSI})
    header = etree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    etree.SubElement(header, "MEDIA_DESCRIPTOR", _media(Path(source.audio), source.place))
    etree.SubElement(root, "TIME_ORDER")
    for name, description in CONSTRAINTS.items():
        etree.SubElement(root, "CONSTRAINT", STEREOTYPE=name, DESCRIPTION=description)
    add_tiers(root, transcript, source.place or Path("-"))
    etree.indent(root, "    ")
    return str(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), "utf-8") + "\n"


def _media(audio: Path, place: Path | None) -> dict[str, str]:
    """The link to a recording, absolute and relative to the document. ELAN writes such URLs without escapes."""
    absolute = audio.absolute().as_posix()
    folder = (place.absolute().parent if place else Path.cwd()).as_posix()
    try:
        relative = Path(os.path.relpath(absolute, folder)).as_posix()
    except ValueError:  # on another drive there is no way from here to there
        relative = audio.name
    return {
        "MEDIA_URL": f"file://{absolute}" if absolute.startswith("/") else f"file:///{absolute}",
        "MIME_TYPE": MIME_TYPES.get(audio.suffix.lower(), OTHER_SOUND),
        "RELATIVE_MEDIA_URL": relative if relative.startswith("../") else f"./{relative}",
    }
