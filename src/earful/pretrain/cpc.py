"""Contrastive predictive coding: predict future frames from the past (van den Oord et al. 2018).

The paper's context is causal. earful's encoders are bidirectional, so over a whole clip they would read the answer.
Therefore each clip is cut at a few random places. The encoder gets only the frames before the cut, as if the recording
ended there. A GRU summarises its output, and K linear maps predict the next K local frames of the whole clip.

The whole encoder learns. `subsample` learns from both sides: it encodes the past, and makes the frames to be predicted.
`context` learns from the past alone, at every distance from its end. (The paper's own way, a GRU over local frames,
would train `subsample` only.) The cost is one pass of the encoder per cut, for K predictions.

Two shortcomings: local frames just after a cut also depend on up to four input frames of the past (neighbours overlap
in the paper as well), and clips that break off differ from the encoder's later input.
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earful.encoder.encoder import Encoder
from earful.errors import ConfigError
from earful.pretrain.contrast import info_nce, others, pick
from earful.pretrain.objective import Found, Objective, Views


@dataclass(frozen=True)
class CpcSettings:
    """The number of predicted frames, of cuts, and of distractors.

    `steps` hidden frames after each of `cuts` cuts per clip are predicted, from at least `past` frames, and each is
    discriminated from `distractors`. Six frames of 40 ms reach twice as far as the paper's twelve of 10 ms: one or two
    phones.

    Raises ConfigError, which names the key.
    """

    steps: int = 6
    cuts: int = 4
    past: int = 5
    distractors: int = 20

    def __post_init__(self) -> None:
        for key in ("steps", "cuts", "past", "distractors"):
            if getattr(self, key) < 1:
                raise ConfigError(f"cpc: {key} is {getattr(self, key)}, must be at least 1")


@final
class Cpc(Objective):
    """Contrastive predictive coding on an encoder `width` wide: one loss, "contrastive" (van den Oord et al. 2018,
    eq. 4), by chance log(1 + distractors). Fact: accuracy.

    - Distractors are other local frames of the same clip, before or after the cut, drawn with replacement. Voice and
      room
      do not distinguish them, and the paper found them as good as any (its table 2).
    - Scores are bilinear (eq. 3), divided by √width. Local frames are normalised for them, else longer vectors would
      help
      as much as better ones. They are not detached: the distractors keep them from becoming equal.
    - Cuts leave room for all `steps` if a clip is long enough. Of a shorter clip fewer frames are predicted, and of one
      not longer than `past` none.
    """

    def __init__(self, settings: CpcSettings, width: int) -> None:
        super().__init__()
        self.settings = settings
        self.summary = nn.GRU(width, width, batch_first=True)
        self.ahead = nn.Linear(width, settings.steps * width, bias=False)  # W_k of eq. 3, one above the other

    def forward(self, encoder: Encoder, heard: Views, generator: torch.Generator) -> Found:
        """The loss of a batch; see the class."""
        local_BFD, counts_B, _ = encoder.subsample(heard.frames_BFM, heard.frame_counts_B)
        cuts_BC = self.cuts(counts_B, generator)
        predicted_BPD = self.predict(encoder, heard, cuts_BC)
        frame_BP = (cuts_BC[..., None] + torch.arange(self.settings.steps, device=cuts_BC.device)).flatten(1)
        target_BFD = F.layer_norm(local_BFD, local_BFD.shape[-1:])
        scores_BPF = predicted_BPD @ target_BFD.transpose(1, 2) / local_BFD.shape[-1] ** 0.5  # eq. 3
        asked_BP = frame_BP < counts_B[:, None]
        frame_N, sizes_N = frame_BP[asked_BP], counts_B[:, None].expand_as(frame_BP)[asked_BP]
        drawn_NK = others(frame_N, sizes_N, self.settings.distractors, generator)
        told = info_nce(scores_BPF[asked_BP].gather(1, torch.cat((frame_N[:, None], drawn_NK), 1)))
        return Found({"contrastive": told.loss}, told.facts)

    def cuts(self, counts_B: Tensor, generator: torch.Generator) -> Tensor:
        """The number of hidden frames before each cut, [B, cuts]; all of them if a clip is too short to be cut."""
        shortest = self.settings.past
        room_B1 = (counts_B - self.settings.steps - shortest).clamp(min=0)[:, None]
        chance_BC = torch.rand(len(counts_B), self.settings.cuts, generator=generator, device=generator.device)
        return torch.minimum(shortest + pick(chance_BC.to(counts_B.device), room_B1), counts_B[:, None])

    def predict(self, encoder: Encoder, heard: Views, cuts_BC: Tensor) -> Tensor:
        """The predictions of the next K local frames after each cut, from the frames before it: [B, cuts · K, D]."""
        cuts = cuts_BC.shape[1]
        counts_R = torch.minimum(cuts_BC * encoder.subsampling, heard.frame_counts_B[:, None]).flatten()
        past_RFM = heard.frames_BFM[:, : int(counts_R.max())].repeat_interleave(cuts, 0)
        hidden_RFD, _ = encoder(past_RFM, counts_R)
        summary_RFD = self.summary(hidden_RFD)[0]
        rows_R = torch.arange(len(counts_R), device=counts_R.device)
        last_RD = summary_RFD[rows_R, cuts_BC.flatten() - 1]
        return self.ahead(last_RD).view(len(cuts_BC), cuts * self.settings.steps, -1)  # type: ignore[no-any-return]
