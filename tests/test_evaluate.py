"""Scores of a recogniser on a manifest."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.errors import AudioError, ManifestError
from earful.evaluate import evaluate
from earful.recognizer import Recognizer
from earful.text.score import score


@pytest.fixture(scope="module")
def recognizer(tiny_base: Path) -> Recognizer:
    return Recognizer.load(tiny_base)


@pytest.fixture(scope="module")
def manifest(clips: Path) -> Manifest:
    rows = enumerate(read_clips(clips))
    return Manifest(tuple(replace(u, speaker="eva" if i % 2 else None, extra={"room": i % 3}) for i, u in rows))


def test_it_is_the_score_of_what_transcribe_writes(recognizer: Recognizer, manifest: Manifest) -> None:
    done = list[int]()
    report = evaluate(recognizer, manifest, advance=done.append)
    assert done == [1] * 8 and report.groups == {} and any(report.hypotheses)
    assert report.references == tuple(u.text for u in manifest)
    assert report.hypotheses == tuple(recognizer.transcribe(u.audio).text for u in manifest)
    assert report.score == score(report.references, report.hypotheses)


@pytest.mark.parametrize(("by", "names"), [("speaker", ["unknown", "eva"]), ("room", ["0", "1", "2"])])
def test_groups(recognizer: Recognizer, manifest: Manifest, by: str, names: list[str]) -> None:
    report = evaluate(recognizer, manifest, by=by)
    assert sorted(report.groups) == sorted(names)
    assert sum(group.utterances for group in report.groups.values()) == 8
    assert sum(group.characters for group in report.groups.values()) == report.score.characters


def test_a_group_is_scored_by_itself(recognizer: Recognizer, manifest: Manifest) -> None:
    report = evaluate(recognizer, manifest, by="speaker")
    assert report.groups["eva"] == score(report.references[1::2], report.hypotheses[1::2])


def test_the_interval_is_of_other_speakers_where_there_are_enough(recognizer: Recognizer, manifest: Manifest) -> None:
    by_two, by_four = (
        Manifest(tuple(replace(u, speaker=n[i % len(n)]) for i, u in enumerate(manifest))) for n in ("ab", "abcd")
    )
    report = evaluate(recognizer, by_four)
    assert report.score == score(report.references, report.hypotheses, "abcdabcd")
    assert evaluate(recognizer, by_two).score == score(report.references, report.hypotheses) != report.score


def test_references_are_in_the_recognisers_own_spelling(recognizer: Recognizer, manifest: Manifest) -> None:
    shouted = Manifest(tuple(replace(u, text=f"{(u.text or '').upper()}!") for u in manifest))
    assert evaluate(recognizer, shouted).score == evaluate(recognizer, manifest).score


def test_clips_without_a_transcript_do_not_count(recognizer: Recognizer, manifest: Manifest) -> None:
    silent = Manifest(tuple(replace(u, text=None if i else u.text) for i, u in enumerate(manifest)))
    assert evaluate(recognizer, silent).score.utterances == 1
    with pytest.raises(ManifestError, match="no utterance of the manifest has a transcript"):
        evaluate(recognizer, silent[1:])


def test_a_missing_recording_is_named(recognizer: Recognizer, manifest: Manifest) -> None:
    broken = Manifest((*manifest[:3], replace(manifest[3], audio=Path("gone.wav"))))
    with pytest.raises(AudioError, match=r"clip 'clip3': gone\.wav"):
        evaluate(recognizer, broken)


def test_equal_clips_are_written_equally_wherever_they_stand(recognizer: Recognizer, manifest: Manifest) -> None:
    hypotheses = evaluate(recognizer, manifest).hypotheses
    order = np.random.default_rng(0).permutation(8).tolist()
    shuffled = evaluate(recognizer, Manifest(tuple(manifest[i] for i in order))).hypotheses
    assert shuffled == tuple(hypotheses[i] for i in order)


def test_a_recording_that_cannot_be_read_is_left_out_where_it_may_be(
    recognizer: Recognizer, manifest: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    bad = Manifest(tuple(replace(u, audio=tmp_path / "bad.wav") if i == 3 else u for i, u in enumerate(manifest)))
    told = list[str]()
    report = evaluate(recognizer, bad, by="speaker", skip=lambda clip, error: told.append(f"{clip.id}: {error}"))
    others = manifest.filter(lambda u: u.id != manifest[3].id)
    assert len(told) == 1 and told[0].startswith(manifest[3].id) and "bad.wav" in told[0]
    assert report == evaluate(recognizer, others, by="speaker") and report.clips == others
    with pytest.raises(AudioError, match=r"bad\.wav"):
        evaluate(recognizer, bad)
    with pytest.raises(AudioError, match=r"none of 1 clips can be read, for example .*bad\.wav"):
        evaluate(recognizer, bad[3:4], skip=lambda clip, error: None)
