"""A recogniser and a manifest → a Report of its errors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from earful.data.apart import ENOUGH_VOICES
from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import AudioError, ManifestError
from earful.recognizer import Recognizer
from earful.text.normalize import as_written
from earful.text.score import Score, UtteranceErrors, errors_of_each, pool


@dataclass(frozen=True)
class Report:
    """The score of all utterances, of each group, and the transcript of each of the `clips`."""

    score: Score
    groups: Mapping[str, Score]
    clips: Manifest
    hypotheses: tuple[str, ...]
    references: tuple[str, ...]


def evaluate(
    recognizer: Recognizer,
    manifest: Manifest,
    *,
    by: str | None = None,
    advance: Callable[[int], None] | None = None,
    skip: Callable[[Utterance, AudioError], None] | None = None,
) -> Report:
    """Transcribe and score every utterance that has a transcript; `by` (a field, a key of `extra`) adds group scores.

    References follow the recogniser's own text rules. So case and punctuation that it never writes do not count as
    errors, and pinyin is compared with pinyin. `advance(1)` is called after each utterance. With `skip`, an unreadable
    recording is left out, and `skip` gets the reason.

    Raises:
        ManifestError: no utterance has a transcript.
        AudioError: a recording cannot be read, and there is no `skip`; or none can.
    """
    spoken = manifest.filter(lambda u: u.text)
    if not spoken:
        raise ManifestError("no utterance of the manifest has a transcript to score against; add `text` to its lines")
    left_out: dict[str, AudioError] = {}

    def leave_out(utterance: Utterance, error: AudioError) -> None:
        if skip is None:
            raise error
        left_out[utterance.id] = error
        skip(utterance, error)

    hypotheses: list[str] = []
    heard = compute_clips(spoken, recognizer.frames_of, skip=leave_out)
    for text in recognizer.transcribe_many(clip.frames_FM for clip in heard):
        hypotheses.append(text)
        if advance:
            advance(1)
    clips = spoken.filter(lambda u: u.id not in left_out)
    if not clips:
        raise AudioError(f"none of {len(spoken)} clips can be read, for example {next(iter(left_out.values()))}")
    references = [as_written(u.text or "", recognizer.checkpoint.config.rules) for u in clips]
    counts = errors_of_each(references, hypotheses)
    groups = _groups(clips, counts, by) if by else {}
    return Report(pool(counts, _speakers(clips)), groups, clips, tuple(hypotheses), tuple(references))


def _groups(manifest: Manifest, counts: Sequence[UtteranceErrors], by: str) -> dict[str, Score]:
    of = {utterance.id: count for utterance, count in zip(manifest, counts, strict=True)}
    groups = sorted(manifest.group_by(by).items())
    return {name or "unknown": pool([of[u.id] for u in group], _speakers(group)) for name, group in groups}


def _speakers(clips: Iterable[Utterance]) -> Sequence[str]:
    """The speaker of each clip, if there are enough speakers to estimate the spread between them; else None."""
    speakers = [u.speaker or "" for u in clips]
    return speakers if all(speakers) and len(set(speakers)) >= ENOUGH_VOICES else ()
