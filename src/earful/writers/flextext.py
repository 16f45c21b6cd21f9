"""A transcript as FLEx's interlinear text (`.flextext`), which FieldWorks and ELAN import.

The form has no place for confidences. A phrase has its times in milliseconds and its speaker, a word neither.
"""

import uuid
from collections.abc import Iterator
from pathlib import PurePath

from lxml import etree

from earful.transcript import Transcript
from earful.writers.phrases import Phrase, Source, by_speaker, in_milliseconds, milliseconds, phrases

UNKNOWN = "und"
"""The tag of an undetermined language (BCP 47): whoever imports it says which it is."""


def flextext(transcript: Transcript, source: Source) -> str:
    """One text, a paragraph a phrase; the same transcript has the same ids each time."""
    name, language = PurePath(source.audio).name, source.language or UNKNOWN
    root = etree.Element("document", version="2")
    text = etree.SubElement(root, "interlinear-text", guid=_guid(name, "text"))
    _item(text, "title", PurePath(name).stem, language)
    paragraphs = etree.SubElement(text, "paragraphs")
    for number, phrase in enumerate(_in_order(transcript), 1):
        _paragraph(paragraphs, phrase, number, language, name)
    languages = etree.SubElement(text, "languages")
    etree.SubElement(languages, "language", lang=language, vernacular="true")
    files = etree.SubElement(text, "media-files", {"offset-type": ""})
    etree.SubElement(files, "media", guid=_guid(name, "media"), location=source.audio)
    etree.indent(root)
    return str(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), "utf-8") + "\n"


def _in_order(transcript: Transcript) -> Iterator[Phrase]:
    mine = by_speaker(transcript.words).values()
    spoken = (phrase for words in mine for phrase in phrases(in_milliseconds(words, transcript.duration_s)))
    yield from sorted(spoken, key=lambda phrase: phrase.words[0].start_s)


def _paragraph(paragraphs: etree._Element, phrase: Phrase, number: int, language: str, name: str) -> None:
    paragraph = etree.SubElement(paragraphs, "paragraph", guid=_guid(name, f"paragraph {number}"))
    times = {
        "begin-time-offset": str(milliseconds(phrase.words[0].start_s)),
        "end-time-offset": str(milliseconds(phrase.words[-1].end_s)),
    }
    who = {"speaker": phrase.speaker} if phrase.speaker else {}
    ids = {"guid": _guid(name, f"phrase {number}"), "media-file": _guid(name, "media")}
    spoken = etree.SubElement(etree.SubElement(paragraph, "phrases"), "phrase", {**ids, **times, **who})
    _item(spoken, "segnum", str(number), language)
    _item(spoken, "txt", phrase.text, language)
    words = etree.SubElement(spoken, "words")
    for place, word in enumerate(phrase.words):
        one = etree.SubElement(words, "word", guid=_guid(name, f"word {number} {place}"))
        _item(one, "txt", word.text, language)


def _item(parent: etree._Element, kind: str, value: str, language: str) -> None:
    etree.SubElement(parent, "item", type=kind, lang=language).text = value


def _guid(name: str, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"earful:{name}:{what}"))
