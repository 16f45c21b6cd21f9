"""Meta-learning for any pure `loss(params, batch)`: find the start, and the inner loop from it, that adapt best.

>>> import torch
>>> from earful.metatrain import maml
>>> learner = maml(lambda params, batch: ((params["w"] - batch) ** 2).sum(), rate=0.25)
>>> meta = learner.init({"w": torch.zeros(2)})
>>> gradient, loss = learner.gradient(meta, (torch.ones(2), torch.ones(2)))
>>> {name: value.tolist() for name, value in gradient.items()}, loss.item()
({'start.w': [-0.5, -0.5]}, 0.5)
"""

from earful.adapt.inner import Inner, Moves
from earful.metatrain.baselines import multitask, scratch
from earful.metatrain.cavia import cavia
from earful.metatrain.imaml import imaml
from earful.metatrain.learner import Learner, Loss, Meta, started_by
from earful.metatrain.maml import anil, boil, fomaml, maml
from earful.metatrain.maml_plus_plus import maml_plus_plus
from earful.metatrain.meta_sgd import meta_sgd
from earful.metatrain.reptile import reptile

LEARNERS = {
    "maml": maml,
    "fomaml": fomaml,
    "anil": anil,
    "boil": boil,
    "meta-sgd": meta_sgd,
    "maml++": maml_plus_plus,
    "reptile": reptile,
    "imaml": imaml,
    "cavia": cavia,
    "multitask": multitask,
    "scratch": scratch,
}
"""Every learner by its name in recipes."""

__all__ = [
    "LEARNERS",
    "Inner",
    "Learner",
    "Loss",
    "Meta",
    "Moves",
    "anil",
    "boil",
    "cavia",
    "fomaml",
    "imaml",
    "maml",
    "maml_plus_plus",
    "meta_sgd",
    "multitask",
    "reptile",
    "scratch",
    "started_by",
]
