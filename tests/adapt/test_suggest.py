"""Which clips to transcribe next: what a set is worth, in what order it is taken, and which clips cannot be taken."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from earful.adapt import suggest as module
from earful.adapt.suggest import Hearing, LeftOut, Listener, Suggested, rank, suggest
from earful.audio.files import write
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.manifest import Manifest
from earful.data.synthesis.espeak import speak
from earful.data.synthesis.speech import Voice
from earful.data.untranscribed import read_recordings
from earful.data.utterance import Utterance
from earful.errors import AdaptationError, ConfigError

SENTENCES = ("Een vis zwemt in de grote zee.", "Ik zie de maan en de sterren.")
VOICE, OTHER_VOICE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def hearing(
    name: str, sounds: str, *, seconds: float = 2.0, sure: float = 0.9, voice: Sequence[float] = VOICE
) -> Hearing:
    """A clip in which these sounds are heard, a letter each."""
    clip = Utterance(name, Path(f"{name}.wav"), duration_s=seconds)
    return Hearing(clip, seconds, tuple(sounds), (sure,) * len(sounds), torch.tensor(voice))


def order(heard: Sequence[Hearing], known: Sequence[Hearing] = (), **limit: float) -> str:
    """The names of the clips, the best first."""
    return "".join(each.clip.id for each in rank(heard, known, **(limit or {"count": 99})))


def at_random(count: int, seed: int) -> list[Hearing]:
    generator = torch.Generator().manual_seed(seed)
    return [
        hearing(
            chr(ord("A") + number),
            "".join("abcdefgh"[i] for i in torch.randint(8, (3 + number % 9,), generator=generator).tolist()),
            seconds=1 + 4 * float(torch.rand((), generator=generator)),
            sure=float(torch.rand((), generator=generator)),
            voice=torch.randn(3, generator=generator).tolist(),
        )
        for number in range(count)
    ]


def test_what_is_new_comes_before_what_is_more_of_the_same() -> None:
    assert order([hearing("A", "abcabc"), hearing("B", "abcabc"), hearing("C", "xyzx")]) == "ACB"


def test_what_is_transcribed_is_covered() -> None:
    heard = [hearing("A", "abcabc"), hearing("C", "xyzx")]
    assert order(heard) == "AC"
    assert order(heard, [hearing("K", "abcabc")]) == "CA"


def test_the_same_in_less_time_is_worth_more() -> None:
    assert order([hearing("A", "abcd", seconds=4.0), hearing("B", "abcd", seconds=2.0)], count=1) == "B"


def test_what_a_recogniser_is_unsure_of_is_worth_more() -> None:
    heard = [hearing("A", "abcd", sure=0.95), hearing("B", "efgh", sure=0.4)]
    assert order(heard, count=1, doubt=1.0) == "B"
    assert order(heard, count=1, doubt=0.0) == "A"


def test_another_voice_is_worth_more() -> None:
    heard = [hearing("A", "abcdx"), hearing("B", "efgh"), hearing("C", "ijkl", voice=OTHER_VOICE)]
    assert order(heard) == "ACB"
    assert order([each._replace(summary_D=torch.tensor(VOICE)) for each in heard]) == "ABC"


def test_a_budget_of_seconds_is_filled_and_not_exceeded() -> None:
    heard = at_random(20, seed=1)
    found = list(rank(heard, seconds=12.0))
    spent_s = sum(each.clip.duration_s or 0.0 for each in found)
    taken = {each.clip.id for each in found}
    assert 0 < spent_s <= 12.01
    assert all(spent_s + each.seconds > 12.0 for each in heard if each.clip.id not in taken)


def test_more_clips_begin_with_the_same_ones() -> None:
    heard = at_random(15, seed=2)
    assert order(heard).startswith(order(heard, count=4)) and len(order(heard)) == 15


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("known", "doubt"), [(0, 0.0), (3, 0.0), (3, 1.0)])
def test_old_gains_in_the_heap_change_nothing(seed: int, known: int, doubt: float) -> None:
    heard, covered = at_random(18, seed), at_random(known, seed + 50)
    assert order(heard, covered, count=8, doubt=doubt) == plainly(heard, covered, 8, doubt)


def plainly(heard: Sequence[Hearing], covered: Sequence[Hearing], count: int, doubt: float) -> str:
    """The same by the definition: every gain is computed anew at every step."""
    everything = [*heard, *covered]
    total = sum((weighted(each, doubt) for each in everything), Counter())
    summaries = torch.stack([each.summary_D for each in everything])
    summaries = (summaries - summaries.mean(0)) / summaries.std(0, correction=0)
    summaries = summaries / summaries.norm(dim=1, keepdim=True)

    def worth(clips: Sequence[int]) -> float:
        met = sum((weighted(everything[i], doubt) for i in clips), Counter())
        return sum(math.sqrt(total[u] / sum(total.values()) * n) for u, n in met.items())

    before = list(range(len(heard), len(everything)))
    names = ""
    for _ in range(count):
        gains = {}
        for i in set(range(len(heard))) - set(before):
            near = max([float(summaries[i] @ summaries[j]) for j in before], default=0.0)
            strange = 1 + module.UNLIKE * (1 - max(0.0, near))
            gains[i] = (worth([*before, i]) - worth(before)) * strange / heard[i].seconds
        before.append(max(gains, key=gains.__getitem__))
        names += heard[before[-1]].clip.id
    return names


def weighted(each: Hearing, doubt: float) -> Counter:
    sounds, sure = ["", *each.sounds, ""], [1.0, *each.confidences, 1.0]
    found: Counter = Counter()
    for pair, (p, q) in zip(pairwise(sounds), pairwise(sure), strict=True):
        found[pair] += 1 + doubt * (1 - p * q)
    return found


def test_it_says_why() -> None:
    first, second = rank([hearing("A", "abab", sure=0.75), hearing("B", "abc", sure=0.75, seconds=1.0)], count=2)
    assert (first.clip.id, first.new_sounds, first.new_pairs, first.unlike) == ("B", ("a", "b", "c"), 4, 1.0)
    assert (second.new_sounds, second.new_pairs) == ((), 2)  # b a, b at the end
    assert second.heard == tuple("abab") and second.unsure == pytest.approx(0.25)


def test_a_voice_heard_before_is_not_unlike() -> None:
    heard = [hearing("A", "abcdx"), hearing("B", "efgh"), hearing("C", "ijkl", voice=OTHER_VOICE)]
    unlike = {each.clip.id: each.unlike for each in rank(heard, count=3)}
    assert unlike["B"] == pytest.approx(0.0, abs=1e-6) and unlike["C"] == 1.0


@pytest.fixture(scope="module")
def base() -> Checkpoint:
    return load_checkpoint("earful-tiny")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sentences, and what cannot be suggested: a short one, a long one, silence, a damaged file."""
    pytest.importorskip("espeakng_loader", reason="the extra `speak` is not installed")
    sounds = tmp_path_factory.mktemp("recordings") / "sounds"
    sounds.mkdir()
    said = [speak(text, Voice("nl", variant)).samples_T for variant in ("f2", "m3") for text in SENTENCES]
    for number, samples_T in enumerate(said):
        write(sounds / f"clip{number}.wav", samples_T)
    write(sounds / "short.wav", said[0][:8_000])
    write(sounds / "long.wav", np.resize(said[0], 16_000 * 16))
    write(sounds / "silence.wav", np.zeros(48_000, np.float32))
    (sounds / "damaged.flac").write_bytes(b"fLaC" + bytes(100))
    return sounds


@pytest.fixture(scope="module")
def found(base: Checkpoint, recordings: Path) -> Suggested:
    return suggest(base, read_recordings(recordings), count=9)


def test_clips_are_ranked_and_the_others_named(found: Suggested) -> None:
    assert sorted(each.clip.id for each in found.suggestions) == ["clip0", "clip1", "clip2", "clip3"]
    assert found.candidates == 4 and found.seconds == pytest.approx(sum(e.clip.duration_s for e in found.suggestions))
    reasons = {each.clip.id: each.reason for each in found.left_out}
    assert reasons == {
        "short": module.TOO_SHORT,
        "long": module.TOO_LONG,
        "silence": module.SILENT,
        "damaged": module.UNREADABLE,
    }
    assert any("not a readable sound file" in each.detail for each in found.left_out)
    assert all(len(each.heard) > 10 and 0 < each.unsure < 1 for each in found.suggestions)


def test_texts_are_not_read(base: Checkpoint, recordings: Path, found: Suggested) -> None:
    written = Manifest(tuple(replace(clip, text="iets anders") for clip in read_recordings(recordings)))
    again = suggest(base, written, count=9)
    assert [each.clip.id for each in again.suggestions] == [each.clip.id for each in found.suggestions]


def test_what_is_transcribed_is_not_suggested_again(base: Checkpoint, recordings: Path, found: Suggested) -> None:
    clips = read_recordings(recordings)
    best = found.suggestions[0].clip
    known = Manifest((Utterance("by another name", recordings / ".." / recordings.name / best.audio.name),))
    told: list[tuple[str, int, int]] = []
    again = suggest(base, clips, count=1, known=known, tell=lambda *row: told.append(row))
    assert again.suggestions[0].clip.id != best.id and again.candidates == 3
    assert [each.clip.id for each in again.left_out if each.reason == module.TRANSCRIBED] == [best.id]
    first = again.suggestions[0]  # of two sentences, so that some of its pairs are known
    assert 0 < first.new_pairs < len(set(pairwise(["", *first.heard, ""])))
    assert told[-1] == ("listening to what is transcribed", 1, 1)


def test_only_the_transcribed_stretch_of_a_recording_is_left_out(base: Checkpoint, recordings: Path) -> None:
    long = recordings / "long.wav"
    parts = Manifest(tuple(Utterance(f"{start}", long, float(start), 2.0) for start in (0, 1, 2, 4)))
    again = suggest(base, parts, count=9, known=Manifest((Utterance("known", long, 0.0, 2.0, text="een vis"),)))
    assert {each.clip.id for each in again.suggestions} == {"2", "4"}


def test_only_the_doubts_of_a_recogniser_count(
    base: Checkpoint, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubts = []
    monkeypatch.setattr(module, "rank", lambda *_, doubt, **more: doubts.append(doubt) or rank(*_, doubt=doubt, **more))
    for about in ({}, {"adapted": {}}):
        suggest(replace(base, about=about), read_recordings(recordings), count=1)
    assert doubts == [0.0, module.UNSURE]


def test_a_base_hears_phones_and_a_recogniser_letters(base: Checkpoint, recordings: Path) -> None:
    clip = Utterance("a", recordings / "clip0.wav")
    adapted = replace(base, about={"adapted": {}})
    for checkpoint, symbols in ((base, base.config.phones), (adapted, base.config.alphabet)):
        heard = Listener(checkpoint).hear(clip)
        assert symbols and isinstance(heard, Hearing) and set(heard.sounds) <= set(symbols.symbols)
    assert Listener(adapted).symbols != Listener(base).symbols


def test_noise_without_sounds_is_left_out(base: Checkpoint, tmp_path: Path) -> None:
    noise_T = 0.01 * np.random.default_rng(0).standard_normal(80_000).astype(np.float32)
    write(tmp_path / "noise.wav", noise_T)
    found = Listener(base).hear(Utterance("noise", tmp_path / "noise.wav"))
    assert isinstance(found, LeftOut) and found.reason == module.SILENT and "in 5.0 s" in found.detail


@pytest.mark.parametrize("limit", [{}, {"count": 3, "seconds": 9.0}, {"count": 0}, {"seconds": 0.0}, {"seconds": -1}])
def test_how_much_has_to_be_said_once(base: Checkpoint, limit: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="either a number of clips or seconds"):
        suggest(base, Manifest((Utterance("a", Path("a.wav")),)), **limit)


def test_nothing_can_be_suggested(base: Checkpoint, recordings: Path) -> None:
    with pytest.raises(AdaptationError, match="no clips to choose from"):
        suggest(base, Manifest(), count=1)
    lost = Manifest((Utterance("a", recordings / "gone.wav"), Utterance("b", recordings / "short.wav")))
    with pytest.raises(AdaptationError, match="none of the 2 clips can be suggested: 1 shorter than 1 s, 1 unreadable"):
        suggest(base, lost, count=1)
    with pytest.raises(AdaptationError, match=r"no clip is as short as 0\.5 s, the shortest lasts"):
        suggest(base, read_recordings(recordings), seconds=0.5)
