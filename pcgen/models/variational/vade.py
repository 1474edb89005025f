"""Variational deep embedding: an autoencoder whose prior is a learned mixture of Gaussians."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.inference import in_batches
from pcgen.models.variational.clustering import Clustering
from pcgen.models.variational.mixture import LearnedMixture, divergence_of_shares
from pcgen.nets.parts import Part

__all__ = ["VaDE"]


class VaDE(Clustering):
    """A variational autoencoder whose prior is a learned mixture of Gaussians, which clusters the rows.

        p(c) = pi_c,  p(z | c) = N(mean_c, diag v_c),  p(x | z) as in `vae`
        log p(x) >= E[log p(x | z)] - sum_c q(c | x) KL(q(z | x) | p(z | c)) - KL(q(c | x) | p(c)),
        q(z | x) = N(m(x), diag v(x)),  q(c | x) = p(c | z) at a sample of z

    Training has two phases. "autoencoder" trains encoder and decoder by the reconstruction alone, from the posterior's
    mean, without noise; the posterior's variance is not used. "clustering" starts with a mixture fitted to the means of
    the training rows, and with a posterior whose variance is a hundredth of that of the means in every dimension, and
    maximises the bound. The paper's autoencoder is pretrained layer by layer, and its mixture starts from k-means of
    codes; here it starts from k-means of decoded codes (see `mixture.fitted`).

    Args:
        shape: (dim,) or (points, 3).
        clusters: number of clusters; with more of them, the prior can be closer to the codes of many rows.
        code: dimensions of z.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: standard deviation of the decoder's noise, in the units of x; None is 0.3 for standardised vectors, 0.01
            for clouds.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of z, in the first phase at the posterior's mean, mean over
            rows; for clouds the squared error in units of the scale.
        kl_z: the first of the two divergences in nats, mean over rows.
        kl_c: the second divergence in nats, mean over rows.
        clusters: effective number of clusters in the batch, from 1, if all have merged, to K.

    Raises:
        ValueError: a shape that is neither, or an argument out of range; in training, one row, or fewer than clusters.

    References:
        Jiang, Zheng, Tan, Tang, Zhou (2017). Variational Deep Embedding: An Unsupervised and Generative Approach to
        Clustering.
    """

    learning: ClassVar[str] = "gradient descent, after an autoencoder"
    prior: LearnedMixture

    def __init__(
        self,
        shape: Sequence[int],
        clusters: int = 30,
        code: int = 16,
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        lr: float = 1e-3,
    ) -> None:
        super().__init__(
            shape,
            code=code,
            widths=widths,
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            scale=scale,
        )
        positive(lr=lr)
        self.prior = LearnedMixture(code, clusters)
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=3000, batch_size=64, phases={"autoencoder": 0.3, "clustering": 0.7})

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        """Start "clustering" with a posterior of small variance, and a prior fitted to the codes."""
        if phase == "clustering":
            codes = self.narrowed(data.x)
            self.prior.start(codes, in_batches(self, self.decode, codes.mean))

    def parts(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        posterior = self.posterior(x, x.new_zeros(len(x), 0))
        z = posterior.draw()
        log_shares = self.prior.log_shares(z)
        terms = {
            "reconstruction": self.likelihood.nll(x, self.decode(z)),
            "kl_z": (log_shares.exp() * self.prior.components.divergences(posterior)).sum(1),
            "kl_c": divergence_of_shares(log_shares, self.prior.weights.log()),
        }
        return terms, log_shares

    def log_shares(self, x: Tensor) -> Tensor:
        return self.prior.log_shares(self.encode(x))
