"""Two layers of units, each connected to all of the other layer and to none of its own."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pcgen.models.energy.annealing import Path
from pcgen.models.energy.learning import Learning
from pcgen.optim import descend

__all__ = ["BinaryLayer", "Layer", "path_of_bits"]

_WEIGHTS = 0.01  # deviation of the first weights, as in Hinton's guide


class Layer(nn.Module, ABC):
    """Visible units v, (B, D), and hidden bits h, (B, H), that are independent given the other layer.

        E(v, h) = own(v) - c^T h - u(v)^T W (h - 1/2),  p(v, h) = exp(-E(v, h)) / Z

    u(v) is v minus its centre. Centred units give the same family of distributions with much better conditioned
    gradients: a weight and its biases are no longer redundant. A subclass defines the visible units.

    Args:
        visible: D.
        hidden: H.
        learning: how `learn` runs its chains, and the optimizer, which a subclass makes.

    References:
        Montavon, Müller (2012). Deep Boltzmann Machines and the Centering Trick.
    """

    particles: Tensor
    optimizer: torch.optim.Optimizer

    def __init__(self, visible: int, hidden: int, learning: Learning) -> None:
        super().__init__()
        self.learning = learning
        self.weight = nn.Parameter(_WEIGHTS * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("particles", torch.zeros(learning.persistent, visible))

    @abstractmethod
    def centred(self, v: Tensor) -> Tensor:
        """u(v), (B, D)."""

    @abstractmethod
    def own_energy(self, v: Tensor) -> Tensor:
        """own(v), the part of the energy that depends only on the visible units, (B,)."""

    @abstractmethod
    def start(self, n: int) -> Tensor:
        """n samples of independent visible units, (n, D), with the data's means and deviations."""

    @abstractmethod
    def mean_visible(self, h: Tensor) -> Tensor:
        """E[v | h], (B, D)."""

    @abstractmethod
    def draw_visible(self, h: Tensor) -> Tensor:
        """A draw of v given h, (B, D)."""

    def hidden_logits(self, v: Tensor) -> Tensor:
        """Log-odds of each hidden unit given v, (B, H)."""
        return self.hidden_bias + self.centred(v) @ self.weight

    def draw_hidden(self, v: Tensor) -> Tensor:
        """A draw of h given v, (B, H)."""
        return self.hidden_logits(v).sigmoid().bernoulli()

    def free_energy(self, v: Tensor) -> Tensor:
        """Minus the log of the sum over h of exp(-E(v, h)), in nats, (B, D) -> (B,)."""
        return self.own_energy(v) - self.hidden_part(v)

    def hidden_part(self, v: Tensor, beta: float = 1.0) -> Tensor:
        """The log of the sum over h of exp(beta (c^T h + u(v)^T W (h - 1/2))), (B,)."""
        logits = self.hidden_logits(v)
        return (softplus(beta * logits) - 0.5 * beta * (logits - self.hidden_bias)).sum(1)

    @torch.no_grad()
    def gibbs(self, v: Tensor, steps: int) -> Tensor:
        """So many sweeps of block Gibbs sampling from v, (B, D): all hidden units, then all visible ones."""
        for _ in range(steps):
            v = self.draw_visible(self.draw_hidden(v))
        return v

    def contrast(self, x: Tensor) -> Tensor:
        """Mean free energy of rows, (B, D), minus that of the ends of chains, ().

        Its gradient is that of minus the log-likelihood, up to the error of the chains:

            grad F(x) - grad F(v~),  grad F(v) = E[grad E(v, h) | v]

        Persistent chains continue from here.
        """
        start = self.particles if len(self.particles) else x
        reached = self.gibbs(start, self.learning.steps)
        if len(self.particles):
            self.particles.copy_(reached)
        return self.free_energy(x).mean() - self.free_energy(reached).mean()

    def learn(self, x: Tensor) -> Tensor:
        """Take a step down the contrast of rows, (B, D), which is returned, ()."""
        contrast = self.contrast(x)
        descend(contrast, self.optimizer)
        return contrast.detach()


class BinaryLayer(Layer):
    """A layer whose visible units are bits.

        own(v) = -b^T v,  u(v) = v - m

    with m their mean in the data.
    """

    mean: Tensor

    def __init__(self, visible: int, hidden: int, learning: Learning) -> None:
        super().__init__(visible, hidden, learning)
        self.register_buffer("mean", torch.full((visible,), 0.5))
        self.particles = self.start(learning.persistent)
        self.optimizer = learning.optimizer(self)

    @torch.no_grad()
    def fit(self, v: Tensor) -> None:
        """Start with independent units with the means of rows (S, D), which are bits or probabilities.

        One row of ones and one of zeros are added, so that no mean is 0 or 1.
        """
        self.mean.copy_((v.double().sum(0) + 1) / (len(v) + 2))
        self.visible_bias.copy_(self.mean.logit())
        self.particles.copy_(self.start(len(self.particles)))

    @torch.no_grad()
    def invert(self, below: "BinaryLayer", v: Tensor) -> None:
        """Start as the layer below upside down, whose hidden units are this one's visible ones, (S, D) for the data.

        Their distribution is then that of the layer below. Additional hidden units start inactive, with weights near 0.
        A layer with fewer hidden units than the layer below has visible ones cannot start like this, and starts with
        independent units.
        """
        self.fit(v)
        known = below.weight.shape[0]
        if known > self.weight.shape[1]:
            return
        self.weight[:, :known] = below.weight.T
        self.visible_bias.copy_(below.hidden_bias + (0.5 - below.mean) @ below.weight)
        self.hidden_bias.zero_()
        self.hidden_bias[:known] = below.visible_bias + below.weight @ (self.mean - 0.5)
        if len(self.particles):
            self.particles.copy_(below.draw_hidden(below.particles))

    def centred(self, v: Tensor) -> Tensor:
        return v - self.mean

    def own_energy(self, v: Tensor) -> Tensor:
        return -(v @ self.visible_bias)

    def start(self, n: int) -> Tensor:
        return self.mean.expand(n, -1).bernoulli()

    def visible_logits(self, h: Tensor) -> Tensor:
        """Log-odds of each visible unit given h, (B, D)."""
        return self.visible_bias + (h - 0.5) @ self.weight.T

    def mean_visible(self, h: Tensor) -> Tensor:
        return self.visible_logits(h).sigmoid()

    def draw_visible(self, h: Tensor) -> Tensor:
        return self.mean_visible(h).bernoulli()


def path_of_bits(layer: BinaryLayer) -> Path:
    """From independent bits to the model of a layer, for its log Z.

        E_b(v, h) = -(1 - b) logit(m)^T v + b E(v, h)

    with m the bits' mean in the data.
    """
    base = layer.mean.logit()

    def energy(v: Tensor, beta: float) -> Tensor:
        return beta * layer.own_energy(v) - (1 - beta) * (v @ base) - layer.hidden_part(v, beta)

    def move(v: Tensor, beta: float) -> Tensor:
        h = (beta * layer.hidden_logits(v)).sigmoid().bernoulli()
        return ((1 - beta) * base + beta * layer.visible_logits(h)).sigmoid().bernoulli()

    log_z = softplus(base).sum() + layer.weight.shape[1] * math.log(2)
    return Path(layer.start, log_z, energy, move)
