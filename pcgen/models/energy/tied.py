"""A layer of a deep Boltzmann machine while it is trained by itself."""

import torch
from torch import Tensor

from pcgen.models.energy.layers import BinaryLayer
from pcgen.models.energy.learning import Learning

__all__ = ["TiedLayer"]


class TiedLayer(BinaryLayer):
    """A layer with `below` copies of each visible unit and `above` copies of each hidden one, with equal weights.

    States are means over a unit's copies, in [0, 1]. While a layer of a deep Boltzmann machine is trained by itself, it
    gets input from one side only; the copies replace the input from the other side.
    """

    def __init__(self, visible: int, hidden: int, learning: Learning, below: int = 1, above: int = 1) -> None:
        super().__init__(visible, hidden, learning)
        self.below, self.above = below, above

    def centred(self, v: Tensor) -> Tensor:
        return self.below * super().centred(v)

    def own_energy(self, v: Tensor) -> Tensor:
        return self.below * super().own_energy(v)

    def hidden_part(self, v: Tensor, beta: float = 1.0) -> Tensor:
        return self.above * super().hidden_part(v, beta)

    def visible_logits(self, h: Tensor) -> Tensor:
        return self.visible_bias + self.above * (h - 0.5) @ self.weight.T

    def draw_visible(self, h: Tensor) -> Tensor:
        return mean_of_copies(self.mean_visible(h), self.below)

    def draw_hidden(self, v: Tensor) -> Tensor:
        return mean_of_copies(self.hidden_logits(v).sigmoid(), self.above)


def mean_of_copies(chances: Tensor, copies: int) -> Tensor:
    """The mean of so many bits of each probability."""
    return torch.stack([chances.bernoulli() for _ in range(copies)]).mean(0)
