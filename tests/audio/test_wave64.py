"""Wave64 files: chunks behind the sound are no sound."""

import io
import struct
import uuid

import numpy as np
import pytest
import soundfile

from earful.audio.files import probe, read
from earful.errors import AudioError

NOTE = b"a note of the editor " * 96
LIST, JUNK = "7473696c-912f-11cf-a5d6-28db04c10000", "6b6e756a-acf3-11d3-8cd1-00c04f8edb8a"


def wave64(subtype: str = "PCM_16") -> bytes:
    content = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    soundfile.write(content, noise, 16_000, subtype, format="W64")
    return content.getvalue()


def chunk(name: str, content: bytes) -> bytes:
    return uuid.UUID(name).bytes_le + struct.pack("<Q", 24 + len(content)) + content + bytes(-len(content) % 8)


def finished(content: bytes) -> bytes:
    """With the length of all in the header."""
    return content[:16] + struct.pack("<Q", len(content)) + content[24:]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW", "GSM610", "MS_ADPCM"])
@pytest.mark.parametrize("names", [(LIST,), (JUNK, LIST)])
def test_chunks_behind_the_sound_are_not_read_as_sound(subtype: str, names: tuple[str, ...]) -> None:
    whole = wave64(subtype)
    padded = whole + bytes(-len(whole) % 8)
    told = finished(padded + b"".join(chunk(name, NOTE) for name in names))
    assert np.array_equal(read(told), read(whole))
    assert probe(told).sample_count == probe(whole).sample_count and probe(told).warnings == ()


def test_sound_that_the_header_does_not_know_of_is_read_with_a_warning() -> None:
    """A recorder that did not come to its end: what follows is no chunk."""
    whole = wave64()
    place = whole.find(b"data") + 16
    assert struct.unpack_from("<Q", whole, place) == (24 + 96_000,)
    half = whole[:place] + struct.pack("<Q", 24 + 48_000) + whole[place + 8 :]
    assert np.array_equal(read(half), read(whole))
    assert probe(half).warnings == ("its header promises 48000 bytes of sound; 96000 are there, and are read",)
    assert probe(whole + b"end").warnings == ()


def test_a_file_that_is_cut_is_still_refused() -> None:
    whole = wave64()
    with pytest.raises(AudioError, match="promises 96104 bytes, the file holds 50000"):
        probe(whole[:50_000])
