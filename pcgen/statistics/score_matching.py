"""Score matching: losses of a density that is known up to its constant, by the slope of its logarithm."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcgen.errors import positive

__all__ = ["Score", "denoising_score_matching", "score_matching", "sliced_score_matching"]

Score = Callable[[Tensor], Tensor]
"""s(x), the gradient of log p for x, of rows (B, D) -> (B, D); a row's must not depend on the others."""


def score_matching(score: Score, x: Tensor) -> Tensor:
    """Half the squared distance of a score from that of the data, less a constant: of each row, (B,).

        J(x) = sum over i of ds_i / dx_i + |s(x)|^2 / 2,   E J = E |s - grad log p_data|^2 / 2 - constant

    under the data, without the data's score being known. Exact, by a pass backwards for each coordinate. The mean has a
    gradient for what the score depends on.

    Args:
        score: s, differentiable.
        x: (B, D), rows of data.

    Raises:
        ValueError: the score is not of the shape of x, or has no graph to x.

    References:
        Hyvärinen (2005). Estimation of Non-Normalized Statistical Models by Score Matching.
    """
    x, s = _at(score, x)
    with torch.enable_grad():
        slopes = [_pulled(s[:, i].sum(), x, None)[:, i] for i in range(x.shape[1])]
        return torch.stack(slopes).sum(0) + 0.5 * s.square().sum(1)


def sliced_score_matching(score: Score, x: Tensor, probe: Tensor) -> Tensor:
    """An unbiased estimate of `score_matching` by one pass backwards, (B,): probe . J probe for the trace.

    Args:
        score: s, differentiable.
        x: (B, D), rows of data.
        probe: of the shape of x, drawn from a law of mean 0 and covariance I: +-1 has the least variance.

    Raises:
        ValueError: the score is not of the shape of x, or has no graph to x.

    References:
        Song, Garg, Shi, Ermon (2019). Sliced Score Matching: A Scalable Approach to Density and Score Estimation.
    """
    x, s = _at(score, x)
    with torch.enable_grad():
        return (_pulled(s, x, probe) * probe).sum(1) + 0.5 * s.square().sum(1)


def denoising_score_matching(score: Score, x: Tensor, noise: Tensor, sigma: float | Tensor) -> Tensor:
    """Half the squared distance of a score from that of data with noise, plus a constant: of each row, (B,).

        J(x, e) = |s(x + sigma e) + e / sigma|^2 / 2,   E J = E |s - grad log p_sigma|^2 / 2 + constant

    with p_sigma the density of x + sigma e. It needs no derivative of the score. Over a ladder of noises, J sigma^2
    counts each alike.

    Args:
        score: s; with a ladder, that of each row's own noise.
        x: (B, D), rows of data.
        noise: e, of the shape of x, drawn from N(0, I).
        sigma: of all rows, or of each, (B, 1).

    Raises:
        ValueError: a number sigma that is not positive, or a score that is not of the shape of x.

    References:
        Vincent (2011). A Connection Between Score Matching and Denoising Autoencoders.
        Song, Ermon (2019). Generative Modeling by Estimating Gradients of the Data Distribution. (Ladders of noises.)
    """
    if not isinstance(sigma, Tensor):  # to look into a tensor is to wait for the device
        positive(sigma=sigma)
    error = _shaped(score(x + sigma * noise), x) + noise / sigma
    return 0.5 * error.square().sum(1)


def _at(score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
    """x, as what a derivative can be taken for, and s(x)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        s = _shaped(score(x), x)
    if not s.requires_grad:
        raise ValueError("score: must be differentiable for x, got numbers without a graph; do not detach them")
    return x, s


def _shaped(s: Tensor, x: Tensor) -> Tensor:
    if s.shape != x.shape:
        raise ValueError(f"score: must be of the shape of x, {tuple(x.shape)}, got {tuple(s.shape)}")
    return s


def _pulled(s: Tensor, x: Tensor, by: Tensor | None) -> Tensor:
    """by^T ds / dx, with a graph; 0 where s does not depend on x."""
    (slope,) = torch.autograd.grad(s, x, by, create_graph=True, materialize_grads=True)
    return slope
