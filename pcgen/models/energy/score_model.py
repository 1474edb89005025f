"""Energies of real vectors, learned by score matching at decreasing noise levels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least, choose, positive
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.conditional import Known, Labels
from pcgen.models.energy.annealing import LogPartition, Path, log_partition
from pcgen.models.energy.cooling import Cooling
from pcgen.models.energy.matchings import MATCHINGS
from pcgen.models.shape import accepted
from pcgen.nets.denoiser import Denoiser

__all__ = ["ScoreModel"]

_REACH = 3.0  # bound on the root mean square of the network's input


class ScoreModel(GradientLearner, Cooling):
    """An energy E(x, s) of data with noise of standard deviation s, trained so that -grad E is the score.

        p_s(x) = exp(-E(x, s)) / Z_s,  the density of x + s e,  e ~ N(0, I);  score -grad E
        "denoising":  |grad E(x + s e) - e / s|^2 / 2                  the score of the added noise (Vincent)
        "exact":      |grad E(x + s e)|^2 / 2 - trace of E's Hessian   (Hyvarinen), one backward pass per coordinate
        "sliced":     the same, with one random direction for the trace  (Song)

    Up to a constant, each is half the squared distance from the true score, so Z is not needed. The loss is the sum
    over noise levels, weighted by s^2 (d^2 + s^2) / d^2. The energy is that of Gaussian data of covariance C, with mean
    variance d^2, plus a correction:

        E(x, s) = (x - m)^T (C + s^2 I)^-1 (x - m) / 2 - d / s v^T f(v, s),
        v = u / sqrt(1 + |u|^2 / (9 dim)),  u = (x - m) / sqrt(d^2 + s^2)

    f is the network of `diffusion` and is 0 at first, so training starts from a full Gaussian. Near the data v is
    nearly u, and it is never longer than 3 sqrt(dim): the correction is bounded, so Z is finite whatever f learns. A
    diffusion learns a vector field, which need not be the gradient of anything. This model learns a gradient, so it
    also has the density of a row up to a constant, and `log_partition` estimates the constant.

    A sample starts from the Gaussian at the largest noise level. Euler steps along dx/ds = s grad E, which carry the
    density of one level to the next, lead from level to level, and from the last one to the mean of the data there. At
    each level follow some transitions of Langevin's chain, which correct the error of Euler's steps. They have
    Metropolis' correction, so the chain converges to the density of the energy for every step size; this is impossible
    for models of the score alone, such as that of the annealed chain's paper. The steps along each axis are
    proportional to 1 / E[(dE/dx_i)^2], which is estimated during training at each level: for Gaussian data this is the
    variance, and for other data the width of its narrow parts. Long chains at small noise leave the data, because an
    energy is not trained on points far from it.

    With classes, f also sees the label, except for a tenth of the training rows; all classes share the Gaussian part.
    Guidance g extrapolates energies, and with them scores, and the chain converges to the guided energy:

        E(x, s) + g (E(x, s, label) - E(x, s))

    Args:
        shape: (dim,).
        matching: "denoising", "sliced" or "exact"; the others' values vary more where the noise is small.
        levels: number of noise levels, in equal ratios. With 128 dimensions, the ratio should be at most 4/3, so that
            the densities of neighbouring levels overlap.
        largest: noise level, relative to the data's standard deviation along its longest axis.
        smallest: noise level, relative to the root of the mean variance; `free_energy` is at this level.
        steps: transitions of a sample at each level.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        dropout: of the network.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        matching: the loss times 2 / dim, mean over rows and levels. With "denoising" it is far above 0 even for the
            best energy, because most of the added noise cannot be predicted.

    Raises:
        ValueError: a shape that is not (dim,), an unknown matching, or an argument out of range.

    References:
        Hyvärinen (2005). Estimation of Non-Normalized Statistical Models by Score Matching.
        Vincent (2011). A Connection Between Score Matching and Denoising Autoencoders.
        Song, Ermon (2019). Generative Modeling by Estimating Gradients of the Data Distribution.
        Song, Garg, Shi, Ermon (2019). Sliced Score Matching: A Scalable Approach to Density and Score Estimation.
        Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). Score-Based Generative Modeling through Stochastic
        Differential Equations. (The equation, and chains that correct its solver.)
        Salimans, Ho (2021). Should EBMs Model the Energy or the Score?
        Ho, Salimans (2022). Classifier-Free Diffusion Guidance.
    """

    objective: ClassVar[str] = "score matching of data with noise"

    def __init__(
        self,
        shape: Sequence[int],
        matching: str = "denoising",
        levels: int = 20,
        largest: float = 2.0,
        smallest: float = 0.1,
        steps: int = 2,
        width: int = 128,
        blocks: int = 2,
        dropout: float = 0.2,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        (dim,) = accepted(self.accepts, shape, "score_model")
        choose(matching, MATCHINGS, "matching")
        at_least(2, levels=levels)
        at_least(1, steps=steps)
        positive(largest=largest, smallest=smallest, lr=lr)
        if not smallest < largest:
            raise ValueError(f"smallest: must be below largest, {largest:g}, got {smallest:g}; give a smaller one")
        super().__init__(dim, levels)
        self.shape, self.matching = (dim,), matching
        self.largest, self.smallest, self.steps = largest, smallest, steps
        self.labels = Labels(classes)
        self.network = Denoiser((dim,), width, blocks, len(self.labels), dropout=dropout)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=5000, batch_size=64)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        super().setup(data)
        ends = self.largest * self.variance.max().sqrt(), self.smallest * self.variance.mean().sqrt()
        share = torch.linspace(0, 1, len(self.sigma), device=self.device, dtype=self.sigma.dtype)
        self.sigma.copy_(ends[0] ** (1 - share) * ends[1] ** share)

    def energy(self, y: Tensor, level: Tensor, known: Known | None = None, share: float = 1.0) -> Tensor:
        """E of states along the axes, (B, dim), at levels, (B,) int64, in nats, (B,).

        Args:
            y: the states.
            level: of each, the place of its noise.
            known: labels and guidance; None if no label is known.
            share: of what the network corrects, from 0, the Gaussian, to 1.
        """
        known = self.labels.known(None, y) if known is None else known
        variance, sigma = self.variance.mean(), self.sigma[level][:, None]
        u = y / (variance + sigma.square()).sqrt()
        u = u / (1 + u.square().mean(1, keepdim=True) / _REACH**2).sqrt()
        time = level.to(y) / (len(self.sigma) - 1)
        corrected = known.guided(lambda labels: self.network(u, time, labels))
        correction = (variance.sqrt() / sigma * u * corrected).sum(1)
        energy: Tensor = 0.5 * (y.square() / self.blurred(level)).sum(1) - share * correction
        return energy

    def slopes(self, y: Tensor, level: Tensor, known: Known | None = None, share: float = 1.0) -> tuple[Tensor, Tensor]:
        """E, (B,), and its slope, (B, dim), with graphs where gradients are recorded."""
        recorded = torch.is_grad_enabled()
        with torch.enable_grad():
            y = y if y.requires_grad else y.detach().requires_grad_()
            energy = self.energy(y, level, known, share)
            (slope,) = torch.autograd.grad(energy.sum(), y, create_graph=recorded)
        return (energy, slope) if recorded else (energy.detach(), slope)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        y, level, known = self.along(batch.x), self.spread(len(batch)), self.told(batch)
        variance, sigma = self.variance.mean(), self.sigma[level][:, None]
        noise = torch.randn_like(y)
        values = MATCHINGS[self.matching](lambda at: -self.slopes(at, level, known)[1], y, noise, sigma)  # (B,)
        weight = 2 / len(self.variance) * sigma.square() * (1 + sigma.square() / variance)
        return {"matching": (weight[:, 0] * values).mean()}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        terms = super().update(batch)
        some = next(batch.split((len(batch) + 3) // 4))
        self.measure(self.along(some.x), self.told(some))
        return terms

    def free_energy(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """F(x) = -log p(x) - log Z in nats, (B, dim) -> (B,), p of data with the smallest noise.

        With labels, (B,), p is the density given the label; each label has a Z of its own (`log_partition`).
        """
        return self.energy(self.along(x), self.all_at(len(self.sigma) - 1, x), self.labels.known(labels, x))

    @torch.no_grad()
    def log_partition(self, chains: int = 100, temperatures: int = 1000, label: int | None = None) -> LogPartition:
        """An estimate of log Z in nats, with its standard error, by annealed importance sampling from the Gaussian.

        Args:
            chains, temperatures: see `pcgen.models.energy.annealing`.
            label: Z is that of the energy given this label; None is that of the energy without one.

        Raises:
            ValueError: too few chains, or temperatures, or a label of no class.
            FloatingPointError: an energy is not finite: the model has diverged.
        """
        last = len(self.sigma) - 1
        variance = self.variance + self.sigma[last].square()
        labels = None if label is None else torch.full((chains,), label, device=self.device)
        known = self.labels.known(labels, variance.new_empty(chains))
        path = Path(
            start=lambda n: variance.sqrt() * torch.randn(n, *self.shape, dtype=variance.dtype, device=self.device),
            log_z=0.5 * (2 * torch.pi * variance).log().sum(),
            energy=lambda y, share: self.energy(y, self.all_at(last, y), known, share),
            move=lambda y, share: self.moved(y, last, 1, known, share),
        )
        return log_partition(path, chains, temperatures)
