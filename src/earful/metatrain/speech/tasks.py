"""Episodes of speech: from the clips that a sampler draws to the batches and the output layer of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from earful.data.batch import Batch, Example, collate
from earful.data.episode import Draw, Episode, EpisodeSampler, weights_by_loss
from earful.device import home_of, moved
from earful.errors import ConfigError
from earful.metatrain.speech.output import Maps, chosen, heard
from earful.metatrain.speech.recipe import Output, TaskRules
from earful.model import PHONES, TEXT, AcousticModel, Params, parameters_of
from earful.pretrain.dataset import Dataset
from earful.text.alphabet import Alphabet


class Side(NamedTuple):
    """Support or query: the clips, labelled by the task's own symbols, and the data for the task's output rows."""

    batch: Batch
    maps: Maps


@dataclass(frozen=True)
class Tasks:
    """The source of episodes: clips in `dataset`, and the start `model`, whose heads the tasks share.

    `indexes` are the clips of the dataset from which the samplers draw. If rows come from heard letters, `listening`
    names the heads for that.
    """

    dataset: Dataset
    model: AcousticModel
    output: Output
    indexes: Sequence[int]
    samplers: Sequence[EpisodeSampler]
    hard: float | None = None
    listening: tuple[str, ...] = (PHONES, TEXT)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tasks."""
        return tuple(dict.fromkeys(task for sampler in self.samplers for task in sampler.tasks))

    def draw(self, number: int, losses: Mapping[str, float] | None = None) -> Draw:
        """The draw of this number, its clips as indexes of the dataset; the samplers take turns."""
        sampler = self.samplers[number % len(self.samplers)]
        drawn = sampler.draw(number, _weights(sampler, losses or {}, self.hard))
        support, query = (tuple(self.indexes[i] for i in side) for side in (drawn.support, drawn.query))
        return Draw(drawn.task, support, query)

    def episode(self, drawn: Draw, *, blind: bool = False, params: Params | None = None) -> Episode:
        """Support and query as sides, on the device of the model.

        With `blind` only the symbols of the support are known, as with a user's clips. Letters are heard by the model
        with `params`, or as it was before meta-training.
        """
        labels = _labels(self.dataset, self.output)
        met = drawn.support if blind else (*drawn.support, *drawn.query)
        own = {label: number for number, label in enumerate(sorted({label for i in met for label in labels[i]}), 1)}
        support, query = (
            [Example(self.dataset.frames[i], tuple(own[label] for label in labels[i] if label in own)) for i in side]
            for side in (drawn.support, drawn.query)
        )
        maps = self._maps([self._known.symbols[label - 1] for label in own], support, params)
        return moved(Episode(Side(collate(support), maps), Side(collate(query), maps)), home_of(self.model))

    def texts(self, drawn: Draw) -> tuple[list[str], list[str]]:
        """The symbols of a blind task's output layer, and the references of its query: symbols, or IPA with spaces."""
        labels = _labels(self.dataset, self.output)
        own = sorted({label for i in drawn.support for label in labels[i]})
        between = " " if self.output == "phones" else ""
        symbols = self._known.symbols
        references = [between.join(symbols[label - 1] for label in labels[i]) for i in drawn.query]
        return [symbols[label - 1] for label in own], references

    @property
    def _known(self) -> Alphabet:
        inventory = self.dataset.inventory if self.output == "phones" else self.dataset.alphabet
        assert inventory is not None
        return inventory

    def _maps(self, symbols: Sequence[str], support: Sequence[Example], params: Params | None) -> Maps:
        config = self.model.config
        if self.output == "phones":
            assert config.phones is not None
            return chosen(config.phones.encode_symbols(symbols), config.phones.size, PHONES)
        if self.output == "heard":
            hearing = parameters_of(self.model) | (params or {})
            logp = {head: [self._logp(hearing, clip, head) for clip in support] for head in self.listening}
            return heard(hearing, config.alphabet, Alphabet(tuple(symbols)), logp, [clip.labels for clip in support])
        return chosen(config.alphabet.encode_symbols(symbols), config.alphabet.size, TEXT)

    def _logp(self, params: Params, clip: Example, head: str) -> Tensor:
        frames_BFM, count_B = moved((clip.frames_FM[None], torch.tensor([len(clip.frames_FM)])), home_of(self.model))
        with torch.no_grad():
            logp_BFV, _ = functional_call(self.model, params, (frames_BFM, count_B, head))
        return logp_BFV[0]  # type: ignore[no-any-return]


def tasks_of(
    dataset: Dataset, model: AcousticModel, output: Output, rules: TaskRules, seed: int, *, held_out: bool = False
) -> Tasks:
    """The training tasks, or the held-out tasks.

    Raises:
        ConfigError: a name in `held_out` or `without` that no clip has, or no clip is left.
        ManifestError: a task that is too small, or clips that lack what tasks are made by.
    """
    traits = [{u.language, u.speaker, u.extra.get("condition")} for u in dataset.utterances]
    known = {trait for each in traits for trait in each}
    if odd := [name for name in (*rules.held_out, *rules.without) if name not in known]:
        raise ConfigError(f"{odd[0]!r}, to be left out of training, is no language, speaker or condition of a clip")
    inside, outside = set(rules.held_out), set(rules.without)
    indexes = [
        index
        for index, each in enumerate(traits)
        if not each & outside and bool(each & inside) == held_out and _labels(dataset, output)[index]
    ]
    if not indexes:
        what = "held out" if held_out else "left to train on"
        raise ConfigError(f"no clip is {what}; see `held_out` and `without`, and whether the clips have labels")
    clips = [dataset.utterances[i] for i in indexes]
    samplers = [
        EpisodeSampler(clips, by, rules.shots, seed, apart=rules.apart, alpha=rules.alpha, skip_small=rules.skip_small)
        for by in rules.by
    ]
    return Tasks(dataset, model, output, indexes, samplers, None if held_out else rules.hard)


def _labels(dataset: Dataset, output: Output) -> Sequence[tuple[int, ...]]:
    return dataset.phones if output == "phones" else dataset.texts


def _weights(sampler: EpisodeSampler, losses: Mapping[str, float], hard: float | None) -> dict[str, float] | None:
    """The weights by loss, if hard tasks are sampled and one was met; an unmet task counts as the hardest."""
    met = {task: losses[task] for task in sampler.tasks if task in losses}
    if hard is None or not met:
        return None
    return weights_by_loss({task: met.get(task, max(met.values())) for task in sampler.tasks}, hard)
