"""Boltzmann machine: visible and hidden bits, each connected to every other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pcgen.errors import at_least, not_negative
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe
from pcgen.models.domains import check_domain
from pcgen.models.energy.annealing import LogPartition, Path, log_partition
from pcgen.models.energy.learning import RECIPE, Learning
from pcgen.models.energy.single_site import swept
from pcgen.models.shape import accepted
from pcgen.models.states import State, sweeps

__all__ = ["Boltzmann"]

_WEIGHTS = 0.01  # deviation of the first weights
_SETTLING = 5  # sweeps of the hidden units with the data held


class Boltzmann(GenerativeModel, GradientLearner):
    """A Boltzmann machine: bits of the data and hidden bits, each connected to every other.

        E(s) = -(s - m)^T L (s - m) / 2 - b^T s,  s = (x, h),  L symmetric with L_ii = 0,  p(s) = exp(-E(s)) / Z

    The gradient of the log-likelihood for L_ij is the correlation of units i and j with the data clamped, minus that of
    the free machine (the paper's two phases). In both, units are sampled one after another, each given all others: the
    hidden units of every row from a random start, the free machine by persistent chains. The means m of the data (1/2
    for hidden units) are subtracted from the units. This is the same family of models as the paper's, and learns
    faster.

    At lower temperatures, samples are nearer to minima of the energy. At 0 each unit takes the value of lower energy,
    and keeps its value if both are equal: this is Hopfield's network, whose chain ends at a minimum. `store` makes
    given patterns minima, by Hebb's rule.

    Args:
        shape: (dim,).
        hidden: hidden units; 0 is a machine of visible bits only, whose free energy is known.
        steps: sweeps of each persistent chain in an update.
        particles: persistent chains.
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight that an update subtracts, times lr.

    Logged:
        contrast: mean energy of the batch, with sampled hidden units, minus that of the free machine, in nats.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Ackley, Hinton, Sejnowski (1985). A Learning Algorithm for Boltzmann Machines.
        Hopfield (1982). Neural networks and physical systems with emergent collective computational abilities.
        Tieleman (2008). Training Restricted Boltzmann Machines using Approximations to the Likelihood Gradient.
        Montavon, Müller (2012). Deep Boltzmann Machines and the Centering Trick.
    """

    objective: ClassVar[str] = "log-likelihood"
    learning: ClassVar[str] = "gradient ascent, by Markov chains"
    sampling: ClassVar[str] = "a Markov chain that starts at independent bits"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    domain: ClassVar[str] = "binary"

    mean: Tensor
    particles: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        hidden: int = 32,
        steps: int = 1,
        particles: int = 64,
        lr: float = 0.002,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "boltzmann")
        at_least(0, hidden=hidden)
        learning = Learning("pcd", steps, particles, lr, momentum, weight_decay)
        self.hidden, self.steps = hidden, steps
        if hidden:
            self.lacks = ("free_energy",)
        units = self.shape[0] + hidden
        self.weight = nn.Parameter(_WEIGHTS * torch.randn(units, units))  # what is above the diagonal counts
        self.bias = nn.Parameter(torch.zeros(units))
        self.register_buffer("mean", torch.full((units,), 0.5))
        self.register_buffer("particles", self._chance(particles))
        self.optimizer = learning.optimizer(self)

    @property
    def recipe(self) -> Recipe:
        return replace(RECIPE, steps=1200)

    @property
    def couplings(self) -> Tensor:
        """L, (units, units): the data's bits first, then the hidden ones."""
        upper = self.weight.triu(1)
        return upper + upper.T

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        dim = self.shape[0]
        self.mean[:dim] = (data.x.double().sum(0) + 1) / (len(data) + 2)  # never 0 or 1
        self.bias.copy_(self.mean.logit())
        self.particles.copy_(self._chance(len(self.particles)))

    def energy(self, s: Tensor) -> Tensor:
        """E of all units in nats, (B, units) -> (B,)."""
        centred = s - self.mean
        return -0.5 * (centred @ self.couplings * centred).sum(1) - s @ self.bias

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            held = self._settled(batch.x)
            self.particles.copy_(self.gibbs(self.particles, self.steps))
        return {"contrast": self.energy(held).mean() - self.energy(self.particles).mean()}

    @torch.no_grad()
    def gibbs(self, s: Tensor, steps: int, temperature: float = 1.0) -> Tensor:
        """Units (B, units) after a number of sweeps over all of them, at a temperature of 0 or more."""
        return swept(s, *self._fields(), range(s.shape[1]), steps, temperature)

    @torch.no_grad()
    def store(self, patterns: Tensor) -> None:
        """Make patterns, (P, dim) of bits, minima of the energy, by Hebb's rule in place of learning.

            L_ij = 4 / dim * sum over patterns of (2 x_i - 1) (2 x_j - 1),  m = 1/2,  b = 0

        In these units a few random patterns are stable at temperatures below 1; at 0, up to about .138 dim of them are.

        Raises:
            ValueError: the machine has hidden units, or the patterns are not rows of its bits.

        References:
            Amit, Gutfreund, Sompolinsky (1985). Storing Infinite Numbers of Patterns in a Spin-Glass Model of Neural
            Networks.
        """
        if self.hidden:
            raise ValueError(f"hidden: must be 0 to store patterns, got {self.hidden}; make the machine without")
        if patterns.ndim != 2 or patterns.shape[1:] != self.shape:
            raise ValueError(f"patterns: must be (P, {self.shape[0]}), got {tuple(patterns.shape)}")
        check_domain("binary", patterns, "boltzmann")
        signs = 2 * patterns.to(self.weight) - 1
        self.weight.copy_(4 / self.shape[0] * signs.T @ signs)
        self.mean.fill_(0.5)
        self.bias.zero_()

    def free_energy(self, x: Tensor) -> Tensor:
        """E(x) = -log p(x) - log Z in nats, (B, dim) -> (B,), of a machine without hidden units.

        Raises:
            ValueError: it has hidden units, and a sum over their states cannot be computed.
        """
        if self.hidden:
            raise ValueError(
                f"free_energy: is for a machine without hidden units, this one has {self.hidden}; make it "
                "with hidden=0, or an rbm, whose hidden units are summed over exactly"
            )
        return self.energy(x)

    @torch.no_grad()
    def log_partition(self, chains: int = 100, temperatures: int = 200) -> LogPartition:
        """An estimate of log Z in nats, with its standard error, by annealed importance sampling from independent bits.

        Raises:
            ValueError: too few chains, or temperatures (see `pcgen.models.energy.annealing`).
        """
        base = self.mean.logit()
        couplings, threshold = self._fields()

        def energy(s: Tensor, beta: float) -> Tensor:
            return beta * self.energy(s) - (1 - beta) * s @ base

        def move(s: Tensor, beta: float) -> Tensor:
            return swept(s, beta * couplings, beta * threshold + (1 - beta) * base, range(s.shape[1]))

        return log_partition(Path(self._chance, softplus(base).sum(), energy, move), chains, temperatures)

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int, temperature: float = 1.0) -> Tensor:
        """Rows (B, dim) after a number of sweeps over all units, the hidden ones drawn first.

        Args:
            x: where the chains start.
            steps: sweeps.
            temperature: energies are divided by it; at 0 the chain goes down to a minimum and stays.

        Raises:
            ValueError: a number of sweeps or a temperature below 0.
        """
        at_least(0, steps=steps)
        not_negative(temperature=temperature)
        return self.gibbs(self._settled(x, temperature), steps, temperature)[:, : self.shape[0]]

    @torch.no_grad()
    def draw(self, n: int, steps: int = 20, temperature: float = 1.0) -> Tensor:
        """Draw n new vectors, (n, dim), by Gibbs sampling.

        Args:
            n: number of samples.
            steps: sweeps over all units, starting at independent bits.
            temperature: energies are divided by it; below 1, samples are more likely and less diverse; at 0 they are
                minima.

        Raises:
            ValueError: no sweep, or a temperature below 0.
        """
        at_least(1, steps=steps)
        not_negative(temperature=temperature)
        return self.gibbs(self._chance(n), steps, temperature)[:, : self.shape[0]]

    @torch.no_grad()
    def states(self, n: int, steps: int = 20, temperature: float = 1.0) -> Iterator[State]:
        """Independent bits, and n chains after each sweep; the last state is `draw(n, steps, temperature)`.

        Raises:
            ValueError: no sweep, or a temperature below 0.
        """
        not_negative(temperature=temperature)
        data = self.shape[0]
        yield from sweeps(self._chance(n), lambda s: self.gibbs(s, 1, temperature), steps, lambda s: s[:, :data])

    def _chance(self, n: int) -> Tensor:
        """n samples of independent units, (n, units)."""
        return self.mean.expand(n, -1).bernoulli()

    def _fields(self) -> tuple[Tensor, Tensor]:
        """Log-odds of unit i given the others are L_i s + threshold_i: L, (units, units), and thresholds, (units,)."""
        couplings = self.couplings
        return couplings, self.bias - couplings @ self.mean

    def _settled(self, x: Tensor, temperature: float = 1.0) -> Tensor:
        """All units, (B, units), the visible ones clamped at x and the hidden ones sampled from a random start."""
        s = torch.cat([x, self._chance(len(x))[:, self.shape[0] :]], dim=1)
        return swept(s, *self._fields(), range(self.shape[0], s.shape[1]), _SETTLING, temperature)
