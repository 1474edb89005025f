"""Averaged weights: an exponential moving average of what the optimizers move."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pcgen.models.base import Learner

__all__ = ["Average"]

_HALF_LIFE = 0.05  # of the updates so far


class Average:
    """An exponential moving average of the parameters that a model's optimizers move, and of batch norm's statistics.

    After update t (from 1): `a <- d a + (1 - d) w` with `d = min(decay, 2^(-1 / (0.05 t)))`. The half-life is a
    twentieth of the training so far, so short trainings also forget their beginning, and one decay suits trainings of
    any length. Nothing else (results of `setup`, counters) is averaged.

    Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging. The half-life that grows with the
    training: Karras, Aittala, Laine, Härkönen, Hellsten, Lehtinen, Aila (2021), Alias-Free Generative Adversarial
    Networks.
    """

    def __init__(self, model: Learner, decay: float) -> None:
        """Start from the model's weights.

        Raises:
            ValueError: `decay` is not between 0 and 1, or the model has no optimizer.
        """
        if not 0 < decay < 1:
            raise ValueError(f"average: must be a decay between 0 and 1 (0.999, say), got {decay}")
        self.decay = decay
        self.count = 0
        self.values: dict[str, Tensor] = {name: value.detach().clone() for name, value in _averaged(model).items()}
        if not self.values:
            raise ValueError(
                f"average: {type(model).__name__} has no optimizer whose weights could be averaged; give 0"
            )

    @torch.no_grad()
    def update(self, model: Learner) -> None:
        """Update the averages with the model's present weights."""
        self.count += 1
        decay = min(self.decay, 0.5 ** (1 / (_HALF_LIFE * self.count)))
        for name, value in _named(model, self.values).items():
            self.values[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def copy_to(self, model: Learner) -> None:
        """Overwrite the model's weights by the averages."""
        for name, value in _named(model, self.values).items():
            value.copy_(self.values[name])

    @contextmanager
    def applied(self, model: Learner) -> Iterator[None]:
        """Let the model have the averages inside a `with` block, and its own weights again, bit for bit, after it."""
        own = {name: value.detach().clone() for name, value in _named(model, self.values).items()}
        self.copy_to(model)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in _named(model, self.values).items():
                    value.copy_(own[name])


def _averaged(model: Learner) -> dict[str, Tensor]:
    moved = {id(p) for own in model.optimizers().values() for group in own.param_groups for p in group["params"]}
    values: dict[str, Tensor] = {name: p for name, p in model.named_parameters() if id(p) in moved}
    if values:
        for prefix, module in model.named_modules():
            # A module whose weights no optimizer moves keeps its statistics too: the autoencoder beneath a head.
            own = [id(p) for p in module.parameters(recurse=False)]
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (not own or any(each in moved for each in own)):
                values |= {f"{prefix}.{n}": b for n, b in module.named_buffers(recurse=False) if b.is_floating_point()}
    return values


def _named(model: nn.Module, names: dict[str, Tensor]) -> dict[str, Tensor]:
    own = model.state_dict()
    return {name: own[name] for name in names}
