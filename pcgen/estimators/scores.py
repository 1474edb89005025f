"""Score-function estimators, by the gradient of log q, with variance reduction."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution

from pcgen.errors import at_least, fraction

__all__ = ["Function", "Signal", "control_factor", "local_expectation", "muprop", "nought", "score_function", "vimco"]

Function = Callable[[Tensor], Tensor]
"""A function of samples, (B, K), with one value per row, (B,)."""


def score_function(f: Function, q: Distribution, baseline: Tensor | float = 0.0) -> Tensor:
    """The score-function estimator, or REINFORCE: (f(b) - baseline) grad log q(b).

    Args:
        f: (B, K) -> (B,).
        q: of independent rows, with `sample()` of shape (B, K), and `log_prob` of shape (B, K) or (B,).
        baseline: a number, or (B,), that does not depend on the sample. A prediction of f lowers the variance. The
            baseline gets no gradient here: train it to predict f, as in NVIL.

    References:
        Williams (1992). Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning.
        Mnih, Gregor (2014). Neural Variational Inference and Learning in Belief Networks.
    """
    b = q.sample()
    value = f(b)
    return value + (value - baseline).detach() * nought(_log_prob(q, b))


class Signal(nn.Module):
    """The running mean and deviation of the learning signal of NVIL, which standardises the signal by them.

    The mean is part of the baseline. Divide the whole gradient of q's parameters by the scale, also the part from f's
    own dependence on them; otherwise the direction of the gradient changes.

    Args:
        decay: of the running averages at each `learn`, .8 in the paper.

    References:
        Mnih, Gregor (2014). Neural Variational Inference and Learning in Belief Networks.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, decay: float = 0.8) -> None:
        super().__init__()
        fraction(decay=decay)
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))

    @property
    def scale(self) -> Tensor:
        """The standard deviation of the signal, but at least 1, so that a small signal stays small."""
        return self.variance.sqrt().clamp_min(1)

    @torch.no_grad()
    def learn(self, signal: Tensor) -> None:
        """Update by the signals of a batch, (B,): values of f minus the baseline that depends on the row."""
        self.mean.lerp_(signal.mean(), 1 - self.decay)
        self.variance.lerp_(signal.var(correction=0), 1 - self.decay)


def control_factor(f: Tensor, g: Tensor) -> Tensor:
    """The factor a = cov(f, g) / var(g), from samples (S,), with which f - a (g - E g) has the least variance.

    References:
        Glasserman (2003). Monte Carlo Methods in Financial Engineering, section 4.1.
    """
    centred = g - g.mean()
    factor: Tensor = (f * centred).sum() / centred.square().sum()
    return factor


def muprop(f: Function, logits: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """MuProp: the score function of the residual of f's linear expansion at the mean p, plus the expansion's gradient.

        (f(b) - f(p) - f'(p)(b - p) - baseline) grad log q(b) + f'(p) grad p

    Args:
        f: (B, K) -> (B,), differentiable on [0, 1]^K.
        logits: of independent bits, (B, K).
        baseline: of the residual, a number or (B,).

    References:
        Gu, Levine, Sutskever, Mnih (2016). MuProp: Unbiased Backpropagation for Stochastic Neural Networks.
    """
    q = Bernoulli(logits=logits)
    b, mean = q.sample(), q.probs.detach().requires_grad_()
    value, at_mean = f(b), f(mean)
    (slope,) = torch.autograd.grad(at_mean.sum(), mean)  # (B, K)
    rest = (value - at_mean - (slope * (b - mean)).sum(1) - baseline).detach()
    estimate: Tensor = value + rest * nought(_log_prob(q, b)) + (slope * nought(q.probs)).sum(1)
    return estimate


def local_expectation(f: Function, logits: Tensor) -> Tensor:
    """Local expectation gradients: the exact expectation over each bit, given samples of the others.

        d/d logit_k = p_k (1 - p_k) (f(b with b_k = 1) - f(b with b_k = 0))

    Args:
        f: (B, K) -> (B,); it is evaluated K + 1 times.
        logits: of independent bits, (B, K).

    References:
        Titsias, Lazaro-Gredilla (2015). Local Expectation Gradients for Black Box Variational Inference.
    """
    q = Bernoulli(logits=logits)
    b = q.sample()
    value = f(b)
    with torch.no_grad():
        slopes = []
        for k in range(logits.shape[1]):
            other = b.clone()
            other[:, k] = 1 - b[:, k]
            slopes.append((f(other) - value) * (1 - 2 * b[:, k]))  # f at 1 minus f at 0
        slope = torch.stack(slopes, dim=1)  # (B, K)
    return value + (slope * nought(q.probs)).sum(1)


def vimco(log_weight: Function, q: Distribution, draws: int) -> Tensor:
    """VIMCO: the bound by several samples; the signal of each sample is its own contribution to the bound.

        L = log mean over k of w(b_k),  sum over k of (L - L without k) grad log q(b_k) + w_k / (sum w) grad log w(b_k)

    In "L without k", log w(b_k) is replaced by the mean of the other log w.

    Args:
        log_weight: log w(b) = log p(x, b) - log q(b), (B, K) -> (B,).
        q: as for `score_function`.
        draws: number of samples, at least two.

    Returns:
        (B,), a lower bound on log p(x) in nats, to be maximised.

    Raises:
        ValueError: fewer than two draws.

    References:
        Mnih, Rezende (2016). Variational Inference for Monte Carlo Objectives.
    """
    at_least(2, draws=draws)
    drawn = [q.sample() for _ in range(draws)]
    logs = torch.stack([log_weight(b) for b in drawn])  # (draws, B)
    scores = torch.stack([_log_prob(q, b) for b in drawn])
    bound = logs.logsumexp(0) - math.log(draws)
    with torch.no_grad():
        others = (logs.sum(0) - logs) / (draws - 1)  # (draws, B)
        own = torch.eye(draws, dtype=torch.bool, device=logs.device)[..., None]  # (draws, draws, 1)
        without = torch.where(own, others[:, None], logs[None]).logsumexp(1) - math.log(draws)
        signal = bound - without
    return bound + (signal * nought(scores)).sum(0)


def _log_prob(q: Distribution, b: Tensor) -> Tensor:
    """log q(b) of each row, (B,)."""
    log_prob: Tensor = q.log_prob(b)
    return log_prob.flatten(1).sum(1) if log_prob.ndim > 1 else log_prob


def nought(x: Tensor) -> Tensor:
    """Zero with the gradient of x."""
    return x - x.detach()
