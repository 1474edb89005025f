"""Variational autoencoder with separate weights for information and for the prior."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.variational.bounds import Variational
from pcgen.nets.parts import Part
from pcgen.statistics import kernel_mmd

__all__ = ["InfoVAE"]
_SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the prior's median distance: bandwidths of the kernel


class InfoVAE(Variational):
    """A variational autoencoder with separate weights for the information in codes and for their distribution.

        loss = E[-log p(x | z)] + (1 - alpha) KL(q(z | x) | p(z)) + (alpha + lam - 1) MMD^2(q(z), p(z))

    with q(z) the distribution of the codes of all rows. The divergence of each row's posterior from the prior removes
    information from the code. The divergence of q(z) does not, and sampling needs only that. alpha = 0, lam = 1 is the
    variational autoencoder; alpha = 1 - b, lam = b the beta-VAE and the variational information bottleneck; alpha = 1
    the MMD-VAE. With classes, the last term is a mean over the classes, weighted by their rows, since samples of the
    prior are to be decoded as any class.

    Args:
        shape: (dim,) or (points, 3).
        alpha: share of each row's divergence that is left out, at most 1.
        lam: lambda; alpha + lam must be at least 1.
        code: dimensions of z.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code + classes) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: smallest standard deviation of the decoder's noise, in the units of x, as in `vae`; None is 1 for
            standardised vectors, 0.01 for clouds.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of z, mean over rows; for clouds the squared error in units
            of the scale.
        kl: (1 - alpha) KL(q(z | x) | p(z)) in nats, mean over rows.
        mmd: (alpha + lambda - 1) MMD^2 of the batch's codes and as many samples of the prior, with classes the mean
            over the rows of classes that have two or more; it can be negative.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Zhao, Song, Ermon (2019). InfoVAE: Balancing Learning and Inference in Variational Autoencoders.
        Higgins et al. (2017). beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework.
        Alemi, Fischer, Dillon, Murphy (2017). Deep Variational Information Bottleneck.
    """

    objective: ClassVar[str] = "reconstruction, KL of each code and MMD of all codes"
    # Noise along axes on which standardised codes vary less is no wider than they are, so a wide one costs little.
    vector_scale: ClassVar[float] = 1.0

    def __init__(
        self,
        shape: Sequence[int],
        alpha: float = 0.5,
        lam: float = 100.0,
        code: int = 16,
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        classes: Sequence[str] = (),
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
            classes=classes,
        )
        positive(lr=lr)
        if alpha > 1 or alpha + lam < 1:
            raise ValueError(f"alpha, lam: must be alpha <= 1 and alpha + lam >= 1, got alpha={alpha}, lam={lam}")
        self.alpha, self.lam = alpha, lam
        median = (2 * code) ** 0.5  # of the distance of two draws of N(0, I)
        self.bandwidths = [share * median for share in _SHARES]
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=4000, batch_size=128)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Its terms; a batch without two rows of one class has no discrepancy."""
        y = self.labels.hidden(batch.labels, batch.x)
        posterior = self.posterior(batch.x, y)
        z = posterior.draw()
        nll = self.likelihood.nll(batch.x, self.decoded(z, y))
        terms = {"reconstruction": nll.mean(), "kl": (1 - self.alpha) * posterior.kl_from_standard().mean()}
        discrepancy = self._discrepancy(z, y)
        if discrepancy is not None:
            terms["mmd"] = (self.alpha + self.lam - 1) * discrepancy
        return terms

    def _discrepancy(self, z: Tensor, y: Tensor) -> Tensor | None:
        """MMD^2 of codes (B, code) and samples of the prior, in each class; None if no class has two rows."""
        drawn = self.prior.draw(len(z)).to(z)
        unlabelled = 1 - y.sum(1, keepdim=True)
        classes = torch.cat([y, unlabelled], dim=1).T > 0  # (K + 1, B)
        of = [own.nonzero()[:, 0] for own in classes if own.sum() > 1]
        if not of:
            return None
        found = torch.stack([len(own) * kernel_mmd(z[own], drawn[own], self.bandwidths) for own in of])
        return found.sum() / sum(len(own) for own in of)
