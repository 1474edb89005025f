"""Estimators by continuous relaxation of bits or categorical variables, with a temperature."""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot, softplus

from pcgen.errors import positive
from pcgen.estimators.bits import bits_log_prob
from pcgen.estimators.scores import Function, nought

__all__ = ["concrete", "gumbel_softmax", "rebar"]


def concrete(f: Function, logits: Tensor, temperature: float = 0.5, hard: bool = False) -> Tensor:
    """The binary Concrete relaxation: f at sigmoid((logits + logistic noise) / temperature), and its gradient.

    It is the gradient of the expectation over relaxed bits: a lower temperature means less bias and more variance.

    Args:
        f: (B, K) -> (B,), differentiable on [0, 1]^K.
        logits: of independent bits, (B, K).
        temperature: above 0.
        hard: whether f is evaluated at bits, with the gradient of the relaxed bits (straight-through).

    References:
        Maddison, Mnih, Teh (2017). The Concrete Distribution: A Continuous Relaxation of Discrete Random Variables.
        Jang, Gu, Poole (2017). Categorical Reparameterization with Gumbel-Softmax.
        Bengio, Leonard, Courville (2013). Estimating or Propagating Gradients Through Stochastic Neurons for
        Conditional Computation.
    """
    positive(temperature=temperature)
    z = logits + _logistic(logits)
    soft = (z / temperature).sigmoid()
    return f((z > 0).to(soft) + nought(soft) if hard else soft)


def gumbel_softmax(f: Function, logits: Tensor, temperature: float = 0.5, hard: bool = False) -> Tensor:
    """The relaxation of categorical variables: f at softmax((logits + Gumbel noise) / temperature), and its gradient.

    Args:
        f: (B, ..., K) -> (B,), differentiable on the simplex.
        logits: of independent categorical variables with K values, (B, ..., K).
        temperature: above 0.
        hard: whether f is evaluated at one-hot vectors, with the gradient of the relaxed ones (straight-through).

    References:
        Jang, Gu, Poole (2017). Categorical Reparameterization with Gumbel-Softmax.
    """
    positive(temperature=temperature)
    z = logits - torch.empty_like(logits).exponential_().log()  # Gumbel noise is minus the log of an exponential
    soft = (z / temperature).softmax(-1)
    if hard:
        soft = one_hot(z.argmax(-1), z.shape[-1]).to(soft) + nought(soft)
    return f(soft)


def rebar(f: Function, logits: Tensor, temperature: Tensor | float = 0.5, factor: Tensor | float = 1.0) -> Tensor:
    """REBAR: the score function with the Concrete relaxation as control variate, plus the gradient of the relaxation.

        (f(b) - a f(s(z'))) grad log q(b) + a grad f(s(z)) - a grad f(s(z'))

    where z = logits + logistic noise, b = [z > 0], z' has the distribution of z given b, and s(z) = sigmoid(z /
    temperature). It is unbiased for every temperature and factor. Both may be learned tensors: minimise the square of
    this gradient (`torch.autograd.grad(..., create_graph=True)`).

    As in the authors' program, the noise of z' is such that z' equals z. The two differ only in their dependence on the
    logits, and most of the variance cancels.

    Args:
        f: (B, K) -> (B,), differentiable on [0, 1]^K.
        logits: of independent bits, (B, K).
        temperature: above 0.
        factor: a, of the control variate; 0 gives the plain score function.

    References:
        Tucker, Mnih, Maddison, Lawson, Sohl-Dickstein (2017). REBAR: Low-variance, unbiased gradient estimates for
        discrete latent variable models.
    """
    positive(temperature=float(torch.as_tensor(temperature).detach()))
    learned = any(isinstance(each, Tensor) and each.requires_grad for each in (temperature, factor))
    z = logits + _logistic(logits)
    given = _given(z.detach(), logits)
    b = (z > 0).to(logits)
    log_q = bits_log_prob(b, logits)
    value = f(b)
    # Other parameters of f must get the gradient of f(b) only, so the relaxed value is differentiated only in z.
    at = z.detach().requires_grad_()
    relaxed = f((at / temperature).sigmoid())
    (slope,) = torch.autograd.grad(relaxed.sum(), at, create_graph=learned)
    if not learned:
        relaxed = relaxed.detach()
    pull = (slope * (nought(z) - nought(given))).sum(1)
    return value + (value.detach() - factor * relaxed) * nought(log_q) + factor * pull


def _given(z: Tensor, logits: Tensor) -> Tensor:
    """z', (B, K), equal to z in value, but as a function of the logits given the bit [z > 0].

    With v uniform, z' = log(v / ((1 - v) (1 - p)) + 1) for a bit 1, and -log(v / ((1 - v) p) + 1) for a bit 0.
    """
    size, bit = z.abs(), z > 0
    share = torch.where(bit, logsigmoid(-logits), logsigmoid(logits))  # log(1 - p), log p
    odds = (size + torch.log(-torch.expm1(-size)) + share).detach()  # log(v / (1 - v)) of the v with z' = z
    return torch.where(bit, 1.0, -1.0) * softplus(odds - share)


def _logistic(like: Tensor) -> Tensor:
    """Samples of the standard logistic distribution: differences of two Gumbel samples."""
    first, second = (torch.empty_like(like).exponential_() for _ in range(2))
    return second.log() - first.log()
