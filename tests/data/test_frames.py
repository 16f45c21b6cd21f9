"""Features of many clips: in order, the same for any number of threads, and stored whole or not at all."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from earful.audio.augment import Augmentation
from earful.audio.files import read, write
from earful.data.clips import read_clips
from earful.data.frames import Clip, FrameStore, build_store, compute_clips, frames_of, is_built
from earful.data.manifest import Manifest
from earful.data.utterance import Utterance
from earful.errors import AudioError, ConfigError
from earful.features.fbank import fbank


def front(samples_T: torch.Tensor) -> torch.Tensor:
    return fbank(samples_T)[0][0]


@pytest.fixture(scope="module")
def manifest(clips: Path) -> Manifest:
    return read_clips(clips)


def computed(manifest: Manifest, **options: object) -> list[Clip]:
    return list(compute_clips(manifest, front, **options))  # type: ignore[arg-type]


def same(first: list[Clip], second: list[Clip]) -> bool:
    pairs = list(zip(first, second, strict=True))
    return all(torch.equal(a.frames_FM, b.frames_FM) and a.speed == b.speed for a, b in pairs)


def test_frames_are_those_of_the_recording_in_order(manifest: Manifest) -> None:
    for utterance, clip in zip(manifest, computed(manifest), strict=True):
        expected, _ = fbank(torch.from_numpy(read(utterance.audio)))
        assert torch.equal(clip.frames_FM, expected[0]) and clip.speed == 1.0
        assert torch.equal(frames_of(utterance, front), clip.frames_FM)


def test_a_part_of_a_recording(manifest: Manifest) -> None:
    part = Utterance("part", manifest[0].audio, start_s=0.5, duration_s=0.25)
    assert frames_of(part, front).shape == (25, 80)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_number_of_threads_changes_nothing(manifest: Manifest, threads: int) -> None:
    many = manifest + manifest + manifest
    changed = computed(many, augmentation=Augmentation(), seed=5, threads=threads)
    assert same(changed, computed(many, augmentation=Augmentation(), seed=5, threads=3))
    assert not same(changed, computed(many, augmentation=Augmentation(), seed=6, threads=3))
    assert not torch.equal(changed[0].frames_FM, changed[8].frames_FM), "each copy differs"


def test_each_utterance_may_have_an_augmentation_of_its_own(manifest: Manifest) -> None:
    fast, loud = Augmentation(speed_probability=1, speed=(2, 2)), Augmentation(gain_probability=1, gain_db=(6, 6))
    each = [fast, None, loud, fast, None, None, loud, Augmentation()]
    clips = computed(manifest, augmentation=each, seed=3, threads=2)
    plain = computed(manifest)
    for index, augmentation in enumerate(each):
        expected = computed(manifest, augmentation=augmentation, seed=3)[index]
        assert same([clips[index]], [expected])
        assert same([clips[index]], [plain[index]]) is (augmentation is None)


@pytest.mark.parametrize("count", [0, 7, 9])
def test_augmentations_of_other_utterances_are_refused(manifest: Manifest, count: int) -> None:
    message = rf"expected an augmentation \(or None\) for each of 8 clips, got {count}$"
    with pytest.raises(ValueError, match=message):
        computed(manifest, augmentation=[None] * count)


def test_each_utterance_may_have_a_front_of_its_own(manifest: Manifest) -> None:
    def louder(samples_T: torch.Tensor) -> torch.Tensor:
        return 2 * front(samples_T)

    clips = list(compute_clips(manifest, [louder, *[front] * 6, louder], threads=2))
    for place, (clip, plain) in enumerate(zip(clips, computed(manifest), strict=True)):
        torch.testing.assert_close(clip.frames_FM, plain.frames_FM * (2 if place in (0, 7) else 1))
    with pytest.raises(ValueError, match="expected a front for each of 8 clips, got 7"):
        list(compute_clips(manifest, [front] * 7))


def test_speed_shortens_the_clip(manifest: Manifest) -> None:
    fast = Augmentation(speed_probability=1.0, speed=(2.0, 2.0))
    (clip,) = computed(manifest[:1], augmentation=fast)
    assert clip.speed == 2.0
    assert len(clip.frames_FM) == pytest.approx(len(frames_of(manifest[0], front)) / 2, abs=1)


@pytest.mark.parametrize("broken", [0, 3, 7])
def test_an_error_names_the_clip(manifest: Manifest, broken: int) -> None:
    rows = list(manifest)
    rows[broken] = Utterance("Müller 7", Path("no such folder/é.wav"))
    with pytest.raises(AudioError, match=r"clip 'Müller 7': no such folder/é\.wav: no such file"):
        computed(Manifest(tuple(rows)))


def test_waiting_work_is_cancelled_after_an_error(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, gate = list[str](), threading.Event()

    def slow(path: Path, *_: object) -> np.ndarray:
        begun.append(path.name)
        if len(begun) > 2:
            gate.wait(10)
        return np.zeros(1600, np.float32)

    monkeypatch.setattr("earful.data.frames.read", slow)
    many = manifest + manifest + manifest + manifest
    clips = compute_clips(many, front, threads=1)
    next(clips)
    threading.Timer(0.5, gate.set).start()
    with pytest.raises(KeyboardInterrupt):
        clips.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert len(begun) <= 3, "what had not begun is not begun"


def test_a_store_gives_back_what_was_put_in(manifest: Manifest, tmp_path: Path) -> None:
    clips = computed(manifest, augmentation=Augmentation(speed_probability=1.0))
    done = list[int]()
    build_store(tmp_path / "a", clips[:5], lambda: done.append(1))
    build_store(tmp_path / "b", clips[5:])
    store = FrameStore([tmp_path / "a", tmp_path / "b"])
    assert len(store) == 8 and len(done) == 5 and is_built(tmp_path / "a")
    assert store.counts == [len(clip.frames_FM) for clip in clips]
    assert store.speeds == [clip.speed for clip in clips]
    for i, clip in enumerate(clips):
        assert store[i].dtype == torch.float32 and torch.equal(store[i], clip.frames_FM.half().float())
    part = store.only([6, 0])
    assert torch.equal(part[0], store[6]) and torch.equal(part[1], store[0])
    assert part.counts == [store.counts[6], store.counts[0]] and len(part) == 2


def test_an_interrupted_build_leaves_no_store(manifest: Manifest, tmp_path: Path) -> None:
    def interrupted() -> Iterator[Clip]:
        yield from computed(manifest[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path, interrupted())
    assert not is_built(tmp_path)
    build_store(tmp_path, computed(manifest[:3]))
    assert is_built(tmp_path) and len(FrameStore([tmp_path])) == 3


def test_a_full_disk(manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError, match="No space left"):
        build_store(tmp_path / "s", computed(manifest[:1]))
    assert not is_built(tmp_path / "s")


def test_a_folder_that_cannot_be(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be kept there"):
        build_store(tmp_path / "file" / "s", computed(manifest[:1]))


def test_the_index_is_plain_json(manifest: Manifest, tmp_path: Path) -> None:
    build_store(tmp_path, computed(manifest[:2]))
    index = json.loads((tmp_path / "index.json").read_text())
    assert index["bins"] == 80 and len(index["counts"]) == 2
    assert (tmp_path / "frames.f16").stat().st_size == 2 * 80 * sum(index["counts"])


def test_a_recording_shorter_than_a_frame(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.zeros(40, np.float32))
    assert frames_of(Utterance("a", tmp_path / "a.wav"), front).shape == (0, 80)
