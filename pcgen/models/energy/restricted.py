"""The base of restricted Boltzmann machines with any kind of visible units."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import at_least
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.energy.annealing import LogPartition, Path, log_partition
from pcgen.models.energy.layers import Layer
from pcgen.models.energy.learning import RECIPE
from pcgen.models.states import State, sweeps

__all__ = ["Restricted"]


class Restricted(GenerativeModel):
    """A model with one layer of hidden bits above the data; a subclass makes `layer`.

    Validation is the energy distance of samples: the log-likelihood is known only up to a constant, and a
    pseudo-likelihood can rise while samples get worse.
    """

    objective: ClassVar[str] = "log-likelihood"
    learning: ClassVar[str] = "gradient ascent, by Markov chains"
    sampling: ClassVar[str] = "a Markov chain that starts at independent units"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)

    layer: Layer
    code_shape: tuple[int, ...]

    @property
    def recipe(self) -> Recipe:
        return RECIPE

    def inward(self, x: Tensor) -> Tensor:
        """Rows as values of the layer's visible units, (B, dim)."""
        return x

    def outward(self, v: Tensor) -> Tensor:
        """The way back."""
        return v

    @abstractmethod
    def path(self) -> Path:
        """From a distribution whose log Z is known to the model, for its own log Z."""

    def update(self, batch: Batch) -> dict[str, Tensor]:
        return {"contrast": self.layer.learn(self.inward(batch.x))}

    def free_energy(self, x: Tensor) -> Tensor:
        """F(x) = -log p(x) - log Z in nats, (B, dim) -> (B,), exact; `log_partition` estimates log Z."""
        return self.layer.free_energy(self.inward(x))

    def log_partition(self, chains: int = 100, temperatures: int = 1000) -> LogPartition:
        """An estimate of log Z in nats, with its standard error, by annealed importance sampling.

        Raises:
            ValueError: too few chains, or temperatures (see `pcgen.models.energy.annealing`).
        """
        return log_partition(self.path(), chains, temperatures)

    def encode(self, x: Tensor) -> Tensor:
        """Probabilities of the hidden units, (B, dim) -> (B, hidden)."""
        return self.layer.hidden_logits(self.inward(x)).sigmoid()

    def decode(self, z: Tensor) -> Tensor:
        """Means of the visible units, (B, hidden) -> (B, dim), of bits, or of probabilities as if they were bits."""
        return self.outward(self.layer.mean_visible(z))

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int) -> Tensor:
        """Rows (B, dim) after a number of sweeps of block Gibbs sampling, all hidden units, then all visible ones."""
        at_least(0, steps=steps)
        return self.outward(self.layer.gibbs(self.inward(x), steps))

    @torch.no_grad()
    def draw(self, n: int, steps: int = 50) -> Tensor:
        """Draw n new vectors, (n, dim), by Gibbs sampling.

        Args:
            n: number of samples.
            steps: sweeps of each chain, starting at independent units. Many more sweeps lead to the model's
                equilibrium, which the short chains of training do not reach: samples there may be worse.

        Raises:
            ValueError: no sweep.
        """
        at_least(1, steps=steps)
        return self.outward(self.layer.gibbs(self.layer.start(n), steps))

    @torch.no_grad()
    def states(self, n: int, steps: int = 50) -> Iterator[State]:
        """Independent units, and n chains after each sweep; the last state is `draw(n, steps)`.

        Raises:
            ValueError: no sweep.
        """
        yield from sweeps(self.layer.start(n), lambda v: self.layer.gibbs(v, 1), steps, self.outward)
