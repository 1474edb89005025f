"""The losses of the plain adversarial game, which many models use."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = ["discriminator_terms", "non_saturating", "squared_slope"]


def discriminator_terms(critic: nn.Module, real: Tensor, fake: Tensor, r1: float) -> dict[str, Tensor]:
    """The loss terms of a discriminator that gives logits, for (B, *shape) each.

        "discriminator": mean softplus(-D(real)) + mean softplus(D(fake)), 2 log 2 if it cannot distinguish them
        "r1", if its weight is not 0: r1 / 2 * mean |grad D(real)|^2

    References:
        Goodfellow et al. (2014). Generative Adversarial Nets.
    """
    terms = {"discriminator": softplus(-critic(real)).mean() + softplus(critic(fake)).mean()}
    if r1 > 0:
        terms["r1"] = r1 / 2 * squared_slope(critic, real)
    return terms


def non_saturating(logits: Tensor) -> Tensor:
    """The loss of a generator, from the discriminator's logits of its samples: mean softplus(-D(fake)), ()."""
    return softplus(-logits).mean()


def squared_slope(critic: nn.Module, x: Tensor) -> Tensor:
    """The mean of |grad critic(x)|^2 over rows (B, *shape), with a graph, (): the penalty R1.

    References:
        Mescheder, Geiger, Nowozin (2018). Which Training Methods for GANs do actually Converge?
    """
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(dim=1).mean()
