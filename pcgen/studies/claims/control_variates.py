"""What control variates take off the variance of a gradient."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Bernoulli
from torch.nn.functional import softplus

from pcgen import estimators
from pcgen.studies.claims.claim import Claim, Numbers, scaled
from pcgen.studies.claims.judging import Quotient

__all__ = ["CLAIM"]

_VARIANCE = "variance of one draw of the gradient, summed over logits"
_PLAIN, _BASELINE, _LINEAR = "score function", "with a baseline", "with a linear expansion (muprop)"
_BITS, _SEEN, _ROWS = 8, 12, 8


def _trial(seed: int, effort: float) -> Numbers:
    weight, bias = torch.randn(_BITS, _SEEN).double(), torch.randn(_SEEN).double() / 2
    bits = torch.rand(_ROWS, _BITS).double().round()
    rows = (bits @ weight + bias).sigmoid().bernoulli()
    copies = scaled(2000, effort, 20)
    x, logits = rows.repeat(copies, 1), torch.randn(_ROWS, _BITS).double().repeat(copies, 1)

    def energy(b: Tensor) -> Tensor:
        seen = b @ weight + bias
        return (softplus(seen) - x * seen).sum(1) + _BITS * math.log(2)

    def variance(estimate: Callable[[Tensor], Tensor]) -> float:
        own = logits.clone().requires_grad_()
        (slope,) = torch.autograd.grad(estimate(own).sum(), own)
        return float(slope.view(copies, _ROWS, _BITS).var(0).sum(1).mean())

    # What the energy of each row is expected to be, from draws of their own.
    expected = energy(Bernoulli(logits=logits).sample()).view(copies, _ROWS).mean(0).repeat(copies)
    return {
        _VARIANCE: {
            _PLAIN: variance(lambda own: estimators.score_function(energy, Bernoulli(logits=own))),
            _BASELINE: variance(lambda own: estimators.score_function(energy, Bernoulli(logits=own), expected)),
            _LINEAR: variance(lambda own: estimators.muprop(energy, own)),
        }
    }


CLAIM = Claim(
    name="control_variates",
    says="Control variates reduce the variance of the score function's gradient.",
    source=(
        "Williams (1992). Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning. "
        "Gu, Levine, Sutskever, Mnih (2016). MuProp: Unbiased Backpropagation for Stochastic Neural Networks."
    ),
    test=(
        "The gradient of E[-log p(x, b)] for the logits of 8 bits b, where p is a sigmoid belief net with 12 "
        "visible bits and random weights, different for each seed: 2000 samples at each of 8 rows, by the score "
        "function alone, minus a baseline (the mean energy of the row), and minus a linear expansion."
    ),
    comparisons=(
        Quotient(_VARIANCE, larger=_PLAIN, smaller=_BASELINE),
        Quotient(_VARIANCE, larger=_PLAIN, smaller=_LINEAR),
    ),
    trial=_trial,
    seeds=10,
)
