"""Priors of binary codes."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pcgen.estimators.bits import bits_log_prob
from pcgen.nets.masked import MaskedMLP

__all__ = ["BIT_PRIORS", "Autoregressive", "BitPrior", "Factorised"]

_WIDTHS = (256, 256)  # of the autoregressive prior


class BitPrior(nn.Module, ABC):
    """p(b) = product over k of Bernoulli(b_k), the k-th with a log-odds that may depend on the bits before it.

    Args:
        bits: number of bits, K.
        condition: number of further inputs of the prior for each row; 0 is none.
    """

    def __init__(self, bits: int, condition: int) -> None:
        super().__init__()
        self.bits = bits

    @abstractmethod
    def logits(self, b: Tensor, y: Tensor) -> Tensor:
        """Log-odds of each bit, (B, K), of bits (B, K) and conditions (B, condition)."""

    @abstractmethod
    def draw(self, y: Tensor) -> Tensor:
        """Bits for each condition, (B, K)."""

    def log_prob(self, b: Tensor, y: Tensor) -> Tensor:
        """log p(b) in nats, (B,); it is smooth between 0 and 1, as relaxations need."""
        return bits_log_prob(b, self.logits(b, y))


class Factorised(BitPrior):
    """Independent bits, each with its own learned probability."""

    def __init__(self, bits: int, condition: int) -> None:
        super().__init__(bits, condition)
        self.bias = nn.Parameter(torch.zeros(bits))
        if condition:
            self.weight = nn.Parameter(torch.zeros(condition, bits))

    def logits(self, b: Tensor, y: Tensor) -> Tensor:
        return self.bias + y @ self.weight if y.shape[1] else self.bias.expand_as(b)

    def draw(self, y: Tensor) -> Tensor:
        return self.logits(y.new_zeros(len(y), self.bits), y).sigmoid().bernoulli()


class Autoregressive(BitPrior):
    """Each bit depends on those before it by a masked perceptron; bits are sampled one after another."""

    def __init__(self, bits: int, condition: int) -> None:
        super().__init__(bits, condition)
        self.network = MaskedMLP(bits, _WIDTHS, condition=condition)

    def logits(self, b: Tensor, y: Tensor) -> Tensor:
        found: Tensor = self.network(b, y)[..., 0]
        return found

    def draw(self, y: Tensor) -> Tensor:
        b = y.new_zeros(len(y), self.bits)
        for k in range(self.bits):
            b[:, k] = self.logits(b, y)[:, k].sigmoid().bernoulli()
        return b


BIT_PRIORS: dict[str, Callable[[int, int], BitPrior]] = {"factorised": Factorised, "autoregressive": Autoregressive}
