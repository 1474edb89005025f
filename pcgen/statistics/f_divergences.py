"""f-divergences by their variational bound: of a critic that learns, or of a density ratio that is known."""

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
        output: g, which brings any number into the domain of f*.
        conjugate: f*(g(v)) as a function of v, in terms that neither overflow early nor cancel.
        best: the V that makes the bound the divergence, g(V) = f'(p / q), as a function of log(p / q).
    """

    output: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    best: Callable[[Tensor], Tensor]

    def bound(self, v_p: Tensor, v_q: Tensor) -> Tensor:
        """The bound that V gives by its values at samples of P and of Q, (): their means."""
        return self.output(v_p).mean() - self.conjugate(v_q).mean()


DIVERGENCES: Mapping[str, Divergence] = {
    "kl": Divergence(lambda v: v, lambda v: (v - 1).exp(), lambda log: 1 + log),
    "reverse_kl": Divergence(lambda v: -(-v).exp(), lambda v: v - 1, lambda log: log),
    "js": Divergence(lambda v: math.log(2) - softplus(-v), lambda v: softplus(v) - math.log(2), lambda log: log),
    "pearson": Divergence(lambda v: v, lambda v: v.square() / 4 + v, lambda log: 2 * torch.expm1(log)),
    "hellinger": Divergence(lambda v: 1 - (-v).exp(), lambda v: v.exp() - 1, lambda log: log / 2),
}
"""Of data P from samples Q: KL(P | Q), KL(Q | P), KL(P | M) + KL(Q | M) with M the mean of both, E_Q (p / q - 1)^2, and
the integral of (sqrt p - sqrt q)^2."""


def f_divergence(log_ratio: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, divergence: str = "kl") -> Tensor:
    """An f-divergence of P from Q, by samples of both and the logarithm of p / q.

        mean over x of f'(r(x)) - mean over y of f*(f'(r(y))),  r = p / q

    Its mean is the divergence where the ratio is exact, that of two known densities say, and less than it for every
    other ratio: an estimate of the ratio from other samples (see `pcgen.statistics.density_ratios`) gives a lower
    bound, on average. From the very samples that the ratio was fitted to it can be too high.

    Args:
        log_ratio: log(p / q) of rows (B, D) -> (B,).
        x: (S, D), samples of P.
        y: (R, D), samples of Q.
        divergence: a name in `DIVERGENCES`: "kl", "reverse_kl", "js" (twice), "pearson" or "hellinger".

    Returns:
        (), in nats where it is one of the first three.

    Raises:
        ValueError: x and y are not (S, D) and (R, D) floating point with a row each, an unknown divergence, or a ratio
            that does not give (B,).

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
