"""Score matching: losses for densities that are known up to a constant, by the gradient of the log-density."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcgen.errors import positive

__all__ = ["Score", "denoising_score_matching", "score_matching", "sliced_score_matching"]

Score = Callable[[Tensor], Tensor]
"""The score s(x), the gradient of log p with respect to x, of rows (B, D) -> (B, D); rows must be independent."""


def score_matching(score: Score, x: Tensor) -> Tensor:
    """Hyvärinen's loss: half the squared distance between a score and that of the data, minus a constant.

        J(x) = sum over i of ds_i / dx_i + |s(x)|^2 / 2,   E J = E |s - grad log p_data|^2 / 2 - constant

    The expectations are over the data, whose score need not be known. The trace is exact, by one backward pass for each
    coordinate. The result is differentiable in the parameters of the score.

    Args:
        score: s, differentiable.
        x: (B, D), rows of data.

    Returns:
        J of each row, (B,).

    Raises:
        ValueError: the score does not have the shape of x, or is not differentiable in x.

    References:
        Hyvärinen (2005). Estimation of Non-Normalized Statistical Models by Score Matching.
    """
    x, s = _at(score, x)
    with torch.enable_grad():
        slopes = [_pulled(s[:, i].sum(), x, None)[:, i] for i in range(x.shape[1])]
        return torch.stack(slopes).sum(0) + 0.5 * s.square().sum(1)


def sliced_score_matching(score: Score, x: Tensor, probe: Tensor) -> Tensor:
    """An unbiased estimate of `score_matching` by one backward pass; the trace is probe . (ds / dx) probe.

    Args:
        score: s, differentiable.
        x: (B, D), rows of data.
        probe: of the shape of x, random with mean 0 and covariance I; entries +-1 have the least variance.

    Returns:
        The estimate for each row, (B,).

    Raises:
        ValueError: the score does not have the shape of x, or is not differentiable in x.

    References:
        Song, Garg, Shi, Ermon (2019). Sliced Score Matching: A Scalable Approach to Density and Score Estimation.
    """
    x, s = _at(score, x)
    with torch.enable_grad():
        return (_pulled(s, x, probe) * probe).sum(1) + 0.5 * s.square().sum(1)


def denoising_score_matching(score: Score, x: Tensor, noise: Tensor, sigma: float | Tensor) -> Tensor:
    """Half the squared distance between a score and that of noisy data, plus a constant.

        J(x, e) = |s(x + sigma e) + e / sigma|^2 / 2,   E J = E |s - grad log p_sigma|^2 / 2 + constant

    where p_sigma is the density of x + sigma e. It needs no derivative of the score. With several noise levels,
    J sigma^2 gives all levels similar weight.

    Args:
        score: s; with several noise levels, the score at the level of each row.
        x: (B, D), rows of data.
        noise: e, of the shape of x, a sample of N(0, I).
        sigma: standard deviation of the noise, a number, or one for each row, (B, 1).

    Returns:
        J of each row, (B,).

    Raises:
        ValueError: a number sigma that is not positive, or a score that does not have the shape of x.

    References:
        Vincent (2011). A Connection Between Score Matching and Denoising Autoencoders.
        Song, Ermon (2019). Generative Modeling by Estimating Gradients of the Data Distribution. (Noise levels.)
    """
    if not isinstance(sigma, Tensor):  # to check a tensor's values would wait for the device
        positive(sigma=sigma)
    error = _shaped(score(x + sigma * noise), x) + noise / sigma
    return 0.5 * error.square().sum(1)


def _at(score: Score, x: Tensor) -> tuple[Tensor, Tensor]:
    """x as a leaf that requires a gradient, and s(x)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        s = _shaped(score(x), x)
    if not s.requires_grad:
        raise ValueError("score: must be differentiable in x, got a tensor without a graph; do not detach it")
    return x, s


def _shaped(s: Tensor, x: Tensor) -> Tensor:
    if s.shape != x.shape:
        raise ValueError(f"score: must be of the shape of x, {tuple(x.shape)}, got {tuple(s.shape)}")
    return s


def _pulled(s: Tensor, x: Tensor, by: Tensor | None) -> Tensor:
    """by^T ds / dx, differentiable; 0 if s does not depend on x."""
    (slope,) = torch.autograd.grad(s, x, by, create_graph=True, materialize_grads=True)
    return slope
