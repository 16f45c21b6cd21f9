"""What adaptation starts from: a folder, nothing, a pre-trained encoder; and rows that only known clips shape."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earful.adapt.adapt import adapt
from earful.adapt.finetune import Plan
from earful.adapt.start import TOP, start_from, starter, untrained
from earful.checkpoint import load_checkpoint, save_checkpoint
from earful.data.batch import Example
from earful.data.clips import read_clips
from earful.encoder.encoder import EncoderConfig
from earful.errors import CheckpointError
from earful.model import BACKBONE, ModelConfig, moving
from earful.recognizer import Recognizer
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules

TINY = EncoderConfig("conformer", width=16, layers=1, heads=2)


def test_nothing_is_an_untrained_model_for_the_texts() -> None:
    checkpoint = start_from("none", ["Abba", "cab"], {"case": "lower"}, seed=3)
    assert checkpoint.config.alphabet.symbols == ("a", "b", "c") and checkpoint.config.rules.case == "lower"
    again = start_from("none", ["abc"], {}, seed=3)
    assert all(torch.equal(again.params[name], weight) for name, weight in checkpoint.params.items())


def test_a_folder_keeps_its_weights_and_takes_the_rules(tiny_base: Path) -> None:
    checkpoint = start_from(str(tiny_base), [], {"case": "upper"})
    assert checkpoint.config.rules.case == "upper"
    assert checkpoint.config.alphabet == load_checkpoint(tiny_base).config.alphabet
    with pytest.raises(CheckpointError, match="no such folder"):
        start_from("no-such-base", [], {})


def test_a_pretrained_encoder_lies_frozen_below(small_whisper: Path) -> None:
    checkpoint = start_from(f"hf:{small_whisper}", ["ab"], {})
    assert checkpoint.config.encoder == replace(TOP, bins=16)
    frozen = [name for name in checkpoint.params if name.startswith(BACKBONE)]
    assert frozen and not any(moving(checkpoint.config, name) for name in frozen)
    assert checkpoint.config.output_hop_s == pytest.approx(0.02)


def test_adaptation_moves_what_is_above_and_nothing_below(small_whisper: Path, clips: Path, tmp_path: Path) -> None:
    manifest = read_clips(clips)
    base = start_from(f"hf:{small_whisper}", [u.text or "" for u in manifest], {})
    adapted, report = adapt(base, manifest, plan=Plan(steps=2, copies=1, folds=0, evaluations=1, rate=1e-3))
    below = [name for name in base.params if name.startswith(BACKBONE)]
    assert all(torch.equal(adapted.params[name], base.params[name]) for name in below)
    if report.improved:
        assert not torch.equal(adapted.params["upsample.expand.weight"], base.params["upsample.expand.weight"])
    save_checkpoint(tmp_path / "model", adapted)
    sound = manifest[0].audio
    assert Recognizer.load(tmp_path / "model").transcribe(sound).duration_s > 0


def test_letters_start_from_the_learned_clips_alone() -> None:
    config = ModelConfig(Alphabet(("a", "b")), Alphabet(("p", "q")), encoder=TINY)
    base = untrained(config)
    generator = torch.Generator().manual_seed(0)
    clips = [Example(torch.randn(90, 80, generator=generator), (1, 2, 1)) for _ in range(4)]
    start = starter(base, Alphabet(("x", "y")), clips, "heard", 0)
    changed = [*clips[:2], *(Example(clip.frames_FM * 3, (2, 2, 1)) for clip in clips[2:])]
    other = starter(base, Alphabet(("x", "y")), changed, "heard", 0)
    one, same, all_of_them = start([0, 1]), other([0, 1]), start([0, 1, 2, 3])
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["heads.text.weight"], all_of_them["heads.text.weight"])


def test_rules_count_only_where_the_plan_asks_for_them() -> None:
    base = untrained(ModelConfig(Alphabet(("a", "b")), Alphabet(("p", "q")), encoder=TINY))
    clips = [Example(torch.randn(90, 80, generator=torch.Generator().manual_seed(0)), (1, 2))]
    new, rules_VP = Alphabet(("x", "y", "z")), torch.tensor([[9.0, 0], [0, 9], [0, 9]])

    def row(letters: str, rules_VP: torch.Tensor | None) -> torch.Tensor:
        return starter(base, new, clips, letters, 0, rules_VP)([0])["heads.text.weight"]

    for letters in ("heard", "phones", "like", "random"):  # what a meta-trained base has learned is not meddled with
        assert torch.equal(row(letters, rules_VP), row(letters, None))
    assert torch.equal(row("rules", None), row("heard", None))
    assert not torch.equal(row("rules", rules_VP)[3], row("heard", None)[3])


def test_letters_as_the_plan_says() -> None:
    config = ModelConfig(Alphabet(("a", "b")), Alphabet(("p",)), encoder=TINY)
    base = untrained(config)
    clips = [Example(torch.randn(90, 80), (1, 2))]
    like = starter(base, Alphabet(("a", "ä")), clips, "like", 0)([0])["heads.text.weight"]
    chance = starter(base, Alphabet(("a", "ä")), clips, "random", 0)([0])["heads.text.weight"]
    assert torch.equal(like[1], base.params["heads.text.weight"][1])
    assert torch.equal(chance[0], like[0]) and not torch.equal(chance[1], like[1])


@pytest.mark.parametrize("letters", ["heard", "prototypes"])
def test_several_threads_may_ask_at_once(letters: str) -> None:
    """A letter like none that the base knows is drawn by chance: the same one, whoever else draws."""
    base = untrained(ModelConfig(Alphabet(("a", "b")), Alphabet(("p", "q")), encoder=TINY))
    generator = torch.Generator().manual_seed(0)
    clips = [Example(torch.randn(90, 80, generator=generator), (1, 2, 3)) for _ in range(6)]
    asked = [(n, (n + 1) % 6, (n + 3) % 6) for n in range(6)] * 4

    def rows(learn: tuple[int, ...]) -> torch.Tensor:
        return starter(base, Alphabet(("a", "y", "。")), clips, letters, 0)(learn)["heads.text.weight"]

    expected, start = [rows(learn) for learn in asked[:6]], starter(base, Alphabet(("a", "y", "。")), clips, letters, 0)
    with ThreadPoolExecutor(4) as pool:
        found = [each["heads.text.weight"] for each in pool.map(start, asked)]
    assert all(torch.equal(each, expected[n % 6]) for n, each in enumerate(found))


def test_mandarin_has_its_usual_writing_unless_another_is_asked_for(tiny_base: Path, tmp_path: Path) -> None:
    def writing(base: Path, texts: list[str], **rules: str) -> str:
        return start_from(str(base), texts, rules).config.rules.writing

    assert writing(tiny_base, ["你好"], language="zh") == "characters"
    assert writing(tiny_base, ["nǐ hǎo"], language="zh") == "pinyin"
    assert writing(tiny_base, ["你好"], language="zh", writing="given") == "given"
    assert writing(tiny_base, ["你好"]) == "given"
    assert set(start_from("none", ["你好"], {"language": "cmn"}).config.alphabet.symbols) == set(" niˇhao")
    base = load_checkpoint(tiny_base)
    known = replace(base, about={"adapted": {}}, config=replace(base.config, rules=TextRules(writing="pinyin")))
    save_checkpoint(tmp_path / "m", known)
    assert writing(tmp_path / "m", ["你好"], language="zh") == "pinyin", "a recogniser goes on as it writes"
