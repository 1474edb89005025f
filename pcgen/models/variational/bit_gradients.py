"""Gradients for an encoder of bits: the estimators of `pcgen.estimators`, each with its own learned parts."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli

from pcgen import estimators
from pcgen.estimators.bits import bits_entropy
from pcgen.estimators.scores import Function, nought
from pcgen.nets.mlp import MLP

__all__ = ["BIT_GRADIENTS", "BitGradient"]

_BASELINE_WIDTHS = (128,)
_VIMCO_DRAWS = 5  # as in the paper


class BitGradient(nn.Module, ABC):
    """Minus the bound of bits b ~ q = Bernoulli(logits), with gradients for the logits and the energy's parameters.

        E energy(b) - H(q),  energy(b) = -log p(x, b)

    The entropy and its gradient are exact. The methods take the energy, (B, K) -> (B,), the logits (B, K), and their
    rows x (B, dim).
    """

    @abstractmethod
    def expectation(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Terms whose sum has the gradient of E energy(b), "bound" being its estimate, (B,); others are scalars."""

    def terms(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        """Named scalar terms whose sum is minimised; "bound" is minus the bound."""
        terms = self.expectation(energy, logits, x)
        return {**terms, "bound": (terms["bound"] - bits_entropy(logits)).mean()}


class Stateless(BitGradient):
    """An estimator without learned parts."""

    def __init__(self, estimator: Callable[[Function, Tensor], Tensor]) -> None:
        super().__init__()
        self.estimator = estimator

    def expectation(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        return {"bound": self.estimator(energy, logits)}


class ControlVariate(BitGradient):
    """The score function with a control variate: the score itself, times the running mean of the energy."""

    def __init__(self) -> None:
        super().__init__()
        self.signal = estimators.Signal()

    def expectation(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        # A copy: the gradient is taken after the mean has learned from this batch.
        value = estimators.score_function(energy, Bernoulli(logits=logits), self.signal.mean.clone())
        if self.training:
            self.signal.learn(value.detach())
        return {"bound": value}


class NVIL(BitGradient):
    """The score function with a baseline from a perceptron of x, and a running mean and scale of the remainder.

    The scale divides the whole gradient of the logits, including that of the entropy, so its direction is unchanged.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.signal = estimators.Signal()
        self.baseline = MLP((dim, *_BASELINE_WIDTHS, 1))

    def expectation(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        expected = self.baseline(x)[:, 0] + self.signal.mean.clone()
        value = estimators.score_function(energy, Bernoulli(logits=logits), expected.detach())
        if self.training:
            self.signal.learn((value - self.baseline(x)[:, 0]).detach())
        return {"bound": value, "baseline": (value.detach() - expected).square().mean()}

    def terms(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        return super().terms(energy, logits.detach() + nought(logits) / self.signal.scale.clone(), x)


class REBAR(BitGradient):
    """REBAR; its temperature and its factor minimise the square of the resulting gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(0.5).log())
        self.factor = nn.Parameter(torch.tensor(1.0))

    def expectation(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        if not torch.is_grad_enabled():
            return {"bound": energy(Bernoulli(logits=logits).sample())}
        at = logits.detach().requires_grad_()
        value = estimators.rebar(energy, at, self.log_temperature.exp(), self.factor)
        (slope,) = torch.autograd.grad(value.sum(), at, create_graph=True)
        own = [self.log_temperature, self.factor]
        spread = slope.square().sum(1).mean()
        pulls = torch.autograd.grad(spread, own, retain_graph=True)
        spread = spread.detach() + sum(pull * nought(each) for pull, each in zip(pulls, own, strict=True))
        return {"bound": value + (slope.detach() * nought(logits)).sum(1), "spread": spread}


class VIMCO(BitGradient):
    """The bound of several draws, by VIMCO."""

    def expectation(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        q = Bernoulli(logits=logits)
        bound = estimators.vimco(lambda b: -energy(b) - q.log_prob(b).sum(1), q, _VIMCO_DRAWS)
        return {"bound": -bound}

    def terms(self, energy: Function, logits: Tensor, x: Tensor) -> dict[str, Tensor]:
        return {"bound": self.expectation(energy, logits, x)["bound"].mean()}  # its weights hold q


def _score_function(energy: Function, logits: Tensor) -> Tensor:
    return estimators.score_function(energy, Bernoulli(logits=logits))


def _straight_through(energy: Function, logits: Tensor) -> Tensor:
    return estimators.concrete(energy, logits, hard=True)


BIT_GRADIENTS: dict[str, Callable[[int], BitGradient]] = {
    "score_function": lambda dim: Stateless(_score_function),
    "control_variate": lambda dim: ControlVariate(),
    "nvil": NVIL,
    "muprop": lambda dim: Stateless(estimators.muprop),
    "rebar": lambda dim: REBAR(),
    "local_expectation": lambda dim: Stateless(estimators.local_expectation),
    "concrete": lambda dim: Stateless(estimators.concrete),
    "straight_through": lambda dim: Stateless(_straight_through),
    "vimco": lambda dim: VIMCO(),
}
"""By name, made for rows of `dim` numbers. All but "concrete" and "straight_through" are unbiased."""
