"""f-divergences by their variational bound, from a critic that is trained, or from a known density ratio."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from pcgen.errors import choose
from pcgen.statistics._checks import check_samples

__all__ = ["DIVERGENCES", "Divergence", "f_divergence"]


@dataclass(frozen=True)
class Divergence:
    """An f-divergence D(P | Q) = E_Q f(p / q), by its variational bound E_P g(V) - E_Q f*(g(V)).

    Attributes:
        output: g, which maps any number into the domain of f*.
        conjugate: f*(g(v)) as a function of v, written so that it neither overflows early nor loses precision.
        best: the V with which the bound equals the divergence, g(V) = f'(p / q), as a function of log(p / q).
    """

    output: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    best: Callable[[Tensor], Tensor]

    def bound(self, v_p: Tensor, v_q: Tensor) -> Tensor:
        """The bound, (), from values of V at samples of P and of Q; expectations are means over the samples."""
        return self.output(v_p).mean() - self.conjugate(v_q).mean()


DIVERGENCES: Mapping[str, Divergence] = {
    "kl": Divergence(lambda v: v, lambda v: (v - 1).exp(), lambda log: 1 + log),
    "reverse_kl": Divergence(lambda v: -(-v).exp(), lambda v: v - 1, lambda log: log),
    "js": Divergence(lambda v: math.log(2) - softplus(-v), lambda v: softplus(v) - math.log(2), lambda log: log),
    "pearson": Divergence(lambda v: v, lambda v: v.square() / 4 + v, lambda log: 2 * torch.expm1(log)),
    "hellinger": Divergence(lambda v: 1 - (-v).exp(), lambda v: v.exp() - 1, lambda log: log / 2),
}
"""By name, between data P and samples Q: KL(P | Q), KL(Q | P), KL(P | M) + KL(Q | M) with M = (P + Q) / 2,
E_Q (p / q - 1)^2, and the integral of (sqrt p - sqrt q)^2."""


def f_divergence(log_ratio: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, divergence: str = "kl") -> Tensor:
    """Estimate an f-divergence D(P | Q) from samples of both and the logarithm of p / q.

        mean over x of f'(r(x)) - mean over y of f*(f'(r(y))),  r = p / q

    If the ratio is exact, as for two known densities, the estimate is unbiased. For every other ratio its mean is
    lower. So a ratio that was fitted to other samples (see `pcgen.statistics.density_ratios`) gives a lower bound on
    average. On the samples to which the ratio was fitted, the estimate can be too high.

    Args:
        log_ratio: log(p / q) of rows (B, D) -> (B,).
        x: (S, D), samples of P.
        y: (R, D), samples of Q.
        divergence: a name in `DIVERGENCES`: "kl", "reverse_kl", "js" (twice the usual one), "pearson" or "hellinger".

    Returns:
        (), in nats for the first three.

    Raises:
        ValueError: x and y are not (S, D) and (R, D) floating point with at least one row each, an unknown divergence,
            or a ratio that does not give (B,).

    References:
        Nguyen, Wainwright, Jordan (2010). Estimating Divergence Functionals and the Likelihood Ratio by Convex Risk
        Minimization.
    """
    check_samples(x, y, least=1)
    chosen = DIVERGENCES[choose(divergence, DIVERGENCES, "divergence")]
    logs = log_ratio(x), log_ratio(y)
    for rows, log in zip((x, y), logs, strict=True):
        if log.shape != (len(rows),):
            raise ValueError(
                f"log_ratio: must give (B,) of rows (B, D), gave {tuple(log.shape)} of {tuple(rows.shape)}"
            )
    return chosen.bound(chosen.best(logs[0]), chosen.best(logs[1]))
