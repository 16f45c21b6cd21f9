"""wav2vec 2.0: identify a masked frame among other masked frames (Baevski et al. 2020).

Spans of the encoder's local frames are replaced by a learned vector. For each of them the encoder's context has to find
the original quantised local frame among others of the same clip. Both parts of the encoder learn: `subsample` from the
visible frames and from the targets, `context` from the search.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.contrast import info_nce, others
from earful.pretrain.masking import Spans, draw_spans
from earful.pretrain.objective import Found, Objective, Views


@dataclass(frozen=True)
class Wav2Vec2Settings:
    """The masking, and the quantisation and comparison of targets.

    `spans`, at 40 ms a hidden frame, mask about half of a clip, in spans of 200 ms, as in the paper. `distractors` are
    compared with each target at `temperature` (κ). There are `books` code books (G) of `entries` (V), whose codes are
    `code_width` wide together. `diversity` (α) weighs the diversity loss.
    The temperature of the Gumbel softmax falls exponentially from `gumbel_first` to `gumbel_last`, within the share
    `gumbel_fall` of the steps (in the paper 0.7), and stays there.

    Raises ConfigError, which names the key.
    """

    spans: Spans = field(default_factory=lambda: Spans(starts=0.13, length=5))
    distractors: int = 50
    temperature: float = 0.1
    books: int = 2
    entries: int = 64
    code_width: int = 64
    diversity: float = 0.1
    gumbel_first: float = 2.0
    gumbel_last: float = 0.5
    gumbel_fall: float = 0.7

    def __post_init__(self) -> None:
        for key in ("distractors", "books", "entries", "code_width"):
            if getattr(self, key) < 1:
                raise ConfigError(f"wav2vec2: {key} is {getattr(self, key)}, must be at least 1")
        for key in ("temperature", "gumbel_last", "gumbel_fall"):
            if not getattr(self, key) > 0:
                raise ConfigError(f"wav2vec2: {key} is {getattr(self, key)}, must be > 0")
        if self.diversity < 0:
            raise ConfigError(f"wav2vec2: diversity is {self.diversity}, must be 0 or more: a weight")
        if self.gumbel_fall > 1:
            raise ConfigError(f"wav2vec2: gumbel_fall is {self.gumbel_fall}, must be a share of the steps: at most 1")
        if self.gumbel_first < self.gumbel_last:
            raise ConfigError(
                f"wav2vec2: gumbel_first is {self.gumbel_first}, must be at least gumbel_last, {self.gumbel_last}"
            )
        if self.code_width % self.books:
            raise ConfigError(f"wav2vec2: code_width is {self.code_width}, must be a multiple of books = {self.books}")


class Quantised(NamedTuple):
    """Codes, their entries in each book, and the softmax before noise and temperature."""

    codes_ND: Tensor
    entries_NG: Tensor
    shares_NGV: Tensor


class Quantiser(nn.Module):
    """Product quantisation by a Gumbel softmax (Baevski et al. 2020, section 2 and eq. 1; Jang et al. 2017).

    One entry of each book is chosen; its gradient is that of the softmax (straight-through).
    """

    def __init__(self, width: int, books: int, entries: int, code_width: int) -> None:
        super().__init__()
        self.logits = nn.Linear(width, books * entries)
        self.entries_GVD = nn.Parameter(torch.rand(books, entries, code_width // books))
        nn.init.normal_(self.logits.weight)  # wide, as in fairseq: else the noise chooses, not the frame
        nn.init.zeros_(self.logits.bias)

    def forward(self, local_ND: Tensor, temperature: Tensor, generator: torch.Generator) -> Quantised:
        """Quantise frames; `temperature` is that of the Gumbel softmax."""
        books, entries, _ = self.entries_GVD.shape
        logits_NGV = self.logits(local_ND).float().unflatten(-1, (books, entries))
        waits_NGV = torch.empty(logits_NGV.shape, device=generator.device).exponential_(generator=generator)
        noise_NGV = -waits_NGV.log().to(logits_NGV.device)
        soft_NGV = ((logits_NGV + noise_NGV) / temperature).softmax(-1)  # eq. 1
        entries_NG = soft_NGV.argmax(-1)
        # In this order the sum is exactly the one-hot vector: equal entries give equal codes.
        taken_NGV = F.one_hot(entries_NG, entries) + (soft_NGV - soft_NGV.detach())
        codes_NGD = torch.einsum("ngv,gvd->ngd", taken_NGV, self.entries_GVD)
        return Quantised(codes_NGD.flatten(1), entries_NG, logits_NGV.softmax(-1))


def perplexity(shares_NGV: Tensor) -> Tensor:
    """Sum over the books of exp(entropy of the mean over frames): from G (one entry of each is used) to G · V."""
    mean_GV = shares_NGV.mean(0)
    # Clamped, because the slope of p log p is infinite at 0, where a softmax may underflow to.
    entropy_G = -(mean_GV * mean_GV.clamp(min=1e-9).log()).sum(-1)
    return entropy_G.exp().sum()


def diversity_loss(shares_NGV: Tensor) -> Tensor:
    """(G V − perplexity) / (G V): 0 if all entries are used equally (Baevski et al. 2020, eq. 4).

    The paper has the entropy itself; its authors' code and `transformers` use exp(entropy), as here.
    """
    if not len(shares_NGV):
        return shares_NGV.sum()
    size = shares_NGV.shape[1] * shares_NGV.shape[2]
    return (size - perplexity(shares_NGV)) / size


@final
class Wav2Vec2(Objective):
    """wav2vec 2.0 on an encoder `width` wide. Its losses add up to the paper's (eq. 2): "contrastive" is the mean over
    masked frames of eq. 3, "diversity" is eq. 4 times α. Facts: accuracy; perplexity of the code books, all together.

    - A clip not longer than a span would be masked completely, and so is not masked at all. A clip with one masked
      frame
      has no distractors and is left out.
    - Distractors are drawn with replacement; one of the same code as the target is not compared with it.
    - Targets are normalised local frames (a LayerNorm of this objective). The input of `context` is not normalised,
      because
      without the norm, which is thrown away at the end, it would get unfamiliar frames.
    - The Gumbel temperature is a buffer, so that a resumed run has it.
    """

    gumbel: Tensor

    def __init__(self, settings: Wav2Vec2Settings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.mask_D = nn.Parameter(torch.rand(width))
        self.norm = nn.LayerNorm(width)
        self.quantiser = Quantiser(width, settings.books, settings.entries, settings.code_width)
        self.project_context = nn.Linear(width, settings.code_width)
        self.project_codes = nn.Linear(settings.code_width, settings.code_width)
        self.register_buffer("gumbel", torch.tensor(settings.gumbel_first))

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The losses of a batch; see the class."""
        local_BFD, counts_B, valid_BF = encoder.subsample(heard.frames_BFM, heard.frame_counts_B)
        masked_BF = draw_spans(counts_B, local_BFD.shape[1], self.settings.spans, generator)
        seen_BFD = torch.where(masked_BF[..., None], self.mask_D.to(local_BFD.dtype), local_BFD)
        context_BFD = encoder.context(seen_BFD, valid_BF)
        asked_BF = masked_BF & (masked_BF.sum(1, keepdim=True) > 1)
        drawn_NK = self.distractors(asked_BF, generator)
        return self.compare(context_BFD[asked_BF], self.norm(local_BFD[asked_BF]), drawn_NK, generator)

    def distractors(self, asked_BF: Tensor, generator: torch.Generator) -> Tensor:
        """For each of the N frames, in order, the indexes of its distractors among the N: others of the same clip."""
        sizes_B = asked_BF.sum(1)
        row_N = asked_BF.nonzero()[:, 0]
        first_N = (sizes_B.cumsum(0) - sizes_B)[row_N]
        own_N = torch.arange(len(row_N), device=row_N.device) - first_N
        return first_N[:, None] + others(own_N, sizes_B[row_N], self.settings.distractors, generator)

    def compare(self, context_ND: Tensor, local_ND: Tensor, drawn_NK: Tensor, generator: torch.Generator) -> Found:
        """The losses of N masked frames, from their contexts, their targets, and their distractors."""
        codes_ND, entries_NG, shares_NGV = self.quantiser(local_ND, self.gumbel, generator)
        answers_ND = F.normalize(self.project_context(context_ND).float(), dim=-1)
        targets_ND = F.normalize(self.project_codes(codes_ND).float(), dim=-1)
        candidates_NC = torch.cat((torch.arange(len(drawn_NK), device=drawn_NK.device)[:, None], drawn_NK), 1)
        cosine_NC = (answers_ND[:, None] * targets_ND[candidates_NC]).sum(-1)
        same_NC = (entries_NG[candidates_NC] == entries_NG[:, None]).all(-1)
        same_NC[:, 0] = False
        told = info_nce(cosine_NC / self.settings.temperature, same_NC)  # eq. 3
        facts = {"perplexity": float(perplexity(shares_NGV.detach()))} if told.facts else {}
        losses = {"contrastive": told.loss, "diversity": self.settings.diversity * diversity_loss(shares_NGV)}
        return Found(losses, told.facts | facts)

    def after_step(self, step: int, steps: int) -> None:
        """Lower the temperature of the Gumbel softmax."""
        first, last = self.settings.gumbel_first, self.settings.gumbel_last
        fallen = min(1.0, step / (self.settings.gumbel_fall * steps))
        self.gumbel.fill_(first * math.exp(fallen * math.log(last / first)))
