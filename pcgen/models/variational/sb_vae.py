"""Stick-breaking variational autoencoder."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, choose, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.factors import principal_factors
from pcgen.models.variational.bounds import Variational
from pcgen.models.variational.likelihoods import VectorGaussian
from pcgen.models.variational.stick_breaking import BrokenSticks, StickBreaking, gem
from pcgen.models.variational.sticks import EULER, STICKS
from pcgen.nets.corrected import CorrectedLinear
from pcgen.nets.parts import Part

__all__ = ["SBVAE"]

_SPREAD = math.pi / math.sqrt(6)  # standard deviation of the logarithm of an exponential variable
_RIDGE = 0.1  # of the features' variance: keeps the first decoder from trusting sticks that say nothing


class SBVAE(Variational):
    """A variational autoencoder whose code is a vector of stick-breaking weights, which are positive and sum to 1.

        w_k = v_k prod over j < k of (1 - v_j),  v_k ~ Beta(1, concentration): the weights of a Dirichlet process
        log p(x) >= E[log p(x | w)] - sum over k of KL(q(v_k | x) | Beta(1, concentration))

    The data decides how many weights are used: a stick without information stays at its prior, at no cost. The sticks
    of the posterior are sampled with a gradient, either Kumaraswamy sticks by their inverse distribution function, or
    Beta sticks as a ratio of Gamma samples. `encode` gives the mean weights, which are those of the mean sticks.

    The decoder sees the fourth roots of w_k / E[w_k], E over the prior, which are nearly normal; the paper's decoder
    sees w, whose later entries are small and have long tails. For clouds, minus log p(x | w) is replaced by d(x,
    decode(w)) / (2 scale^2), as in the VAE, and the loss is not a bound.

    Args:
        shape: (dim,) or (points, 3).
        truncation: number of weights, K, at least 2; the last one is the rest of the stick.
        concentration: of the prior; larger values give more and smaller pieces.
        posterior: of the sticks, "kumaraswamy" or "gamma".
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 truncation).
        decoder: for clouds, in the same way, (B, truncation + classes) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: smallest standard deviation of the decoder's noise, in the units of x, as in `vae`; None is 1 for
            standardised vectors, 0.01 for clouds.
        learn_scale: for vectors, whether the noise is isotropic instead, with a learned scale.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | w) in nats at one sample of w, mean over rows; for clouds the squared error in units
            of the scale.
        kl: the sum over sticks of their divergence from the prior, in nats, mean over rows.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Nalisnick, Smyth (2017). Stick-Breaking Variational Autoencoders.
    """

    prior: StickBreaking

    # Noise along axes on which standardised codes vary less is no wider than they are, so a wide one costs little.
    vector_scale: ClassVar[float] = 1.0

    def __init__(
        self,
        shape: Sequence[int],
        truncation: int = 50,
        concentration: float = 5.0,
        posterior: str = "kumaraswamy",
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        learn_scale: bool = False,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        at_least(2, truncation=truncation)
        positive(concentration=concentration, lr=lr)
        super().__init__(
            shape,
            code=truncation,
            widths=widths,
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            scale=scale,
            learn_scale=learn_scale,
            classes=classes,
            statistics=2 * (truncation - 1),
        )
        self.prior = gem(truncation, concentration)
        self.sticks = STICKS[choose(posterior, STICKS, "posterior")]
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=2500, batch_size=64)

    @torch.no_grad()
    def start_linear(self, data: Batch) -> None:
        """Start from probabilistic PCA: a stick for each factor, the first for the largest, and a linear decoder.

        A stick has its factor's posterior mean, and is as much narrower than the prior as the factor. The sticks of all
        rows then have the mean and the variance of the prior, because a small stick of a Beta(1, c) is exponential, and
        its logarithm has the standard deviation pi / sqrt(6) and a mean that is Euler's constant times its relative
        width below the mode. The decoder is fitted by least squares to samples of the weights.
        """
        if not isinstance(self.likelihood, VectorGaussian) or not isinstance(self.decoder, CorrectedLinear):
            return
        x, y = data.x.double(), self.labels.vectors(data.labels if self.classes else None, data.x)
        mean, count = x.mean(0), self.prior.dim - 1
        scale = None if self.likelihood.log_scale.requires_grad else (2 * self.likelihood.log_scale).exp()
        covariance = (x - mean).T @ (x - mean) / len(x)
        found = principal_factors(covariance, count, scale)
        encoder, decoder = self.encoder.linear, self.decoder.linear
        encoder.weight.zero_()
        width = found.posterior_variance.sqrt()  # of a posterior stick, relative to the prior
        encoder.weight[count:, : x.shape[1]] = _SPREAD * found.projection.float()
        shift = EULER * (1 - width) - _SPREAD * found.projection @ mean
        encoder.bias.copy_(torch.cat([-width.log(), shift]))
        seen = torch.cat([self.seen(self.posterior(data.x, y).draw()), y], dim=1).double()
        about = seen - seen.mean(0)
        ridge = _RIDGE * about.square().mean() * torch.eye(about.shape[1]).to(about)
        weight = torch.linalg.solve(about.T @ about / len(x) + ridge, about.T @ (x - mean) / len(x)).T
        decoder.weight.copy_(weight)
        decoder.bias.copy_(mean - weight @ seen.mean(0))
        left = x - mean - about @ weight.T
        self.likelihood.fit(covariance, left.T @ left / len(x))
        if self.likelihood.log_scale.requires_grad:
            self.likelihood.log_scale.copy_(left.square().mean().clamp_min(1e-12).log() / 2)

    def posterior(self, x: Tensor, y: Tensor) -> BrokenSticks:  # type: ignore[override]
        """q(w | x) of rows (B, *shape) with labels as vectors (B, classes)."""
        return BrokenSticks(self.sticks.near(self.prior.alpha, self.prior.beta, self.encoded(x, y)), self.prior)

    def seen(self, w: Tensor) -> Tensor:
        """The decoder's input for weights, (B, K) -> (B, K)."""
        # The slope of a root is infinite at 0.
        return 4 * ((w / self.prior.mean).clamp_min(1e-12) ** 0.25 - 1)

    def decoded(self, z: Tensor, y: Tensor) -> Tensor:
        """The mean of p(x | w), (B, *shape), of weights (B, K) with labels as vectors (B, classes)."""
        return super().decoded(self.seen(z), y)

    def terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus log p(x | w) at one sample of w, or the error of clouds, and KL(q(w | x) | p(w)), (B,) each."""
        posterior = self.posterior(x, y)
        return self.likelihood.nll(x, self.decoded(posterior.draw(), y)), posterior.kl_from_prior()
