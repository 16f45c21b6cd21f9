"""Contrastive predictive coding: from what was said, predict what comes (van den Oord et al. 2018).

The paper's context is causal; an encoder of earful reads both ways, so over a whole clip it would read the answer. Here
each clip is cut at a few random places. The encoder hears the frames before the cut and no others, as if the recording
ended there; a GRU sums up what it heard, and K linear maps predict the next K local frames of the whole clip.

What learns: all of the encoder. `subsample` learns from both sides, as what hears the past and as what makes the
frames to be predicted; `context` from the past alone, at every distance from its end. (The paper's own way, a GRU over
local frames, would teach `subsample` only.) The price is one pass of the encoder a cut, for K predictions.

Where it falls short: local frames just after a cut are made of up to four input frames of the past too (neighbours
overlap in the paper as well), and clips that break off are not quite what the encoder will hear later.
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
    """How far to predict, from how many places, and against what.

    `steps` hidden frames after each of `cuts` cuts a clip are predicted, from a past of `past` or more; each is told
    from `distractors`. Six frames of 40 ms reach twice as far as the paper's twelve of 10 ms: to the next phone or two.

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

    - Distractors are other local frames of the same clip, before or after the cut, drawn with replacement: telling them
      apart takes more than telling voices and rooms apart, and the paper found them as good as any (its table 2).
    - Scores are bilinear (eq. 3), over √width. Local frames are normalised for them: else longer ones would do as
      well as better ones. They are not detached: the distractors keep them from becoming alike.
    - Cuts leave room for all `steps` where a clip has it; of a shorter one fewer are predicted, and of one not longer
      than `past`, nothing.
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
        """How many hidden frames lie before each cut, [B, cuts]; all of them where a clip is too short to be cut."""
        shortest = self.settings.past
        room_B1 = (counts_B - self.settings.steps - shortest).clamp(min=0)[:, None]
        chance_BC = torch.rand(len(counts_B), self.settings.cuts, generator=generator, device=generator.device)
        return torch.minimum(shortest + pick(chance_BC.to(counts_B.device), room_B1), counts_B[:, None])

    def predict(self, encoder: Encoder, heard: Views, cuts_BC: Tensor) -> Tensor:
        """The next K local frames after each cut, as heard from what lies before it: [B, cuts · K, D]."""
        cuts = cuts_BC.shape[1]
        counts_R = torch.minimum(cuts_BC * encoder.subsampling, heard.frame_counts_B[:, None]).flatten()
        past_RFM = heard.frames_BFM[:, : int(counts_R.max())].repeat_interleave(cuts, 0)
        hidden_RFD, _ = encoder(past_RFM, counts_R)
        summary_RFD = self.summary(hidden_RFD)[0]
        rows_R = torch.arange(len(counts_R), device=counts_R.device)
        last_RD = summary_RFD[rows_R, cuts_BC.flatten() - 1]
        return self.ahead(last_RD).view(len(cuts_BC), cuts * self.settings.steps, -1)  # type: ignore[no-any-return]
