"""Clouds as samples of a distribution of points given a code; both are continuous flows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, GenerativeModel, GradientLearner, Recipe
from pcgen.models.flows.continuous import ContinuousFlow, Path, adaptive, in_steps
from pcgen.models.priors import Normal
from pcgen.models.shape import accepted
from pcgen.models.states import State, last
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.parts import ENCODERS, Part, build_part
from pcgen.nets.whitening import Whitening
from pcgen.solvers import adaptive_steps

__all__ = ["PointFlow"]

_FEATURES = 128  # that the encoder makes of a cloud, before its code
# Of the posterior's log-variances at the start. Noise as large as what tells clouds apart would drown it, and a flow
# that hears nothing in a code learns to do without.
_LOG_VARIANCE = -4.0


class PointFlow(GradientLearner, GenerativeModel):
    """A distribution of shapes, each of which is a distribution of points: a flow of codes and a flow of points.

        log p(x) >= E[sum over points i of log p(x_i | z) + log p(z) - log q(z | x)],  q(z | x) = N(m(x), diag v(x))

    The points of a cloud are independent given its code z, so a cloud can have any number of them. p(x_i | z) is a flow
    of noise along dx/dt = f(x, t, z), and p(z) a flow of noise along a separate field
    (`pcgen.models.flows.continuous`). Both are the identity at first, of points that are whitened by the mean and
    covariance of all, so training starts from one Gaussian for all points.

    The paper trains through an adaptive solver by the adjoint equation. Here training takes a few steps of fixed length
    with their exact gradient, and the trace is exact by default, since there are only three directions.
    `log_prob_bound` and sampling use the adaptive solver. The paper's networks have width 512, and their training takes
    days on GPUs; the defaults are for a few hundred points on a CPU.

    Args:
        shape: (points, 3).
        code: dimensions of z.
        widths: hidden widths of the field of points.
        latent_widths: hidden widths of the field of codes.
        encoder: a part by name and arguments, or a module (B, N, 3) -> (B, 128).
        steps: of the fourth-order method, in training and on held-out rows; each takes four evaluations of a field.
        trace: in training, "exact", or "hutchinson": an unbiased estimate, in half the time.
        lr: Adam's learning rate; the paper's is 2e-3, for trainings of days.

    Logged:
        reconstruction: -log p(x | z) in nats for each point at one sample of z, mean over rows.
        kl: log q(z | x) - log p(z) in nats for each point, mean over rows.

    Raises:
        ValueError: a shape that is not (points, 3), or an argument out of range.

    References:
        Yang, Huang, Hao, Liu, Belongie, Hariharan (2019). PointFlow: 3D Point Cloud Generation with Continuous
        Normalizing Flows.
    """

    objective: ClassVar[str] = "a lower bound on the log-likelihood (ELBO)"
    sampling: ClassVar[str] = "a code, then points, each by an equation"
    accepts: ClassVar[tuple[str, ...]] = ("cloud",)

    def __init__(
        self,
        shape: Sequence[int],
        code: int = 16,
        widths: Sequence[int] = (64, 64, 64),
        latent_widths: Sequence[int] = (64, 64),
        encoder: Part | nn.Module = "pointnet",
        steps: int = 2,
        trace: str = "exact",
        lr: float = 8e-3,
    ) -> None:
        super().__init__()
        self.shape = accepted(self.accepts, shape, "point_flow")
        at_least(1, code=code, steps=steps)
        positive(lr=lr)
        check_widths(widths=widths, latent_widths=latent_widths)
        self.code_shape = (code,)
        self.prior = Normal(code)  # of the noise that codes are made of
        self.whitening = Whitening(self.shape[1])
        self.features = build_part(encoder, ENCODERS, "encoder", code=_FEATURES)
        self.encoder = nn.Linear(_FEATURES, 2 * code)
        nn.init.constant_(self.encoder.bias[code:], _LOG_VARIANCE)
        self.of_codes = ContinuousFlow(code, 0, latent_widths, trace)
        self.of_points = ContinuousFlow(self.shape[1], code, widths, trace)
        self.steps = steps
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        return replace(super().recipe, steps=1500, batch_size=16)

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        self.whitening.fit(data.x)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        posterior, path = self.posterior(batch.x), in_steps(self.steps)
        z = posterior.draw()
        divergence = posterior.log_prob(z) - self.log_prior(z, path)
        nll, points = -self.log_likelihood(batch.x, z, path), batch.x.shape[1]
        return {"reconstruction": nll.mean() / points, "kl": divergence.mean() / points}

    def posterior(self, x: Tensor) -> DiagonalGaussian:
        """q(z | x) of clouds (B, N, 3)."""
        mean, log_variance = self.encoder(self.features(x)).chunk(2, dim=1)  # (B, code) each
        return DiagonalGaussian(mean, log_variance)

    def log_prior(self, z: Tensor, path: Path) -> Tensor:
        """log p(z) of codes in nats, (B, code) -> (B,)."""
        return self.of_codes.log_prob(z[:, None], z.new_zeros(len(z), 0), path)[:, 0]

    def log_likelihood(self, x: Tensor, z: Tensor, path: Path) -> Tensor:
        """log p(x | z) of clouds (B, N, 3) given codes (B, code) in nats, the sum over points, (B,)."""
        each = self.of_points.log_prob(self.whitening(x), z, path) + self.whitening.log_det
        return each.sum(1)

    def log_prob_bound(self, x: Tensor, draws: int = 1) -> Tensor:
        """An unbiased estimate of a lower bound on log p(x) of clouds in nats, (B, N, 3) -> (B,).

            E log mean over k of p(x | z_k) p(z_k) / q(z_k | x),  z_k ~ q(z | x)

        p(x) is the density of an array of points in any order. Paths are computed by the adaptive solver.

        Raises:
            ValueError: no draws.
            FloatingPointError: the solver could not keep its tolerance.
        """
        at_least(1, draws=draws)
        posterior = self.posterior(x).repeated(draws)
        z = posterior.draw()  # (draws * B, code)
        likely = self.log_likelihood(x.repeat(draws, 1, 1), z, adaptive)
        weights = likely + self.log_prior(z, adaptive) - posterior.log_prob(z)
        return weights.view(draws, -1).logsumexp(0) - math.log(draws)

    def encode(self, x: Tensor) -> Tensor:
        """Means of the posterior, (B, N, 3) -> (B, code)."""
        return self.posterior(x).mean

    def decode(self, z: Tensor, points: int | None = None) -> Tensor:
        """Clouds of so many independent points given codes, (B, code) -> (B, points, 3); None is as the shape.

        Raises:
            ValueError: points is below 1.
            FloatingPointError: the solver could not keep its tolerance.
        """
        return last(self._way(z, points))

    @torch.no_grad()
    def draw(self, n: int, *, points: int | None = None, truncation: float | None = None) -> Tensor:
        """Draw n new clouds, (n, points, 3).

        Args:
            n: number of samples.
            points: of each cloud, any number; None is that of the shape.
            truncation: of the codes' noise, in standard deviations: smaller is more typical and less diverse.

        Raises:
            ValueError: points is below 1, or truncation not a positive number.
            FloatingPointError: the solver could not keep its tolerance.
        """
        return last(self.states(n, points=points, truncation=truncation))

    @torch.no_grad()
    def states(self, n: int, *, points: int | None = None, truncation: float | None = None) -> Iterator[State]:
        """Points of noise, at t = 0, and their positions after each of the solver's steps.

        Arguments and errors are those of `draw`, which returns the last state, at t = 1.
        """
        noise = self.prior.draw(n, truncation)
        z = self.of_codes.to_data(noise[:, None], noise.new_zeros(n, 0), adaptive)[:, 0]
        for t, x in self._way(z, points):
            yield State(f"t = {t:.3f}", x)

    def _way(self, z: Tensor, points: int | None) -> Iterator[tuple[float, Tensor]]:
        """From noise at time 0 to clouds of so many points at time 1, (B, points, 3), given codes, (B, code)."""
        points = self.shape[0] if points is None else points
        at_least(1, points=points)
        noise = torch.randn(len(z), points, self.shape[1], dtype=z.dtype, device=z.device)
        for found in adaptive_steps(self.of_points.given(z), noise, 0.0, 1.0):
            yield found.t, self.whitening.inverse(found.x)
