"""Reparameterised samples of continuous latents, and the generalised reparameterisation of Gamma latents."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Gamma

from pcgen.estimators.scores import Function, nought

__all__ = ["generalised", "inverse_cdf", "location_scale", "polar"]


def location_scale(location: Tensor, scale: Tensor) -> Tensor:
    """A reparameterised Gaussian sample, location + scale e, e ~ N(0, I), of the shape of location and scale.

    References:
        Kingma, Welling (2014). Auto-Encoding Variational Bayes.
    """
    return location + scale * torch.randn_like(scale)


def polar(location: Tensor, scale: Tensor) -> Tensor:
    """A reparameterised Gaussian sample in polar form, location + scale sqrt(-2 log u) cos(2 pi v), u and v uniform.

    References:
        Box, Muller (1958). A Note on the Generation of Random Normal Deviates.
    """
    radius = (2 * torch.empty_like(scale).exponential_()).sqrt()
    return location + scale * radius * (2 * math.pi * torch.rand_like(scale)).cos()


def inverse_cdf(q: Distribution) -> Tensor:
    """A sample by the inverse of the distribution function at uniform numbers, differentiable in q's parameters.

    For distributions that have `icdf`: exponential, Laplace, Cauchy, Kumaraswamy, Gumbel, normal and others.

    Raises:
        NotImplementedError: q has no `icdf`.
    """
    with torch.no_grad():
        like = q.sample()
    eps = torch.finfo(like.dtype).eps
    u = torch.rand_like(like).clamp(eps / 2, 1 - eps)  # Rounded, 2u - 1 must not be -1 or 1.
    z: Tensor = q.icdf(u)
    return z


def generalised(f: Function, concentration: Tensor, rate: Tensor) -> Tensor:
    """The generalised reparameterisation of Gamma latents, by a standardisation of log z.

        z = exp(sd e + mean),  e = (log z - mean) / sd,  mean = digamma(a) - log(rate),  sd^2 = trigamma(a)
        grad = d/dz f(z) dz/d(a, rate) + f(z) grad log q(e)

    These are the mean and variance of log z. So the distribution of e depends only weakly on the parameters, and the
    second term, a score function that accounts for this dependence, is small.

    Args:
        f: (B, K) -> (B,), differentiable on the positive numbers.
        concentration: a, (B, K).
        rate: (B, K).

    References:
        Ruiz, Titsias, Blei (2016). The Generalized Reparameterization Gradient.
    """
    q = Gamma(concentration, rate)
    with torch.no_grad():
        drawn = q.sample().clamp_min(torch.finfo(concentration.dtype).tiny)
    mean = torch.digamma(concentration) - rate.log()
    sd = torch.polygamma(1, concentration).sqrt()
    e = ((drawn.log() - mean) / sd).detach()
    log_z = sd * e + mean
    z = log_z.exp()
    log_q = (q.log_prob(z) + log_z + sd.log()).flatten(1).sum(1)  # density of e: that of z times |dz/de| = z sd
    value = f(z)
    estimate: Tensor = value + value.detach() * nought(log_q)
    return estimate
