"""A flow of coupling layers: exact density, exact code, and sampling in one pass."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Recipe
from pcgen.models.flows.affine_coupling import CouplingStack
from pcgen.models.likelihood import ExactLikelihood
from pcgen.models.priors import Normal

__all__ = ["RealNVP"]


class RealNVP(ExactLikelihood):
    """An invertible map from data to noise, by layers that each change one half of the coordinates.

        z = f(x),  p(x) = N(f(x); 0, I) |df / dx|,  f = whitening, then coupling layers at every scale

    A coupling layer shifts and scales one half of the coordinates by functions of the other half, which is unchanged.
    So its inverse is as cheap, and its Jacobian is triangular (`pcgen.models.flows.affine_coupling`). The encoder is f,
    the decoder its exact inverse.

    The paper's data are images, which it factors into scales: half of the coordinates are split off at each scale, and
    the rest are a coarser image. Here the coarser half are the principal axes with more variance. The layers of a scale
    change the axes that are split off there, and depend on the coarser ones. Without scales, training improves the
    likelihood along the many axes of little variance, at the cost of the few with the largest variance, because the
    likelihood weighs all axes equally.

    The paper uses batch norm between the layers, which makes the rows of a batch dependent on each other. Here the data
    is whitened once and the layers start as the identity, so the input of every layer is normalised when training
    starts, and training starts from a full Gaussian. With classes the networks also see the label.

    Args:
        shape: (dim,), with dim at least 2.
        scales: how often the axes are halved, plus 1; at least 2 axes must remain.
        pairs: of coupling layers at every scale, each after a rotation.
        widths: hidden widths of the layers' networks; () makes them linear.
        dropout: probability that a hidden unit is zeroed.
        smoothing: share of a row's variance that is replaced by noise each time it is used.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: minus the log-likelihood of the smoothed rows in nats, mean over rows.

    Raises:
        ValueError: a shape that is not (dim,) with dim at least 2, or an argument out of range.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density Estimation Using Real NVP.
        Kingma, Dhariwal (2018). Glow: Generative Flow with Invertible 1x1 Convolutions. (Rotations between layers,
        there learned.)
    """

    sampling: ClassVar[str] = "noise through the inverse map, in one step"

    def __init__(
        self,
        shape: Sequence[int],
        scales: int = 6,
        pairs: int = 2,
        widths: Sequence[int] = (128, 128),
        dropout: float = 0.2,
        smoothing: float = 0.1,
        classes: Sequence[str] = (),
        lr: float = 1e-3,
    ) -> None:
        super().__init__(shape, smoothing, classes)
        (dim,) = self.code_shape = self.shape
        if dim < 2:
            raise ValueError(
                f"realnvp: shape must be (dim,) of at least 2 numbers, one half to see the other, got {self.shape}; "
                "gmm and flow_matching learn single numbers"
            )
        at_least(1, scales=scales, pairs=pairs)
        positive(lr=lr)
        check_widths(least=0, widths=widths)
        self.prior = Normal(dim)
        ends = [dim]
        while len(ends) < scales and ends[-1] >= 4:
            ends.append(ends[-1] // 2)
        self.blocks = list(pairwise([0, *reversed(ends)]))  # of axes, from coarse to fine
        self.stacks = nn.ModuleList(
            CouplingStack(end - start, pairs, widths, start + len(self.labels), dropout) for start, end in self.blocks
        )
        self.optimizer = torch.optim.Adam(self.stacks.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1000, batch_size=128)

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        z, log_det = self.to_noise(x, y)
        return self.prior.log_prob(z) + log_det

    def to_noise(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """f(x), (B, dim), and log |df / dx|, (B,), of rows with labels as vectors (B, K)."""
        e, log_det = self.whitening(x), self.whitening.log_det
        z: list[Tensor] = []
        for (start, end), stack in zip(self.blocks, self.stacks, strict=True):
            part, stretch = stack(e[:, start:end], torch.cat([e[:, :start], y], dim=1))
            z, log_det = [*z, part], log_det + stretch
        return torch.cat(z, dim=1), log_det

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The noise of a row, f(x), (B, dim) -> (B, dim)."""
        return self.to_noise(x, self.labels.vectors(labels, x))[0]

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The row of given noise, the inverse of `encode`, (B, dim) -> (B, dim)."""
        y, e = self.labels.vectors(labels, z), z[:, :0]
        for (start, end), stack in zip(self.blocks, self.stacks, strict=True):
            part = cast(CouplingStack, stack).inverse(z[:, start:end], torch.cat([e, y], dim=1))
            e = torch.cat([e, part], dim=1)
        return self.whitening.inverse(e)

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """Draw n new vectors, (n, dim).

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
            truncation: of the noise, in standard deviations: smaller is more typical and less diverse.
        """
        return self.decode(self.prior.draw(n, truncation), labels)
