"""All states of a few bits."""

import itertools

import torch
from torch import Tensor


def all_bits(bits: int) -> Tensor:
    """(2^bits, bits) float64."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)


def places(x: Tensor) -> Tensor:
    """Where rows of bits (B, bits) stand among all states, (B,) int64."""
    return (x.double() @ (2.0 ** torch.arange(x.shape[1] - 1, -1, -1, dtype=torch.float64))).long()


def follow(drawn: Tensor, p: Tensor) -> bool:
    """Whether states are as frequent in drawn bits, (n, bits), as p says, (2^bits,): each within 4.5 deviations."""
    counts = torch.bincount(places(drawn), minlength=len(p))
    return bool(((counts - len(drawn) * p).abs() < 4.5 * (len(drawn) * p * (1 - p)).sqrt() + 1).all())
