"""In what company a frozen Whisper encoder hears a clip best: phones of real Dutch, told from single frames.

Each way of showing gives frames of the same clips; a probe (one hidden layer, on a frame and those 40 ms before and
after it) learns which phone each is, and is tested on other levels of the game. Which phone a frame is, a base says
that knows the language, by aligning the phones of the transcript. The probe has no plateau to leave, as CTC has, and
takes seconds; what is told apart by it is what a recogniser can build on.

A bed is speech before the clip: heard with it by the whole encoder (joint), or computed once, its keys and values kept
(`Whisper.amid`), so that the clip hears the bed and not the other way round.

    python bench/company.py --corpus work/fillets-nl --speak work/speak work/speak-more --prompts work/prompts \\
        --encoders work/whisper-base work/whisper-tiny-en --out bench/company.json
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from cells import Cells
from games import train_and_test
from torch import Tensor, nn

from earful.adapt.company import in_company
from earful.audio.files import SAMPLE_RATE_HZ, read
from earful.checkpoint import load_checkpoint
from earful.ctc.align import align
from earful.data.bed import bed_of
from earful.data.manifest import Manifest, read_manifest
from earful.data.utterance import Utterance
from earful.encoder.backbone import Backbone
from earful.encoder.pretrained import load_backbone
from earful.errors import TextError
from earful.model import PHONES, amid, fast_arithmetic, frames_by
from earful.pretrain.dataset import phones_of

FRAME = SAMPLE_RATE_HZ // 50
GAP_T = torch.zeros(SAMPLE_RATE_HZ // 2 // FRAME * FRAME)
WINDOW_S = 29.0
STEPS, WIDTH, BATCH = 350, 256, 2048
JOINED = 8  # frames: a shorter silence between two phones belongs to them


class Clip(NamedTuple):
    utterance: Utterance
    samples_T: Tensor
    phones_F: Tensor
    """The phone of each frame of 20 ms, 0 where nothing is said."""


def labelled(clips: Manifest, base: str) -> list[Clip]:
    """The clips with the phones of their frames, as the base aligns them."""
    checkpoint = in_company(load_checkpoint(base), clips)
    model, found = checkpoint.build(), []
    ids = {symbol: i for i, symbol in enumerate(checkpoint.config.phones.symbols, 1)}
    for u in clips:
        samples_T = torch.from_numpy(read(u.audio, u.start_s, u.duration_s))
        frames_FM = model.frames_of(samples_T)
        with torch.no_grad(), fast_arithmetic():
            logp_BFV, _ = model(frames_FM[None], torch.tensor([len(frames_FM)]), PHONES)
        try:
            said = align(logp_BFV[0], [ids[p] for p in phones_of(u) if p in ids])
        except TextError:
            continue
        phones_F = torch.zeros(logp_BFV.shape[1], dtype=torch.long)
        for place, each in enumerate(said):
            phones_F[each.start : each.end] = each.symbol
            after = said[place + 1] if place + 1 < len(said) else None
            if after and after.start - each.end <= JOINED:
                middle = (each.end + after.start) // 2
                phones_F[each.end : middle], phones_F[middle : after.start] = each.symbol, after.symbol
        found.append(Clip(u, F.pad(samples_T, (0, -len(samples_T) % FRAME)), phones_F))
    return found


def each_by(encoder: Backbone, clips: Sequence[Clip]) -> list[Tensor]:
    return [frames_by(encoder, clip.samples_T) for clip in clips]


def between(encoder: Backbone, before_T: Tensor, after_T: Tensor, clips: Sequence[Clip]) -> list[Tensor]:
    """Frames of each clip in the middle of what the whole encoder hears."""
    begin, found = len(before_T) // FRAME, []
    for clip in clips:
        frames_FM = frames_by(encoder, torch.cat([before_T, clip.samples_T, after_T]))
        found.append(frames_FM[begin : begin + len(clip.samples_T) // FRAME])
    return found


def padded(encoder: Backbone, clips: Sequence[Clip]) -> list[Tensor]:
    """As Whisper itself pads: silence up to 30 s."""
    sounds = [F.pad(clip.samples_T, (0, 30 * SAMPLE_RATE_HZ - len(clip.samples_T))) for clip in clips]
    return [frames_by(encoder, s)[: len(c.samples_T) // FRAME] for s, c in zip(sounds, clips, strict=True)]


def packed(encoder: Backbone, seed: int, clips: Sequence[Clip]) -> list[Tensor]:
    """Clips one after the other, silence between them, in windows of WINDOW_S."""
    found: dict[int, Tensor] = {}
    order = torch.randperm(len(clips), generator=torch.Generator().manual_seed(seed)).tolist()
    for group in windows(order, [len(c.samples_T) + len(GAP_T) for c in clips]):
        frames_FM = frames_by(encoder, torch.cat([part for i in group for part in (clips[i].samples_T, GAP_T)]))
        begin = 0
        for i in group:
            count = len(clips[i].samples_T) // FRAME
            found[i] = frames_FM[begin : begin + count]
            begin += count + len(GAP_T) // FRAME
    return [found[i] for i in range(len(clips))]


def windows(order: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for i in order:
        if group and sum(sizes[j] for j in (*group, i)) > WINDOW_S * SAMPLE_RATE_HZ:
            yield group
            group = []
        group.append(i)
    yield group


def by_speaker(encoder: Backbone, pool: Manifest, same: bool, seed: int, clips: Sequence[Clip]) -> list[Tensor]:
    """Each clip amid a bed of its own speaker, or of the others."""
    generator = torch.Generator().manual_seed(seed)
    speakers = sorted({clip.utterance.speaker or "" for clip in clips})
    encoders = {s: amid(encoder, bed_of([u for u in pool if (u.speaker == s) is same], generator)) for s in speakers}
    return [frames_by(encoders[clip.utterance.speaker or ""], clip.samples_T) for clip in clips]


Show = Callable[[Sequence[Clip]], list[Tensor]]


def ways(encoder: Backbone, pool: Manifest, others: dict[str, Manifest], seed: int) -> dict[str, Show]:
    """All ways of showing a clip, by their names. `pool` are clips of the language that are not among those probed."""

    def bed(clips: Manifest, seconds: float = 11.0) -> Tensor:
        bed_T = bed_of(list(clips), torch.Generator().manual_seed(seed), seconds=seconds)
        return bed_T[: len(bed_T) // FRAME * FRAME]

    def kept(clips: Manifest, seconds: float = 11.0) -> Show:
        return lambda probed: each_by(amid(encoder, bed(clips, seconds)), probed)

    nothing_T = torch.zeros(0)
    return {
        "alone": partial(each_by, encoder),
        "padded with silence to 30 s": partial(padded, encoder),
        "packed with other clips into 29 s": partial(packed, encoder, seed),
        "after a bed of the language, 11 s, joint": lambda probed: between(encoder, bed(pool), nothing_T, probed),
        "before a bed of the language, 11 s, joint": lambda probed: between(encoder, nothing_T, bed(pool), probed),
        "after a bed of the language, 4 s, kept": kept(pool, 4.0),
        "after a bed of the language, 11 s, kept": kept(pool),
        "after a bed of the language, 18 s, kept": kept(pool, 18.0),
        "the same, of the clip's speaker": partial(by_speaker, encoder, pool, True, seed),
        "the same, of other speakers": partial(by_speaker, encoder, pool, False, seed),
        **{f"after a bed of {name}, 11 s, kept": kept(clips) for name, clips in others.items()},
    }


def told(frames: Sequence[Tensor], clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
    """All frames with a phone, each with its neighbours, and their phones."""
    rows, phones = [], []
    for frames_FM, clip in zip(frames, clips, strict=True):
        count = min(len(frames_FM), len(clip.phones_F))
        wide_FM, said_F = F.pad(frames_FM[:count], (0, 0, 2, 2)), clip.phones_F[:count]
        context_FM = torch.cat([wide_FM[at : at + count] for at in (0, 2, 4)], 1)
        rows.append(context_FM[said_F > 0])
        phones.append(said_F[said_F > 0])
    return torch.cat(rows), torch.cat(phones)


def probed(learn: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], seed: int) -> dict[str, float]:
    """Accuracy and cross-entropy of a probe on the frames that test."""
    (x_NM, y_N), (test_NM, test_N) = learn, test
    mean_M, spread_M = x_NM.mean(0), x_NM.std(0) + 1e-3
    x_NM, test_NM = ((part - mean_M).div(spread_M).bfloat16() for part in (x_NM, test_NM))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        last = nn.Linear(WIDTH, int(max(y_N.max(), test_N.max())) + 1)
        net = nn.Sequential(nn.Dropout(0.2), nn.Linear(x_NM.shape[1], WIDTH), nn.GELU(), nn.Dropout(0.3), last)
        optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=STEPS)
        for _ in range(STEPS):
            some = torch.randint(len(x_NM), (BATCH,))
            with fast_arithmetic():
                logits_NV = net(x_NM[some])
            optimiser.zero_grad()
            F.cross_entropy(logits_NV.float(), y_N[some]).backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad(), fast_arithmetic():
        logits_NV = net.eval()(test_NM).float()
    right = float((logits_NV.argmax(1) == test_N).float().mean())
    return {"accuracy": round(right, 4), "cross_entropy": round(float(F.cross_entropy(logits_NV, test_N)), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="Dutch that `recipes.corpora fillets-ng` wrote")
    parser.add_argument("--speak", type=Path, nargs="+", required=True, help="synthetic speech, Dutch among it")
    parser.add_argument("--prompts", type=Path, required=True, help="what `recipes.corpora prompts` wrote")
    parser.add_argument("--encoders", type=Path, nargs="+", required=True)
    parser.add_argument("--base", default="earful-base", help="what aligns the phones; it has heard Dutch")
    parser.add_argument("--clips", type=int, default=400, help="that the probe learns from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--ways", nargs="+", help="the names of some of the ways; all, if left out")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = train_and_test(options.corpus)
    train, test = (part.filter(lambda u: 1.0 <= (u.duration_s or 0) <= 11.0) for part in (train, test))
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).tolist()
    learn, pool = (Manifest(tuple(train[i] for i in part)) for part in (order[: options.clips], order[options.clips :]))
    spoken = [u for folder in options.speak for u in read_manifest(folder / "manifest.jsonl")]
    dutch = Manifest(tuple(u for u in spoken if u.language == "nl"))
    many = Manifest(tuple(u for u in spoken if u.language != "nl"))
    others = {"synthetic Dutch": dutch, "synthetic speech in other languages": many}
    others["Italian and French of people"] = read_manifest(options.prompts / "manifest.jsonl")
    parts = [labelled(part, options.base) for part in (learn, test)]
    cells = Cells(options.out, clips=[len(part) for part in parts], corpus=options.corpus.name)
    for folder in options.encoders:
        encoder = load_backbone(folder, pool=1)
        for seed in options.seeds:
            shows = ways(encoder, pool, others, seed)
            wanted = [name for name in shows if not options.ways or name in options.ways]
            for _, name, _ in cells.missing(encoder=[folder.name], way=wanted, seed=[seed]):
                began = time.process_time()
                frames = [shows[name](part) for part in parts]
                row = {"encoder": folder.name, "way": name, "seed": seed}
                row["processor_s"] = round(time.process_time() - began, 1)
                row |= probed(*(told(each, part) for each, part in zip(frames, parts, strict=True)), seed=seed)
                cells.add(row)


if __name__ == "__main__":
    main()
