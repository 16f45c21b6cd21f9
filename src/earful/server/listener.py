"""The process for voice activity and for ranking segments, so that the server needs no torch.

`python -m earful.server.listener` answers {do: "cut", source} with {spans}, and {do: "rank", model, waiting, known}
with {order}; each clip is {id, audio, start_s, duration_s}. A failed request is answered with {error}.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earful.errors import AdaptationError, EarfulError
from earful.server.obeying import obey

_BLOCK_S = 60.0
_NICE = 5  # transcription comes first


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one request."""
    try:
        if request["do"] == "cut":
            return {"spans": cut(Path(request["source"]))}
        return {"order": rank(request["model"], request["waiting"], request["known"])}
    except (EarfulError, OSError) as error:
        return {"error": str(error)}


def cut(source: Path) -> list[tuple[float, float]]:
    """The spans of speech in a recording, in pieces of suitable length. Raises AudioError."""
    from earful.audio.activity import speech
    from earful.audio.files import blocks
    from earful.data.untranscribed import pieces

    return pieces(speech(blocks(source, _BLOCK_S)))


def rank(model: str, waiting: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the waiting clips, the one that teaches most first; without clips of unsuitable length.

    Raises CheckpointError.
    """
    from earful.adapt.suggest import suggest
    from earful.checkpoint import load_checkpoint

    clips, heard = clips_of(waiting), clips_of(known)
    try:
        found = suggest(load_checkpoint(model), clips, count=max(len(clips), 1), known=heard)
    except AdaptationError:  # no clip is long enough
        return []
    return [each.clip.id for each in found.suggestions]


def clips_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A manifest of clips."""
    from earful.data.manifest import Manifest
    from earful.data.utterance import Utterance

    return Manifest(
        tuple(Utterance(each["id"], Path(each["audio"]), each["start_s"], each["duration_s"]) for each in rows)
    )


def main() -> None:
    """Answer until the input ends."""
    if hasattr(os, "nice"):
        os.nice(_NICE)
    obey(answer)


if __name__ == "__main__":
    main()
