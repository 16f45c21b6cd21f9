"""From a spoken corpus to labels: characters, phones, and the phone of every frame, whatever the speed."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.audio.augment import Augmentation
from earful.data.frames import FrameStore
from earful.data.manifest import read_manifest, write_manifest
from earful.data.synthesis.speech import SILENCE
from earful.encoder.encoder import EncoderConfig
from earful.encoder.pretrained import load_backbone
from earful.encoder.whisper import WhisperConfig
from earful.errors import ConfigError, ManifestError
from earful.model import ModelConfig
from earful.pretrain.dataset import BEDS, UNKNOWN, Dataset, _in_company, open_dataset, phones_of, stored
from earful.pretrain.order import batches
from earful.pretrain.recipe import Corpus, Pretrained, Recipe


def config_of(dataset: Dataset, subsampling: int = 4, upsampling: int = 2) -> ModelConfig:
    encoder = EncoderConfig("conformer", width=32, layers=1, heads=2, subsampling=subsampling)
    return ModelConfig(dataset.alphabet, dataset.inventory, encoder=encoder, upsampling=upsampling)


def manifest_with(spoken: Path, path: Path, **extra: object) -> Path:
    """The manifest with other values of `extra`; None removes one."""
    rows = []
    for utterance in read_manifest(spoken):
        kept = {key: value for key, value in {**utterance.extra, **extra}.items() if value is not None}
        rows.append(replace(utterance, extra=kept))
    write_manifest(path, rows)
    return path


def test_labels_are_texts_and_phones(dataset: Dataset, spoken: Path) -> None:
    manifest = read_manifest(spoken)
    assert [u.id for u in dataset.utterances] == [u.id for u in manifest] * 2
    assert dataset.inventory is not None
    for utterance, text, phones in zip(dataset.utterances, dataset.texts, dataset.phones, strict=True):
        assert dataset.alphabet.decode(text) == utterance.text
        expected = [symbol for symbol, _ in utterance.extra["phones"] if symbol != SILENCE]
        assert dataset.inventory.decode_symbols(phones) == expected == phones_of(utterance)


def test_copies_differ_in_speed(dataset: Dataset) -> None:
    speeds = dataset.frames.speeds
    assert speeds[:12] != speeds[12:] and any(speed != 1.0 for speed in speeds)
    for utterance, speed, count in zip(dataset.utterances, speeds, dataset.frames.counts, strict=True):
        assert utterance.duration_s == pytest.approx(0.01 * count * speed, abs=0.02)


@pytest.mark.parametrize(("subsampling", "upsampling"), list(itertools.product((2, 3, 4), (1, 2))))
def test_phones_of_frames_are_those_of_the_manifest_at_that_time(
    dataset: Dataset, subsampling: int, upsampling: int
) -> None:
    config = config_of(dataset, subsampling, upsampling)
    indexes = [0, 13, 5, 23]
    batch, phones = dataset.batch(indexes, config)
    assert phones.frames_BF.shape == (4, config.output_count(batch.frames_BFM.shape[1]))
    for row_F, index, frames in zip(phones.frames_BF.tolist(), indexes, batch.frame_counts_B.tolist(), strict=True):
        timed, speed = dataset.utterances[index].extra["phones"], dataset.frames.speeds[index]
        count = config.output_count(frames)
        assert set(row_F[count:]) <= {UNKNOWN}
        for place, found in enumerate(row_F[:count]):
            time_s = (place + 0.5) * config.output_hop_s * speed  # in the recording as it was spoken
            said = [symbol for symbol, start_s in timed if start_s <= time_s]
            assert found == (dataset.phone_ids[said[-1]] if said else 0)


@pytest.mark.parametrize("slow", [True, False])
def test_an_s_hisses_where_the_labels_say(dataset: Dataset, slow: bool) -> None:
    """The times are true of the sound, at any speed: high bins are loud in an s, low ones in a vowel."""
    config = config_of(dataset, 2, 2)
    indexes = [i for i, speed in enumerate(dataset.frames.speeds) if speed != 1 and (speed < 1) == slow]
    batch, phones = dataset.batch(indexes, config)
    labels_BF = phones.frames_BF[:, : batch.frames_BFM.shape[1]]
    tilt_BF = batch.frames_BFM[..., 60:].mean(-1) - batch.frames_BFM[..., :30].mean(-1)
    is_vowel_BF = torch.isin(labels_BF, torch.tensor([dataset.phone_ids[vowel] for vowel in ("aː", "eː", "i")]))
    assert tilt_BF[labels_BF == dataset.phone_ids["s"]].mean() > tilt_BF[is_vowel_BF].mean() + 9


def test_batches_hold_every_clip_once_an_epoch(dataset: Dataset) -> None:
    order = batches(dataset.frames.counts, budget=800, seed=1)
    seen = list[int]()
    while len(seen) < 2 * len(dataset.utterances):
        seen += next(order)
    assert sorted(seen[:24]) == sorted(seen[24:]) == list(range(24)) and seen[:24] != seen[24:]
    again = [i for batch in itertools.islice(batches(dataset.frames.counts, budget=800, seed=1), 3) for i in batch]
    assert again == seen[: len(again)]


def test_frames_are_computed_once(recipe: Recipe, dataset: Dataset) -> None:
    folders = list(recipe.cache.iterdir())
    again = open_dataset(recipe, lambda done, total: pytest.fail("computed again"))
    assert torch.equal(again.frames[3], dataset.frames[3])
    assert list(recipe.cache.iterdir()) == folders


@pytest.mark.parametrize("change", [{"seed": 9}, {"corpora": 3}])
def test_other_copies_are_computed_anew(recipe: Recipe, dataset: Dataset, change: dict[str, int]) -> None:
    corpora = tuple(replace(corpus, copies=change.get("corpora", 2)) for corpus in recipe.corpora)
    told = list[tuple[int, int]]()
    other = replace(recipe, seed=change.get("seed", recipe.seed), corpora=corpora)
    open_dataset(other, lambda done, total: told.append((done, total)))
    total = 12 * change.get("corpora", 2)
    assert told == [(done, total) for done in range(1, total + 1)]


def test_an_interrupted_computation_begins_again(recipe: Recipe, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    other = replace(recipe, cache=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        open_dataset(other, interrupt)
    assert len(open_dataset(other).frames) == 24


def test_part_of_a_dataset(dataset: Dataset) -> None:
    part = dataset.only([20, 3])
    assert part.alphabet == dataset.alphabet and part.texts == [dataset.texts[20], dataset.texts[3]]
    whole, _ = dataset.batch([20, 3], config_of(dataset))
    assert torch.equal(part.batch([0, 1], config_of(dataset))[0].frames_BFM, whole.frames_BFM)


def test_phones_without_times(recipe: Recipe, spoken: Path, tmp_path: Path) -> None:
    path = manifest_with(spoken, tmp_path / "ipa.jsonl", phones=None, ipa=["a", "b"])
    dataset = open_dataset(replace(recipe, corpora=(Corpus(path),), cache=tmp_path / "cache"))
    _, phones = dataset.batch([0, 1], config_of(dataset))
    assert dataset.inventory is not None and dataset.inventory.symbols == ("a", "b")
    assert phones.labels_BL.tolist() == [[1, 2]] * 2 and set(phones.frames_BF.flatten().tolist()) == {UNKNOWN}


def test_no_phones_at_all(recipe: Recipe, spoken: Path, tmp_path: Path) -> None:
    path = manifest_with(spoken, tmp_path / "plain.jsonl", phones=None)
    dataset = open_dataset(replace(recipe, corpora=(Corpus(path),), cache=tmp_path / "cache"))
    assert dataset.inventory is None and dataset.batch([0], config_of(dataset))[1].labels_BL.shape == (1, 0)


@pytest.mark.parametrize("phones", [{"phones": None, "ipa": ["a", "b"]}, {}], ids=["ipa", "timed"])
def test_phones_without_text(recipe: Recipe, spoken: Path, tmp_path: Path, phones: dict[str, object]) -> None:
    rows = read_manifest(manifest_with(spoken, tmp_path / "part.jsonl", **phones))
    untold = replace(rows[2], text=None, extra={})
    write_manifest(tmp_path / "part.jsonl", [rows[0], replace(rows[1], text=None), untold])
    dataset = open_dataset(replace(recipe, corpora=(Corpus(tmp_path / "part.jsonl"),), cache=tmp_path / "cache"))
    assert [u.id for u in dataset.utterances] == [rows[0].id, rows[1].id]
    assert dataset.texts[0] and dataset.texts[1] == () and all(dataset.phones)
    batch, labels = dataset.batch([1], config_of(dataset))
    assert batch.labels_BL.shape == (1, 0) and labels.label_counts_B.tolist() == [len(dataset.phones[1])]


def test_rare_symbols_are_left_out(recipe: Recipe, dataset: Dataset) -> None:
    fewer = open_dataset(replace(recipe, rarest_symbol=20))
    lost = set(dataset.alphabet.symbols) - set(fewer.alphabet.symbols)
    assert lost and "e" in fewer.alphabet.symbols
    for text, utterance in zip(fewer.texts, fewer.utterances, strict=True):
        assert fewer.alphabet.decode(text) == "".join(c for c in utterance.text or "" if c not in lost)
    with pytest.raises(ConfigError, match="no letter occurs 1000 times"):
        open_dataset(replace(recipe, rarest_symbol=1000))


@pytest.mark.parametrize("change", [{"languages": ("de",)}, {"not_languages": ("nl",)}, {"longest_s": 0.1}])
def test_a_corpus_of_which_nothing_is_wanted(recipe: Recipe, spoken: Path, change: dict[str, object]) -> None:
    with pytest.raises(ManifestError, match=r"manifest\.jsonl: no clip with text or phones"):
        open_dataset(replace(recipe, corpora=(Corpus(spoken, **change),)))  # type: ignore[arg-type]


def test_a_manifest_that_is_missing(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"gone\.jsonl"):
        open_dataset(replace(recipe, corpora=(Corpus(tmp_path / "gone.jsonl"),)))


@pytest.mark.parametrize("phones", ["abc", [1, 2], [["a"]]])
def test_phones_that_are_none(recipe: Recipe, spoken: Path, tmp_path: Path, phones: object) -> None:
    path = manifest_with(spoken, tmp_path / "bad.jsonl", phones=json.loads(json.dumps(phones)))
    with pytest.raises(ManifestError, match=r"`phones` must be a list of \[IPA, start in seconds\]"):
        open_dataset(replace(recipe, corpora=(Corpus(path),)))


def test_one_clip_in_so_many(recipe: Recipe, dataset: Dataset) -> None:
    (corpus,) = recipe.corpora
    few = open_dataset(replace(recipe, corpora=(replace(corpus, copies=1, every=5),)))
    assert [u.id for u in few.utterances] == [u.id for u in dataset.utterances[:12:5]]


def test_conditions_make_copies_that_sound_alike_in_each(spoken: Path, recipe: Recipe, tmp_path: Path) -> None:
    noisy = Augmentation(
        speed_probability=0, room_probability=0, gain_probability=0, telephone_probability=0,
        noise_probability=1, snr_db=(0.0, 30.0),
    )  # fmt: skip
    corpus = Corpus(spoken, copies=2, conditions=3)
    dataset = open_dataset(replace(recipe, corpora=(corpus,), augmentation=noisy, cache=tmp_path))
    names = [u.extra["condition"] for u in dataset.utterances]
    assert len(set(names)) == 3 and all(name.startswith("noise ") for name in names)
    assert {name: names.count(name) for name in names} == dict.fromkeys(names, 8)
    for first, second in zip(range(12), range(12, 24), strict=True):  # the copies of one clip
        assert dataset.utterances[first].audio == dataset.utterances[second].audio and names[first] != names[second]
    loudest = min(set(names), key=lambda name: float(name.split()[1]))
    quietest = max(set(names), key=lambda name: float(name.split()[1]))
    floor = {name: [] for name in names}  # type: dict[str, list[float]]
    for index, name in enumerate(names):
        floor[name].append(float(dataset.frames[index].quantile(0.05)))
    assert sum(floor[loudest]) > sum(floor[quietest])  # of eight clips each
    again = open_dataset(replace(recipe, corpora=(corpus,), augmentation=noisy, cache=tmp_path))
    assert [u.extra["condition"] for u in again.utterances] == names
    plain = open_dataset(replace(recipe, corpora=(replace(corpus, conditions=0),), augmentation=noisy, cache=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2 and "condition" not in plain.utterances[0].extra


def test_conditions_that_cannot_be(spoken: Path, recipe: Recipe, tmp_path: Path) -> None:
    silent = replace(recipe, corpora=(Corpus(spoken, conditions=2),), cache=tmp_path)  # CLEAN has but one condition
    with pytest.raises(ConfigError, match="2 different conditions were asked for, the augmentation gave 1"):
        open_dataset(silent)
    with pytest.raises(ConfigError, match="at least the copies, 3"):
        Corpus(spoken, copies=3, conditions=2)


def test_clips_are_heard_amid_others_of_their_language(recipe: Recipe, spoken: Path, small_whisper: Path) -> None:
    """Beds are of the clip's own corpus and language, several of each; the model's own is of all."""
    below = Pretrained(small_whisper, bed_s=2.0)
    told = [replace(u, language="ab"[place % 2]) for place, u in enumerate(read_manifest(spoken))]
    write_manifest(spoken.parent / "two.jsonl", told)
    corpora = (Corpus(spoken.parent / "two.jsonl", copies=2),)
    made = open_dataset(replace(recipe, corpora=corpora, pretrained=below))
    alone = open_dataset(replace(recipe, corpora=corpora, pretrained=replace(below, bed_s=0.0)))
    assert isinstance(made.features, WhisperConfig) and made.features.bed == 100 and made.backbone is not None
    assert alone.features == replace(made.features, bed=0) and made.frames.counts == alone.frames.counts
    assert not torch.allclose(made.frames[0], alone.frames[0], atol=1e-2)

    backbone = load_backbone(small_whisper)
    front = _in_company(backbone, made.utterances, recipe.augmentation, recipe.seed, 2.0)
    beds = [float(each.state_dict()["bed_keys_NFD"].double().sum()) for each in front]
    by_language = [{b for b, u in zip(beds, made.utterances, strict=True) if u.language == name} for name in "ab"]
    assert [len(each) for each in by_language] == [BEDS, BEDS] and not by_language[0] & by_language[1]


def test_an_encoder_with_a_bed_hears_amid_as_much_of_each_language(
    recipe: Recipe, spoken: Path, small_whisper: Path, tmp_path: Path
) -> None:
    """As in meta-training, and in learning further without transcripts."""
    heard = load_backbone(small_whisper).amid(0.1 * torch.randn(32_000, generator=torch.Generator().manual_seed(0)))
    assert heard.bed_s == 2.0
    clips = list(read_manifest(spoken))
    folder = stored(tmp_path, clips, heard, recipe.augmentation, 0)
    assert folder == stored(tmp_path, clips, heard.amid(torch.ones(32_000)), recipe.augmentation, 0)
    alone = stored(tmp_path, clips, load_backbone(small_whisper), recipe.augmentation, 0)
    assert folder != alone and not torch.allclose(FrameStore([folder])[0], FrameStore([alone])[0], atol=1e-2)


def test_no_bed_is_shorter_than_nothing(small_whisper: Path) -> None:
    with pytest.raises(ConfigError, match="bed_s is -1"):
        Pretrained(small_whisper, bed_s=-1)
