"""Deep Boltzmann machine of two hidden layers."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.estimators.bits import bits_entropy
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.energy.annealing import LogPartition, log_partition
from pcgen.models.energy.learning import RECIPE, Learning
from pcgen.models.energy.two_layers import MeanField, TwoLayers
from pcgen.models.shape import accepted
from pcgen.models.states import State, sweeps
from pcgen.optim import descend

__all__ = ["DBM"]

PHASES = {"layer_1": 0.25, "layer_2": 0.25, "joint": 0.5}
_SETTLED, _MOST_SWEEPS = 1e-6, 1000  # of mean field outside an update: single precision tells no more
_BURN_IN = 100  # sweeps of the persistent chains before the joint phase


class DBM(GenerativeModel):
    """A deep Boltzmann machine: two layers of hidden bits above the data, each connected to the layers next to it.

        E(v, h_1, h_2) = -b^T v - c_1^T h_1 - c_2^T h_2 - (v - m)^T W_1 (h_1 - 1/2) - (h_1 - m_1)^T W_2 (h_2 - 1/2)

    The posterior of the hidden units is not factorised, as it would be with one layer. The gradient of the
    log-likelihood uses the nearest factorised q, by mean field,

        q(h_1 = 1) = sigmoid(c_1 + W_1^T (v - m) + W_2 (q_2 - 1/2)),  q(h_2 = 1) = sigmoid(c_2 + W_2^T (q_1 - m_1)),

    in turn, where each step raises the bound E_q[-E] + H(q) - log Z on log p(v); the model's term uses persistent
    chains. The first two phases train each layer by itself, as a restricted Boltzmann machine. The first has two copies
    of the data; the second learns what the first infers, with two copies of its hidden units. The copies replace the
    layer that is missing on the other side. Afterwards the input of h_1 is the mean of its inputs in the two phases. As
    in `rbm`, means are subtracted from the units (m of the data, m_1 of what the first phase infers), and the gradient
    uses probabilities of hidden units, which the paper samples.

    Args:
        shape: (dim,).
        first: units of h_1.
        second: units of h_2.
        sweeps: of mean field over both layers, in an update; at most 10 in the paper.
        steps: sweeps of each persistent chain in an update of both layers, 1 in the first two phases; 5 in the paper.
        particles: persistent chains; 100 in the paper.
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight that an update subtracts, times lr.

    Logged:
        contrast: in the first two phases, mean free energy of the layer's data minus that of the ends of the chains, in
            nats; in the last, mean energy of the batch, with hidden units by mean field, minus the mean free energy of
            h_1 in the chains.
        change: in the last phase, the largest change of a probability in the last sweep of mean field; if it is not
            small, mean field has not converged.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Salakhutdinov, Hinton (2009). Deep Boltzmann Machines.
        Salakhutdinov, Murray (2008). On the Quantitative Analysis of Deep Belief Networks.
        Montavon, Müller (2012). Deep Boltzmann Machines and the Centering Trick.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood, by mean field"
    learning: ClassVar[str] = "gradient ascent, by Markov chains, after pretraining layer by layer"
    sampling: ClassVar[str] = "a Markov chain that starts at independent bits"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    domain: ClassVar[str] = "binary"

    particles: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        first: int = 256,
        second: int = 256,
        sweeps: int = 10,
        steps: int = 5,
        particles: int = 100,
        lr: float = 0.002,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "dbm")
        at_least(1, first=first, second=second, sweeps=sweeps)
        learning = Learning("pcd", steps, particles, lr, momentum, weight_decay)
        self.sweeps, self.steps = sweeps, steps
        self.code_shape = (second,)
        self.machine = TwoLayers(self.shape[0], first, second, replace(learning, steps=1))
        self.register_buffer("particles", self.machine.start(particles))  # h_1

    @property
    def recipe(self) -> Recipe:
        return replace(RECIPE, steps=3000, phases=PHASES)

    def setup(self, data: Batch) -> None:
        self.machine.lower.fit(data.x)

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        """Start with what the first layer infers from the data, or with chains of the whole model."""
        if phase == "layer_2":
            self.machine.upper.fit(self.machine.lower.hidden_logits(data.x).sigmoid())
        if phase == "joint":
            self.particles.copy_(self.machine.gibbs(self.machine.start(len(self.particles)), _BURN_IN))

    def update(self, batch: Batch) -> dict[str, Tensor]:
        phase = list(PHASES)[int(self.phase)]
        if phase == "layer_1":
            return {"contrast": self.machine.lower.learn(batch.x)}
        if phase == "layer_2":
            return {"contrast": self.machine.upper.learn(self.machine.lower.draw_hidden(batch.x))}
        contrast, change = self.contrast(batch.x)
        descend(contrast, self.machine.lower.optimizer, self.machine.upper.optimizer)
        return {"contrast": contrast.detach(), "change": change}

    def contrast(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A loss, (), whose gradient is minus that of the bound, up to the error of the chains, and `change`.

        Persistent chains continue from here.
        """
        with torch.no_grad():
            found = self.machine.mean_field(x, self.sweeps)
            self.particles.copy_(reached := self.machine.gibbs(self.particles, self.steps))
        held = self.machine.energy(x, found.first.sigmoid(), found.second.sigmoid())
        return held.mean() - self.machine.first_energy(reached).mean(), found.change

    def inferred(self, x: Tensor) -> MeanField:
        """q(h_1, h_2) of rows (B, dim), by as many sweeps as needed; a warning says if 1000 are too few."""
        found = self.machine.mean_field(x, _MOST_SWEEPS, _SETTLED)
        if not float(found.change) <= _SETTLED:
            warnings.warn(
                f"dbm: mean field has not converged: after {_MOST_SWEEPS} sweeps a probability still changes by "
                f"{float(found.change):.1e} in one; a larger weight_decay makes the machine easier to infer",
                stacklevel=2,
            )
        return found

    def free_energy_bound(self, x: Tensor) -> Tensor:
        """An upper bound on the free energy -log p(x) - log Z, in nats, (B, dim) -> (B,): E_q[E] - H(q)."""
        found = self.inferred(x)
        energy = self.machine.energy(x, found.first.sigmoid(), found.second.sigmoid())
        return energy - bits_entropy(found.first) - bits_entropy(found.second)

    def log_partition(self, chains: int = 100, temperatures: int = 1000) -> LogPartition:
        """An estimate of log Z in nats, with its standard error, by annealed importance sampling from independent bits.

        Raises:
            ValueError: too few chains, or temperatures (see `pcgen.models.energy.annealing`).
        """
        return log_partition(self.machine.path(), chains, temperatures)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Probabilities of h_1 and h_2 by mean field, (B, width) each."""
        found = self.inferred(x)
        return [found.first.sigmoid(), found.second.sigmoid()]

    def encode(self, x: Tensor) -> Tensor:
        """Probabilities of h_2 by mean field, (B, dim) -> (B, second)."""
        return self.levels(x)[1]

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int) -> Tensor:
        """Rows (B, dim) after a number of sweeps over all layers, from h_1 sampled by mean field."""
        at_least(0, steps=steps)
        return self._seen(self.machine.gibbs(self.levels(x)[0].bernoulli(), steps))

    @torch.no_grad()
    def draw(self, n: int, steps: int = 50) -> Tensor:
        """Draw n new vectors, (n, dim), by Gibbs sampling.

        Args:
            n: number of samples.
            steps: sweeps over all layers, starting at independent bits.

        Raises:
            ValueError: no sweep.
        """
        at_least(1, steps=steps)
        return self._seen(self.machine.gibbs(self.machine.start(n), steps))

    @torch.no_grad()
    def states(self, n: int, steps: int = 50) -> Iterator[State]:
        """The visible units of n chains after each sweep; the last state is `draw(n, steps)`.

        Raises:
            ValueError: no sweep.
        """
        yield from sweeps(self.machine.start(n), self.machine.move, steps, self._seen)

    def _seen(self, first: Tensor) -> Tensor:
        return self.machine.lower.mean_visible(first).bernoulli()
