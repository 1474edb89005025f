"""Restricted Boltzmann machine of real numbers."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, fraction, positive
from pcgen.models.base import Batch
from pcgen.models.energy.annealing import LogPartition, Path
from pcgen.models.energy.layers import Layer
from pcgen.models.energy.learning import Learning
from pcgen.models.energy.restricted import Restricted
from pcgen.models.shape import accepted
from pcgen.nets.gaussian import GaussianPart

__all__ = ["GaussianLayer", "GaussianRBM"]

_NARROW = 0.01  # least variance of a visible unit given the hidden ones: in narrower Gaussians a chain stands still
_LEAST = 1e-6  # share of the largest variance below which an axis of the data counts as constant


class GaussianLayer(Layer):
    """A layer with real visible units, each with its own learned variance.

        own(v) = sum over i of (v_i - b_i)^2 / (2 s_i^2),  u(v) = v / s^2;   v | h ~ N(b + W (h - 1/2), diag s^2)

    It starts with one hidden unit for each of the last H visible units, so that each of these is a mixture of two
    Gaussians of variance s_i^2 = `noise`, with total variance 1, and all are independent.

    Args:
        visible: D, of mean 0 and variance 1.
        hidden: H.
        learning: how `learn` draws its chains.
        noise: in (0, 1).
    """

    def __init__(self, visible: int, hidden: int, learning: Learning, noise: float) -> None:
        super().__init__(visible, hidden, learning)
        self.log_variance = nn.Parameter(torch.zeros(visible))
        own = min(visible, hidden)
        with torch.no_grad():
            self.log_variance[visible - own :] = math.log(noise)
            unit = torch.arange(own)
            self.weight[visible - own + unit, unit] = 2 * math.sqrt(1 - noise)
        self.particles = self.start(learning.persistent)
        self.optimizer = learning.optimizer(self)

    def learn(self, x: Tensor) -> Tensor:
        contrast = super().learn(x)
        with torch.no_grad():
            self.log_variance.clamp_min_(math.log(_NARROW))
        return contrast

    def centred(self, v: Tensor) -> Tensor:
        return v * (-self.log_variance).exp()

    def own_energy(self, v: Tensor) -> Tensor:
        return 0.5 * ((v - self.visible_bias).square() * (-self.log_variance).exp()).sum(1)

    def start(self, n: int) -> Tensor:
        return torch.randn(n, len(self.log_variance), device=self.weight.device, dtype=self.weight.dtype)

    def mean_visible(self, h: Tensor) -> Tensor:
        return self.visible_bias + (h - 0.5) @ self.weight.T

    def draw_visible(self, h: Tensor) -> Tensor:
        mean = self.mean_visible(h)
        return mean + (0.5 * self.log_variance).exp() * torch.randn_like(mean)


class GaussianRBM(Restricted):
    """A restricted Boltzmann machine of real numbers, Gaussian given the hidden bits: 2^hidden Gaussians.

        E(v, h) = sum over i of (v_i - b_i)^2 / (2 s_i^2) - c^T h - (v / s^2)^T W (h - 1/2),
        p(v) = sum over h of exp(-E(v, h)) / Z,   v = the data, whitened

    Data is first whitened, to principal axes of variance 1, so that a chain moves equally far along each. With `noise`
    near 1, the model starts near the full Gaussian, and learns how the data differs from it. It is trained like `rbm`;
    the variances s_i^2 are learned too. Hinton's guide standardises the data and fixes the variances at 1, which leaves
    no variance for the hidden units to explain.

    Args:
        shape: (dim,).
        hidden: hidden units.
        algorithm: "pcd" or "cd" (see `rbm`).
        steps: sweeps of each chain in an update, the k of CD-k.
        particles: persistent chains, of "pcd".
        noise: initial s_i^2 of every axis with a hidden unit, in (0, 1).
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight that an update subtracts, times lr.

    Logged:
        contrast: mean free energy of the batch minus that of the ends of the chains, in nats; near 0 if both are
            similar.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Hinton, Salakhutdinov (2006). Reducing the Dimensionality of Data with Neural Networks.
        Tieleman (2008). Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient.
        Cho, Ilin, Raiko (2011). Improved Learning of Gaussian-Bernoulli Restricted Boltzmann Machines.
        Melchior, Wang, Wiskott (2017). Gaussian-binary restricted Boltzmann machines for modeling natural image
        statistics.
    """

    domain: ClassVar[str] = "real"

    layer: GaussianLayer

    def __init__(
        self,
        shape: Sequence[int],
        hidden: int = 256,
        algorithm: str = "pcd",
        steps: int = 1,
        particles: int = 128,
        noise: float = 0.7,
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "gaussian_rbm")
        at_least(1, hidden=hidden)
        positive(noise=noise)
        fraction(noise=noise)
        learning = Learning(algorithm, steps, particles, lr, momentum, weight_decay)
        self.code_shape = (hidden,)
        self.gaussian = GaussianPart(self.shape[0])
        self.layer = GaussianLayer(self.shape[0], hidden, learning, noise)

    def setup(self, data: Batch) -> None:
        self.gaussian.fit(data.x)

    @property
    def deviations(self) -> Tensor:
        """Deviations along the data's principal axes, (dim,), the largest last; a constant axis gets a small one."""
        return self.gaussian.floored(_LEAST).sqrt()

    def inward(self, x: Tensor) -> Tensor:
        return ((x - self.gaussian.mean) @ self.gaussian.basis) / self.deviations

    def outward(self, v: Tensor) -> Tensor:
        return self.gaussian.mean + (v * self.deviations) @ self.gaussian.basis.T

    def path(self) -> Path:
        """From N(0, I) to the layer's density of whitened rows: E_b(v, h) = (1 - b) |v|^2 / 2 + b E(v, h)."""
        layer = self.layer
        precision = (-layer.log_variance).exp()

        def energy(v: Tensor, beta: float) -> Tensor:
            base = 0.5 * (1 - beta) * v.square().sum(1)
            return base + beta * layer.own_energy(v) - layer.hidden_part(v, beta)

        def move(v: Tensor, beta: float) -> Tensor:
            h = (beta * layer.hidden_logits(v)).sigmoid().bernoulli()
            between = 1 - beta + beta * precision
            mean = beta * precision * layer.mean_visible(h) / between
            return mean + torch.randn_like(mean) / between.sqrt()

        visible, hidden = layer.weight.shape
        log_z = precision.new_tensor(0.5 * visible * math.log(2 * math.pi) + hidden * math.log(2))
        return Path(layer.start, log_z, energy, move)

    def log_partition(self, chains: int = 100, temperatures: int = 1000) -> LogPartition:
        """As for every restricted Boltzmann machine; Z is the integral of exp(-F(x)) over x, in the units of x."""
        found = super().log_partition(chains, temperatures)
        return replace(found, value=found.value + float(self.deviations.log().sum()))
