"""What adaptation starts from: a model folder, a shipped base, a public pre-trained encoder, or nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from earful.adapt.letters import heard_rows
from earful.adapt.prototypes import prototype_rows
from earful.adapt.rows import carry_rows, random_rows
from earful.adapt.rules import rules_from, was_adapted
from earful.checkpoint import Checkpoint, load_checkpoint
from earful.data.batch import Example, alone, collate
from earful.encoder.backbone import Backbone
from earful.encoder.encoder import EncoderConfig
from earful.encoder.hub import MODEL_PREFIX, fetch_model, fetch_pretrained
from earful.encoder.pretrained import load_backbone
from earful.model import BACKBONE, PHONES, TEXT, AcousticModel, ModelConfig, Params, fast_arithmetic
from earful.text.alphabet import Alphabet
from earful.text.normalize import TextRules, normalize

BY_BOTH = ("heard", "rules")
NOTHING, HUB = "none", "hf:"
MOST_HEARD = 50
"""Clips that letters are aligned with sounds in, at most: more would tell little, and take memory."""
TOP = EncoderConfig(bins=384, subsampling=1)
"""What stands on a pre-trained encoder: small, for it has only the user's clips to learn from."""


def start_from(base: str, texts: Iterable[str], rules: Mapping[str, Any], seed: int = 0) -> Checkpoint:
    """The checkpoint that `base` names, with those text `rules` changed that are given.

    Without `writing` among the rules, a base that is no recogniser yet has the usual one of the language.
    `hf-model:NAME` is a model of earful's on a hub. `hf:NAME` or `hf:FOLDER` is a pre-trained encoder under an
    untrained top, `none` an untrained model: their alphabet is that of the normalised `texts`.

    Raises:
        CheckpointError: there is no such base, or it is damaged.
        ConfigError, TextError: the rules or the texts cannot be used.
    """
    texts = list(texts)
    if base.startswith(MODEL_PREFIX):
        base = str(fetch_model(base))
    if base != NOTHING and not base.startswith(HUB):
        checkpoint = load_checkpoint(base)
        changed = rules_from(checkpoint.config.rules, checkpoint.about, rules, texts)
        return replace(checkpoint, config=replace(checkpoint.config, rules=changed))
    written = rules_from(TextRules(), {}, rules, texts)
    alphabet = Alphabet.learn([normalize(text, written) for text in texts])
    if base == NOTHING:
        return untrained(ModelConfig(alphabet, rules=written), seed)
    backbone = load_backbone(fetch_pretrained(base))
    config = ModelConfig(alphabet, None, backbone.config, replace(TOP, bins=backbone.config.width), rules=written)
    return untrained(config, seed, backbone)


def is_recognizer(checkpoint: Checkpoint) -> bool:
    """Whether it was made by adaptation, and so writes a language, and not a base of many."""
    return was_adapted(checkpoint.about)


def starter(
    base: Checkpoint, new: Alphabet, clips: Sequence[Example], letters: str, seed: int, rules_VP: Tensor | None = None
) -> Callable[[Sequence[int]], Params]:
    """What gives the parameters to start from, for those clips that are learned from, by number.

    The text head is made for the alphabet `new`, as `Plan.letters` says. A base without phones can hear no letters:
    there they start from the likest. `rules_VP`, what the rules of the language say of the letters (`adapt.spelling`),
    is used where the plan asks for it. Several threads may ask at once.
    """
    old = base.config.alphabet

    def drawn() -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    if letters == "prototypes":
        return _starter_by_prototypes(base, new, clips, drawn())
    if base.config.phones is None or letters not in (*BY_BOTH, "phones"):
        make = random_rows if letters == "random" else carry_rows
        made = make(base.params, old, new, drawn())
        return lambda learn: made
    model = base.build()
    heads = (PHONES, TEXT) if letters in BY_BOTH else (PHONES,)
    rules_VP = rules_VP if letters == "rules" else None
    heard = [_logp(model, clip, heads) for clip in clips]

    @cache  # the same clips are asked for by what learns from them, by what compares with it, and by the report
    def made_of(few: tuple[int, ...]) -> Params:
        by_head = {head: [heard[i][head] for i in few] for head in heads}
        labels = [clips[i].labels for i in few]
        return heard_rows(base.params, old, new, by_head, labels, drawn(), rules_VP)

    return lambda learn: made_of(tuple(learn)[:MOST_HEARD])


def _starter_by_prototypes(
    base: Checkpoint, new: Alphabet, clips: Sequence[Example], generator: torch.Generator
) -> Callable[[Sequence[int]], Params]:
    """The rows are first those of the likest letters, which align the clips, and then what stands where they align."""
    carried = carry_rows(base.params, base.config.alphabet, new, generator)

    def start(learn: Sequence[int]) -> Params:
        model = AcousticModel(replace(base.config, alphabet=new)).eval()  # each thread has its own
        batch = collate([clips[i] for i in list(learn)[:MOST_HEARD]])
        with torch.no_grad():
            return {**carried, **prototype_rows(model, carried, batch)}

    return start


def _logp(model: AcousticModel, clip: Example, heads: Sequence[str]) -> dict[str, Tensor]:
    """Log-probabilities `[F, V]` of each head for one clip, which is encoded once."""
    with torch.no_grad(), fast_arithmetic():
        hidden_BFD, (count,) = model.encode(*alone(clip.frames_FM))
        return {head: model.heads[head](hidden_BFD[:, :count])[0] for head in heads}


def untrained(config: ModelConfig, seed: int = 0, backbone: Backbone | None = None) -> Checkpoint:
    """A model with random weights, on the weights of `backbone` where one is given: what a base is compared with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        params = dict(AcousticModel(config).state_dict())
    below = backbone.state_dict() if backbone is not None else {}
    params |= {f"{BACKBONE}{name}": weight for name, weight in below.items()}
    return Checkpoint(config, params, {"untrained": True})
