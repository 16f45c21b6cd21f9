"""Initial output rows of a new alphabet: each letter starts from the phones that align with it.

The base recognises phones in any language. The transcripts tell which phones a new letter stands for: the states of a
hidden Markov model are the letters of a transcript, with blanks between them as in CTC, and expectation maximisation
estimates P(phone | letter). The rules of the language, if they are known (`adapt.spelling`), are a prior.

Shapes: `V` are the letters of the new alphabet, `P` the symbols of a head of the base (phones, or the letters of its
own alphabet). `VP` is without the blank on either side; elsewhere symbol 0 is the blank.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from earful.adapt.rows import BIAS, WEIGHT, carry_rows, sources
from earful.ctc.lattice import frames_needed
from earful.ctc.loss import ctc_loss
from earful.data.batch import pad
from earful.encoder.encoder import valid_frames
from earful.model import PHONES, Params
from earful.text.alphabet import Alphabet

ITERATIONS = 12
STRENGTH = 2.0
"""The weight of the prior in frames; each occurrence of a letter has about 1 to 2 frames that are not blank."""
UNHEARD = 0.2
"""The share of a letter's frames that may be blank, for silent letters and the second letter of a digraph."""
TRUST = 20.0
"""The largest weight of the rules of the language for a letter, in frames: clips may know better."""
LIKENESS = 0.5
"""The share of a prior that comes from the base's own row of the letter; the rest is the average of the clips."""
TEMPERATURE = 0.1
_LEAST = 1e-10


def letter_phones(
    logp_phones: Sequence[Tensor],
    labels: Sequence[tuple[int, ...]],
    letters: int,
    *,
    prior_VP: Tensor | None = None,
    iterations: int = ITERATIONS,
    strength: float | Tensor = STRENGTH,
    unheard: float = UNHEARD,
) -> Tensor:
    """Estimate P(phone | letter) `[letters, phones]`, without blanks; every row sums to 1.

    `logp_phones` are the log-posteriors `[F, 1 + phones]` of each clip, `labels` its letters, ids from 1 to `letters`.
    The default `prior_VP` is the average over the clips; it weighs `strength` frames (a Dirichlet prior), a number or
    one per letter `[letters, 1]`, so a letter that occurs once stays near it. Clips too short for their labels are
    skipped.

    Maximum a posteriori by EM (Dempster et al. 1977; Rabiner 1989, eq. 40c). In place of the likelihood of a frame
    stands its posterior: with x = P(phone | frame), a letter emits unheard · x[blank] + (1 − unheard) · Σ P(phone |
    letter) · x[phone].

    Raises:
        ValueError: no clip, a label outside 1…letters, different numbers of clips and labels, or a wrong shape of
        `prior_VP`.
    """
    average_P = heard_on_average(logp_phones)
    prior_VP = average_P.expand(letters, -1) if prior_VP is None else prior_VP
    _check(logp_phones, labels, prior_VP, (letters, len(average_P)))
    heard = sounds_of(logp_phones, labels)
    if heard is None:
        return prior_VP
    p_VP = prior_VP
    for _ in range(iterations):
        _, counts_VP = expect(heard, p_VP, unheard)
        p_VP = functional.normalize(counts_VP + strength * prior_VP, p=1, dim=1)
    return p_VP


def letter_counts(logp_phones: Sequence[Tensor], labels: Sequence[tuple[int, ...]], letters: int) -> Tensor:
    """The expected frames of each letter on each phone `[letters, phones]`, by `letter_phones` of the same clips.

    Raises ValueError as `letter_phones`.
    """
    p_VP = letter_phones(logp_phones, labels, letters)
    heard = sounds_of(logp_phones, labels)
    return torch.zeros_like(p_VP) if heard is None else expect(heard, p_VP, UNHEARD)[1]


def heard_on_average(logp_phones: Sequence[Tensor]) -> Tensor:
    """The share of each phone in the frames that are not blank, `[P]`. Raises ValueError if there is no clip."""
    if not logp_phones:
        raise ValueError("expected the log-posteriors of one clip or more, got none")
    heard_P = torch.stack([logp_FP.detach().float().exp().sum(0) for logp_FP in logp_phones]).sum(0)[1:]
    return functional.normalize(heard_P + _LEAST, p=1, dim=0)


def likeness(params: Mapping[str, Tensor], ids: Sequence[int], head: str) -> Tensor:
    """P(symbol of `head` | letter of the base) by the similarity of their rows: `[len(ids), P]`, rows of sum 1.

    The softmax of cosines at the temperature 0.1, rows taken relative to the mean row of their head.
    """
    text_VD, heard_PD = params[WEIGHT][1:], params[f"heads.{head}.weight"][1:]
    ours_VD = functional.normalize(text_VD - text_VD.mean(0), dim=1)[[i - 1 for i in ids]]
    theirs_PD = functional.normalize(heard_PD - heard_PD.mean(0), dim=1)
    return (ours_VD @ theirs_PD.T / TEMPERATURE).softmax(1)


def prior_of(params: Mapping[str, Tensor], old: Alphabet, new: Alphabet, head: str, average_P: Tensor) -> Tensor:
    """The prior of `letter_phones` `[V, P]`: half from the same or most similar letter of the base, half `average_P`.

    A letter unlike all letters of the base has `average_P` alone.
    """
    own = {symbol: place for place, symbol in enumerate(old.symbols)}
    like_VP = likeness(params, range(1, old.size), head)
    found = [None if source is None else like_VP[own[source]] for source in sources(old, new).values()]
    return torch.stack([average_P if like is None else average_P.lerp(like, LIKENESS) for like in found])


def rows_from_phones(params: Mapping[str, Tensor], p_VP: Tensor, head: str) -> tuple[Tensor, Tensor]:
    """Rows of the text head, blank first: weights `[1 + V, D]` and biases `[1 + V]`.

    A letter's row is the mean of the rows of `head`, weighted by `p_VP`. The decision depends on the difference between
    a symbol's logit and the blank's. So these differences are averaged and added to the blank row of the text head,
    which puts the rows of different heads on one scale.
    """
    weight_PD, bias_P = params[f"heads.{head}.weight"], params[f"heads.{head}.bias"]
    weight_VD = params[WEIGHT][:1] + p_VP @ (weight_PD[1:] - weight_PD[0])
    bias_V = params[BIAS][:1] + p_VP @ (bias_P[1:] - bias_P[0])
    return torch.cat([params[WEIGHT][:1], weight_VD]), torch.cat([params[BIAS][:1], bias_V])


def sounds(
    params: Mapping[str, Tensor],
    old: Alphabet,
    new: Alphabet,
    heard: Mapping[str, Sequence[Tensor]],
    labels: Sequence[tuple[int, ...]],
    rules_VP: Tensor | None = None,
) -> dict[str, Tensor]:
    """P(symbol | letter) for each head of the base: `letter_phones`, with `prior_of` the base's letters.

    `rules_VP` counts how often a letter stands for a phone by the rules of its language (`adapt.spelling`); these
    counts are added to the prior of the phone head.
    """
    found = {}
    for head, logp in heard.items():
        prior_VP = prior_of(params, old, new, head, heard_on_average(logp))
        strength: float | Tensor = STRENGTH
        if rules_VP is not None and head == PHONES:
            prior_VP, strength = with_rules(prior_VP, rules_VP)
        found[head] = letter_phones(logp, labels, len(new.symbols), prior_VP=prior_VP, strength=strength)
    return found


def with_rules(prior_VP: Tensor, rules_VP: Tensor) -> tuple[Tensor, Tensor]:
    """The prior with the rules of the language, and its strength `[V, 1]`; letters without rules keep their prior.

    The rules weigh `TRUST` for frequent letters, and their counts for rare ones.
    """
    alpha_VP = STRENGTH * prior_VP + rules_VP * (TRUST / rules_VP.sum(1, keepdim=True).clamp(min=TRUST))
    strength_V1 = alpha_VP.sum(1, keepdim=True)
    return alpha_VP / strength_V1, strength_V1


def shares_of(heads: Iterable[str], labels: Sequence[tuple[int, ...]], rules_VP: Tensor) -> Tensor:
    """The weight of each head for a letter `[heads, V]`, with sum 1.

    It is the weight of its prior plus the count of the letter in the clips. The rules count for the phone head alone.
    """
    seen_V = torch.bincount(torch.tensor([i for ids in labels for i in ids]).long(), minlength=1 + len(rules_VP))[1:]
    ruled_V = rules_VP.sum(1).clamp(max=TRUST)
    known_HV = torch.stack([STRENGTH + seen_V + (ruled_V if head == PHONES else 0) for head in heads])
    return functional.normalize(known_HV, p=1, dim=0)


def rarer(rules_VP: Tensor) -> Tensor:
    """The log-probability of a letter among the letters for the same phones, in nats, at most 0 `[V]`.

    A row describes the sound of a letter, not which of two letters with one sound is written. The clips teach that only
    for letters that they contain. By Bayes' rule it is the expectation of log P(letter | phone) over the letter's
    phones, in the words that the rules were applied to. It is 0 for a letter in no word.
    """
    share_VP = rules_VP / rules_VP.sum(0).clamp(min=_LEAST)
    return (functional.normalize(rules_VP, p=1, dim=1) * share_VP.clamp(min=_LEAST).log()).sum(1)


def heard_rows(
    params: Mapping[str, Tensor],
    old: Alphabet,
    new: Alphabet,
    heard: Mapping[str, Sequence[Tensor]],
    labels: Sequence[tuple[int, ...]],
    generator: torch.Generator,
    rules_VP: Tensor | None = None,
) -> Params:
    """`params` with a text head for `new`, like `carry_rows`, but initialised from the sound of the clips.

    `heard` has, for each head of the base, the log-posteriors of every clip; `labels` are their letters in `new`;
    `rules_VP` are the counts by the rules of the language (see `sounds`). The rows are the weighted mean over the
    heads; the bias of letters in no clip is lowered by `rarer`. A symbol without sound (space, punctuation) keeps its
    row of `carry_rows`. Time and memory grow with the clips: give a hundred at most.

    Raises:
        ValueError: no head, no clip, or labels or rules that do not fit clips and alphabet.
    """
    if not heard:
        raise ValueError("expected the log-posteriors of one head or more, got none")
    carried = carry_rows(params, old, new, generator)
    said = sounds(params, old, new, heard, labels, rules_VP)
    rows = [rows_from_phones(params, p_VP, head) for head, p_VP in said.items()]
    equal_HV = torch.full((len(said), len(new.symbols)), 1 / len(said))
    share_HV = equal_HV if rules_VP is None else shares_of(said, labels, rules_VP)
    share_HV = torch.cat([equal_HV[:, :1], share_HV], 1)  # of the blank, which all heads share
    weight_VD = sum(share_V[:, None] * weight_VD for share_V, (weight_VD, _) in zip(share_HV, rows, strict=True))
    bias_V = sum(share_V * bias_V for share_V, (_, bias_V) in zip(share_HV, rows, strict=True))
    if rules_VP is not None:
        unmet_V = torch.bincount(torch.tensor([i for ids in labels for i in ids]).long(), minlength=len(bias_V)) == 0
        bias_V = bias_V + functional.pad(rarer(rules_VP), (1, 0)) * unmet_V
    said_V = torch.tensor([False, *map(is_said, new.symbols)])
    weight_VD = torch.where(said_V[:, None], weight_VD, carried[WEIGHT])
    return {**carried, WEIGHT: weight_VD, BIAS: torch.where(said_V, bias_V, carried[BIAS])}


def is_said(symbol: str) -> bool:
    """Letters, marks and digits; not separators, punctuation and symbols."""
    return unicodedata.category(symbol[0])[0] in "LMN"


def _check(
    logp_phones: Sequence[Tensor], labels: Sequence[tuple[int, ...]], prior_VP: Tensor, shape: tuple[int, int]
) -> None:
    if len(logp_phones) != len(labels):
        raise ValueError(f"expected labels for {len(logp_phones)} clips, got {len(labels)}")
    if wrong := [i for i, ids in enumerate(labels) if not all(0 < letter <= shape[0] for letter in ids)]:
        raise ValueError(f"clip {wrong[0]} has a label outside 1…{shape[0]}")
    if prior_VP.shape != shape:
        raise ValueError(f"prior_VP is {list(prior_VP.shape)}, must be {list(shape)}")


class Sounds(NamedTuple):
    """The clips to align: the posteriors of all their frames, concatenated without padding.

    There are hundreds of phones and few letters per clip, so letters are padded, not phones.
    """

    blank_N1: Tensor
    p_NP: Tensor
    frame_counts_B: Tensor
    labels_BL: Tensor
    label_counts_B: Tensor


def sounds_of(logp_phones: Sequence[Tensor], labels: Sequence[tuple[int, ...]]) -> Sounds | None:
    """The clips that are long enough for their labels; None if there are none."""
    fit = [i for i, ids in enumerate(labels) if 0 < frames_needed(ids) <= len(logp_phones[i])]
    if not fit:
        return None
    blank_N1, p_NP = torch.cat([logp_phones[i].detach().float() for i in fit]).exp().tensor_split([1], dim=1)
    counts_B = torch.tensor([len(logp_phones[i]) for i in fit])
    return Sounds(blank_N1, p_NP.contiguous(), counts_B, *pad([torch.tensor(labels[i]) for i in fit]))


def expect(sounds: Sounds, p_VP: Tensor, unheard: float) -> tuple[Tensor, Tensor]:
    """The log-likelihood of the transcripts, and the expected frames of each letter on each phone `[V, P]`.

    The expected counts are the derivative of the log-likelihood by log P(phone | letter).
    """
    with torch.enable_grad():
        logp_VP = p_VP.detach().clamp(min=_LEAST).log().requires_grad_()
        likelihood = _likelihood(sounds, logp_VP, unheard)
        (counts_VP,) = torch.autograd.grad(likelihood, logp_VP)
    return likelihood.detach(), counts_VP.clamp(min=0)


def _likelihood(sounds: Sounds, logp_VP: Tensor, unheard: float) -> Tensor:
    letters_NV = unheard * sounds.blank_N1 + sounds.p_NP @ ((1 - unheard) * logp_VP.exp()).T
    emission_NV = torch.cat([sounds.blank_N1, letters_NV], 1).clamp(min=_LEAST).log()
    valid_BF = valid_frames(sounds.frame_counts_B, int(sounds.frame_counts_B.max()))
    emission_BFV = emission_NV.new_zeros(*valid_BF.shape, emission_NV.shape[1]).index_put((valid_BF,), emission_NV)
    return -ctc_loss(
        emission_BFV.transpose(0, 1),
        sounds.labels_BL,
        sounds.frame_counts_B,
        sounds.label_counts_B,
        reduction="sum",
    )
