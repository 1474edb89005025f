"""Flow matching of vectors, sets and clouds."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from pcgen.errors import choose, fraction, positive
from pcgen.models.base import Batch, GradientLearner, Recipe
from pcgen.models.conditional import Conditional, Labels, guided
from pcgen.models.flows.coupling import couple_members, couple_rows, freshen
from pcgen.models.matching import Matching
from pcgen.models.shape import accepted
from pcgen.models.states import State, last
from pcgen.nets.denoiser import Denoiser, batch_of, spread_times
from pcgen.nets.gaussian import GaussianPart
from pcgen.solvers import METHODS, adaptive_steps, divergence, solve_adaptive, steps_of

__all__ = ["FlowMatching"]


class FlowMatching(GradientLearner, Conditional, Matching):
    """A flow from noise to data, whose velocity is the mean of straight lines between the two.

        x_t = (1 - t) x0 + t x1,  x0 ~ N(0, I),  x1 data,  loss = mean |v(x_t, t) - (x1 - x0)|^2 over coordinates

    For any coupling of x0 and x1, the flow dx/dt = v(x, t) has the distribution of x_t at every t. The closer coupled
    pairs are, the straighter are its paths, and the fewer steps are needed. The network corrects the velocity that is
    exact for Gaussian data with the training set's mean and covariance and the same coupling (`pcgen.nets.gaussian`),
    so training starts from a full Gaussian. With classes the network also sees the label, as in `diffusion`.

    Args:
        shape: (dim,), (members, channels) or (points, 3). The network of sets is permutation-equivariant.
        coupling: "independent", or "optimal": noise and data are paired by optimal transport, rows of a batch for
            vectors, the members within each row for sets and clouds.
        fresh: share of the variance of coupled noise that is replaced by new noise, so that the field is smoother near
            it.
        gap: of the matching of clouds, 0 is exact (`pcgen.ops.match`).
        width: of the network's hidden layers.
        blocks: number of its blocks.
        network: of sets and clouds, "pooled", "attention", "tokens", or None by the number of members; heads, tokens:
            its sizes (see `pcgen.nets.denoiser`).
        dropout: of the network. At .2 there is little overfitting, for a tenth more time.
        classes: names of the labels' classes; () learns without labels.
        lr: Adam's learning rate.

    Logged:
        mse: |x_1 - x_0 - v(x_t, t)|^2, mean over coordinates, rows and times; far above 0 even for the best network,
            which predicts the mean of all lines through a point.

    Raises:
        ValueError: an unsupported shape, or an argument out of range.

    References:
        Lipman, Chen, Ben-Hamu, Nickel, Le (2023). Flow Matching for Generative Modeling.
        Liu, Gong, Liu (2023). Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow.
        Tong et al. (2024). Improving and generalizing flow-based generative models with minibatch optimal transport.
        Hui et al. (2025). Not-So-Optimal Transport Flows for 3D Point Cloud Generation.
    """

    objective: ClassVar[str] = "error of a velocity"
    sampling: ClassVar[str] = "tens of steps of an equation"
    accepts: ClassVar[tuple[str, ...]] = ("vector", "set", "cloud")

    def __init__(
        self,
        shape: Sequence[int],
        coupling: str = "optimal",
        fresh: float = 0.2,
        gap: float = 0.0,
        width: int = 256,
        blocks: int = 3,
        network: str | None = None,
        heads: int = 4,
        tokens: int = 32,
        dropout: float = 0.2,
        classes: Sequence[str] = (),
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "flow_matching")
        self.lacks = ("log_prob",) if len(self.shape) == 2 else ()
        self.coupling = choose(coupling, ["independent", "optimal"], "coupling")
        fraction(fresh=fresh, gap=gap)
        positive(lr=lr)
        self.fresh, self.gap = fresh, gap
        self.labels = Labels(classes)
        self.gaussian = GaussianPart(self.shape[-1])
        self.denoiser = Denoiser(self.shape, width, blocks, len(self.labels), network, heads, tokens, dropout)
        self.optimizer = torch.optim.Adam(self.denoiser.parameters(), lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=8000, batch_size=batch_of(self.shape))

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        self.labels.fit(data, "flow_matching")
        self.gaussian.fit(data.x)
        if self.coupling == "independent":
            return
        # How much noise and data have to do with each other is seen in some batches as they are trained on.
        some = torch.randperm(len(data))[: 512 if data.x.ndim == 2 else 128].to(data.x.device)
        x, labels = data.x[some], None if data.labels is None else data.labels[some]
        pairs = [(self.noise(part), part.x) for part in Batch(x, labels=labels).split(batch_of(self.shape))]
        self.gaussian.fit_correlation(torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs]))

    def noise(self, batch: Batch) -> Tensor:
        """Noise for a batch of data, (B, *shape), with the model's coupling."""
        x, noise = batch.x, torch.randn_like(batch.x)
        if self.coupling == "independent":
            return noise
        if x.ndim == 3:
            return freshen(couple_members(noise, x, self.gap), self.fresh)
        return freshen(couple_rows(noise, x, batch.labels if self.classes else None), self.fresh)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        t = spread_times(len(batch), batch.x.device)
        noise, y = self.noise(batch), self.labels.hidden(batch.labels, batch.x)
        x = torch.lerp(noise, batch.x, self._broad(t))
        return {"mse": (batch.x - noise - self.velocity(x, t, y)).square().mean()}

    def velocity(self, x: Tensor, t: Tensor, y: Tensor | None = None, guidance: float = 1.0) -> Tensor:
        """The flow's velocity at x_t, (B, *shape): v(x_t, t) + guidance (v(x_t, t, y) - v(x_t, t)).

        Args:
            x: x_t, (B, *shape).
            t: times, (B,), in [0, 1]: 0 is noise, 1 data.
            y: labels as vectors, (B, classes), 0 if not known; None if no label is known.
            guidance: 1 is the velocity for the label, 0 that without a label; larger values exaggerate the label.
        """
        y = self.labels.vectors(None, x) if y is None else y
        correction = guided(lambda known: self.denoiser(x, t, known), y, guidance)
        return self.gaussian.velocity(x, self._broad(t), 1 - self._broad(t)) + correction

    @torch.no_grad()
    def draw(
        self,
        n: int,
        labels: Tensor | None = None,
        steps: int | None = None,
        solver: str = "midpoint",
        guidance: float = 1.0,
        match: bool = True,
    ) -> Tensor:
        """Draw n new objects, (n, *shape), by following the flow from noise to data.

        Args:
            n: number of samples.
            labels: (n,) int64, of a model with classes.
            steps: evaluations of the network; None is 24. With guidance each takes two passes.
            solver: "euler", "midpoint", "heun" or "rk4" of `pcgen.solvers`, which evaluate the network 1, 2, 2 and 4
                times a step; a remainder of `steps` that is less than a step is left out. "adaptive" evaluates as often
                as its tolerance requires, at most `steps` times, or 10,000.
            guidance: how far to exaggerate the label; above 1 the objects are more typical of it and less diverse.
            match: whether vectors are stretched until their variance is that of the data (`pcgen.models.matching`).

        Raises:
            ValueError: an unknown solver, fewer steps than one of its own takes, or guidance without labels.
            FloatingPointError: the adaptive solver could not keep its tolerance.
        """
        return last(self.states(n, labels, steps, solver, guidance, match))

    @torch.no_grad()
    def states(
        self,
        n: int,
        labels: Tensor | None = None,
        steps: int | None = None,
        solver: str = "midpoint",
        guidance: float = 1.0,
        match: bool = True,
    ) -> Iterator[State]:
        """Noise, at t = 0, and the state after each of the solver's steps, to t = 1.

        Arguments and errors are those of `draw`, which returns the last state. If the last state is stretched, the
        others are not.
        """
        choose(solver, [*METHODS, "adaptive"], "solver")
        self.labels.check_guidance(guidance, labels)
        least = 8 if solver == "adaptive" else len(METHODS[solver].nodes)
        if steps is not None and steps < least:
            raise ValueError(f"steps: must be at least {least} for {solver}, got {steps}")
        noise = torch.randn(n, *self.shape, device=self.device)
        for t, x in self._way(noise, labels, steps, solver, guidance):
            if t == 1 and match and x.ndim == 2:
                x = self.gaussian.stretched(x, self._stretch(steps, solver))
            yield State(f"t = {t:.3f}", x)

    def _stretch(self, steps: int | None, solver: str) -> Tensor:
        """The factor by which each principal axis of samples is stretched, (dim,)."""
        return self.stretch(
            (steps, solver), lambda noise: last(self._way(noise, self.labels.draw(len(noise)), steps, solver, 1.0))
        )

    def _way(
        self, x: Tensor, labels: Tensor | None, steps: int | None, solver: str, guidance: float
    ) -> Iterator[tuple[float, Tensor]]:
        """From noise at time 0, (n, *shape), to data at time 1, along the flow."""
        y = self.labels.vectors(labels, x)

        def field(t: float, x: Tensor) -> Tensor:
            return self.velocity(x, x.new_full((len(x),), t), y, guidance)

        if solver == "adaptive":
            for found in adaptive_steps(field, x, 0.0, 1.0, most=steps or 10_000):
                yield found.t, found.x
            return
        count = (24 if steps is None else steps) // len(METHODS[solver].nodes)
        yield 0.0, x
        # Steps become short near the data, where directions in which it is narrow are decided: with 32 evaluations of
        # the exact velocity the deviations of Gaussians, .03 to 2, are 0.1% off by midpoints, and 2.5% at equal steps.
        yield from steps_of(field, x, [1 - (1 - i / count) ** 2 for i in range(count + 1)], solver)

    @torch.no_grad()
    def log_prob(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """log p(x) of vectors in nats, (B, dim) -> (B,): log N(x_0; 0, I) - integral of the velocity's divergence.

        The adaptive solver follows the flow from x back to noise, with exact divergences: each evaluation of the
        network costs dim backward passes. It is the density of samples, which are stretched (see `draw`). With labels,
        (B,), it is the density given the label.

        Raises:
            ValueError: the model is of sets.
            FloatingPointError: the solver could not keep its tolerance, for example because the data lies on a plane.
        """
        if self.lacks:
            raise ValueError(f"log_prob: is for vectors, this model is of sets of shape {self.shape}")
        y, by = self.labels.vectors(labels, x), self._stretch(None, "adaptive")
        x = self.gaussian.stretched(x, 1 / by)

        def field(t: float, state: Tensor) -> Tensor:
            times = x.new_full((len(x),), t)
            change, spread = divergence(lambda _, at: self.velocity(at, times, y), t, state[:, :-1])
            return torch.cat([change, spread[:, None]], dim=1)

        end = solve_adaptive(field, torch.cat([x, x.new_zeros(len(x), 1)], dim=1), 1.0, 0.0).x
        noise, gathered = end[:, :-1], end[:, -1]
        return gathered - 0.5 * (noise.square() + math.log(2 * math.pi)).sum(dim=1) - by.log().sum()

    def _broad(self, t: Tensor) -> Tensor:
        """Times (B,), of a shape that goes with (B, *shape)."""
        return t.view(-1, *(1 for _ in self.shape))
