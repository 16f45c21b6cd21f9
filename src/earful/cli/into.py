"""`earful transcribe --into`: a transcript into a person's own ELAN file, as tiers or into empty segments."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from earful.cli.listening import listen
from earful.cli.progress import Tell, progress, warn
from earful.cli.tables import counted

if TYPE_CHECKING:
    from earful.audio.channels import Channel
    from earful.data.eaf import Annotation, Recording
    from earful.transcriber import Transcriber
    from earful.transcript import Transcript
    from earful.writers.into import Document


def recording_beside(into: Path, audio: Sequence[Path], others: Mapping[str, object]) -> Path | None:
    """The recording that is given with --into, if any. Raises ConfigError for options that do not go together."""
    from earful.errors import ConfigError

    for option, value in others.items():
        if value:
            raise ConfigError(f"{option} and --into do not go together: the transcript goes into {into}; leave one out")
    if len(audio) > 1 or any(each.is_dir() for each in audio):
        raise ConfigError(f"--into {into}: it takes one recording; name one, or none to use the one that it links")
    return audio[0] if audio else None


def transcribe_into(
    load: "Callable[[], Transcriber]",
    into: Path,
    audio: Path | None,
    tier: str | None,
    channel: "Channel | Literal['each']",
    denoised: bool,
) -> "Done":
    """Transcribe into new tiers of an ELAN file, or into the empty segments of `tier`; return what was done.

    After an error the file is unchanged. Raises ManifestError as `writers.into`; AudioError; ConfigError; OSError.
    """
    from earful.data.eaf import recording_of
    from earful.errors import ConfigError
    from earful.writers.into import open_document, save, segments

    document = open_document(into)
    recording = recording_of(document.root, document.path, audio)
    if tier is None:
        with progress() as tell:
            transcript = listen(load(), recording.audio, channel, denoised, tell)
        done = _add(document, transcript, recording.origin_ms)
    elif channel == "each":
        raise ConfigError("--fill writes one text into a segment, not one of each channel; name a channel")
    else:
        empty, timeless = segments(document, tier)
        if timeless:
            warn(f"{into}: {counted(timeless, 'segment')} of tier {tier!r} without times: left empty")
        with progress() as tell:
            said = _listen_to_segments(load(), recording, empty, channel, denoised, tell)
        done = _fill(document, tier, said)
    save(document)
    return done


def _listen_to_segments(
    recognizer: "Transcriber",
    recording: "Recording",
    segments: "Sequence[Annotation]",
    channel: "Channel",
    denoised: bool,
    tell: Tell,
) -> "list[tuple[Annotation, Transcript]]":
    """Each segment with its transcript. Raises AudioError for a segment outside the recording."""
    from earful.audio.denoise import denoise
    from earful.audio.files import probe, read
    from earful.data.spans import end_in
    from earful.writers.into import span_of

    said: list[tuple[Annotation, Transcript]] = []
    lasts_s = probe(recording.audio).duration_s
    for segment in segments:
        span = span_of(segment)
        assert span is not None, "those without times were left out"
        start_s, end_s = ((time + recording.origin_ms) / 1000 for time in span)
        samples_T = read(recording.audio, start_s, end_in(end_s, lasts_s) - start_s, channel)
        said.append((segment, recognizer.transcribe(denoise(samples_T) if denoised else samples_T)))
        tell("segments", len(said), len(segments))
    return said


class Done(NamedTuple):
    """What was written into a file: as a sentence, and as values for `--json`."""

    said: str
    summary: dict[str, object]


def _fill(document: "Document", tier: str, said: "Sequence[tuple[Annotation, Transcript]]") -> Done:
    from earful.writers.into import fill

    written = fill(document, said)
    silent = f"; in {len(said) - written} nothing is said" if written < len(said) else ""
    summary = {"file": str(document.path), "tiers": [tier], "filled": written, "silent": len(said) - written}
    return Done(f"{counted(written, 'segment')} of tier {tier} filled in {document.path}{silent}", summary)


def _add(document: "Document", transcript: "Transcript", origin_ms: int) -> Done:
    from earful.writers.into import add_transcript

    names, before = add_transcript(document, transcript, origin_ms)
    if before:
        warn(f"{document.path}: {counted(before, 'word')} before the time where the document begins: left out")
    words = len(transcript.words) - before
    said = f"{counted(words, 'word')} in new tiers of {document.path}: {', '.join(names)}"
    return Done(said, {"file": str(document.path), "tiers": list(names), "words": words, "left_out": before})
