"""Variational autoencoder whose decoder is a deep Gaussian process."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from pcgen import ranks
from pcgen.errors import at_least, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, Facts, GenerativeModel, GradientLearner, Recipe
from pcgen.models.priors import Normal
from pcgen.models.shape import accepted
from pcgen.models.variational.gaussian_process import SparseGP, Statistics
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.models.variational.recognition import start_linear
from pcgen.nets.corrected import CorrectedLinear
from pcgen.nets.whitening import Whitening

__all__ = ["VAEDGP"]

_INDUCING = 40
_AT_ONCE = 512  # rows whose psi statistics, M^2 / 2 numbers each, are held at once
_RATE = 0.05  # of a step of q(u) on a batch: q then follows about the last twenty of them
_FASTER = 10  # the processes' few parameters move by that much of the networks' rate


class VAEDGP(GenerativeModel, GradientLearner):
    """A variational autoencoder whose decoder is a chain of Gaussian processes, which are integrated out.

        h_L ~ N(0, I),  h_(l-1) = f_l(h_l) + N(0, noise_l I),  f_l ~ GP(mean_l, RBF kernel of layer l)
        q(h_l | x) = N(m_l, diag s_l), the outputs of a network of m_(l-1), m_0 = h_0
        log p(h_0) >= sum over l of E log N(h_(l-1); f_l(h_l), noise_l I) + sum over l < L of H[q(h_l)]
                      - KL(q(h_L) | p(h_L))

    E is over q(h_(l-1)), q(h_l) and q(f_l), exact by the psi statistics: training uses no samples. One layer is the
    Bayesian Gaussian process latent variable model, with an encoder. The functions are represented by their values u at
    inducing inputs, and the loss has KL(q(u) | p(u)) of all layers, divided among the rows.

    h_0 is x along its leading principal axes. Along the others, x is a Gaussian with the data's variance, independent
    of h_0: the isotropic noise of h_0 would be wider there than the data.

    The paper collapses q(u), which needs the statistics of all rows in every update, and distributes their computation.
    Here q(u) is explicit, and takes natural-gradient steps on batches: at rate 1 on all rows, these end at the
    collapsed bound. The paper's latents have 5 and 4 dimensions, and its noises are learned, starting at a hundredth of
    the variance. Here there are more latents, the start is from principal components, and the inner noises start at the
    variance that these do not explain. The noise of h_0 is fixed: learning it gives the highest bound, but then the
    posteriors of few rows leave holes in the prior.

    Args:
        shape: (dim,).
        latents: dimensions of every layer's h, the one nearest to the data first.
        inducing: inducing inputs of every layer, M; an update takes M^2 / 2 values for each row and layer.
        axes: number of leading principal axes of x that are h_0, at most all.
        scale: standard deviation of h_0 given h_1, in the units of x, which should be standardised; None learns it.
        widths: hidden widths of each layer's recognition network, a linear map plus a perceptron that starts at zero;
            () is linear.
        lr: Adam's learning rate of the networks; that of kernels, noises and inducing inputs is ten times as large.

    Logged:
        bound: minus the bound in nats, mean over rows, without `kl`.
        kl: KL(q(u) | p(u)) of all layers in nats, for each row of the training data.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range; in `setup`, fewer rows than inducing
            inputs.

    References:
        Dai, Damianou, González, Lawrence (2016). Variational Auto-encoded Deep Gaussian Processes.
        Titsias, Lawrence (2010). Bayesian Gaussian Process Latent Variable Model.
        Hensman, Fusi, Lawrence (2013). Gaussian Processes for Big Data.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood (ELBO)"
    learning: ClassVar[str] = "gradient descent, natural gradients for q(u)"
    sampling: ClassVar[str] = "a sample of the prior through Gaussian processes"
    rows: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        latents: Sequence[int] = (32, 16),
        inducing: int = _INDUCING,
        axes: int = 32,
        scale: float | None = 0.6,
        widths: Sequence[int] = (300, 150),
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "vae_dgp")
        check_widths(latents=latents)
        check_widths(least=0, widths=widths)
        at_least(1, inducing=inducing, axes=axes)
        positive(lr=lr)
        if scale is not None:
            positive(scale=scale)
        self.axes = min(axes, *self.shape)
        self.principal = Whitening(*self.shape)
        dims = (self.axes, *latents)
        self.code_shape = (dims[-1],)
        self.prior = Normal(dims[-1])
        self.recognition = nn.ModuleList(CorrectedLinear((y, *widths, 2 * h)) for y, h in pairwise(dims))
        self.processes = nn.ModuleList(SparseGP(h, y, inducing) for y, h in pairwise(dims))
        if scale is not None:
            self._processes[0].fix_noise(scale**2)
        self.register_buffer("rows", torch.ones((), dtype=torch.int64))  # of the training data
        groups: list[dict[str, Any]] = [
            {"params": [*self.recognition.parameters()]},
            {"params": [p for p in self.processes.parameters() if p.requires_grad], "lr": _FASTER * lr},
        ]
        self.optimizer = torch.optim.Adam(groups, lr, fused=True)

    @classmethod
    def arguments(cls, facts: Facts) -> dict[str, Any]:
        """At most one inducing input for every two rows."""
        return {"shape": facts.shape, "inducing": max(1, min(_INDUCING, facts.rows // 2))}

    @property
    def recipe(self) -> Recipe:
        """The weights are not averaged, because q(u) belongs to the present weights.

        A longer training raises the bound further, but its samples are not nearer to held-out codes.
        """
        return replace(super().recipe, steps=300, batch_size=128, average=None)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Start from principal components, white in the top layer, and from the best q(u) of all rows."""
        self.principal.fit(data.x)
        y, _ = self._along(data.x)
        networks = cast("Iterable[CorrectedLinear]", self.recognition)
        for network, process in zip(networks, self._processes, strict=True):
            noise = start_linear(network, y, process.fixed_noise, white=process is self._processes[-1])
            h = network(y).chunk(2, dim=1)[0]
            process.start(h, y, noise)
            y = h
        self.rows.fill_(len(data))
        self.step(self.statistics(data.x), 1.0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        kl = torch.stack([process.kl_from_prior() for process in self._processes]).sum()
        return {"bound": -self._bound(batch.x).mean(), "kl": (kl / self.rows).to(batch.x.dtype)}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        values = super().update(batch)
        statistics = self.statistics(batch.x)
        ranks.reduce_mean([tensor for each in statistics for tensor in (each.outputs, each.products)])
        self.step(statistics, _RATE)
        return values

    @torch.no_grad()
    def statistics(self, x: Tensor) -> list[Statistics]:
        """The statistics of rows (B, dim) for the best q(u) of each layer, the one nearest to the data first."""
        parts = x.split(_AT_ONCE)
        of_parts = [
            [process.statistics(h, y) for process, h, y in self._layers(self._along(part)[0])] for part in parts
        ]
        shares = [len(part) / len(x) for part in parts]
        return [Statistics.mean(of_layer, shares) for of_layer in zip(*of_parts, strict=True)]

    def step(self, statistics: Sequence[Statistics], rate: float) -> None:
        """A natural-gradient step of every layer's q(u), of a rate in (0, 1]; at 1 it ends at the maximum of the bound.

        Args:
            statistics: the result of `statistics`.
            rate: share of the step from the present q to the best one for these statistics, in natural parameters.
        """
        for process, each in zip(self._processes, statistics, strict=True):
            process.step(each, self.rows, rate)

    def posteriors(self, x: Tensor) -> list[DiagonalGaussian]:
        """q(h_l | x) of rows (B, dim), the one nearest to the data first."""
        return self._posteriors(self._along(x)[0])

    def log_prob_bound(self, x: Tensor) -> Tensor:
        """A lower bound on the log-density of samples, with q(u) integrated out, in nats, (B, dim) -> (B,)."""
        return torch.cat([self._bound(part) for part in x.split(_AT_ONCE)])

    def encode(self, x: Tensor) -> Tensor:
        """Means of the top's posterior, (B, dim) -> (B, latents of the top)."""
        return self.posteriors(x)[-1].mean

    def levels(self, x: Tensor) -> list[Tensor]:
        """Means of every layer's posterior, the one nearest to the data first."""
        return [h.mean for h in self.posteriors(x)]

    def decode(self, z: Tensor) -> Tensor:
        """Codes of the top through the means of the processes, (B, latents of the top) -> (B, dim)."""
        for process in reversed(self._processes):
            z = process(z)[0].to(z.dtype)
        return self._whole(z, z.new_zeros(len(z), self.shape[0] - self.axes))

    @torch.no_grad()
    def draw(self, n: int, truncation: float | None = None) -> Tensor:
        """Draw n new vectors, (n, dim): the prior through the processes, with their posterior variance, and noise.

        Args:
            n: number of samples.
            truncation: of the top's h, in standard deviations: smaller is more typical and less diverse.
        """
        z = self.prior.draw(n, truncation)
        for process in reversed(self._processes):
            mean, variance = process(z)
            z = (mean + variance.sqrt() * torch.randn_like(mean)).to(z.dtype)
        return self._whole(z, torch.randn(n, self.shape[0] - self.axes, device=self.device))

    @property
    def _processes(self) -> list[SparseGP]:
        return cast("list[SparseGP]", [*self.processes])

    def _along(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (B, dim) as h_0, (B, axes), and as standard normal numbers along the other axes, (B, dim - axes)."""
        e = self.principal(x)
        return e[:, : self.axes] * self.principal.deviation[: self.axes], e[:, self.axes :]

    def _whole(self, h: Tensor, rest: Tensor) -> Tensor:
        """The way back."""
        return self.principal.inverse(torch.cat([h / self.principal.deviation[: self.axes], rest], dim=1))

    def _posteriors(self, y: Tensor) -> list[DiagonalGaussian]:
        found: list[DiagonalGaussian] = []
        for network in self.recognition:
            mean, log_variance = network(found[-1].mean if found else y).chunk(2, dim=1)
            found.append(DiagonalGaussian(mean, log_variance))
        return found

    def _layers(self, y: Tensor) -> list[tuple[SparseGP, DiagonalGaussian, DiagonalGaussian]]:
        """Every layer's process, with its inputs and outputs, of h_0, (B, axes), which is known."""
        posteriors = self._posteriors(y)
        known = DiagonalGaussian(y, torch.full_like(y, -math.inf))
        return list(zip(self._processes, posteriors, (known, *posteriors[:-1]), strict=True))

    def _bound(self, x: Tensor) -> Tensor:
        y, rest = self._along(x)
        layers = self._layers(y)
        terms = [process.log_likelihood(h, outputs) for process, h, outputs in layers]
        terms += [h.entropy() for _, h, _ in layers[:-1]]
        bound = (torch.stack(terms).sum(0) - layers[-1][1].kl_from_standard()).to(x.dtype)
        normal = -0.5 * (rest.square() + math.log(2 * math.pi)).sum(1)
        return bound + normal - self.principal.deviation[self.axes :].log().sum()
