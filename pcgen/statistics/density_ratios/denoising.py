"""Density ratios by denoisers of both samples."""

import torch
from torch import Tensor

from pcgen.errors import at_least, positive
from pcgen.seeds import stream
from pcgen.statistics.density_ratios._log_linear import Features, LogLinear, Standard, check, log_mean_exp, quadratic

__all__ = ["by_denoising"]


def by_denoising(
    x: Tensor,
    y: Tensor,
    features: Features = quadratic,
    ridge: float = 1e-4,
    noise: float = 0.1,
    draws: int = 8,
    seed: int = 0,
) -> LogLinear:
    """The ratio p / q of two densities, from the best denoiser of each.

        d(x + s e) = x + s e + s^2 grad log p_s(x + s e)  is the d with the least mean |d(x + s e) - x|^2,  e ~ N(0, I)

    p_s is the density of x + s e. A denoiser of the form z + s^2 grad (w . f(z)) is fitted to each sample, by least
    squares in closed form. The difference of the two denoisers is s^2 grad log p_s / q_s, so log p_s / q_s is the
    difference of the two w . f plus a constant. The constant makes the mean ratio over noisy y equal to 1. Less noise
    gives less bias. The noise has antithetic pairs e, -e, without which the variance of w would grow as s falls.

    Args:
        x: (S, D), samples of p.
        y: (R, D), samples of q.
        features: f, of rows (B, D), standardised by both samples together, -> (B, F), differentiable.
        ridge: added to the mean square of each feature's slope.
        noise: s, in standard deviations of both samples together.
        draws: pairs of noise per row.
        seed: of the noise; torch's global generator is not used.

    Returns:
        log p_s / q_s as a function of rows (B, D) -> (B,), in float64.

    Raises:
        ValueError: x and y are not (S, D) and (R, D), finite, with at least two rows each; or a number out of range.

    References:
        Vincent (2011). A Connection Between Score Matching and Denoising Autoencoders.
        Alain, Bengio (2014). What Regularized Auto-Encoders Learn from the Data-Generating Distribution.
        Mohamed, Lakshminarayanan (2016). Learning in Implicit Generative Models. (Ratios by denoisers.)
    """
    check(x, y, ridge)
    positive(noise=noise)
    at_least(1, draws=draws)
    standard = Standard.of(x, y)
    generator = stream(seed, "density ratio by denoising")
    first, second = (_score(standard(rows), features, ridge, noise, draws, generator) for rows in (x, y))
    weights = first - second
    z = standard(y).repeat(draws, 1)
    blurred = z + noise * torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)  # samples of q_s
    return LogLinear(standard, features, weights, -log_mean_exp(features(blurred) @ weights))


def _score(z: Tensor, features: Features, ridge: float, noise: float, draws: int, generator: torch.Generator) -> Tensor:
    """The w (F,) with the least mean square of s grad (w . f)(z + s e) + e, for rows z (B, D)."""
    slopes = torch.func.vmap(torch.func.jacrev(lambda row: features(row[None])[0]))
    count = features(z[:1]).shape[1]
    squares, products = z.new_zeros(count, count), z.new_zeros(count)
    for _ in range(draws):
        e = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
        for sign in (1, -1):
            slope = slopes(z + sign * noise * e)  # (B, F, D)
            squares += torch.einsum("bfd,bgd->fg", slope, slope)
            products -= torch.einsum("bfd,bd->f", slope, sign * e) / noise
    rows = 2 * draws * len(z)
    weights: Tensor = torch.linalg.solve(squares / rows + ridge * torch.eye(count).to(z), products / rows)
    return weights
