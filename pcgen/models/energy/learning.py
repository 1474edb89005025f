"""Training of energy models: chains, and gradients with momentum and weight decay."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pcgen.errors import at_least, choose, fraction, not_negative, positive
from pcgen.models.base import Recipe

__all__ = ["ALGORITHMS", "RECIPE", "Learning"]

ALGORITHMS = ("cd", "pcd")

RECIPE = Recipe(steps=6000, batch_size=64, average=0.9999, schedule="cosine", warmup=50)
"""What short trainings by chains want. The warm-up does what the guide's small momentum of the first updates is for."""


@dataclass(frozen=True)
class Learning:
    """Options of learning by chains, which the models' constructors take by the same names.

    Attributes:
        algorithm: where the chains of an update start: "cd", contrastive divergence, at the batch; "pcd", persistent
            contrastive divergence, at the last states of the update before.
        steps: transitions of each chain in an update, the k of CD-k.
        particles: persistent chains.
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight, not of biases, that an update subtracts, times lr.

    Raises:
        ValueError: an argument is out of range.

    References:
        Hinton (2010). A Practical Guide to Training Restricted Boltzmann Machines.
    """

    algorithm: str
    steps: int
    particles: int
    lr: float
    momentum: float
    weight_decay: float

    def __post_init__(self) -> None:
        choose(self.algorithm, ALGORITHMS, "algorithm")
        at_least(1, steps=self.steps, particles=self.particles)
        positive(lr=self.lr)
        fraction(momentum=self.momentum)
        not_negative(weight_decay=self.weight_decay)

    @property
    def persistent(self) -> int:
        """How many chains go on from update to update."""
        return self.particles if self.algorithm == "pcd" else 0

    def optimizer(self, part: nn.Module) -> torch.optim.Optimizer:
        """An optimizer of all parameters of a module, with weight decay of its matrices."""
        matrices = [p for p in part.parameters() if p.ndim == 2]
        others = [p for p in part.parameters() if p.ndim != 2]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": others},
        ]
        return torch.optim.SGD(groups, self.lr, self.momentum)
