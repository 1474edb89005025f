"""Deep latent Gaussian mixture model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.variational.bounds import Variational
from pcgen.models.variational.latent_mixtures import LatentMixture, MixturePosterior
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.stick_breaking import BrokenSticks, dirichlet
from pcgen.models.variational.sticks import KumaraswamySticks
from pcgen.nets.corrected import CorrectedLinear
from pcgen.nets.parts import Part

__all__ = ["DLGMM"]


class DLGMM(Variational):
    """A variational autoencoder whose prior and posterior of the code are mixtures of Gaussians.

        w ~ Dirichlet(concentration),  z | w ~ sum over k of w_k N(m_k, diag v_k),  x | z ~ N(decode(z), noise)
        q(w | x): Kumaraswamy sticks;  q(z | w, x) = sum over k of w_k N(m_k(x), diag v_k(x))
        log p(x) >= E sum over k of w_k [log p(x | z_k) + log p(z_k | w) - log q(z_k | w, x)] - KL(q(w | x) | p(w)),

    with w sampled from q(w | x) and one z_k from every component of q(z | w, x), so no gradient has to pass through the
    choice of a component. The posterior can have several modes. With the weights integrated out, prior and posterior of
    z are exactly mixtures with the mean weights: `log_prob_bound` of several samples uses these.

    The paper sets the components of the prior by hand; here their means and variances are learned. For clouds, log p(x
    | z) is replaced as in the VAE, and the loss is not a bound.

    Args:
        shape: (dim,) or (points, 3).
        parts: Gaussians of the mixtures, K, at least 2; an update decodes K codes of each row.
        concentration: of the weights' symmetric Dirichlet prior; with smaller values a single weight dominates.
        code: dimensions of z.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code + classes) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: smallest standard deviation of the decoder's noise, in the units of x, as in `vae`; None is 0.4 for
            standardised vectors, 0.01 for clouds.
        learn_scale: for vectors, whether the noise is isotropic instead, with a learned scale.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of every component, weighted, mean over rows; for clouds the
            squared error in units of the scale.
        kl: log q(z | w, x) - log p(z | w) at the same samples, plus KL(q(w | x) | p(w)), in nats, mean over rows.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Nalisnick, Hertel, Smyth (2016). Approximate Inference for Deep Latent Gaussian Mixtures.
    """

    prior: LatentMixture

    # Samples are nearer to held-out codes than with wider noise.
    vector_scale: ClassVar[float] = 0.4

    def __init__(
        self,
        shape: Sequence[int],
        parts: int = 5,
        concentration: float = 1.0,
        code: int = 16,
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        learn_scale: bool = False,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        at_least(2, parts=parts)
        positive(concentration=concentration, lr=lr)
        super().__init__(
            shape,
            code=code,
            widths=widths,
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            scale=scale,
            learn_scale=learn_scale,
            classes=classes,
            statistics=2 * code * parts + 2 * (parts - 1),
        )
        self.prior = LatentMixture(dirichlet(parts, concentration), code)
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=2000, batch_size=64)

    @torch.no_grad()
    def start_linear(self, data: Batch) -> None:
        """Start every component of the posterior near that of probabilistic PCA, and the sticks at the prior's numbers.

        The weights are then at their prior if the concentration is 1; else Kumaraswamy sticks are not Beta sticks.
        """
        super().start_linear(data)
        if len(self.shape) > 1 or not isinstance(self.encoder, CorrectedLinear):
            return
        parts, of_one = self.prior.weights.dim, 2 * self.code_shape[0]
        for parameter in self.encoder.linear.parameters():
            first = parameter[:of_one].clone()
            for k in range(1, parts):  # a little apart: parts that are alike would learn alike
                parameter[k * of_one : (k + 1) * of_one].mul_(0.1).add_(first)
            parameter[parts * of_one :] = 0

    def posterior(self, x: Tensor, y: Tensor) -> MixturePosterior:  # type: ignore[override]
        """q(w | x) and q(z | w, x) of rows (B, *shape) with labels as vectors (B, classes)."""
        prior, code = self.prior.weights, self.code_shape[0]
        given = self.encoded(x, y)
        gaussians, numbers = given.split([2 * code * prior.dim, 2 * (prior.dim - 1)], dim=1)
        mean, log_variance = gaussians.unflatten(1, (prior.dim, 2 * code)).chunk(2, dim=2)  # (B, K, code) each
        sticks = KumaraswamySticks.near(prior.alpha, prior.beta, numbers)
        return MixturePosterior(BrokenSticks(sticks, prior), DiagonalGaussian(mean, log_variance))

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean of the most likely component of the posterior, (B, *shape) -> (B, code)."""
        return self.posterior(x, self.labels.vectors(labels, x)).likeliest

    def terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Minus log p(x | z), log q(z | w, x) / p(z | w) + KL(q(w | x) | p(w)), at one z per component, (B,) each."""
        posterior = self.posterior(x, y)
        log_w = posterior.weights.draw_log()  # (B, K)
        z, parts, w = posterior.parts.draw(), self.prior.weights.dim, log_w.exp()  # z (B, K, code)
        decoded = self.decoded(z.flatten(0, 1), y.repeat_interleave(parts, 0))
        nll = self.likelihood.nll(x.repeat_interleave(parts, 0), decoded).view(-1, parts)
        ratio = (log_w[:, None] + posterior.log_parts(z)).logsumexp(2)
        ratio = ratio - (log_w[:, None] + self.prior.log_parts(z)).logsumexp(2)  # (B, K)
        return (w * nll).sum(1), (w * ratio).sum(1) + posterior.weights.kl_from_prior()
