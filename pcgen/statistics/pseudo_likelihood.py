"""Pseudo-likelihood of binary models: the probability of each bit given all others, without the partition function."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["log_pseudo_likelihood"]


def log_pseudo_likelihood(energy: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The sum over bits of log p(x_i | all others) in nats, (B, D) -> (B,). It is exact, but not the log-likelihood.

        p(x_i | others) = sigmoid(E(x with bit i flipped) - E(x)),  p(x) = exp(-E(x)) / Z

    Its mean over the data is largest if the model is the distribution of the data. It is differentiable in the
    parameters of the energy, and needs D + 1 evaluations of the energy.

    Args:
        energy: E, of bits (B, D) -> (B,), in nats.
        x: (B, D), bits as floating point numbers.

    Raises:
        ValueError: x is not (B, D) of bits, or the energy is not (B,).

    References:
        Besag (1975). Statistical Analysis of Non-Lattice Data.
        Hyvärinen (2006). Consistency of Pseudolikelihood Estimation of Fully Visible Boltzmann Machines.
    """
    if x.dim() != 2 or not x.is_floating_point() or not bool(((x == 0) | (x == 1)).all()):
        raise ValueError(f"x: must be (B, D) of 0 and 1 as floating point, got {tuple(x.shape)} {x.dtype}")
    own = energy(x)
    if own.shape != x.shape[:1]:
        raise ValueError(f"energy: must give ({len(x)},), a number for each row, got {tuple(own.shape)}")
    # x + (1 - 2 x) at one bit flips it.
    turns = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return torch.stack([logsigmoid(energy(x + (1 - 2 * x) * turn) - own) for turn in turns]).sum(0)
