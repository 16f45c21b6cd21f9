"""The process that decodes uploads: it converts any sound file to WAV, 16 kHz mono, and may crash.

`python -m earful.server.decoder MEMORY_BYTES SECONDS` answers {source, place, kind, longest_s} with {duration_s,
warnings} or {error}. The arguments limit its memory, and its processor time per file.
"""

import sys
from collections.abc import Mapping
from typing import Any

import soundfile

from earful.audio.files import SAMPLE_RATE_HZ, blocks, probe
from earful.errors import AudioError
from earful.server.obeying import obey

_BLOCK_S = 30.0


def decode(request: Mapping[str, Any]) -> dict[str, Any]:
    """Decode one file, in bounded memory."""
    count, most = 0, round(request["longest_s"] * SAMPLE_RATE_HZ)
    try:
        warnings = probe(request["source"]).warnings
        with soundfile.SoundFile(request["place"], "w", SAMPLE_RATE_HZ, 1, request["kind"], format="WAV") as sound:
            for block_T in blocks(request["source"], _BLOCK_S):
                count += len(block_T)
                if count > most:
                    return {"error": f"it lasts longer than {request['longest_s'] / 3600:g} h; send it in parts"}
                sound.write(block_T)
    except AudioError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"it cannot be read ({error.strerror})", "errno": error.errno}
    except (RuntimeError, AssertionError):  # libsndfile could not write all
        return {"error": "the sound could not be written", "unwritten": True}
    return {"duration_s": count / SAMPLE_RATE_HZ, "warnings": warnings}


def limit_memory(most: int) -> None:
    """Limit the memory of this process, if the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit_time(more_s: float) -> None:
    """Let the system kill this process after `more_s` further seconds of processor time."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + more_s) + 1, hard))


def main() -> None:
    """Decode until the input ends."""
    limit_memory(int(sys.argv[1]))
    seconds = float(sys.argv[2])

    def limited(request: Mapping[str, Any]) -> dict[str, Any]:
        limit_time(seconds)
        return decode(request)

    obey(limited)


if __name__ == "__main__":
    main()
