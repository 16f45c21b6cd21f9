"""Sound that was heard once is not heard again."""

import torch
from torch import Tensor

from earful.adapt.adapt import Reading, adapted
from earful.adapt.finetune import Plan
from earful.adapt.remember import Memory
from earful.checkpoint import Checkpoint
from earful.data.manifest import Manifest


def test_the_same_sound_is_heard_once() -> None:
    heard = list[int]()

    def front(samples_T: Tensor) -> Tensor:
        heard.append(len(samples_T))
        return samples_T[:, None] * 2

    memory = Memory()
    first, second = memory(front), memory(front)
    one, other = torch.arange(8.0), torch.arange(8.0) + 1
    assert torch.equal(first(one), second(one.clone())) and torch.equal(second(other), other[:, None] * 2)
    assert heard == [8, 8] and memory.sound_s == 16 / 16_000 and memory.pace > 0


def test_adaptation_is_the_same_with_a_memory(base: Checkpoint, manifest: Manifest) -> None:
    few, plan, memory = Manifest(tuple(manifest)[:3]), Plan(steps=2, copies=1, folds=0, batch_s=8.0), Memory()
    plain = adapted(base, few, Reading(greedy=True), plan=plan)
    for _ in range(2):
        again = adapted(base, few, Reading(greedy=True), plan=plan, hearing=memory)
        assert all(torch.equal(again.checkpoint.params[n], v) for n, v in plain.checkpoint.params.items())
    assert 2 < memory.sound_s < 2.5 * few.duration_s, "the second time nothing is heard"
