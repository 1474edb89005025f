"""Evaluation of models on many rows: in evaluation mode, without a graph, in batches of bounded memory."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcgen.models.base import Learner
from pcgen.nets.modes import evaluating

__all__ = ["encode_all", "in_batches"]


@torch.no_grad()
def in_batches(model: Learner, function: Callable[[Tensor], Tensor], rows: Tensor, batch_size: int = 64) -> Tensor:
    """`function`, a method of the model, of rows (S, ...) on any device, joined: (S, ...) on the model's."""
    with evaluating(model):
        return torch.cat([function(part.to(model.device)) for part in rows.split(batch_size)])


def encode_all(model: Learner, rows: Tensor, batch_size: int = 64) -> Tensor:
    """Codes (S, *code) of rows (S, *shape), a batch at a time in evaluation mode, without a graph.

    Raises:
        ValueError: the model does not encode.
    """
    encode = getattr(model, "encode", None)
    if encode is None:
        raise ValueError(f"model: must encode, {type(model).__name__} does not; give an autoencoder")
    return in_batches(model, encode, rows, batch_size)
