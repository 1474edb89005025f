"""The normaliser of an energy model, by annealed importance sampling."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pcgen.errors import at_least

__all__ = ["LogPartition", "Path", "log_partition"]

_LEAST_CHAINS, _LEAST_EFFECTIVE = 10, 5


@dataclass(frozen=True)
class Path:
    """Distributions p_b(s) = exp(-energy(s, b)) / Z_b, from a known one, b = 0, to the target, b = 1.

    Attributes:
        start: n independent samples of p_0, (n, ...).
        log_z: log Z_0 in nats, ().
        energy: of states, (n, ...) and b -> (n,).
        move: a transition that leaves p_b invariant, (n, ...) and b -> (n, ...).
    """

    start: Callable[[int], Tensor]
    log_z: Tensor
    energy: Callable[[Tensor, float], Tensor]
    move: Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class LogPartition:
    """An estimate of log Z.

    Attributes:
        value: log Z in nats. It is the logarithm of an unbiased estimate of Z, so on average it is below log Z.
        error: its standard error in nats, from the variance of the chains' weights.
        effective: the effective number of chains (of equal weight); if it is small, the error is not reliable.
    """

    value: float
    error: float
    effective: float


@torch.no_grad()
def log_partition(path: Path, chains: int = 100, temperatures: int = 1000) -> LogPartition:
    """Estimate log Z of the end of a path by annealed importance sampling.

        Z = Z_0 mean over chains of w,  log w = sum over k of energy(s_k, b_(k-1)) - energy(s_k, b_k),

    where s_1 is sampled from p_0, s_(k+1) follows s_k by a transition at b_k, and b rises from 0 to 1 in equal steps.
    The paper's steps are smaller near 1; more steps are as good.

    Args:
        path: from a known distribution to the one whose Z is wanted.
        chains: independent runs, 10 or more.
        temperatures: steps of b. More steps reduce the error faster than more chains.

    Raises:
        ValueError: too few chains or temperatures, or weights so uneven that the effective number of chains is below 5.

    References:
        Neal (2001). Annealed Importance Sampling.
        Salakhutdinov, Murray (2008). On the Quantitative Analysis of Deep Belief Networks.
    """
    at_least(_LEAST_CHAINS, chains=chains)
    at_least(1, temperatures=temperatures)
    state = path.start(chains)
    log_w = torch.zeros(chains, dtype=torch.float64, device=state.device)
    for before, at in pairwise(torch.linspace(0, 1, temperatures + 1, dtype=torch.float64).tolist()):
        log_w += path.energy(state, before).double() - path.energy(state, at).double()
        state = path.move(state, at)
    shares = log_w.softmax(0)
    effective = 1 / float(shares.square().sum())
    if not effective >= _LEAST_EFFECTIVE:
        raise ValueError(
            f"temperatures: {temperatures} are too few for this model: its {chains} chains are worth "
            f"{effective:.1f} (at least {_LEAST_EFFECTIVE} are needed); give temperatures={10 * temperatures}"
        )
    value = float(path.log_z) + float(log_w.logsumexp(0)) - math.log(chains)
    return LogPartition(value, float((chains * shares).std()) / math.sqrt(chains), effective)
