"""A flow of coupling layers: exact density, exact code, and a draw in one pass."""

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
    """A map from data to noise that is inverted as easily as it is followed, by layers that change half at a time.

        z = f(x),  p(x) = N(f(x); 0, I) |df / dx|,  f = whitening, then coupling layers at every scale

    A coupling layer shifts and scales one half of the numbers by functions of the other half, which stays, so that its
    inverse is as cheap and its Jacobian triangular (`pcgen.models.flows.affine_coupling`). The encoder is f, the
    decoder its inverse, exactly.

    The paper's data are images, which it takes apart by scales: half of the numbers leave at each, and those that stay
    are a coarser image. Here the coarser half are the principal axes along which the data varies more. The layers of a
    scale change the axes that leave there, and see the coarser ones. Without scales the likelihood, to which all
    directions are alike, is raised where the data is thin, at the cost of those few along which it varies most.

    The paper normalises by batch norm between the layers, which lets the rows of a batch know of each other; here the
    data is whitened once, and the layers begin as the identity: what every layer sees is normalised when training
    starts, and training starts from a full Gaussian. With classes the networks see the label too.

    Args:
        shape: (dim,), of at least 2 numbers.
        scales: how often the axes are halved, plus 1; no more than leaves 2 of them.
        pairs: of coupling layers at every scale, each after a rotation.
        widths: hidden widths of the layers' networks; () makes them linear.
        dropout: probability that a hidden number of theirs is zeroed.
        smoothing: share of a row's variance that is drawn anew each time that it is seen.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        nll: minus the log-likelihood of the smoothed rows in nats, a mean over rows.

    Raises:
        ValueError: a shape that is not (dim,) with at least 2 numbers, or an argument out of range.

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
        """The noise that a row is made of, f(x), (B, dim) -> (B, dim)."""
        return self.to_noise(x, self.labels.vectors(labels, x))[0]

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The row that is made of noise, the inverse of `encode`, (B, dim) -> (B, dim)."""
        y, e = self.labels.vectors(labels, z), z[:, :0]
        for (start, end), stack in zip(self.blocks, self.stacks, strict=True):
            part = cast(CouplingStack, stack).inverse(z[:, start:end], torch.cat([e, y], dim=1))
            e = torch.cat([e, part], dim=1)
        return self.whitening.inverse(e)

    @torch.no_grad()
    def draw(self, n: int, labels: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """Draw n new vectors, (n, dim).

        Args:
            n: how many.
            labels: (n,) int64, of a model with classes.
            truncation: of the noise, in standard deviations: less is nearer to the typical, and less diverse.
        """
        return self.decode(self.prior.draw(n, truncation), labels)
