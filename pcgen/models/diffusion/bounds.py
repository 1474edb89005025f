"""What the chain of a diffusion says of the likelihood of data."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pcgen.models.diffusion.samplers import Predict, posterior

__all__ = ["chain_bound"]


def chain_bound(predict: Predict, x: Tensor, signal: Tensor, variance: Callable[[Tensor, int, int], Tensor]) -> Tensor:
    """An unbiased estimate, by one draw of each x_t, of the lower bound on log p(x), in nats, (B, *shape) -> (B,).

        E[log p(x | x_1)] - sum over t = 2 ... T of KL(q(x_s | x_t, x) | p(x_s | x_t)) - KL(q(x_T | x) | N(0, I))

    Args:
        predict: what the data is taken for, given x_t and t.
        x: data.
        signal: from 1 at time 0 to near 0 at time T, (T + 1,).
        variance: of the chain's step from t to s = t - 1, `variance(that of the posterior, t, s)`; the last step has
            the forward variance.
    """
    dim, end = x[0].numel(), signal[-1]
    bound = -0.5 * (end * x.square() + (1 - end) - 1 - (1 - end).log()).flatten(1).sum(dim=1)
    for t in range(len(signal) - 1, 0, -1):
        noisy = signal[t].sqrt() * x + (1 - signal[t]).sqrt() * torch.randn_like(x)
        mean, of_posterior = posterior(noisy, predict(noisy, t), signal, t, t - 1)
        if t == 1:
            step = 1 - signal[1]
            bound -= 0.5 * ((x - mean).square().flatten(1).sum(dim=1) / step + dim * (2 * math.pi * step).log())
        else:
            step = variance(of_posterior, t, t - 1)
            error = (posterior(noisy, x, signal, t, t - 1)[0] - mean).square().flatten(1).sum(dim=1)
            bound -= 0.5 * (error / step + dim * (of_posterior / step - 1 - (of_posterior / step).log()))
    return bound
