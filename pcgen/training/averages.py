"""Averaged weights: an exponential moving average of all that a model learns."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pcgen.models.base import Learner

__all__ = ["Average", "decay_of"]


class Average:
    """An exponential moving average of a model's parameters and floating buffers; other buffers are copied.

    After update t (from 1): `a <- d a + (1 - d) w` with `d = min(decay, (1 + t) / (10 + t))`, so that the weights of
    the beginning are forgotten in short trainings too.

    Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Start from the model's weights.

        Raises:
            ValueError: `decay` is not between 0 and 1.
        """
        if not 0 < decay < 1:
            raise ValueError(f"average: must be a decay between 0 and 1 (0.999, say), got {decay}")
        self.decay = decay
        self.count = 0
        self.values: dict[str, Tensor] = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's present weights."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Overwrite the model's weights by the averages."""
        for name, value in model.state_dict().items():
            value.copy_(self.values[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Let the model have the averages inside a `with` block, and its own weights again, bit for bit, after it."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self.copy_to(model)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in model.state_dict().items():
                    value.copy_(own[name])


def decay_of(model: Learner, average: float | None) -> float:
    """The decay that was asked for, or that of the model's recipe where none was; 0 is not to average."""
    return (model.recipe.average or 0.0) if average is None else average
