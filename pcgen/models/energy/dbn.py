"""Deep belief network: layers trained one after another, each on what the one below infers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pcgen.errors import at_least
from pcgen.errors import widths as check_widths
from pcgen.estimators.bits import bits_entropy
from pcgen.models.base import Batch, GenerativeModel, Recipe
from pcgen.models.energy.annealing import LogPartition, log_partition
from pcgen.models.energy.layers import BinaryLayer, path_of_bits
from pcgen.models.energy.learning import RECIPE, Learning
from pcgen.models.shape import accepted
from pcgen.models.states import State, sweeps

__all__ = ["DBN"]


class DBN(GenerativeModel):
    """A deep belief network: a restricted Boltzmann machine on top of directed layers of bits down to the data.

        p(v, h_1, ..., h_L) = p(v | h_1) p(h_1 | h_2) ... p(h_(L-1), h_L),  bits independent given the layer above

    Phase i trains layer i as a restricted Boltzmann machine (see `rbm`) on bits sampled from q(h_(i-1) | v), with the
    layers below fixed. A layer with as many units as there are two layers below starts as the layer below upside down.
    This does not change the model, nor the bound

        log p(v) >= E[log p(v | h_1) + ... - F(h_(L-1))] - log Z + H(q(h | v))

    and training the layer raises the bound. If the layer has more units, the additional ones start inactive; a layer
    with fewer units starts from scratch and may lower the bound at first. The paper then trains all layers at once by
    wake-sleep, which is left out here.

    Args:
        shape: (dim,).
        widths: hidden units of each layer, from the data up.
        algorithm: "pcd" or "cd" (see `rbm`).
        steps: sweeps of each chain in an update, the k of CD-k.
        particles: persistent chains of each layer, of "pcd".
        lr: learning rate.
        momentum: share of the last step that is added to the next.
        weight_decay: share of each weight that an update subtracts, times lr.

    Logged:
        contrast: of the layer that is trained, mean free energy of its data minus that of the ends of the chains, in
            nats.

    Raises:
        ValueError: a shape that is not (dim,), or an argument out of range.

    References:
        Hinton, Osindero, Teh (2006). A Fast Learning Algorithm for Deep Belief Nets.
        Hinton, Salakhutdinov (2006). Reducing the Dimensionality of Data with Neural Networks.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood, layer by layer"
    learning: ClassVar[str] = "gradient ascent, by Markov chains, layer by layer"
    sampling: ClassVar[str] = "a Markov chain of the top layer, then a pass down"
    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    domain: ClassVar[str] = "binary"

    def __init__(
        self,
        shape: Sequence[int],
        widths: Sequence[int] = (256, 512),
        algorithm: str = "pcd",
        steps: int = 1,
        particles: int = 128,
        lr: float = 0.003,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "dbn")
        check_widths(widths=widths)
        learning = Learning(algorithm, steps, particles, lr, momentum, weight_decay)
        self.code_shape = (widths[-1],)
        sizes = (*self.shape, *widths)
        self.layers = nn.ModuleList(BinaryLayer(below, above, learning) for below, above in pairwise(sizes))

    @property
    def recipe(self) -> Recipe:
        names = [f"layer_{place}" for place in range(1, len(self.layers) + 1)]
        return replace(RECIPE, phases=dict.fromkeys(names, 1 / len(names)))

    @property
    def stack(self) -> list[BinaryLayer]:
        """The layers that are trained or in training, from the data up; those above are not yet part of the model."""
        return [cast("BinaryLayer", layer) for layer in self.layers[: int(self.phase) + 1]]

    def setup(self, data: Batch) -> None:
        self.stack[0].fit(data.x)

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        """Start a layer above the first as the one below upside down, on what that infers from the data."""
        *lower, top = self.stack
        if lower:
            top.invert(lower[-1], self.levels(data.x)[len(lower) - 1])

    def update(self, batch: Batch) -> dict[str, Tensor]:
        *lower, top = self.stack
        seen = batch.x
        with torch.no_grad():
            for layer in lower:
                seen = layer.draw_hidden(seen)
        return {"contrast": top.learn(seen)}

    def free_energy_bound(self, x: Tensor) -> Tensor:
        """An unbiased estimate of an upper bound on the free energy -log p(x) - log Z, in nats, (B, dim) -> (B,).

        E[-log p(x | h_1) - ... + F(h_(L-1))] - H(q(h | x)),  Z of the top layer (`log_partition`)
        """
        *lower, top = self.stack
        total, v = torch.zeros(len(x), dtype=x.dtype, device=x.device), x
        for layer in lower:
            logits = layer.hidden_logits(v)
            h = logits.sigmoid().bernoulli()
            nll = binary_cross_entropy_with_logits(layer.visible_logits(h), v, reduction="none").sum(1)
            total, v = total + nll - bits_entropy(logits), h
        return total + top.free_energy(v)

    def log_partition(self, chains: int = 100, temperatures: int = 1000) -> LogPartition:
        """An estimate of the top layer's log Z in nats, with its standard error, by annealed importance sampling.

        Raises:
            ValueError: too few chains, or temperatures (see `pcgen.models.energy.annealing`).
        """
        return log_partition(path_of_bits(self.stack[-1]), chains, temperatures)

    def levels(self, x: Tensor) -> list[Tensor]:
        """Probabilities of the units of each layer, (B, width) each, from those of the layer below as if they were
        bits."""
        found: list[Tensor] = []
        for layer in cast("Sequence[BinaryLayer]", self.layers):
            found.append(layer.hidden_logits(found[-1] if found else x).sigmoid())
        return found

    def encode(self, x: Tensor) -> Tensor:
        """The top level, (B, dim) -> (B, width)."""
        return self.levels(x)[-1]

    def decode(self, z: Tensor) -> Tensor:
        """Means passed down from the top level to the data, (B, width) -> (B, dim)."""
        for layer in reversed(cast("Sequence[BinaryLayer]", self.layers)):
            z = layer.mean_visible(z)
        return z

    @torch.no_grad()
    def chain(self, x: Tensor, steps: int) -> Tensor:
        """Rows (B, dim) inferred up to the top layer, after a number of sweeps of it, drawn down again."""
        at_least(0, steps=steps)
        *lower, top = self.stack
        for layer in lower:
            x = layer.draw_hidden(x)
        return self._down(top.gibbs(x, steps))

    @torch.no_grad()
    def draw(self, n: int, steps: int = 50) -> Tensor:
        """Draw n new vectors, (n, dim), by Gibbs sampling of the top layer and one pass down.

        Args:
            n: number of samples.
            steps: sweeps of each chain of the top layer, starting at independent units.

        Raises:
            ValueError: no sweep.
        """
        at_least(1, steps=steps)
        top = self.stack[-1]
        return self._down(top.gibbs(top.start(n), steps))

    @torch.no_grad()
    def states(self, n: int, steps: int = 50) -> Iterator[State]:
        """n chains of the top layer, passed down to the data after each sweep; the last state is `draw(n, steps)`.

        Raises:
            ValueError: no sweep.
        """
        top = self.stack[-1]
        yield from sweeps(top.start(n), lambda v: top.gibbs(v, 1), steps, self._down)

    def _down(self, h: Tensor) -> Tensor:
        """A sample of the data, (B, dim), given the visible bits of the top layer."""
        for layer in reversed(self.stack[:-1]):
            h = layer.draw_visible(h)
        return h
