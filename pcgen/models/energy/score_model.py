"""Energies of real numbers, learned by score matching at a ladder of noises."""

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

_REACH = 3.0  # root of the mean square of numbers that networks see no more of


class ScoreModel(GradientLearner, Cooling):
    """An energy E(x, s) of data with noise s, for a ladder of noises, whose slope learns to be that of the log-density.

        p_s(x) = exp(-E(x, s)) / Z_s,  the density of x + s e,  e ~ N(0, I);  score -grad E
        "denoising":  |grad E(x + s e) - e / s|^2 / 2                  the score of the noise that was added (Vincent)
        "exact":      |grad E(x + s e)|^2 / 2 - trace of E's Hessian   (Hyvarinen), by a pass for each coordinate
        "sliced":     the same, by one random direction for the trace  (Song)

    All three are half the squared distance from the true score, but for a constant; so Z is not needed. They are summed
    over noises, times s^2 (d^2 + s^2) / d^2. Energies correct that of Gaussian data of covariance C, d^2 its mean
    variance:

        E(x, s) = (x - m)^T (C + s^2 I)^-1 (x - m) / 2 - d / s v^T f(v, s),
        v = u / sqrt(1 + |u|^2 / (9 dim)),  u = (x - m) / sqrt(d^2 + s^2)

    with f the network of diffusion, 0 at first. Its slope is a network too, f + (df/dv)^T v, as large as the noise that
    it has to tell; training starts from a full Gaussian. v is u near the data, and never longer than 3 sqrt(dim): what
    is corrected is bounded, so that Z is finite whatever is learned. What a diffusion learns is a field, which need not
    be the slope of anything. This one is, so that it knows how likely a row is up to a constant, and `log_partition`
    the constant.

    A draw begins at the Gaussian with the largest noise and cools. From one noise to the next it goes by Euler's method
    along dx/ds = s grad E, which takes the density of one to that of the other and from the last noise to the mean of
    the data there; at each noise come some transitions of Langevin's chain. They have Metropolis' correction, so that
    the law of the chain goes to that of the energy whatever the length of its steps, and mends what Euler's are off by;
    networks of scores alone, as the annealed chain's paper has, cannot have it. Steps along each axis are in proportion
    to 1 / E[(dE/dx_i)^2], which training measures at each noise: that is the variance of Gaussian data, and the width
    of its narrow parts where data has such. Long chains at small noises leave the data: there an energy has learned
    what is beside it, and nothing of what is farther.

    With classes f also sees the label, but for a tenth of the training rows; the Gaussian part is one for all classes.
    Guidance g is that of energies, so that slopes are guided as scores are, and the chain has the guided energy's law:

        E(x, s) + g (E(x, s, label) - E(x, s))

    Args:
        shape: (dim,).
        matching: "denoising", "sliced" or "exact"; the others' values vary more where the noise is small.
        levels: noises, from the largest to the smallest in equal ratios. Of 128 numbers neighbours should differ by a
            third at most, or states of one are strange to the next.
        largest: noise, in the data's deviation along its longest axis.
        smallest: noise, in the root of its mean variance; `free_energy` is of data with that much.
        steps: transitions of a draw at each noise.
        width: of the network's hidden layers.
        blocks: number of its blocks.
        dropout: of the network.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        matching: the loss, times 2, for each coordinate, a mean over rows and noises. By "denoising" it is far above 0
            for the best of energies: of what noise has been added most is not to be known.

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
        """E of states along the axes, (B, dim), at places in the ladder, (B,) int64, in nats, (B,).

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
