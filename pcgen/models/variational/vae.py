"""Variational autoencoder of vectors and of clouds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import not_negative, positive
from pcgen.models.base import Batch, Recipe
from pcgen.models.variational.bounds import Variational
from pcgen.nets.parts import Part

__all__ = ["VAE"]


class VAE(Variational):
    """A decoder of Gaussian noise, trained together with an encoder by a lower bound on the log-likelihood.

        log p(x) >= E[log p(x | z)] - KL(q(z | x) | N(0, I)),  q(z | x) = N(m(x), diag v(x))

    For vectors, p(x | z) = N(decode(z), V diag(n) V^T) with V the principal axes of the data, and the loss is minus the
    bound, in nats. n_i is learned: at least scale^2, or the data's variance along the axis if that is smaller, and more
    if codes explain little of the axis. So the model starts as the Gaussian of the data's covariance. The papers' noise
    is isotropic (`learn_scale`), and wider than the data along most axes. For clouds, points have no order, so minus
    log p(x | z) is replaced by d(x, decode(z)) / (2 scale^2), with d the squared reconstruction error, and the loss is
    not a bound. With classes, encoder and decoder also see the label, and the bound is on log p(x | label); a tenth of
    the labels is hidden in training, so that the model also works without labels.

    Args:
        shape: (dim,) or (points, 3).
        code: dimensions of z, D.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code + classes) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: smallest standard deviation of the decoder's noise, in the units of x. None is 1 for vectors, which
            should be standardised, and 0.01 for clouds. A smaller one reconstructs better, but with few rows the codes
            then leave holes in N(0, I).
        learn_scale: for vectors, whether the noise is isotropic instead, with a learned scale.
        beta: weight of the KL in the loss; 1 is the bound.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of z, mean over rows; for clouds the squared error in units
            of the scale.
        kl: beta KL(q(z | x) | p(z)) in nats, mean over rows; the KL, without beta, is an upper bound on the information
            in codes.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Kingma, Welling (2014). Auto-Encoding Variational Bayes.
        Rezende, Mohamed, Wierstra (2014). Stochastic Backpropagation and Approximate Inference in Deep
        Generative Models.
        Sohn, Lee, Yan (2015). Learning Structured Output Representation using Deep Conditional Generative Models.
    """

    # Noise along axes on which standardised codes vary less is no wider than they are, so a wide one costs little.
    vector_scale: ClassVar[float] = 1.0

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 16,
        widths: Sequence[int] = (256, 256),
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        learn_scale: bool = False,
        beta: float = 1.0,
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
            learn_scale=learn_scale,
            classes=classes,
        )
        positive(lr=lr)
        not_negative(beta=beta)
        self.beta = beta
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=2000, batch_size=64)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().loss(batch)
        return {**terms, "kl": self.beta * terms["kl"]}
