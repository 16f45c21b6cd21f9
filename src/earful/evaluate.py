"""A recogniser and a manifest → a Report of its errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from earful.data.frames import compute_clips
from earful.data.manifest import Manifest
from earful.errors import ManifestError
from earful.recognizer import Recognizer
from earful.text.normalize import as_written
from earful.text.score import Score, UtteranceErrors, errors_of_each, pool


@dataclass(frozen=True)
class Report:
    """The score of all utterances, of each group, and what was written for each."""

    score: Score
    groups: Mapping[str, Score]
    hypotheses: tuple[str, ...]
    references: tuple[str, ...]


def evaluate(
    recognizer: Recognizer, manifest: Manifest, *, by: str | None = None, advance: Callable[[int], None] | None = None
) -> Report:
    """Transcribe and score every utterance that has a transcript; `by` (a field, a key of `extra`) adds group scores.

    References are written by the recogniser's own text rules, so that case and punctuation that it never writes are
    not counted as errors, and pinyin is compared with pinyin. `advance(1)` is called after each utterance.

    Raises:
        ManifestError: no utterance has a transcript.
        AudioError: a recording cannot be read.
    """
    spoken = manifest.filter(lambda u: u.text)
    if not spoken:
        raise ManifestError("no utterance of the manifest has a transcript to score against; add `text` to its lines")
    config = recognizer.checkpoint.config
    references = [as_written(u.text or "", config.rules) for u in spoken]
    hypotheses: list[str] = []
    for text in recognizer.transcribe_many(clip.frames_FM for clip in compute_clips(spoken, recognizer.frames_of)):
        hypotheses.append(text)
        if advance:
            advance(1)
    counts = errors_of_each(references, hypotheses)
    return Report(pool(counts), _groups(spoken, counts, by) if by else {}, tuple(hypotheses), tuple(references))


def _groups(manifest: Manifest, counts: Sequence[UtteranceErrors], by: str) -> dict[str, Score]:
    of = {utterance.id: count for utterance, count in zip(manifest, counts, strict=True)}
    groups = sorted(manifest.group_by(by).items())
    return {name or "unknown": pool([of[u.id] for u in group]) for name, group in groups}
