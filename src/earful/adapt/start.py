"""The start of an adaptation: a model folder, a shipped base, a public pre-trained encoder, or random weights."""

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
"""The most clips for aligning letters with sounds: more would help little and take memory."""
TOP = EncoderConfig(bins=384, subsampling=1)
"""The trainable layers on a pre-trained encoder: small, since they are trained on the user's clips only."""


def start_from(base: str, texts: Iterable[str], rules: Mapping[str, Any], seed: int = 0) -> Checkpoint:
    """The checkpoint that `base` names, with the given text `rules`.

    Without `writing` in the rules, a base that was never adapted uses the usual writing of the language.
    `hf-model:NAME` is an earful model on the hub. `hf:NAME` or `hf:FOLDER` is a pre-trained encoder under untrained
    layers, `none` an untrained model: their alphabet is that of the normalised `texts`.

    Raises:
        CheckpointError: the base does not exist or is damaged. ConfigError, TextError: the rules or the texts cannot be
        used.
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
    """Whether the checkpoint is an adapted model of one language, not a base of many."""
    return was_adapted(checkpoint.about)


def starter(
    base: Checkpoint, new: Alphabet, clips: Sequence[Example], letters: str, seed: int, rules_VP: Tensor | None = None
) -> Callable[[Sequence[int]], Params]:
    """A function from training clips, by number, to initial parameters.

    The text head is initialised for the alphabet `new` as `Plan.letters` says. With a base without phones, letters
    start from the most similar letters. `rules_VP`, the counts by the rules of the language (`adapt.spelling`), is used
    if the plan says so. The function is thread-safe.
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

    @cache  # training, comparison and report ask for the same clips
    def made_of(few: tuple[int, ...]) -> Params:
        by_head = {head: [heard[i][head] for i in few] for head in heads}
        labels = [clips[i].labels for i in few]
        return heard_rows(base.params, old, new, by_head, labels, drawn(), rules_VP)

    return lambda learn: made_of(tuple(learn)[:MOST_HEARD])


def _starter_by_prototypes(
    base: Checkpoint, new: Alphabet, clips: Sequence[Example], generator: torch.Generator
) -> Callable[[Sequence[int]], Params]:
    """Rows of the most similar letters align the clips; the means of the aligned frames are the final rows."""
    carried = carry_rows(base.params, base.config.alphabet, new, generator)

    def start(learn: Sequence[int]) -> Params:
        model = AcousticModel(replace(base.config, alphabet=new)).eval()  # each thread has its own
        batch = collate([clips[i] for i in list(learn)[:MOST_HEARD]])
        with torch.no_grad():
            return {**carried, **prototype_rows(model, carried, batch)}

    return start


def _logp(model: AcousticModel, clip: Example, heads: Sequence[str]) -> dict[str, Tensor]:
    """Log-probabilities `[F, V]` of each head for one clip, encoded once."""
    with torch.no_grad(), fast_arithmetic():
        hidden_BFD, (count,) = model.encode(*alone(clip.frames_FM))
        return {head: model.heads[head](hidden_BFD[:, :count])[0] for head in heads}


def untrained(config: ModelConfig, seed: int = 0, backbone: Backbone | None = None) -> Checkpoint:
    """A model with random weights, on the weights of `backbone` if given: a baseline for bases."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        params = dict(AcousticModel(config).state_dict())
    below = backbone.state_dict() if backbone is not None else {}
    params |= {f"{BACKBONE}{name}": weight for name, weight in below.items()}
    return Checkpoint(config, params, {"untrained": True})
