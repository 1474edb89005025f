"""Chains on a few places, whose stationary law is known exactly: an eigenvector of their transitions."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

__all__ = ["Choice", "stationary", "variation"]


@dataclass(frozen=True)
class Choice:
    """A place for each row, as a state (B, 1), in the place of a Gaussian; logits are (B, places)."""

    logits: Tensor

    def draw(self) -> Tensor:
        return Categorical(logits=self.logits).sample()[:, None].float()

    def log_prob(self, y: Tensor) -> Tensor:
        return Categorical(logits=self.logits).log_prob(y[:, 0].long())


def stationary(transition: Tensor) -> Tensor:
    """The law that a matrix of transitions, rows to columns, leaves as it is: its left eigenvector of eigenvalue 1."""
    values, vectors = np.linalg.eig(transition.double().T.numpy())
    vector = vectors[:, np.abs(values - 1).argmin()].real
    return torch.from_numpy(vector / vector.sum())


def variation(p: Tensor, q: Tensor) -> float:
    """Total variation of two laws on the same places."""
    return float((p.double() - q.double()).abs().sum()) / 2
