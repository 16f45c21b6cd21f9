"""Adaptation from end to end, on the language of tones: how it measures, what it keeps, what it warns of."""

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from earful.adapt import measure
from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.language import Listed
from earful.adapt.report import AdaptReport
from earful.adapt.select import plan_for
from earful.adapt.start import untrained
from earful.audio.augment import Augmentation
from earful.audio.files import write
from earful.checkpoint import Checkpoint, Language, load_checkpoint, save_checkpoint
from earful.ctc.fusion import USUAL
from earful.ctc.ngram import learn
from earful.data.clips import read_clips
from earful.data.manifest import Manifest
from earful.errors import AdaptationError, AudioError
from earful.model import ModelConfig
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules, normalize

QUICK: dict[str, Any] = {"steps": 4, "copies": 1, "evaluations": 2, "batch_s": 8.0}


def quick(count: int, **changes: Any) -> Plan:
    return replace(plan_for(count, 2.0 * count), **{**QUICK, **changes})


def run(base: Checkpoint, clips: Manifest, **options: object) -> tuple[Checkpoint, AdaptReport]:
    return adapt(base, clips, **{"plan": quick(len(clips)), **options})  # type: ignore[arg-type]


def with_texts(manifest: Manifest, texts: dict[int, str | None]) -> Manifest:
    return Manifest(tuple(replace(u, text=texts.get(i, u.text)) for i, u in enumerate(manifest)))


def test_few_clips_are_cross_validated(base: Checkpoint, manifest: Manifest) -> None:
    stages = list[str]()
    adapted, report = run(base, manifest, progress=lambda stage, done, total: stages.append(stage))
    assert report.measured == "cross-validated" and report.clips == 8
    assert any("cross-validated" in warning for warning in report.warnings)
    assert list(dict.fromkeys(stages)) == ["listening", "augmenting", "adapting", "learning the language"]
    assert stages.count("adapting") == 3 * QUICK["steps"], "what measures is the result: nothing more is learned"
    assert adapted.config.alphabet.symbols == tuple(" abc")
    assert report.speech_s == pytest.approx(sum(u.duration_s or 0 for u in manifest), abs=0.1)


def test_many_clips_are_held_out(base: Checkpoint, manifest: Manifest) -> None:
    _, report = run(base, manifest, plan=quick(8, folds=1))
    assert report.measured == "held-out" and not any("cross-validated" in warning for warning in report.warnings)
    assert report.curve[0].cer == report.cer_before and report.cer_after == min(p.cer for p in report.curve)


@pytest.mark.parametrize(("folds", "again"), [(2, False), (1, True)])
def test_the_model_is_the_mean_of_all_fine_tunings(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, folds: int, again: bool
) -> None:
    tuned: list[dict[str, Tensor]] = []
    real = measure.finetune

    def watched(*given: Any, **options: Any) -> Any:
        found = real(*given, **options)
        tuned.append(dict(found.params))
        return found

    monkeypatch.setattr(measure, "finetune", watched)
    plan = quick(8, folds=folds, again=again, holdout=0.4, rate=1e-2, steps=10)
    mean, report = run(base, manifest, plan=plan, greedy=True)
    assert report.improved and len(tuned) == 2
    name = "upsample.expand.weight"
    assert torch.allclose(mean.params[name], torch.stack([each[name] for each in tuned]).mean(0), atol=1e-7)
    alone, same = run(base, manifest, plan=replace(plan, averaged=False), greedy=True)
    assert torch.equal(alone.params[name], tuned[-1][name]) and len(tuned) == 2 + folds + 1
    assert same.cer_after == report.cer_after, "what is measured is what has not met the clips"


def test_what_was_held_out_is_learned_again(base: Checkpoint, manifest: Manifest) -> None:
    plan = quick(8, folds=1, again=True, rate=3e-3)
    adapted, report = run(base, manifest, plan=plan, greedy=True)
    once, measured = run(base, manifest, plan=replace(plan, again=False), greedy=True)
    assert report.measured == "held-out"
    assert report.cer_before == measured.cer_before and report.cer_after <= report.cer_before
    assert measured.curve[-1].cer == report.cer_after or not report.improved
    if report.improved:
        name = "upsample.expand.weight"
        assert not torch.equal(adapted.params[name], once.params[name]), "it has met all clips"


@pytest.mark.parametrize("count", [1, 3])
def test_very_few_clips_are_measured_on_themselves(base: Checkpoint, manifest: Manifest, count: int) -> None:
    _, report = run(base, manifest[:count])
    assert report.measured == "own clips"
    assert any("at least 4 clips" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("folds", "rate"), [(0, 3e-3), (1, 3.0), (3, 3e-3), (3, 3.0), pytest.param(0, 3.0, marks=pytest.mark.slow)]
)
def test_never_worse_than_the_base(base: Checkpoint, manifest: Manifest, folds: int, rate: float) -> None:
    adapted, report = run(base, manifest, plan=quick(8, folds=folds, rate=rate), greedy=True)
    assert report.cer_after <= report.cer_before
    if not report.improved:
        assert report.cer_after == report.cer_before
        assert torch.equal(adapted.params["upsample.expand.weight"], base.params["upsample.expand.weight"])
        assert any("did not improve" in warning for warning in report.warnings)


def test_a_base_that_cannot_be_bettered_is_kept(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earful.adapt.measure._crossed_cer", lambda *each: 9.0 if each[-1] else 0.5)
    adapted, report = run(base, manifest, greedy=True)
    assert not report.improved and report.cer_after == report.cer_before
    assert torch.equal(adapted.params["upsample.expand.weight"], base.params["upsample.expand.weight"])


def test_what_is_adapted_can_be_saved_and_adapted_again(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    adapted, report = run(base, manifest[:3])
    save_checkpoint(tmp_path / "m", adapted)
    about = json.loads((tmp_path / "m" / "model.json").read_text(), parse_constant=pytest.fail)["about"]
    assert about["adapted"]["cer_after"] == report.cer_after and about["base"] == base.about
    again, _ = run(load_checkpoint(tmp_path / "m"), with_texts(manifest[:3], {0: "cad"}))
    assert again.config.alphabet.symbols == tuple(" abcd")


def test_a_recogniser_that_is_adapted_further_keeps_its_letters(base: Checkpoint, manifest: Manifest) -> None:
    """A few clips of a new speaker do not hold every letter; the rows of the others must stay."""
    known, _ = run(base, manifest, plan=quick(8, folds=0))
    few = Manifest(tuple(replace(u, text="aa") for u in tuple(manifest)[:2]))
    further, _ = run(known, few, plan=quick(2, folds=0, rate=1e-9))
    assert further.config.alphabet == known.config.alphabet
    assert all(torch.allclose(further.params[name], known.params[name], atol=1e-6) for name in known.params)
    more, _ = run(known, Manifest((*few, replace(tuple(manifest)[2], text="xa"))), plan=quick(3, folds=0))
    assert more.config.alphabet.symbols == (*known.config.alphabet.symbols, "x")


def test_a_recogniser_that_is_adapted_further_keeps_its_language(base: Checkpoint, manifest: Manifest) -> None:
    known, _ = run(base, manifest, plan=quick(8, folds=0))
    ngram = learn([u.text or "" for u in manifest], known.config.alphabet)
    known = replace(known, language=Language(ngram, 0.75, 1.5))
    few = Manifest(tuple(manifest)[:3])
    further, _ = run(known, few, plan=quick(3, folds=0))
    assert further.language is not None and further.language.ngram.perplexity(["ab"]) == ngram.perplexity(["ab"])
    greedy, _ = run(known, few, plan=quick(3, folds=0), greedy=True)
    assert greedy.language is None


def test_a_few_clips_and_other_text_have_a_language_model(base: Checkpoint, manifest: Manifest) -> None:
    adapted, report = run(base, manifest[:3], plan=quick(2, folds=0), texts=["abba cab"] * 9)
    assert adapted.language is not None and (adapted.language.weight, adapted.language.bonus) == USUAL
    assert report.cer_with_language is None and any("weigh the language model" in line for line in report.warnings)
    without, report = run(base, manifest[:3], plan=quick(2, folds=0))
    assert without.language is None and not any("language model" in line for line in report.warnings)


def test_without_a_language_model_other_text_still_tells_the_rules_of_spelling(
    base: Checkpoint, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Sequence[str]]()

    def noting(written: Sequence[str], others: Sequence[str], config: ModelConfig) -> Sequence[str]:
        asked.append(others)
        return ()

    monkeypatch.setattr(importlib.import_module("earful.adapt.adapt"), "words_of", noting)
    with_phones = untrained(replace(base.config, phones=Alphabet(("a", "b"))))
    adapted, report = run(with_phones, manifest, plan=quick(2, folds=0, letters="rules"), texts=["abba"], greedy=True)
    assert asked == [["abba"]] and adapted.language is None and report.cer_with_language is None


def test_letters_seen_once_and_letters_like_none(base: Checkpoint, manifest: Manifest) -> None:
    _, report = run(base, with_texts(manifest, {0: "abba cab ạ 七", 1: "abba cab 七"}), greedy=True)
    once, new = (
        next(w for w in report.warnings if w.startswith(start)) for start in ("seen only once", "unlike all letters")
    )
    assert "ạ" in once and "七" not in once
    assert "七" in new and "ạ" not in new, "ạ starts from a"


def test_clips_that_cannot_be_learned_from_are_left_out(base: Checkpoint, manifest: Manifest) -> None:
    texts = {1: None, 3: " !? ", 4: "abc" * 200}
    adapted, report = run(base, with_texts(manifest, texts))
    assert report.clips == 5
    left_out = [warning for warning in report.warnings if warning.startswith("left out")]
    assert len(left_out) == 2
    assert "no transcript: clip1 clip3;" in left_out[0] and "sound can carry: clip4;" in left_out[1]
    assert all(torch.isfinite(value).all() for value in adapted.params.values())


def test_no_clip_with_a_transcript(base: Checkpoint, manifest: Manifest) -> None:
    with pytest.raises(AdaptationError, match="none of the 8 clips can be used: 8 with no transcript"):
        run(base, with_texts(manifest, dict.fromkeys(range(8), " – ")))
    with pytest.raises(AdaptationError, match="no clips"):
        run(base, Manifest())


def test_a_clip_of_more_than_a_minute(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    write(tmp_path / "long.wav", np.zeros(61 * 16_000, np.float32))
    (tmp_path / "long.txt").write_text("abba", "utf-8")
    long = read_clips(tmp_path)
    _, report = run(base, manifest[:3] + long)
    assert report.clips == 3 and any("60 s of sound: long;" in warning for warning in report.warnings)


def test_a_missing_recording_is_named(base: Checkpoint, manifest: Manifest) -> None:
    broken = Manifest((*manifest[:2], replace(manifest[2], audio=Path("nowhere.wav"))))
    with pytest.raises(AudioError, match=r"clip 'clip2': nowhere\.wav: no such file"):
        run(base, broken)


def test_rules_of_the_user(base: Checkpoint, manifest: Manifest) -> None:
    adapted, _ = run(base, manifest[:3], rules=TextRules(case="upper"))
    assert adapted.config.alphabet.symbols == tuple(" ABC") and adapted.config.rules.case == "upper"


def test_the_same_seed_the_same_model(base: Checkpoint, manifest: Manifest) -> None:
    first, again, other = (run(base, manifest[:3], seed=seed)[0].params for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.fixture
def folders(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> Callable[..., set[str]]:
    """The names of the folders of states that an adaptation leaves under `tmp_path`."""

    def folders(clips: Manifest = manifest[:3], **options: object) -> set[str]:
        run(base, clips, state=tmp_path / "state", **options)
        return {path.name for path in (tmp_path / "state").iterdir()}

    return folders


def changes(manifest: Manifest) -> Iterator[dict[str, object]]:
    yield {"clips": manifest[1:4]}
    yield {"clips": with_texts(manifest[:3], {0: "cab"})}
    yield {"seed": 7}
    yield {"plan": quick(3, steps=5)}
    yield {"augmentation": Augmentation(noise_probability=0.0)}


def test_a_state_is_of_one_run_only(folders: Callable[..., set[str]], manifest: Manifest) -> None:
    assert len(folders()) == 1 == len(folders())
    for number, change in enumerate(changes(manifest), 2):
        assert len(folders(**change)) == number, change


def test_an_interrupted_adaptation_is_the_same_one(base: Checkpoint, manifest: Manifest, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "adapting" and done == 4 + 3:  # in the second of three parts
            raise KeyboardInterrupt

    whole, report = run(base, manifest)
    with pytest.raises(KeyboardInterrupt):
        run(base, manifest, state=tmp_path, progress=stop)
    seen = list[tuple[str, int]]()
    resumed, again = run(base, manifest, state=tmp_path, progress=lambda stage, done, total: seen.append((stage, done)))
    taken = [done for stage, done in seen if stage == "adapting"]
    assert taken == [4, 7, 8, 9, 10, 11, 12], "what was done is not done again"
    assert all(torch.equal(whole.params[name], resumed.params[name]) for name in whole.params)
    assert (report.cer_before, report.cer_after) == (again.cer_before, again.cer_after)


MANDARIN = TextRules(language="zh", writing="characters")
SAID = ("我们去银行", "他是老师", "银行老师", "我们是老师")


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small word list in place of that of Mandarin."""
    few = {"我们": 0.2, "去": 0.2, "银行": 0.1, "老师": 0.1, "他": 0.2, "是": 0.2}
    monkeypatch.setattr("earful.adapt.language.word_frequencies", lambda language: few)
    monkeypatch.setattr(
        "earful.adapt.adapt.listed", lambda language, rules: Listed([normalize("我们去银行", rules)], {})
    )


def test_mandarin_is_heard_as_pinyin_and_needs_no_package_to_be_written(
    words: None, base: Checkpoint, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = with_texts(manifest, {i: SAID[i % 4] for i in range(8)})
    adapted, report = run(base, said, rules=MANDARIN, texts=["用wifi"])
    assert set(adapted.config.alphabet.symbols) == set(" " + "".join(normalize(text, MANDARIN) for text in SAID))
    assert not any("ˇ" in warning for warning in report.warnings if warning.startswith("like no letter"))
    assert any("words are known to be written" in warning for warning in report.warnings)
    save_checkpoint(tmp_path / "m", adapted)
    heard = normalize("我们去银行用wifi", MANDARIN).split()
    before = [each.text for each in adapted.lexicon.write(heard)] if adapted.lexicon else []

    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    loaded = load_checkpoint(tmp_path / "m")
    assert loaded.lexicon is not None and [each.text for each in loaded.lexicon.write(heard)] == before
    assert before == ["我们", "去", "银行", "用", "wifi"]


def test_a_recogniser_of_mandarin_that_is_adapted_further_keeps_its_words(
    words: None, base: Checkpoint, manifest: Manifest
) -> None:
    known, _ = run(
        base, with_texts(manifest[:3], dict.fromkeys(range(3), "他是老师")), rules=MANDARIN, texts=["用wifi"]
    )
    further, _ = run(known, with_texts(manifest[:3], dict.fromkeys(range(3), "她是老师")))
    assert known.lexicon is not None and further.lexicon is not None
    assert {"用", "wifi", "她"} <= further.lexicon.frequencies.keys()
    assert further.lexicon.pairs[("是", "老师")] == 6


def test_characters_one_by_one_are_warned_of(base: Checkpoint, manifest: Manifest) -> None:
    _, report = run(base, with_texts(manifest[:3], {0: SAID[0], 1: SAID[1], 2: SAID[2]}))
    (warning,) = (w for w in report.warnings if "one by one" in w)
    assert warning.startswith("9 Chinese characters") and "--language zh" in warning and ".[mandarin]" in warning
