"""The output layer of a task is what adaptation would make for it."""

import torch
from torch import Tensor, nn

from earful.adapt.letters import heard_rows
from earful.adapt.prototypes import prototype_rows
from earful.adapt.rows import BIAS, WEIGHT, carry_rows
from earful.checkpoint import Checkpoint
from earful.ctc.greedy import greedy_ids
from earful.data.batch import Example, collate
from earful.metatrain.speech.output import begin, chosen, heard
from earful.model import ENCODE, PHONES, TEXT, loss_of, parameters_of
from earful.pretrain.dataset import Dataset
from earful.text.alphabet import Alphabet


def test_chosen_letters_are_carried_rows(base: Checkpoint) -> None:
    known, task = base.config.alphabet, Alphabet((" ", "d", "e", "n"))
    begun = begin(base.params, chosen(known.encode_symbols(task.symbols), known.size, TEXT))
    carried = carry_rows(base.params, known, task, torch.Generator())
    torch.testing.assert_close(begun[WEIGHT], carried[WEIGHT])
    torch.testing.assert_close(begun[BIAS], carried[BIAS])
    assert begun["heads.phones.weight"] is base.params["heads.phones.weight"]


def test_heard_letters_are_heard_rows(base: Checkpoint, dataset: Dataset) -> None:
    model, known = base.build(), base.config.alphabet
    clips = [i for i, u in enumerate(dataset.utterances) if u.language == "nl"][:4]
    task = Alphabet(tuple(sorted({known.symbols[label - 1] for i in clips for label in dataset.texts[i]})))
    labels = [tuple(task.encode(known.decode(dataset.texts[i]))) for i in clips]
    frames = [dataset.frames[i] for i in clips]
    with torch.no_grad():
        logp = {h: [model(f[None], torch.tensor([len(f)]), h)[0][0] for f in frames] for h in (PHONES, TEXT)}
    begun = begin(base.params, heard(parameters_of(model), known, task, logp, labels))
    expected = heard_rows(base.params, known, task, logp, labels, torch.Generator())
    torch.testing.assert_close(begun[WEIGHT], expected[WEIGHT], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(begun[BIAS], expected[BIAS], rtol=1e-4, atol=1e-5)
    assert " " in task.symbols  # which nobody says: it keeps its row


class Given(nn.Module):
    """Frames are their own hidden frames; a head of four symbols stands on them."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({TEXT: nn.Linear(6, 4)})

    def forward(self, frames_BFM: Tensor, counts_B: Tensor, head: str) -> tuple[Tensor, Tensor]:
        assert head == ENCODE
        return frames_BFM, counts_B


def test_prototypes_write_what_their_frames_say() -> None:
    """Symbols in clusters, a head that hardly knows them: after one look at labelled clips it reads others."""
    generator = torch.Generator().manual_seed(0)
    means_VD = 3 * torch.randn(4, 6, generator=generator)

    def clip(labels: list[int]) -> Example:
        path = [symbol for label in labels for symbol in (0, label, label)] + [0]
        noise = 0.3 * torch.randn(len(path), 6, generator=generator)
        return Example(means_VD[path] + noise, tuple(labels))

    def drawn(count: int) -> list[Example]:
        return [clip(torch.randint(1, 4, (5,), generator=generator).tolist()) for _ in range(count)]

    model = Given()
    weak = {WEIGHT: 0.1 * means_VD + 0.05 * torch.randn(4, 6, generator=generator), BIAS: torch.zeros(4)}
    rows = prototype_rows(model, weak, collate(drawn(6)))  # type: ignore[arg-type]
    assert torch.nn.functional.cosine_similarity(rows[WEIGHT] - rows[WEIGHT][0], means_VD - means_VD[0])[1:].min() > 0.8
    unmet = drawn(10)
    batch = collate(unmet)
    read = greedy_ids((batch.frames_BFM @ rows[WEIGHT].T + rows[BIAS]).log_softmax(-1), batch.frame_counts_B)
    assert [list(ids) for ids in read] == [list(example.labels) for example in unmet]


def test_prototypes_leave_what_they_do_not_meet(base: Checkpoint, dataset: Dataset) -> None:
    model, known = base.build(), base.config.alphabet
    clips = [i for i, u in enumerate(dataset.utterances) if u.language == "nl"][:4]
    batch = collate([Example(dataset.frames[i], dataset.texts[i]) for i in clips])
    rows = prototype_rows(model, base.params, batch)
    absent = [i for i in range(1, known.size) if not any(i in dataset.texts[c] for c in clips)]
    torch.testing.assert_close(rows[WEIGHT][absent], base.params[WEIGHT][absent])
    loss = loss_of(model)
    with torch.no_grad():
        assert loss({**base.params, **rows}, batch) < loss(base.params, batch)
