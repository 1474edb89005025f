"""Models asked for what they make of many rows: in evaluation mode, a batch at a time, without a graph."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pcgen.models.base import Learner

__all__ = ["evaluating", "in_batches"]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside a `with` block; afterwards every module has its former mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.no_grad()
def in_batches(model: Learner, function: Callable[[Tensor], Tensor], rows: Tensor, batch_size: int = 64) -> Tensor:
    """`function`, a method of the model, of rows (S, ...) on any device, joined: (S, ...) on the model's."""
    with evaluating(model):
        return torch.cat([function(part.to(model.device)) for part in rows.split(batch_size)])
